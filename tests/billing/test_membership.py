"""Memberships: which benefits a subscription's events grant and end, in any order of events, and until when."""

import asyncio
import itertools
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models import CreditTransaction, Generation, Membership, Plan, User
from models.database.connection import run_tx
from models.enum import MembershipStatus, PlanKind
from services.accounts.user import DEMO_EMAIL, DEMO_PASSWORD
from services.billing.entitlement import is_member
from services.billing.membership import MembershipService, SubscriptionState, grant_month
from services.core.error import NotFoundError
from services.events.account_change import AccountChange
from services.services import Services
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import Api
from tests.support.integrity import assert_invariants

ACTIVE, PAST_DUE, ENDED = MembershipStatus.ACTIVE, MembershipStatus.PAST_DUE, MembershipStatus.ENDED
VIEWER = "{ viewer { version isMember maxBatch membership { startedAt renewsAt endsAt plan { slug } } } }"
STYLE = "subscription($id: ID!) { generationProgress(id: $id) { isFavorite style { locked } } }"
FAVORITE = "mutation($id: ID!) { setFavorite(id: $id, isFavorite: true) { errors { code } } }"
LOCKED = '{ style(slug: "cyberpunk-street", collection: "scenes") { id locked } }'
DAY, GRACE = timedelta(days=1), timedelta(days=3)
NOW = datetime.now(UTC).replace(microsecond=0)


@dataclass(frozen=True)
class Offer:
    """Three monthly plans, the best one last."""

    small: Plan
    fast: Plan
    everything: Plan


@pytest.fixture
async def offer(idle_server: Running) -> Offer:
    async def plan(slug: str, position: int, **more: Any) -> Plan:
        return await Plan.create(
            slug=slug, title={"en": slug, "zh": slug}, kind=PlanKind.SUBSCRIPTION, position=position, **more
        )

    return Offer(
        await plan("small", 901, credits_per_month=100, max_batch=2),
        await plan("fast", 902, credits_per_month=300, max_batch=6, priority=True),
        await plan("everything", 903, max_batch=8, priority=True, unlimited=True, api_access=True),
    )


def event(client: Api, plan: Plan, **more: Any) -> SubscriptionState:
    """Return a subscription that began ten days ago and is paid for twenty more days, as reported an hour ago."""
    state = SubscriptionState(
        subscription_id="sub_1",
        user_id=str(client.user["id"]),
        plan=plan,
        status=ACTIVE,
        started_at=NOW - 10 * DAY,
        renews_at=NOW + 20 * DAY,
        ends_at=None,
        reported_at=NOW - DAY / 24,
    )
    return replace(state, **more)


async def apply_state(services: Services, state: SubscriptionState) -> AccountChange | None:
    """Apply a state as the webhook does: in one transaction, then publish the change."""
    account = await run_tx(services.billing.memberships.apply, state)
    if account is not None:
        await services.events.publisher.account_changed(account)
    return account


async def viewer_of(client: Api) -> dict[str, Any]:
    """Return the viewer, with parsed timestamps."""
    viewer: dict[str, Any] = await client.one(VIEWER)
    shown = viewer["membership"]
    if shown:
        for name in ("startedAt", "renewsAt", "endsAt"):
            shown[name] = datetime.fromisoformat(shown[name]) if shown[name] else None
        shown["plan"] = shown["plan"]["slug"] if shown["plan"] else None
    return viewer


async def test_subscription_makes_member_until_revoked(idle_server: Running, offer: Offer) -> None:
    ada, bob = await idle_server.api.sign_up(), await idle_server.api.sign_up("bob@example.com")
    before = await viewer_of(ada)
    assert (before["isMember"], before["membership"], before["maxBatch"]) == (False, None, 4)
    style = await ada.one(LOCKED)
    assert style["locked"]
    refused = await ada.refused(CREATE_ERRORS, input={"styleId": style["id"]})
    assert refused["code"] == "MEMBERSHIP_REQUIRED"

    account = await apply_state(idle_server.services, event(ada, offer.fast))
    assert account is not None
    assert account.entitlements, "subscribers are notified at once"
    assert await viewer_of(ada) == {
        "version": before["version"] + 1,
        "isMember": True,
        "maxBatch": 6,
        "membership": {
            "plan": "fast",
            "startedAt": NOW - 10 * DAY,
            "renewsAt": NOW + 20 * DAY,
            "endsAt": None,
        },
    }
    assert not (await ada.one(LOCKED))["locked"]
    assert (await ada.create(styleId=style["id"]))["errors"] == []
    assert (await bob.one(LOCKED))["locked"], "a plan unlocks nothing for another account"

    await apply_state(idle_server.services, event(ada, offer.fast, status=ENDED, reported_at=NOW))
    after = await viewer_of(ada)
    assert (after["isMember"], after["membership"], after["maxBatch"]) == (False, None, 4)
    assert (await ada.one(LOCKED))["locked"]
    await assert_invariants(idle_server.services)


