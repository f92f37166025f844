"""Admins stop sharing and delete any user's generations, with a reason in the audit log."""

import asyncio

import pytest

from models import AuditEntry, File, Generation, User
from tests.conftest import Running
from tests.events.test_admin_activity import received, subscribed, summary
from tests.gallery.test_share import SHARE, create_completed, is_shared, share, versions
from tests.support.client import GENERATION, PROGRESS, REFINE, Api, photo
from tests.support.factories import NOW, generation, insert
from tests.support.integrity import assert_invariants, make_admin, stored_keys

UNSHARE = """
mutation($id: ID!, $reason: String!) {
  adminUnshareGeneration(id: $id, reason: $reason) { generation { id shareUrl } errors { code message field } }
}"""
DELETE = """
mutation($id: ID!, $reason: String!) {
  adminDeleteGeneration(id: $id, reason: $reason) { deletedIds errors { code message field } }
}"""
REFUND = f"""
mutation($id: ID!, $reason: String!) {{
  adminRefundGeneration(id: $id, reason: $reason) {{ generation {{ {GENERATION} }} errors {{ code }} }}
}}"""
GALLERY = "subscription { galleryChanged { kind version generationId generation { id shareUrl } } }"
WHY = "Complaint 4711"


async def entries() -> list[tuple[str | None, str, str | None, object]]:
    found = await AuditEntry.all().order_by("id")
    return [(entry.actor_id, entry.action.value, entry.target, entry.detail) for entry in found]


async def test_admin_ends_a_share_and_the_owner_sees_it_live(idle_server: Running) -> None:
    ada, admin = await idle_server.api.sign_up(), await make_admin(idle_server.api)
    id = await create_completed(idle_server, ada)
    await share(ada, id, "a-fox")
    account, generation = await versions(ada, id)
    async with ada.socket() as socket, subscribed(idle_server, admin) as activity:
        gallery = await socket.subscribe(GALLERY)
        await gallery.next()
        responses = await asyncio.gather(*(admin.one(UNSHARE, id=id, reason=f" {WHY} ") for _ in range(4)))
        changed = await gallery.next()
        assert summary(await received(activity, 1)) == [("ADMIN_ACT", "An admin stopped sharing a picture.")]
    assert responses == [{"generation": {"id": id, "shareUrl": None}, "errors": []}] * 4
    assert (changed["kind"], changed["version"]) == ("UPDATED", account + 1)
    assert changed["generation"] == {"id": id, "shareUrl": None}
    assert await versions(ada, id) == (account + 1, generation + 1)
    assert not await is_shared(idle_server, "a-fox")
    assert (await idle_server.api.http.get("/s/a-fox")).status_code == 404
    detail = {"user": ada.user["id"], "slug": "a-fox", "reason": WHY}
    assert await entries() == [(admin.user["id"], "UNSHARE_GENERATION", id, detail)]
    assert (await ada.one(SHARE, id=id, slug="a-fox"))["errors"] == []


async def test_admin_deletes_a_generation_and_the_owner_sees_it_live(idle_server: Running) -> None:
    ada, admin = await idle_server.api.sign_up(), await make_admin(idle_server.api)
    id = await create_completed(idle_server, ada)
    await share(ada, id, "a-fox")
    credits = await ada.credits()
    async with ada.socket() as socket:
        gallery = await socket.subscribe(GALLERY)
        await gallery.next()
        responses = await asyncio.gather(*(admin.one(DELETE, id=id, reason=WHY) for _ in range(4)))
        changed = await gallery.next()
    assert responses == [{"deletedIds": [id], "errors": []}] * 4
    assert (changed["kind"], changed["generationId"], changed["generation"]) == ("DELETED", id, None)
    assert await ada.generation(id) is None
    assert not await is_shared(idle_server, "a-fox")
    detail = {"user": ada.user["id"], "status": "COMPLETED", "slug": "a-fox", "reason": WHY}
    assert await entries() == [(admin.user["id"], "DELETE_GENERATION", id, detail)]
    await idle_server.services.background.sweeper.sweep()
    assert await stored_keys(idle_server.services) == set()
    assert await ada.credits() == credits, "a refund is another action"
    assert (await admin.one(REFUND, id=id, reason=WHY))["errors"] == []
    assert await ada.credits() == credits + 1
    await assert_invariants(idle_server.services, all_swept=True)


