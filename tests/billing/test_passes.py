"""Passes: hourly allowances are exact, returned on failure, and used before any other funding source."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from models import Collection, Generation, Pass, Plan
from models.database.connection import as_datetime, rows, run_tx
from models.enum import ErrorCode, MediaKind, MembershipStatus, RefundPolicy
from services.billing import passes
from services.billing.membership import SubscriptionState
from services.billing.passes import HOUR
from services.core.error import NotFoundError
from services.generations.claim import Claim
from services.operations.integrity_audit import IntegrityAudit
from tests.conftest import Running
from tests.support.client import CANCEL, CREATE, REFINE, REGENERATE
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.fakes.openrouter_response import status
from tests.support.integrity import assert_invariants, make_member
from tests.support.passes import (
    DELETE,
    EIGHT,
    LEAVE,
    LITE,
    PASS,
    QUOTA,
    QUOTE,
    active_pass,
    advance,
    grant,
    hours,
    order,
    paid,
)


async def test_pass_pays_first_then_credits(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    held = await grant(ada)
    before = await ada.one(PASS)
    for used in range(3):
        assert await ada.one(QUOTE, input={}) == {
            "cost": 0,
            "paidBy": "PASS",
            "affordable": True,
            "balanceAfter": 10_000,
        }
        assert await paid(ada) == [("PASS", 0)]
        shown = await active_pass(ada)
        assert (shown["images"]["used"], shown["images"]["remaining"]) == (used + 1, 2 - used)
    assert await ada.one(QUOTE, input={}) == {
        "cost": 1,
        "paidBy": "CREDITS",
        "affordable": True,
        "balanceAfter": 9_999,
    }
    assert await paid(ada) == [("CREDITS", 1)]
    assert shown["plan"] == {"slug": LITE}
    assert datetime.fromisoformat(shown["startedAt"]) == held.started_at
    assert datetime.fromisoformat(shown["expiresAt"]) - held.started_at == 3 * HOUR
    assert datetime.fromisoformat(shown["images"]["resetsAt"]) - held.started_at == HOUR
    assert shown["videos"] == {**shown["images"], "perHour": 1, "used": 0, "remaining": 1, "usedInTotal": 0}
    after = await ada.one(PASS)
    assert (after["credits"], after["version"]) == (9_999, before["version"] + 4)
    assert [line["type"] for line in await ada.ledger()] == ["BONUS", "DEDUCTION"]
    await assert_invariants(idle_server.services)


async def test_request_has_one_funding_source_for_all_its_generations(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    held = await grant(ada)
    assert await paid(ada, 2) == [("PASS", 0)] * 2
    assert await paid(ada, 2) == [("CREDITS", 1)] * 2
    assert await paid(ada) == [("PASS", 0)]
    assert await hours(held) == {0: 3}
    await assert_invariants(idle_server.services)


async def test_without_credit_sales_generations_require_a_pass_with_allowance(creditless: Running) -> None:
    ada = await creditless.api.sign_up()
    no_funding = {"cost": 0, "paidBy": "PASS", "affordable": False, "balanceAfter": 0}
    assert await creditless.api.one(QUOTE, input={}) == await ada.one(QUOTE, input={}) == no_funding
    assert (await ada.refused(CREATE, input={"prompt": "A fox"}))["code"] == "MEMBERSHIP_REQUIRED"
    held = await grant(ada)
    for _ in range(3):
        assert await paid(ada) == [("PASS", 0)]
    assert await ada.one(QUOTE, input={}) == no_funding
    refused = await ada.refused(QUOTA, input={"prompt": "A fox"})
    assert refused["code"] == "QUOTA_EXCEEDED"
    assert datetime.fromisoformat(refused["resetsAt"]) == held.started_at + HOUR
    assert await Generation.all().count() == 3
    await advance(held, 1)
    assert await paid(ada) == [("PASS", 0)]
    images = (await active_pass(ada))["images"]
    assert (images["used"], images["remaining"], images["usedInTotal"]) == (1, 2, 4)
    await advance(held, 2)
    assert await active_pass(ada) is None
    assert (await ada.refused(CREATE, input={"prompt": "A fox"}))["code"] == "MEMBERSHIP_REQUIRED"
    await assert_invariants(creditless.services)


async def test_request_over_hourly_allowance_gets_no_reset_time(creditless: Running) -> None:
    ada = await creditless.api.sign_up()
    await grant(ada)
    await Pass.all().update(images_per_hour=0)
    refused = await ada.refused(CREATE, input={"prompt": "A fox"})
    assert (refused["code"], refused["field"]) == ("INVALID_INPUT", ["count"])


async def test_used_up_last_hour_of_a_pass_names_no_time_unless_another_one_follows(creditless: Running) -> None:
    ada = await creditless.api.sign_up()
    await advance(await grant(ada), 2.5)  # of three hours
    for _ in range(3):
        await order(ada)
    refused = await ada.refused(QUOTA, input={"prompt": "A fox"})
    assert (refused["code"], "last hour" in refused["message"]) == ("MEMBERSHIP_REQUIRED", True)
    await grant(ada, EIGHT, "polar:order:another")
    refused = await ada.refused(QUOTA, input={"prompt": "A fox"})
    assert (refused["code"], bool(refused["resetsAt"])) == ("QUOTA_EXCEEDED", True)


async def test_unlimited_plan_pays_what_the_pass_does_not(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    held = await grant(ada)
    state = SubscriptionState(
        subscription_id="of Ada",
        user_id=ada.user["id"],
        plan=await Plan.get(slug="enterprise"),
        status=MembershipStatus.ACTIVE,
        started_at=datetime.now(UTC),
        renews_at=datetime.now(UTC) + HOUR,
        ends_at=None,
        reported_at=datetime.now(UTC),
    )
    await run_tx(idle_server.services.billing.memberships.apply, state)
    assert [await paid(ada) for _ in range(4)] == [[("PASS", 0)]] * 3 + [[("PLAN", 0)]]
    assert (await ada.one(QUOTE, input={}))["paidBy"] == "PLAN"
    now = datetime.now(UTC)
    over = replace(state, status=MembershipStatus.ENDED, ends_at=now, reported_at=now)
    await run_tx(idle_server.services.billing.memberships.apply, over)
    assert await paid(ada) == [("CREDITS", 1)]
    assert await hours(held) == {0: 3}
    await assert_invariants(idle_server.services)


async def test_regenerations_have_the_same_funding_source(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    await grant(ada)
    (first,) = await order(ada)
    await idle_server.services.generations.worker.process(first["id"])
    again = await ada.one(REGENERATE, input={"id": first["id"]})
    refined = await ada.one(REFINE, input={"id": first["id"], "instruction": "Redder"})
    credits = await ada.one(REGENERATE, input={"id": first["id"]})
    assert [made["generations"][0]["paidBy"] for made in (again, refined, credits)] == ["PASS", "PASS", "CREDITS"]
    await assert_invariants(idle_server.services)


async def test_same_request_uses_allowance_once(creditless: Running) -> None:
    ada = await creditless.api.sign_up()
    held = await grant(ada)
    await Pass.all().update(images_per_hour=1)
    made = await asyncio.gather(*(order(ada, idempotencyKey="once") for _ in range(8)))
    assert len({one["id"] for (one,) in made}) == 1
    assert await hours(held) == {0: 1}


async def test_failure_returns_allowance_where_credits_would_be_refunded(
    idle_server: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada = await idle_server.api.sign_up()
    held = await grant(ada, EIGHT)
    openrouter.script(status(500))
    for policy, called, back in (
        (RefundPolicy.ON_FAILURE, True, True),
        (RefundPolicy.BEFORE_PROVIDER, True, False),
        (RefundPolicy.BEFORE_PROVIDER, False, True),
        (RefundPolicy.NEVER, False, False),
    ):
        await Collection.filter(slug="sandbox").update(refund_policy=policy)
        used, version = (await active_pass(ada))["images"]["used"], (await ada.one(PASS))["version"]
        (one,) = await order(ada)
        if called:
            await idle_server.services.generations.worker.process(one["id"])
        else:
            claim = await Claim.take(one["id"], "worker", 60, 4)
            assert claim is not None
            await claim.fail(ErrorCode.UNAVAILABLE, called=False)
        ended = await ada.generation(one["id"])
        assert (ended["status"], ended["refunded"]) == ("FAILED", back)
        images = (await active_pass(ada))["images"]
        assert images["used"] == images["usedInTotal"] == used + (0 if back else 1)
        assert (await ada.one(PASS))["version"] == version + 3, "accepted, claimed, failed"
    assert await ada.credits() == 10_000
    assert await hours(held) == {0: 2}
    await assert_invariants(idle_server.services, all_ended=True)


async def test_late_failure_returns_allowance_to_the_hour_that_used_it(creditless: Running) -> None:
    ada = await creditless.api.sign_up()
    held = await grant(ada)
    early = [(await order(ada))[0]["id"] for _ in range(3)]
    await advance(held, 1)
    late = [(await order(ada))[0]["id"] for _ in range(2)]
    await ada.one(CANCEL, id=early[0])
    assert await hours(held) == {0: 2, 1: 2}
    assert (await active_pass(ada))["images"]["remaining"] == 1
    await advance(held, 2)  # the end of the pass
    for one in (early[1], late[0]):
        canceled = (await ada.one(CANCEL, id=one))["generation"]
        assert (canceled["status"], canceled["refunded"]) == ("CANCELED", True)
    assert await hours(held) == {0: 1, 1: 1}
    assert (await Pass.get(id=held.id)).images_used == 2
    await assert_invariants(creditless.services)


async def test_deletion_returns_allowance_only_before_the_provider_call(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    held = await grant(ada)
    made, waiting, called = [(await order(ada))[0]["id"] for _ in range(3)]
    await idle_server.services.generations.worker.process(made)
    claim = await Claim.take(called, "worker", 60, 4)
    assert claim is not None
    await claim.record_call("openrouter")
    await ada.one(DELETE, ids=[made, waiting, called])
    assert await hours(held) == {0: 2}
    assert (await active_pass(ada))["images"]["usedInTotal"] == 2
    kept = await Generation.filter(pass_id=held.id, paid_by="PASS", pass_hour=0, deleted_at__isnull=False).count()
    assert kept == 3
    await assert_invariants(idle_server.services, all_ended=True)


async def test_passes_follow_one_another(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    first = await grant(ada, LITE, "first")
    second = await grant(ada, EIGHT, "second")
    third = await grant(ada, LITE, "third")
    assert (second.started_at, third.started_at) == (first.expires_at, second.expires_at)
    assert (await active_pass(ada))["plan"] == {"slug": LITE}
    waiting = "{ viewer { followingPasses { startsAt expiresAt imagesPerHour videosPerHour plan { slug } } } }"
    shown = (await ada.one(waiting))["followingPasses"]
    assert [(one["plan"]["slug"], one["imagesPerHour"], one["videosPerHour"]) for one in shown] == [
        (EIGHT, 8, 2),
        (LITE, 3, 1),
    ]
    assert (shown[0]["expiresAt"], shown[1]["startsAt"]) == (shown[1]["startsAt"], shown[0]["expiresAt"])
    for row in (first, second, third):
        await advance(row, 3)
    assert (await active_pass(ada))["plan"] == {"slug": EIGHT}
    assert [one["plan"]["slug"] for one in (await ada.one(waiting))["followingPasses"]] == [LITE]
    await assert_invariants(idle_server.services)


async def test_pass_is_granted_once_per_reference(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    await asyncio.gather(*(grant(ada, LITE, "polar:order:1") for _ in range(6)))
    assert await Pass.all().count() == 1
    with pytest.raises(ValueError, match="basic"):
        await grant(ada, "basic", "polar:order:2")


async def test_revoked_pass_ends_at_once_and_next_one_starts(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    for slug, reference in ((LITE, "first"), (EIGHT, "second"), (LITE, "third")):
        await grant(ada, slug, reference)
    (taken,) = await order(ada)
    version = (await ada.one(PASS))["version"]
    account = await run_tx(passes.revoke, "first")
    assert account is not None
    assert (account.entitlements, account.version) == (True, version + 1)
    assert (await active_pass(ada))["plan"] == {"slug": EIGHT}
    await assert_invariants(idle_server.services)
    await ada.one(CANCEL, id=taken["id"])
    assert (await active_pass(ada))["images"]["usedInTotal"] == 0
    await run_tx(passes.revoke, "second")
    third = await Pass.get(reference="third")
    assert datetime.fromisoformat((await active_pass(ada))["startedAt"]) == third.started_at
    assert third.expires_at - third.started_at == 3 * HOUR, "its whole duration is left"
    repeated = await run_tx(passes.revoke, "second")
    assert repeated is not None
    assert not repeated.entitlements
    assert await run_tx(passes.revoke, "unknown") is None
    await assert_invariants(idle_server.services)


async def test_pass_keeps_allowances_from_its_purchase(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    held = await grant(ada)
    await Plan.filter(slug=LITE).update(images_per_hour=1, videos_per_hour=0, duration_hours=1)
    shown = await active_pass(ada)
    assert (shown["images"]["perHour"], shown["videos"]["perHour"]) == (3, 1)
    assert datetime.fromisoformat(shown["expiresAt"]) == held.expires_at
    assert await paid(ada, 3) == [("PASS", 0)] * 3


async def test_pass_ends_exactly_at_expiry(creditless: Running) -> None:
    ada = await creditless.api.sign_up()
    held = await grant(ada)
    now = as_datetime((await rows("SELECT NOW() AS now"))[0]["now"])
    await Pass.filter(id=held.id).update(started_at=now - HOUR, expires_at=now)
    assert await active_pass(ada) is None
    assert (await ada.refused(CREATE, input={"prompt": "A fox"}))["code"] == "MEMBERSHIP_REQUIRED"


async def test_video_allowance_is_counted_separately(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    held = await grant(ada)

    async def use() -> bool:
        found = await passes.active(ada.user["id"])
        assert found is not None
        return await passes.use(found, MediaKind.VIDEO, 1)

    assert [await run_tx(use), await run_tx(use)] == [True, False]
    shown = await active_pass(ada)
    assert (shown["videos"]["used"], shown["videos"]["remaining"], shown["videos"]["usedInTotal"]) == (1, 0, 1)
    assert (shown["images"]["used"], shown["images"]["remaining"]) == (0, 3)
    await run_tx(passes.give_back, held.id, 0, MediaKind.VIDEO, 1)
    assert (await active_pass(ada))["videos"]["used"] == 0


async def test_account_deletion_ends_passes(creditless: Running) -> None:
    ada = await creditless.api.sign_up(password="correct horse")
    held = await grant(ada, EIGHT)
    for _ in range(2):
        await order(ada)
    orders = [ada.raw(CREATE, input={"prompt": "A fox"}) for _ in range(6)]
    confirmation = {"password": "correct horse", "confirmEmail": "ada@example.com"}
    left, *_ = await asyncio.gather(ada.one(LEAVE, input=confirmation), *orders)
    assert left["errors"] == []
    await creditless.services.background.sweeper.sweep()
    assert await hours(held) == {0: 0}
    await assert_invariants(creditless.services, all_ended=True)
    with pytest.raises(NotFoundError):
        await grant(ada, LITE, "too late")
    assert await run_tx(passes.revoke, held.reference) is not None, "its order can still be refunded"


async def test_pass_of_another_account_pays_nothing(creditless: Running) -> None:
    ada, bob = await creditless.api.sign_up(), await creditless.api.sign_up("bob@example.com")
    await grant(ada)
    await make_member(bob.user["id"])
    assert await active_pass(bob) is None
    assert (await bob.refused(CREATE, input={"prompt": "A fox"}))["code"] == "MEMBERSHIP_REQUIRED"


class RolledBackError(Exception):
    """Rolls back a transaction of a test."""


# Corruptions of a pass with one canceled and one pending generation, and the invariants that each violates.
CORRUPTIONS = [
    ("UPDATE pass_hours SET images = images + 1", {"A1"}),
    ("UPDATE pass_hours SET videos = 1", {"A1"}),
    ("UPDATE passes SET images_used = images_used + 1", {"A1"}),
    ("UPDATE passes SET videos_used = videos_used + 1", {"A1"}),
    ("UPDATE passes SET images_per_hour = 0", {"A1"}),
    ("DELETE FROM pass_hours", {"A1"}),
    ("UPDATE generations SET pass_hour = 1 WHERE status = 'PENDING'", {"A1"}),
    ("UPDATE generations SET pass_id = 'pas_1' WHERE status = 'PENDING'", {"A1"}),
    ("UPDATE generations SET cost = 1 WHERE status = 'PENDING'", {"M3"}),
    ("UPDATE generations SET refunded = NOT refunded", {"A2"}),
    ("UPDATE passes SET started_at = (SELECT MIN(started_at) FROM passes)", {"A3"}),
]


async def test_every_allowance_invariant_detects_its_violation(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    await grant(ada, LITE, "first")
    await grant(ada, LITE, "second")
    canceled, _ = await order(ada, 2)
    await ada.one(CANCEL, id=canceled["id"])
    await assert_invariants(idle_server.services)
    audit = IntegrityAudit(
        idle_server.services.integrations.storage.keys, generation_seconds=3600, file_seconds=3600, upload_seconds=3600
    )
    for statement, invariants in CORRUPTIONS:
        broken: set[str] = set()

        async def work(statement: str = statement, broken: set[str] = broken) -> None:
            await rows(statement)
            broken.update(result.name for result in await audit.run() if result.violations)
            raise RolledBackError

        with pytest.raises(RolledBackError):
            await run_tx(work)
        assert (statement, broken) == (statement, invariants)


async def test_pass_pays_only_for_its_collections_and_credits_for_the_rest(server: Running) -> None:
    ada = await server.api.sign_up()
    held = await grant(ada)
    assert await paid(ada) == [("PASS", 0)]
    scene = await ada.create(styleId=await ada.style("starry-night", "scenes"))
    assert [(one["paidBy"], one["cost"]) for one in scene["generations"]] == [("CREDITS", 5)]
    fine = await ada.create(prompt="A fox", quality="HD")
    assert [(one["paidBy"], one["cost"]) for one in fine["generations"]] == [("CREDITS", 2)]
    assert await hours(held) == {0: 1}