async def test_canceled_subscription_runs_to_its_end_and_can_be_resumed(idle_server: Running, offer: Offer) -> None:
    ada = await idle_server.api.sign_up()
    await apply_state(idle_server.services, event(ada, offer.small))
    canceled = event(ada, offer.small, ends_at=NOW + 20 * DAY, reported_at=NOW - timedelta(minutes=2))
    await apply_state(idle_server.services, canceled)
    shown = await viewer_of(ada)
    assert shown["isMember"]
    assert (shown["membership"]["renewsAt"], shown["membership"]["endsAt"]) == (None, NOW + 20 * DAY)
    await apply_state(idle_server.services, event(ada, offer.small, reported_at=NOW - timedelta(minutes=1)))
    assert (await viewer_of(ada))["membership"]["renewsAt"] == NOW + 20 * DAY
    await apply_state(idle_server.services, replace(canceled, ends_at=NOW, reported_at=NOW))
    shown = await viewer_of(ada)
    assert (shown["isMember"], shown["membership"]) == (False, None), "a canceled plan has no grace period"


async def running_at(moment: datetime, user: User, services: Services) -> bool:
    """Whether a membership is running at a time: if so it is shown, else the sweep clears it."""
    clockwork = MembershipService(3, services.events.publisher, now=lambda: moment)
    is_over = user.id in await clockwork.lapsed(10)
    assert (user.id in await clockwork.current_memberships([user])) is not is_over
    return not is_over


@pytest.mark.parametrize(
    ("changes", "until"),
    [
        ({}, NOW + 20 * DAY + GRACE),
        ({"ends_at": NOW + 5 * DAY}, NOW + 5 * DAY),
        ({"status": PAST_DUE, "reported_at": NOW - DAY}, NOW - DAY + GRACE),
        ({"status": PAST_DUE, "reported_at": NOW - DAY, "ends_at": NOW + DAY}, NOW + DAY),
        ({"status": PAST_DUE, "past_due_at": NOW - 2 * DAY}, NOW - 2 * DAY + GRACE),
        ({"renews_at": None}, NOW - DAY / 24 + GRACE),
    ],
    ids=["active", "canceled", "past-due", "past-due-and-canceled", "past-due-since", "without-an-end"],
)
@pytest.mark.any_database
async def test_membership_grants_benefits_exactly_until_its_end(
    idle_server: Running, offer: Offer, changes: dict[str, Any], until: datetime
) -> None:
    ada = await idle_server.api.sign_up()
    await apply_state(idle_server.services, event(ada, offer.fast, **changes))
    user = await User.get(id=ada.user["id"])
    assert user.member_until == until
    last = until - timedelta(microseconds=1)
    assert (is_member(user, last), is_member(user, until)) == (True, False)
    assert await running_at(last, user, idle_server.services)
    assert not await running_at(until, user, idle_server.services)


async def test_failed_payment_leaves_three_days_however_often_it_is_reported(
    idle_server: Running, offer: Offer
) -> None:
    ada = await idle_server.api.sign_up()
    late = event(ada, offer.fast, status=PAST_DUE, renews_at=NOW - 4 * DAY)
    await apply_state(idle_server.services, replace(late, reported_at=NOW - 2 * DAY))
    assert (await viewer_of(ada))["isMember"], "two of three days have passed"
    assert await apply_state(idle_server.services, replace(late, reported_at=NOW - DAY)) is None
    assert (await User.get(id=ada.user["id"])).member_until == NOW - 2 * DAY + GRACE
    await apply_state(idle_server.services, event(ada, offer.fast, reported_at=NOW - DAY / 2))
    assert (await viewer_of(ada))["membership"]["renewsAt"] == NOW + 20 * DAY
    await apply_state(idle_server.services, replace(late, reported_at=NOW))
    assert (await User.get(id=ada.user["id"])).member_until == NOW + GRACE, "another failure, another three days"


