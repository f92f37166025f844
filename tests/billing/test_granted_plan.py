"""Plans that an admin grants: benefits and credits of every month, until they end."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models import AuditEntry, Membership, User
from services.billing.granted_plan import _after_months
from services.core.chore import Lane
from tests.conftest import Running
from tests.support.client import Api
from tests.support.fakes.polar import PolarServer
from tests.support.fakes.polar_wire import subscription, timestamp
from tests.support.integrity import assert_invariants, make_admin
from tests.support.polar_store import BASIC, deliver, lines, user_of

ERRORS = "errors { code message field }"
PLAN = "isMember credits maxBatch version membership { renewsAt endsAt isGranted plan { slug unlimited } }"
GRANT = (
    "mutation($userId: ID!, $plan: String!, $months: Int, $reason: String!, $key: String)"
    " { adminGrantPlan(userId: $userId, plan: $plan, months: $months, reason: $reason, idempotencyKey: $key)"
    f" {{ user {{ {PLAN} }} {ERRORS} }} }}"
)
END = (
    "mutation($userId: ID!, $reason: String!)"
    f" {{ adminEndPlan(userId: $userId, reason: $reason) {{ user {{ {PLAN} }} {ERRORS} }} }}"
)
DELETE = "mutation($input: DeleteAccountInput!) { deleteAccount(input: $input) { errors { code } } }"
VIEWER = f"{{ viewer {{ {PLAN} }} }}"


@pytest.fixture
async def ada(polar_store: Running) -> Api:
    return await polar_store.api.sign_up()


@pytest.fixture
async def admin(polar_store: Running) -> Api:
    return await make_admin(polar_store.api)


async def grant(admin: Api, api: Api, plan: str = "basic", **more: Any) -> Any:
    return await admin.one(GRANT, userId=user_of(api), plan=plan, reason="Partner.", **more)


async def end(admin: Api, api: Api) -> Any:
    return await admin.one(END, userId=user_of(api), reason="Over.")


def code(payload: Any) -> str:
    return str(payload["errors"][0]["code"]) if payload["errors"] else "OK"


async def let_month_end(api: Api) -> None:
    """Move the granted plan into the past, so that its first month has just ended."""
    started = _after_months(datetime.now(UTC) - timedelta(minutes=1), -1)
    moved = Membership.filter(user_id=user_of(api), status="ACTIVE")
    assert await moved.update(started_at=started, renews_at=_after_months(started, 1))


async def test_granted_plan_has_its_benefits_and_credits(polar_store: Running, ada: Api, admin: Api) -> None:
    async with ada.socket() as socket:
        stream = await socket.subscribe("subscription { creditsChanged { credits transaction { type } } }")
        assert (await stream.next())["credits"] == 10
        granted = await grant(admin, ada)
        assert await stream.next() == {"credits": 110, "transaction": {"type": "SUBSCRIPTION"}}
    assert granted["user"]["membership"]["plan"] == {"slug": "basic", "unlimited": False}
    assert granted["user"]["membership"]["renewsAt"] is not None
    assert await ada.one(VIEWER) == granted["user"]
    assert (granted["user"]["isMember"], granted["user"]["version"]) == (True, 2)
    (entry,) = await AuditEntry.all()
    assert (entry.action, entry.target) == ("GRANT_PLAN", user_of(ada))
    assert entry.detail == {"plan": "basic", "months": None, "reason": "Partner."}
    await assert_invariants(polar_store.services)


async def test_plan_on_request_can_be_granted_and_ended(polar_store: Running, ada: Api, admin: Api) -> None:
    granted = await grant(admin, ada, "enterprise", months=12)
    assert granted["user"]["membership"]["plan"] == {"slug": "enterprise", "unlimited": True}
    assert granted["user"]["membership"]["endsAt"] is not None
    assert granted["user"]["membership"]["isGranted"] is True
    ended = await end(admin, ada)
    assert (ended["user"]["isMember"], ended["user"]["membership"]) == (False, None)
    assert ended["user"]["version"] == granted["user"]["version"] + 1
    assert (await end(admin, ada)) == ended, "nothing is left to end"
    assert [entry.action for entry in await AuditEntry.all().order_by("id")] == ["GRANT_PLAN", "END_PLAN"]
    assert code(await grant(admin, ada, "pro")) == "OK"
    await assert_invariants(polar_store.services)


async def test_every_month_is_granted_once(polar_store: Running, ada: Api, admin: Api) -> None:
    granted = polar_store.services.billing.granted_plans
    await grant(admin, ada)
    await let_month_end(ada)
    (due,) = await granted.due(10)
    await asyncio.gather(*(granted.renew(due) for _ in range(4)))
    assert await granted.due(10) == []
    assert await lines(ada) == [("SUBSCRIPTION", 100)] * 2
    assert (await ada.one(VIEWER))["isMember"]
    await assert_invariants(polar_store.services)


async def test_months_begin_on_the_same_day_or_the_last_of_the_month(
    polar_store: Running, ada: Api, admin: Api
) -> None:
    granted = polar_store.services.billing.granted_plans
    await grant(admin, ada)
    began = datetime(2026, 1, 31, 12, tzinfo=UTC)
    row = await Membership.get(user_id=user_of(ada))
    await Membership.filter(id=row.id).update(started_at=began, renews_at=datetime(2026, 2, 28, 12, tzinfo=UTC))
    for month, day in ((3, 31), (4, 30), (5, 31)):
        await granted.renew(row.id)
        assert (await Membership.get(id=row.id)).renews_at == began.replace(month=month, day=day)
    assert await lines(ada) == [("SUBSCRIPTION", 100)] * 4


async def test_plan_granted_for_some_months_ends_after_them(polar_store: Running, ada: Api, admin: Api) -> None:
    await grant(admin, ada, months=1)
    await let_month_end(ada)
    row = await Membership.get(user_id=user_of(ada))
    await Membership.filter(id=row.id).update(ends_at=row.renews_at)
    await User.filter(id=user_of(ada)).update(member_until=row.renews_at)
    await polar_store.services.background.sweeper.sweep_lane(Lane.SETTLEMENT)
    assert (await Membership.get(id=row.id)).status == "ENDED"
    assert (await User.get(id=user_of(ada))).plan_id is None
    assert await lines(ada) == [("SUBSCRIPTION", 100)]
    await assert_invariants(polar_store.services)


async def test_running_plan_refuses_another_grant(ada: Api, admin: Api) -> None:
    results = await asyncio.gather(*(grant(admin, ada, plan) for plan in ("basic", "pro", "basic")))
    assert sorted(map(code, results)) == ["CONFLICT", "CONFLICT", "OK"]
    bob = await ada.sign_up("bob@example.com")
    until = timestamp(datetime.now(UTC) + timedelta(days=30))
    await deliver(bob, "subscription.active", subscription(user_of(bob), BASIC, current_period_end=until))
    assert [code(await grant(admin, bob)), code(await end(admin, bob))] == ["CONFLICT"] * 2
    assert (await bob.one(VIEWER))["membership"]["plan"]["slug"] == "basic"


async def test_repeated_key_grants_once(ada: Api, admin: Api) -> None:
    first = await grant(admin, ada, key="ticket-1")
    assert await grant(admin, ada, key="ticket-1") == first
    assert code(await grant(admin, ada, "pro", key="ticket-1")) == "CONFLICT"
    assert await lines(ada) == [("SUBSCRIPTION", 100)]


async def test_account_deletion_ends_a_granted_plan_without_the_provider(
    polar_store: Running, ada: Api, admin: Api, polar: PolarServer
) -> None:
    await grant(admin, ada)
    await let_month_end(ada)
    gone = await ada.one(DELETE, input={"password": "correct horse", "confirmEmail": "ada@example.com"})
    assert gone["errors"] == []
    await polar_store.services.payments.reconciliation.reconcile_when_due(datetime.now(UTC))
    await polar_store.services.background.sweeper.sweep_lane(Lane.SETTLEMENT)
    assert (await Membership.get(user_id=user_of(ada))).status == "ENDED"
    assert not [call for call in polar.calls if "subscriptions" in call.path]
    assert code(await grant(admin, ada)) == "NOT_FOUND"
    await assert_invariants(polar_store.services)


async def test_invalid_grants_are_refused(ada: Api, admin: Api) -> None:
    for wrong, field in (
        ({"plan": "flash"}, "plan"), ({"plan": "none"}, "plan"), ({"plan": "\x00"}, "plan"),
        ({"months": 0}, "months"), ({"months": 121}, "months"), ({"reason": " "}, "reason"),
    ):  # fmt: skip
        given: dict[str, Any] = {"userId": user_of(ada), "plan": "basic", "reason": "x", **wrong}
        error = await admin.refused(GRANT, **given)
        assert (error["code"], error["field"]) == ("INVALID_INPUT", [field])
    for mutation in (GRANT, END):
        assert (await ada.refused(mutation, userId=user_of(ada), plan="basic", reason="x"))["code"] == "FORBIDDEN"
    assert (await ada.one(VIEWER))["version"] == 1