async def test_deletion_by_an_admin_cancels_a_waiting_generation_and_keeps_shared_files(idle_server: Running) -> None:
    ada, admin = await idle_server.api.sign_up(), await make_admin(idle_server.api)
    style = await ada.style("cute", "plushify")
    first, second = (await ada.create(photo(64, 48), styleId=style, count=2))["generations"]
    credits = await ada.credits()
    async with ada.socket() as socket:
        stream = await socket.subscribe(PROGRESS, id=first["id"])
        await stream.next()
        assert (await admin.one(DELETE, id=first["id"], reason=WHY))["errors"] == []
        assert (await stream.rest())[-1]["status"] == "CANCELED"
    assert await ada.credits() == credits + first["cost"]
    await idle_server.services.background.sweeper.sweep()
    assert await File.all().count() == 1
    await idle_server.services.generations.worker.process(second["id"])
    assert (await ada.generation(second["id"]))["status"] == "COMPLETED"
    await assert_invariants(idle_server.services, all_ended=True)


DELETE_EVERY_USE = DELETE.replace("reason: $reason)", "reason: $reason, everyUse: true)")


async def test_admin_deletes_what_else_uses_the_files_of_a_generation(idle_server: Running) -> None:
    ada, admin = await idle_server.api.sign_up(), await make_admin(idle_server.api)
    other = (await ada.create(prompt="A bear"))["generations"][0]["id"]
    first, second = (await ada.create(photo(64, 48), prompt="A fox", count=2))["generations"]
    await idle_server.services.generations.worker.process(first["id"])
    refined = await ada.one(REFINE, input={"id": first["id"], "instruction": "Bluer"})
    assert refined["errors"] == []
    third = refined["generations"][0]["id"]
    shown = (await ada.generation(first["id"]))["result"]["url"]
    uses = {first["id"], second["id"], third}

    done = await admin.one(DELETE_EVERY_USE, id=first["id"], reason=WHY)
    assert (done["deletedIds"][0], set(done["deletedIds"]), done["errors"]) == (first["id"], uses, [])
    assert await admin.one(DELETE_EVERY_USE, id=first["id"], reason=WHY) == {"deletedIds": [first["id"]], "errors": []}
    assert {target for _, _, target, _ in await entries()} == uses
    assert [await ada.generation(id) for id in uses] == [None] * 3
    assert (await ada.generation(other))["status"] == "PENDING"
    await idle_server.services.background.sweeper.sweep()
    assert await stored_keys(idle_server.services) == set()
    assert (await ada.http.get(shown)).status_code == 404
    await assert_invariants(idle_server.services, all_swept=True)


async def test_very_many_uses_are_deleted_in_transactions_of_a_limited_size(idle_server: Running) -> None:
    ada, admin = await idle_server.api.sign_up(), await make_admin(idle_server.api)
    (named,) = (await ada.create(photo(64, 48), prompt="A fox"))["generations"]
    file = (await Generation.get(id=named["id"])).original_id
    ended = {"original_id": file, "status": "CANCELED", "stage": "CANCELED", "refunded": True, "completed_at": NOW}
    uses = [(await insert("generations", generation(ada.user["id"], **ended)))["id"] for _ in range(150)]
    before = (await User.get(id=ada.user["id"])).version

    done = await admin.one(DELETE_EVERY_USE, id=named["id"], reason=WHY)
    assert (done["deletedIds"], done["errors"]) == ([named["id"], *uses], [])
    recorded = [target for _, _, target, _ in await entries()]
    assert recorded == [*uses, named["id"]], "the named one is the last: until then, a repetition finds the others"
    assert (await User.get(id=ada.user["id"])).version == before + 2, "100 of them, and then the others"
    assert not await Generation.present().filter(user_id=ada.user["id"]).exists()
    await idle_server.services.background.sweeper.sweep()
    assert await stored_keys(idle_server.services) == set()


@pytest.mark.parametrize("mutation", [UNSHARE, DELETE], ids=["unshare", "delete"])
async def test_moderation_needs_an_admin_and_a_reason_and_an_existing_generation(
    idle_server: Running, mutation: str
) -> None:
    ada, admin = await idle_server.api.sign_up(), await make_admin(idle_server.api)
    id = await create_completed(idle_server, ada)
    await share(ada, id, "a-fox")
    missing = "gen_" + "0" * 26
    refusals: list[tuple[Api, str, str, str]] = [
        (idle_server.api, id, WHY, "UNAUTHENTICATED"),
        (ada, id, WHY, "FORBIDDEN"),
        (admin, id, " ", "INVALID_INPUT"),
        (admin, id, "x" * 501, "INVALID_INPUT"),
        (admin, id, "a\x00b", "INVALID_INPUT"),
        (admin, missing, WHY, "NOT_FOUND"),
    ]
    for caller, target, reason, code in refusals:
        assert (await caller.refused(mutation, id=target, reason=reason))["code"] == code
    assert await is_shared(idle_server, "a-fox")
    assert await entries() == []
    await Generation.filter(id=id).update(share_slug=None, shared_at=None)
    done = await admin.one(mutation, id=id, reason="x" * 500)
    assert done["errors"] == []
    assert len(await entries()) == (mutation == DELETE), "nothing is recorded where nothing changed"