async def test_payment_failed_four_days_ago_has_ended_membership(idle_server: Running, offer: Offer) -> None:
    ada = await idle_server.api.sign_up()
    await apply_state(idle_server.services, event(ada, offer.fast, reported_at=NOW - 6 * DAY))
    await apply_state(idle_server.services, event(ada, offer.fast, status=PAST_DUE, reported_at=NOW - 4 * DAY))
    shown = await viewer_of(ada)
    assert (shown["isMember"], shown["membership"], shown["maxBatch"]) == (False, None, 4)
    assert (await ada.one(LOCKED))["locked"]


async def test_events_have_same_result_in_every_order(idle_server: Running, offer: Offer) -> None:
    def states_of(client: Api) -> list[SubscriptionState]:
        first = event(client, offer.small, subscription_id=str(client.user["id"]), reported_at=NOW - 5 * DAY)
        return [
            first,
            replace(first, plan=offer.fast, reported_at=NOW - 4 * DAY),
            replace(first, plan=offer.fast, ends_at=NOW + 9 * DAY, reported_at=NOW - 3 * DAY),
            replace(first, plan=offer.fast, status=ENDED, reported_at=NOW - 3 * DAY),
        ]

    for number, order in enumerate(itertools.permutations(range(4))):
        client = await idle_server.api.sign_up(f"{number}@example.com")
        states = states_of(client)
        for index in order:
            await apply_state(idle_server.services, states[index])
        row = await Membership.get(subscription_id=client.user["id"])
        assert (row.status, row.plan_id, row.told_at) == (ENDED, offer.fast.id, NOW - 3 * DAY), order
        user = await User.get(id=client.user["id"])
        assert (user.plan_id, user.member_until) == (None, None), order


async def test_duplicate_or_late_event_changes_nothing(idle_server: Running, offer: Offer) -> None:
    ada = await idle_server.api.sign_up()
    await apply_state(idle_server.services, event(ada, offer.fast))
    known = await viewer_of(ada)
    assert await apply_state(idle_server.services, event(ada, offer.fast)) is None
    assert await apply_state(idle_server.services, event(ada, offer.fast, reported_at=NOW)) is None, (
        "newer, and says nothing new"
    )
    assert await apply_state(idle_server.services, event(ada, offer.small, status=ENDED, reported_at=NOW - DAY)) is None
    assert await viewer_of(ada) == known


async def test_concurrent_events_are_applied_one_after_another(idle_server: Running, offer: Offer) -> None:
    ada = await idle_server.api.sign_up()
    version = (await viewer_of(ada))["version"]
    first = event(ada, offer.small, reported_at=NOW - DAY)
    newest = replace(first, plan=offer.everything, reported_at=NOW)
    later = [replace(first, renews_at=NOW + day * DAY, reported_at=NOW - DAY + day * DAY / 100) for day in range(1, 7)]
    accounts = await asyncio.gather(
        *(apply_state(idle_server.services, one) for one in [first, first, newest, *later, newest])
    )
    shown = await viewer_of(ada)
    assert shown["membership"]["plan"] == "everything"
    assert await Membership.filter(user_id=ada.user["id"]).count() == 1
    moved = sorted(account.version for account in accounts if account is not None)
    assert moved == list(range(version + 1, shown["version"] + 1)), "every version was published once"


async def test_better_plan_of_two_subscriptions_counts_while_it_runs(idle_server: Running, offer: Offer) -> None:
    ada = await idle_server.api.sign_up()
    better = event(ada, offer.fast, subscription_id="sub_2")
    await apply_state(idle_server.services, better)
    await apply_state(idle_server.services, event(ada, offer.small, renews_at=NOW + 200 * DAY))
    assert (await viewer_of(ada))["membership"]["plan"] == "fast"
    await apply_state(idle_server.services, replace(better, ends_at=NOW + DAY, reported_at=NOW - timedelta(minutes=1)))
    assert (await viewer_of(ada))["membership"]["plan"] == "fast", "canceled, but still running"
    await apply_state(idle_server.services, replace(better, status=ENDED, reported_at=NOW))
    assert (await viewer_of(ada))["membership"]["plan"] == "small"


