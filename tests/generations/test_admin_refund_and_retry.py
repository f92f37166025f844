"""What admins do to other people's generations: give back what they cost, make them again, call them off."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from models import AuditEntry, Generation, Pass, PassHour, Plan, Style, User
from models.database.connection import run_tx
from models.enum import PaidBy
from services.billing import passes
from services.generations.claim import Claim
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
DELETE = "mutation($ids: [ID!]!) { deleteGenerations(ids: $ids) { deletedIds errors { code } } }"
GALLERY = "subscription { galleryChanged { kind version generationId generation { id status refunded } } }"
METADATA = "{ viewer { transactions(first: 1) { nodes { type amount metadata generation { id } } } } }"
PASS = "{ viewer { pass { images { used usedInTotal } } } }"
WHY = "Support ticket 4711"


async def order(api: Api, slug: str = "noir", collection: str = "avenger") -> str:
    made = await api.create(photo(64, 48), styleId=await api.style(slug, collection), prompt="A fox")
    assert made["errors"] == []
    return str(made["generations"][0]["id"])


async def failed(server: Running, openrouter: ScriptedOpenRouter, api: Api, *style: str) -> str:
    """A generation that the provider would not make."""
    openrouter.script(status(500))
    id = await order(api, *style)
    await server.services.generations.worker.process(id)
    openrouter.script(picture())
    return id


async def conflict(admin: Api, mutation: str, id: str) -> str:
    """Why an act on a generation is refused."""
    refused = await admin.refused(mutation, id=id, reason=WHY)
    assert (refused["code"], refused["field"]) == ("CONFLICT", ["id"])
    return str(refused["message"])


async def acts() -> list[tuple[str | None, str, str | None]]:
    return [(act.actor_id, act.action.value, act.target) for act in await AuditEntry.all().order_by("id")]


async def test_whatever_has_ended_is_refunded_once_with_its_reason(
    idle_server: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada, admin = await idle_server.api.sign_up(), await make_admin(idle_server.api)
    lost = await failed(idle_server, openrouter, ada)
    waiting, off = await order(ada), await order(ada)
    assert "in progress" in await conflict(admin, REFUND, waiting)
    await idle_server.services.generations.worker.process(waiting)
    claim = await Claim.take(off, "worker", 60, 4)
    assert claim is not None
    await claim.record_call("openrouter")
    await ada.ask(CANCEL, id=off)
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
    assert await acts() == [(admin.user["id"], "REFUND_GENERATION", id) for id in (lost, waiting, off)]
    details = [act.detail for act in await AuditEntry.all()]
    assert details == [{"user": ada.user["id"], "paidBy": "CREDITS", "credits": 10, "reason": WHY}] * 3
    await assert_invariants(idle_server.services)


async def test_twins_of_a_refund_give_it_once_and_its_owner_hears_of_it(
    idle_server: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada, admin = await idle_server.api.sign_up(), await make_admin(idle_server.api)
    id = await failed(idle_server, openrouter, ada)
    async with ada.socket() as socket:
        credits, gallery = await socket.subscribe(CREDITS), await socket.subscribe(GALLERY)
        await credits.next()
        await gallery.next()
        twins = await asyncio.gather(*(admin.one(REFUND, id=id, reason=WHY) for _ in range(4)))
        told, changed = await credits.next(), await gallery.next()
    assert sorted(len(twin["errors"]) for twin in twins) == [0, 1, 1, 1]
    assert (told["credits"], told["transaction"]["type"]) == (10_000, "REFUND")
    assert (changed["kind"], changed["version"]) == ("UPDATED", told["version"])
    assert changed["generation"] == {"id": id, "status": "FAILED", "refunded": True}
    assert len(await acts()) == 1
    await assert_invariants(idle_server.services)


async def test_what_a_pass_paid_for_goes_back_to_its_hour_even_when_that_is_over(idle_server: Running) -> None:
    ada, admin = await idle_server.api.sign_up(), await make_admin(idle_server.api)
    await run_tx(passes.grant, ada.user["id"], await Plan.get(slug="flash"), "order")
    early = await order(ada)
    held = await Pass.get()
    hour = timedelta(hours=1)
    await Pass.all().update(started_at=held.started_at - hour, expires_at=held.expires_at - hour)
    late = await order(ada)
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


async def test_where_nothing_was_paid_nothing_is_given_back(
    idle_server: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada, admin = await idle_server.api.sign_up(), await make_admin(idle_server.api)
    unlimited = await Plan.create(
        slug="all", title={"en": "All"}, kind="SUBSCRIPTION", position=900, max_batch=4, unlimited=True
    )
    free = (await admin.one(RETRY, id=await failed(idle_server, openrouter, ada), reason=WHY))["generation"]["id"]
    held = (await User.get(id=ada.user["id"])).created_at + timedelta(days=1)
    await User.filter(id=ada.user["id"]).update(plan_id=unlimited.id, member_until=held)
    planned = await order(ada)
    await User.filter(id=ada.user["id"]).update(plan_id=None, member_until=None)
    for id, paid_by in ((free, PaidBy.CREDITS), (planned, PaidBy.PLAN)):
        await idle_server.services.generations.worker.process(id)
        row = await Generation.get(id=id)
        assert (row.status, row.paid_by, row.cost) == ("COMPLETED", paid_by, 0)
        assert "Nothing was paid" in await conflict(admin, REFUND, id)
    await assert_invariants(idle_server.services)


async def test_a_deleted_generation_is_refunded_and_not_shown(idle_server: Running) -> None:
    ada, admin = await idle_server.api.sign_up(), await make_admin(idle_server.api)
    id = await order(ada)
    await idle_server.services.generations.worker.process(id)
    await ada.ask(DELETE, ids=[id])
    assert await admin.one(REFUND, id=id, reason=WHY) == {"generation": None, "errors": []}
    assert await ada.credits() == 10_000
    assert (await admin.refused(RETRY, id=id, reason=WHY))["code"] == "NOT_FOUND"
    assert [line["type"] for line in await ada.ledger()] == ["BONUS", "DEDUCTION", "REFUND"]
    await assert_invariants(idle_server.services)


async def test_a_retry_is_a_new_free_generation_of_the_same(
    idle_server: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada, admin = await idle_server.api.sign_up(), await make_admin(idle_server.api)
    old = await failed(idle_server, openrouter, ada)
    await Style.all().update(is_active=False)  # what was sold can be made, whatever is offered now
    await Generation.filter(id=old).update(style_id=None)
    ended, spent = await ada.generation(old), await ada.credits()
    async with ada.socket() as socket:
        gallery = await socket.subscribe(GALLERY)
        await gallery.next()
        made = await admin.one(RETRY, id=old, reason=WHY)
        told = await gallery.next()
    assert made["errors"] == []
    new = made["generation"]
    assert (told["kind"], told["generation"]["id"], told["generation"]["status"]) == ("CREATED", new["id"], "PENDING")
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
    assert await ada.generation(old) == ended, "a final state never reopens"
    assert await ada.credits() == spent
    assert await acts() == [(admin.user["id"], "RETRY_GENERATION", old)]
    assert (await AuditEntry.get()).detail == {"user": ada.user["id"], "generation": new["id"], "reason": WHY}
    await assert_invariants(idle_server.services, all_ended=True)


async def test_a_retry_is_made_only_where_there_is_no_picture_and_none_on_its_way(
    idle_server: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada, admin = await idle_server.api.sign_up(), await make_admin(idle_server.api)
    good = await order(ada)
    assert "failed or canceled" in await conflict(admin, RETRY, good)
    await idle_server.services.generations.worker.process(good)
    assert "failed or canceled" in await conflict(admin, RETRY, good)
    lost = await failed(idle_server, openrouter, ada)
    twins = await asyncio.gather(*(admin.one(RETRY, id=lost, reason=WHY) for _ in range(4)))
    (first,) = [twin["generation"]["id"] for twin in twins if not twin["errors"]]
    assert "in progress or has succeeded" in await conflict(admin, RETRY, lost)
    await ada.ask(CANCEL, id=first)
    second = (await admin.one(RETRY, id=lost, reason=WHY))["generation"]["id"]
    await idle_server.services.generations.worker.process(second)
    for each in (lost, first):
        assert "in progress or has succeeded" in await conflict(admin, RETRY, each), "there is a picture by now"
    other = await failed(idle_server, openrouter, ada)
    third = (await admin.one(RETRY, id=other, reason=WHY))["generation"]["id"]
    await ada.ask(CANCEL, id=third)
    fourth = (await admin.one(RETRY, id=third, reason=WHY))["generation"]["id"]
    for each in (other, third):
        assert "in progress or has succeeded" in await conflict(admin, RETRY, each), "a retry's retry is on its way"
    await idle_server.services.generations.worker.process(fourth)
    assert await ada.credits() == 9_970
    assert [action for _, action, _ in await acts()] == ["RETRY_GENERATION"] * 4
    await assert_invariants(idle_server.services, all_ended=True)


async def test_an_admin_calls_anybodys_generation_off(idle_server: Running) -> None:
    ada, eve, admin = (
        await idle_server.api.sign_up(),
        await idle_server.api.sign_up("eve@example.com"),
        await make_admin(idle_server.api),
    )
    key = (await admin.one('mutation { createApiKey(name: "script") { key } }'))["key"]
    script = Api(idle_server.api.http, idle_server.api.address, key)
    id, own = await order(ada), await order(admin)
    for stranger in (eve, script):
        assert (await stranger.refused(CANCEL, id=id))["code"] == "NOT_FOUND"
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
    assert await acts() == [(admin.user["id"], "CANCEL_GENERATION", id)], "one's own is no act of an admin"
    await assert_invariants(idle_server.services, all_ended=True)


@pytest.mark.any_database
async def test_acts_on_generations_need_a_reason_an_admin_and_a_generation(
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
    # Its generations go a moment after the account itself.
    await User.filter(id=ada.user["id"]).update(deleted_at=datetime.now(UTC))
    for mutation in (REFUND, RETRY):
        assert (await admin.refused(mutation, id=id, reason=WHY))["code"] == "NOT_FOUND", "nobody is there to get it"
    assert await acts() == []
