"""What admins do to other users' generations: refund, retry and cancel them."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from models import AuditEntry, Generation, Pass, PassHour, Plan, Style, User
from models.database.connection import run_tx
from models.enum import PaidBy
from services.billing import ledger, passes
from services.generations.claim import Claim
from tests.accounts.test_guest_merge import made_by, merge, token_of
from tests.accounts.test_guests import guest_of
from tests.conftest import Running
from tests.support.client import CANCEL, CREDITS, GENERATION, PROGRESS, Api, photo
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.fakes.openrouter_response import picture, status
from tests.support.integrity import assert_invariants, make_admin

REFUND = f"""
mutation($id: ID!, $reason: String!) {{
  adminRefundGeneration(id: $id, reason: $reason) {{ generation {{ {GENERATION} }} errors {{ code message field }} }}
}}"""
RETRY = f"""
mutation($id: ID!, $reason: String!) {{
  adminRetryGeneration(id: $id, reason: $reason) {{
    generation {{ {GENERATION} owner {{ id }} }} errors {{ code message field }}
  }}
}}"""
CANCEL_FOR = """
mutation($id: ID!, $reason: String) { cancelGeneration(id: $id, reason: $reason) { errors { code message field } } }
"""
DELETE = "mutation($ids: [ID!]!) { deleteGenerations(ids: $ids) { deletedIds errors { code } } }"
GALLERY = "subscription { galleryChanged { kind version generationId generation { id status refunded } } }"
METADATA = "{ viewer { transactions(first: 1) { nodes { type amount metadata generation { id } } } } }"
SPENT = "{ viewer { credits stats { creditsSpent } } }"
PASS = "{ viewer { pass { images { used usedInTotal } } } }"
WHY = "Support ticket 4711"


async def submit(api: Api, slug: str = "noir", collection: str = "avenger") -> str:
    created = await api.create(photo(64, 48), styleId=await api.style(slug, collection), prompt="A fox")
    assert created["errors"] == []
    return str(created["generations"][0]["id"])


async def failed(server: Running, openrouter: ScriptedOpenRouter, api: Api, *style: str) -> str:
    """Create a generation whose provider call fails."""
    openrouter.script(status(500))
    id = await submit(api, *style)
    await server.services.generations.worker.process(id)
    openrouter.script(picture())
    return id


async def conflict(admin: Api, mutation: str, id: str) -> str:
    """Return the message of a refused admin action."""
    refused = await admin.refused(mutation, id=id, reason=WHY)
    assert (refused["code"], refused["field"]) == ("CONFLICT", ["id"])
    return str(refused["message"])


async def audited() -> list[tuple[str | None, str, str | None]]:
    return [(entry.actor_id, entry.action.value, entry.target) for entry in await AuditEntry.all().order_by("id")]


async def test_ended_generation_is_refunded_once_with_its_reason(
    idle_server: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada, admin = await idle_server.api.sign_up(), await make_admin(idle_server.api)
    lost = await failed(idle_server, openrouter, ada)
    waiting, off = await submit(ada), await submit(ada)
    assert "in progress" in await conflict(admin, REFUND, waiting)
    await idle_server.services.generations.worker.process(waiting)
    claim = await Claim.take(off, "worker", 60, 4)
    assert claim is not None
    await claim.record_call("openrouter")
    await ada.execute(CANCEL, id=off)
    assert await ada.credits() == 9_970
    for number, (id, end) in enumerate(((lost, "FAILED"), (waiting, "COMPLETED"), (off, "CANCELED")), 1):
        before = await ada.generation(id)
        done = await admin.one(REFUND, id=id, reason=f" {WHY} ")
        assert done["errors"] == []
        after = await ada.generation(id)
        assert (after["status"], after["refunded"], after["version"]) == (end, True, before["version"] + 1)
        assert {name: done["generation"][name] for name in ("id", "status", "refunded")} == {
            "id": id,
            "status": end,
            "refunded": True,
        }
        assert await ada.credits() == 9_970 + 10 * number
        (line,) = (await ada.one(METADATA))["transactions"]["nodes"]
        assert line == {"type": "REFUND", "amount": 10, "metadata": {"reason": WHY}, "generation": {"id": id}}
        assert "already" in await conflict(admin, REFUND, id)
    assert await audited() == [(admin.user["id"], "REFUND_GENERATION", id) for id in (lost, waiting, off)]
    details = [entry.detail for entry in await AuditEntry.all()]
    assert details == [{"user": ada.user["id"], "paidBy": "CREDITS", "credits": 10, "reason": WHY}] * 3
    await assert_invariants(idle_server.services)


async def test_concurrent_refunds_refund_once_and_notify_the_owner(
    idle_server: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada, admin = await idle_server.api.sign_up(), await make_admin(idle_server.api)
    id = await failed(idle_server, openrouter, ada)
    async with ada.socket() as socket:
        credits, gallery = await socket.subscribe(CREDITS), await socket.subscribe(GALLERY)
        await credits.next()
        await gallery.next()
        responses = await asyncio.gather(*(admin.one(REFUND, id=id, reason=WHY) for _ in range(4)))
        event, changed = await credits.next(), await gallery.next()
    assert sorted(len(response["errors"]) for response in responses) == [0, 1, 1, 1]
    assert (event["credits"], event["transaction"]["type"]) == (10_000, "REFUND")
    assert (changed["kind"], changed["version"]) == ("UPDATED", event["version"])
    assert changed["generation"] == {"id": id, "status": "FAILED", "refunded": True}
    assert len(await audited()) == 1
    await assert_invariants(idle_server.services)


async def test_refund_returns_the_allowance_to_the_hour_of_the_pass_even_after_it(idle_server: Running) -> None:
    ada, admin = await idle_server.api.sign_up(), await make_admin(idle_server.api)
    await run_tx(passes.grant, ada.user["id"], await Plan.get(slug="flash"), "order")
    await Pass.all().update(collections=None)  # it pays for every collection
    early = await submit(ada)
    pass_ = await Pass.get()
    hour = timedelta(hours=1)
    await Pass.all().update(started_at=pass_.started_at - hour, expires_at=pass_.expires_at - hour)
    late = await submit(ada)
    for id in (early, late):
        await idle_server.services.generations.worker.process(id)
    assert (await ada.one(PASS))["pass"]["images"] == {"used": 1, "usedInTotal": 2}
    entitlements = "subscription { creditsChanged { version pass { images { used usedInTotal } } } }"
    async with ada.socket() as socket:
        credits = await socket.subscribe(entitlements)
        await credits.next()
        assert (await admin.one(REFUND, id=early, reason=WHY))["generation"]["refunded"]
        assert (await credits.next())["pass"]["images"] == {"used": 1, "usedInTotal": 1}
        assert (await admin.one(REFUND, id=late, reason=WHY))["generation"]["refunded"]
        assert (await credits.next())["pass"]["images"] == {"used": 0, "usedInTotal": 0}
    assert {row.hour: row.images for row in await PassHour.all()} == {0: 0, 1: 0}
    assert "already" in await conflict(admin, REFUND, early)
    assert await ada.credits() == 10_000
    await assert_invariants(idle_server.services)


async def test_unpaid_generation_cannot_be_refunded(idle_server: Running, openrouter: ScriptedOpenRouter) -> None:
    ada, admin = await idle_server.api.sign_up(), await make_admin(idle_server.api)
    unlimited = await Plan.create(
        slug="all", title={"en": "All"}, kind="SUBSCRIPTION", position=900, max_batch=4, unlimited=True
    )
    free = (await admin.one(RETRY, id=await failed(idle_server, openrouter, ada), reason=WHY))["generation"]["id"]
    member_until = (await User.get(id=ada.user["id"])).created_at + timedelta(days=1)
    await User.filter(id=ada.user["id"]).update(plan_id=unlimited.id, member_until=member_until)
    planned = await submit(ada)
    await User.filter(id=ada.user["id"]).update(plan_id=None, member_until=None)
    for id, paid_by in ((free, PaidBy.CREDITS), (planned, PaidBy.PLAN)):
        await idle_server.services.generations.worker.process(id)
        row = await Generation.get(id=id)
        assert (row.status, row.paid_by, row.cost) == ("COMPLETED", paid_by, 0)
        assert "Nothing was paid" in await conflict(admin, REFUND, id)
    await assert_invariants(idle_server.services)


async def test_deleted_generation_is_refunded_and_not_returned(idle_server: Running) -> None:
    ada, admin = await idle_server.api.sign_up(), await make_admin(idle_server.api)
    id = await submit(ada)
    await idle_server.services.generations.worker.process(id)
    await ada.execute(DELETE, ids=[id])
    assert await admin.one(REFUND, id=id, reason=WHY) == {"generation": None, "errors": []}
    assert await ada.credits() == 10_000
    assert (await admin.refused(RETRY, id=id, reason=WHY))["code"] == "NOT_FOUND"
    assert [line["type"] for line in await ada.ledger()] == ["BONUS", "DEDUCTION", "REFUND"]
    await assert_invariants(idle_server.services)


async def test_what_a_guest_paid_before_it_was_merged_is_not_refunded(idle_server: Running) -> None:
    ada, admin = await idle_server.api.sign_up(), await make_admin(idle_server.api)
    guest = await guest_of(idle_server.api)
    own, moved = [await made_by(idle_server, api) for api in (ada, guest)]
    merged = await merge(ada, await token_of(guest))
    assert (merged["errors"], merged["movedCredits"]) == ([], 0)
    before = await ada.one(SPENT)
    assert "A guest paid" in await conflict(admin, REFUND, moved)
    assert await ada.one(SPENT) == before == {"credits": ada.user["credits"] - 1, "stats": {"creditsSpent": 1}}
    assert not (await ada.generation(moved))["refunded"]
    assert (await admin.one(REFUND, id=own, reason=WHY))["errors"] == []
    assert await ada.one(SPENT) == {"credits": ada.user["credits"], "stats": {"creditsSpent": 0}}
    assert await audited() == [(admin.user["id"], "REFUND_GENERATION", own)]
    await assert_invariants(idle_server.services)
    await run_tx(ledger.post, ada.user["id"], ledger.refund(moved, 1))  # as by an earlier release
    assert (await ada.one(SPENT))["stats"] == {"creditsSpent": 0}


async def test_retry_is_a_new_free_generation_with_the_same_input(
    idle_server: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada, admin = await idle_server.api.sign_up(), await make_admin(idle_server.api)
    old = await failed(idle_server, openrouter, ada)
    await Style.all().update(is_active=False)  # a retry does not need a style that is still offered
    await Generation.filter(id=old).update(style_id=None)
    ended, spent = await ada.generation(old), await ada.credits()
    async with ada.socket() as socket:
        gallery = await socket.subscribe(GALLERY)
        await gallery.next()
        created = await admin.one(RETRY, id=old, reason=WHY)
        event = await gallery.next()
    assert created["errors"] == []
    new = created["generation"]
    assert (event["kind"], event["generation"]["id"], event["generation"]["status"]) == (
        "CREATED",
        new["id"],
        "PENDING",
    )
    assert new["owner"] == {"id": ada.user["id"]}
    assert (new["cost"], new["paidBy"], new["refunded"]) == (0, "CREDITS", False)
    for name in ("styleTitle", "prompt", "variables", "size", "quality", "aspectRatio"):
        assert new[name] == ended[name], name
    source, row = await Generation.get(id=old), await Generation.get(id=new["id"])
    for name in ("full_prompt", "original_id", "refund_policy", "priority", "earlier_prompts", "requested_model"):
        assert getattr(row, name) == getattr(source, name), name
    assert row.parent_id == old
    await idle_server.services.generations.worker.process(new["id"])
    assert (await ada.generation(new["id"]))["status"] == "COMPLETED"
    assert openrouter.calls[-1].body == openrouter.calls[0].body
    assert await ada.generation(old) == ended, "a final status never changes"
    assert await ada.credits() == spent
    assert await audited() == [(admin.user["id"], "RETRY_GENERATION", old)]
    assert (await AuditEntry.get()).detail == {"user": ada.user["id"], "generation": new["id"], "reason": WHY}
    await assert_invariants(idle_server.services, all_ended=True)


async def test_retry_is_refused_while_a_retry_is_in_progress_or_has_succeeded(
    idle_server: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada, admin = await idle_server.api.sign_up(), await make_admin(idle_server.api)
    good = await submit(ada)
    assert "failed or canceled" in await conflict(admin, RETRY, good)
    await idle_server.services.generations.worker.process(good)
    assert "failed or canceled" in await conflict(admin, RETRY, good)
    lost = await failed(idle_server, openrouter, ada)
    responses = await asyncio.gather(*(admin.one(RETRY, id=lost, reason=WHY) for _ in range(4)))
    (first,) = [response["generation"]["id"] for response in responses if not response["errors"]]
    assert "in progress or has succeeded" in await conflict(admin, RETRY, lost)
    await ada.execute(CANCEL, id=first)
    second = (await admin.one(RETRY, id=lost, reason=WHY))["generation"]["id"]
    await idle_server.services.generations.worker.process(second)
    for each in (lost, first):
        assert "in progress or has succeeded" in await conflict(admin, RETRY, each), "a retry has succeeded"
    other = await failed(idle_server, openrouter, ada)
    third = (await admin.one(RETRY, id=other, reason=WHY))["generation"]["id"]
    await ada.execute(CANCEL, id=third)
    fourth = (await admin.one(RETRY, id=third, reason=WHY))["generation"]["id"]
    for each in (other, third):
        assert "in progress or has succeeded" in await conflict(admin, RETRY, each), (
            "a retry of the retry is in progress"
        )
    await idle_server.services.generations.worker.process(fourth)
    assert await ada.credits() == 9_970
    assert [action for _, action, _ in await audited()] == ["RETRY_GENERATION"] * 4
    await assert_invariants(idle_server.services, all_ended=True)


async def test_admin_cancels_any_users_generation(idle_server: Running) -> None:
    ada, eve, admin = (
        await idle_server.api.sign_up(),
        await idle_server.api.sign_up("eve@example.com"),
        await make_admin(idle_server.api),
    )
    await admin.verify_address()
    key = (await admin.one('mutation { createApiKey(name: "script") { key } }'))["key"]
    script = Api(idle_server.api.http, idle_server.api.address, key)
    id, own = await submit(ada), await submit(admin)
    for other in (eve, script):
        assert (await other.refused(CANCEL, id=id))["code"] == "NOT_FOUND"
    async with ada.socket() as socket:
        progress, credits = await socket.subscribe(PROGRESS, id=id), await socket.subscribe(CREDITS)
        await progress.next()
        await credits.next()
        done = await admin.one(CANCEL, id=id)
        assert [seen["status"] for seen in await progress.rest()] == ["CANCELED"]
        assert (await credits.next())["transaction"]["type"] == "REFUND"
    assert done["errors"] == []
    assert (done["generation"]["status"], done["generation"]["refunded"]) == ("CANCELED", True)
    assert await ada.credits() == 10_000
    assert (await admin.one(CANCEL, id=id))["errors"] == [], "canceling again changes nothing"
    assert (await admin.one(CANCEL, id=own))["errors"] == []
    assert await audited() == [(admin.user["id"], "CANCEL_GENERATION", id)], (
        "canceling the admin's own generation is not audited"
    )
    await assert_invariants(idle_server.services, all_ended=True)


async def test_cancellation_by_an_admin_may_have_a_reason(idle_server: Running) -> None:
    ada, admin = await idle_server.api.sign_up(), await make_admin(idle_server.api)
    canceled = [await submit(ada), await submit(ada)]
    assert (await admin.refused(CANCEL_FOR, id=canceled[0], reason="x" * 501))["field"] == ["reason"]
    assert (await ada.generation(canceled[0]))["status"] == "PENDING"
    assert (await admin.one(CANCEL_FOR, id=canceled[0], reason=f" {WHY} "))["errors"] == []
    assert (await admin.one(CANCEL, id=canceled[1]))["errors"] == []
    details = [entry.detail for entry in await AuditEntry.all().order_by("id")]
    assert details == [{"user": ada.user["id"], "reason": WHY}, {"user": ada.user["id"]}]


@pytest.mark.any_database
async def test_refund_and_retry_need_a_reason_an_admin_and_a_generation(
    idle_server: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada, admin = await idle_server.api.sign_up(), await make_admin(idle_server.api)
    id = await failed(idle_server, openrouter, ada)
    for mutation in (REFUND, RETRY):
        for reason in ("", " ", "x" * 501):
            refused = await admin.refused(mutation, id=id, reason=reason)
            assert (refused["code"], refused["field"]) == ("INVALID_INPUT", ["reason"])
        for missing in ("gen_01h455vb4pex5vsknk084sn02q", "gen_x", ada.user["id"]):
            refused = await admin.refused(mutation, id=missing, reason=WHY)
            assert (refused["code"], refused["field"]) == ("NOT_FOUND", ["id"])
        assert (await ada.refused(mutation, id=id, reason=WHY))["code"] == "FORBIDDEN"
    # The generations are deleted shortly after the account.
    await User.filter(id=ada.user["id"]).update(deleted_at=datetime.now(UTC))
    for mutation in (REFUND, RETRY):
        assert (await admin.refused(mutation, id=id, reason=WHY))["code"] == "NOT_FOUND", "its owner was deleted"
    assert await audited() == []