async def test_end_of_membership_is_published_once(idle_server: Running, offer: Offer) -> None:
    ada = await idle_server.api.sign_up()
    await apply_state(idle_server.services, event(ada, offer.small, renews_at=NOW + 200 * DAY))
    await apply_state(idle_server.services, event(ada, offer.fast, subscription_id="sub_2"))
    await Membership.filter(subscription_id="sub_2").update(ends_at=NOW)
    await User.filter(id=ada.user["id"]).update(member_until=NOW)
    known = await viewer_of(ada)
    assert not known["isMember"], "it ends by time alone"
    await asyncio.gather(*(idle_server.services.billing.memberships.lapse(ada.user["id"]) for _ in range(4)))
    shown = await viewer_of(ada)
    assert (shown["membership"]["plan"], shown["version"]) == ("small", known["version"] + 1), (
        "the other subscription takes its place"
    )
    await Membership.filter(subscription_id="sub_1").update(ends_at=NOW)
    await User.filter(id=ada.user["id"]).update(member_until=NOW)
    for _ in range(2):
        await idle_server.services.background.sweeper.sweep()
    user = await User.get(id=ada.user["id"])
    assert (user.plan_id, user.member_until, user.version) == (None, None, known["version"] + 2)


async def test_month_is_granted_once_with_its_price(idle_server: Running, offer: Offer) -> None:
    ada = await idle_server.api.sign_up()
    user_id = str(ada.user["id"])
    before = await ada.credits()
    month = (user_id, offer.small, "polar:order:1", 999, "usd")
    granted = await asyncio.gather(*(run_tx(grant_month, *month) for _ in range(4)))
    assert sum(len(account.lines) for account in granted) == 1
    assert await ada.credits() == before + 100
    line = await CreditTransaction.get(reference="polar:order:1")
    assert (line.type, line.amount, line.price, line.currency) == ("SUBSCRIPTION", 100, 999, "usd")
    account = await run_tx(grant_month, user_id, offer.everything, "polar:order:2", 9900, "usd")
    assert (account.lines, account.credits) == ((), before + 100), "an unlimited plan has no credits to grant"
    await assert_invariants(idle_server.services)


async def test_plan_decides_max_batch_and_priority(idle_server: Running, offer: Offer) -> None:
    ada = await idle_server.api.sign_up()
    await apply_state(idle_server.services, event(ada, offer.small))
    refused = await ada.refused(CREATE_ERRORS, input={"prompt": "A fox", "count": 3})
    assert (refused["code"], refused["field"]) == ("INVALID_INPUT", ["count"])
    ordinary = (await ada.create(prompt="A fox", count=2))["generations"]
    await apply_state(idle_server.services, event(ada, offer.fast, reported_at=NOW))
    first = (await ada.create(prompt="A fox", count=6))["generations"]
    priority = {row.id: row.priority for row in await Generation.all()}
    assert [priority[one["id"]] for one in ordinary] == [0, 0], "the small plan does not include priority"
    assert [priority[one["id"]] for one in first] == [1] * 6


async def test_membership_granted_by_admin_has_no_plan(idle_server: Running, offer: Offer) -> None:
    ada = await idle_server.api.sign_up()
    await User.filter(id=ada.user["id"]).update(is_member=True, member_since=NOW)
    assert (await viewer_of(ada))["membership"] == {"plan": None, "startedAt": NOW, "renewsAt": None, "endsAt": None}
    await apply_state(idle_server.services, event(ada, offer.small))
    assert (await viewer_of(ada))["membership"]["plan"] == "small"
    await apply_state(idle_server.services, event(ada, offer.small, status=ENDED, reported_at=NOW))
    shown = await viewer_of(ada)
    assert (shown["isMember"], shown["membership"]["plan"]) == (True, None)


async def test_subscriptions_of_unknown_or_other_accounts_are_refused(idle_server: Running, offer: Offer) -> None:
    ada, bob = await idle_server.api.sign_up(), await idle_server.api.sign_up("bob@example.com")
    await apply_state(idle_server.services, event(ada, offer.fast))
    for state in (
        event(bob, offer.fast, reported_at=NOW),
        event(bob, offer.fast, subscription_id="sub_2", user_id="usr_unknown"),
    ):
        with pytest.raises(NotFoundError):
            await apply_state(idle_server.services, state)
    assert (await viewer_of(bob))["isMember"] is False
    left = await ada.one(LEAVE, input={"password": "correct horse", "confirmEmail": "ada@example.com"})
    assert left["errors"] == []
    user = await User.get(id=ada.user["id"])
    assert (user.plan_id, user.member_until) == (None, None)
    with pytest.raises(NotFoundError):
        await apply_state(idle_server.services, event(ada, offer.small, reported_at=NOW))


async def test_subscriber_receives_start_and_end_of_membership(idle_server: Running, offer: Offer) -> None:
    ada = await idle_server.api.sign_up()
    async with ada.socket() as socket:
        stream = await socket.subscribe("subscription { creditsChanged { membership { plan { slug } } } }")
        assert (await stream.next())["membership"] is None
        await apply_state(idle_server.services, event(ada, offer.fast))
        assert (await stream.next())["membership"] == {"plan": {"slug": "fast"}}
        await apply_state(idle_server.services, event(ada, offer.fast, status=ENDED, reported_at=NOW))
        assert (await stream.next())["membership"] is None


async def test_events_lock_a_style_for_whom_membership_has_ended(idle_server: Running, offer: Offer) -> None:
    ada = await idle_server.api.sign_up()
    await apply_state(idle_server.services, event(ada, offer.fast))
    (made,) = (await ada.create(prompt="Rain", styleId=(await ada.one(LOCKED))["id"]))["generations"]
    async with ada.socket() as socket, ada.socket() as other:
        before = await socket.subscribe(STYLE, id=made["id"])
        assert (await before.next()) == {"isFavorite": False, "style": {"locked": False}}
        await apply_state(idle_server.services, event(ada, offer.fast, status=ENDED, reported_at=NOW))
        after = await other.subscribe(STYLE, id=made["id"])
        assert (await after.next()) == {"isFavorite": False, "style": {"locked": True}}
        await ada.one(FAVORITE, id=made["id"])
        assert (await after.next()) == {"isFavorite": True, "style": {"locked": True}}


async def test_demo_account_is_member_since_creation(idle_server: Running) -> None:
    await idle_server.services.accounts.users.ensure_demo_account()
    signed_in = await idle_server.api.one(SIGN_IN, input={"email": DEMO_EMAIL, "password": DEMO_PASSWORD})
    demo = replace(idle_server.api, token=signed_in["token"])
    since = datetime.fromisoformat((await demo.one(CREATED))["createdAt"])
    shown = (await viewer_of(demo))["membership"]
    assert shown["plan"] is None
    assert abs(shown["startedAt"] - since) < timedelta(seconds=5)


async def test_api_keys_that_require_a_plan_work_only_with_it(scripted_settings: Settings) -> None:
    settings = scripted_settings.model_copy(update={"profile": "avenger"})
    async with running(settings, idle=True) as server:
        await server.services.billing.plans.seed()
        ada = await server.api.sign_up()
        await ada.verify_address()
        refused = await ada.refused(CREATE_KEY)
        assert refused["code"] == "MEMBERSHIP_REQUIRED"
        pro, enterprise = await Plan.get(slug="pro"), await Plan.get(slug="enterprise")
        await apply_state(server.services, event(ada, pro, reported_at=NOW - DAY))
        assert (await ada.refused(CREATE_KEY))["message"] == refused["message"]
        await apply_state(server.services, event(ada, enterprise))
        program = replace(ada, token=(await ada.one(CREATE_KEY))["key"])
        assert await program.credits() == await ada.credits()
        lost = event(ada, enterprise, status=ENDED, reported_at=NOW)
        await apply_state(server.services, lost)
        assert not await program.is_signed_in()
        assert len((await ada.one("{ viewer { apiKeys { id } } }"))["apiKeys"]) == 1
        await apply_state(server.services, replace(lost, status=ACTIVE, reported_at=NOW + timedelta(seconds=1)))
        assert (await program.one("{ viewer { id } }"))["id"] == ada.user["id"], "kept, not deleted"


CREATE_ERRORS = """mutation($input: CreateGenerationInput!) {
  createGeneration(input: $input) { errors { code message field } }
}"""
LEAVE = "mutation($input: DeleteAccountInput!) { deleteAccount(input: $input) { errors { code } } }"
CREATE_KEY = 'mutation { createApiKey(name: "script") { key errors { code message field } } }'
SIGN_IN = "mutation($input: SignInInput!) { signIn(input: $input) { token } }"
CREATED = "{ viewer { createdAt } }"
