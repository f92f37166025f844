"""Photos of generations that ended before their provider call are removed after a day, unless another one uses them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models import File, Generation
from models.enum import ErrorCode
from services.generations.claim import Claim
from tests.conftest import Running
from tests.support.client import CANCEL, REFINE, REGENERATE, Api, photo
from tests.support.integrity import assert_invariants, make_admin, stored_keys

DELETE = "mutation($ids: [ID!]!) { deleteGenerations(ids: $ids) { deletedIds errors { code } } }"
GALLERY = "subscription { galleryChanged { kind version generation { id original { url } } } }"
RETRY = """
mutation($id: ID!) { adminRetryGeneration(id: $id, reason: "Outage") { generation { id } errors { code message } } }"""
GONE = "The photo of this picture is no longer stored. Please request it again with the photo."


async def order(api: Api, **input: Any) -> list[str]:
    created = await api.create(photo(64, 48), styleId=await api.style("cute", "plushify"), **input)
    assert created["errors"] == []
    return [made["id"] for made in created["generations"]]


async def age(*ids: str, hours: float = 25) -> None:
    """Let these generations have ended so many hours ago."""
    await Generation.filter(id__in=ids).update(completed_at=datetime.now(UTC) - timedelta(hours=hours))


async def cancel(api: Api, id: str) -> None:
    assert (await api.one(CANCEL, id=id))["errors"] == []


async def sweep(server: Running) -> None:
    await server.services.background.sweeper.sweep()
    await assert_invariants(server.services, all_swept=True)


async def has_photo(api: Api, id: str) -> bool:
    """Whether a generation shows its original, whose URL then works."""
    original = (await api.generation(id))["original"]
    if original is not None:
        assert (await api.http.get(original["url"])).status_code == 200
    return original is not None


async def test_photo_of_canceled_generation_is_removed_after_a_day(idle_server: Running) -> None:
    ada, admin = await idle_server.api.sign_up(), await make_admin(idle_server.api)
    (id,) = await order(ada)
    url = (await ada.generation(id))["original"]["url"]
    await cancel(ada, id)
    await age(id, hours=23)
    await sweep(idle_server)
    assert await has_photo(ada, id)
    await age(id)
    async with ada.socket() as socket:
        gallery = await socket.subscribe(GALLERY)
        version = (await gallery.next())["version"]
        await sweep(idle_server)
        changed = await gallery.next()
    assert changed == {"kind": "UPDATED", "version": version + 1, "generation": {"id": id, "original": None}}
    assert not await has_photo(ada, id)
    assert await stored_keys(idle_server.services) == set()
    assert (await ada.http.get(url)).status_code == 404
    credits = await ada.credits()
    refused = await ada.refused(REGENERATE, input={"id": id})
    assert (refused["code"], refused["field"], refused["message"]) == ("CONFLICT", ["id"], GONE)
    assert await ada.credits() == credits
    retried = await admin.refused(RETRY, id=id)
    assert (retried["code"], retried["message"]) == ("CONFLICT", "The photo of this generation was deleted.")
    await sweep(idle_server)
    assert (await ada.generation(id))["version"] == 3, "created, canceled, without its photo"
    assert (await ada.one(DELETE, ids=[id]))["errors"] == []


async def test_photo_of_generation_that_failed_before_the_provider_call_is_removed(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    ids = [(await order(ada))[0] for _ in range(4)]
    uncalled, called, canceled, _ = ids
    for id in (uncalled, called, canceled):
        claim = await Claim.take(id, "worker", 60, 9)
        assert claim is not None
        if id != uncalled:
            await claim.record_call("openrouter")
        if id != canceled:
            await claim.fail(ErrorCode.UNAVAILABLE, called=id == called)
    await cancel(ada, canceled)
    await age(uncalled, called, canceled)
    await sweep(idle_server)
    assert [await has_photo(ada, id) for id in ids] == [False, True, True, True]
    for id in (called, canceled):
        assert (await ada.one(REGENERATE, input={"id": id}))["errors"] == []


async def test_photo_is_kept_while_another_generation_uses_it(idle_server: Running) -> None:
    ada, worker = await idle_server.api.sign_up(), idle_server.services.generations.worker
    first, second = await order(ada, count=2)
    await cancel(ada, first)
    (third,) = [made["id"] for made in (await ada.one(REGENERATE, input={"id": first}))["generations"]]
    await age(first)
    await sweep(idle_server)
    assert await has_photo(ada, first)
    await worker.process(second)
    await cancel(ada, third)
    await age(first, third, hours=1000)
    await sweep(idle_server)
    assert [await has_photo(ada, id) for id in (first, second, third)] == [True] * 3, "the second one was paid for"
    assert (await ada.one(DELETE, ids=[second]))["errors"] == []
    await age(third, hours=1)
    await sweep(idle_server)
    assert [await has_photo(ada, id) for id in (first, third)] == [True, True], "the third one has ended just now"
    await age(third)
    await sweep(idle_server)
    assert [await has_photo(ada, id) for id in (first, third)] == [False, False]
    assert await File.all().count() == 0


async def test_result_that_a_canceled_refinement_uses_is_kept_with_its_generation(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    (id,) = await order(ada)
    await idle_server.services.generations.worker.process(id)
    (refined,) = (await ada.one(REFINE, input={"id": id, "instruction": "Make it blue"}))["generations"]
    await cancel(ada, refined["id"])
    await age(refined["id"])
    await sweep(idle_server)
    assert await has_photo(ada, refined["id"])
    assert (await ada.generation(id))["result"]
    assert (await ada.one(DELETE, ids=[id]))["errors"] == []
    await sweep(idle_server)
    assert not await has_photo(ada, refined["id"])
    assert await stored_keys(idle_server.services) == set()


async def test_photo_that_is_used_again_before_its_removal_is_kept(idle_server: Running) -> None:
    ada, originals = await idle_server.api.sign_up(), idle_server.services.gallery.originals
    (id,) = await order(ada)
    await cancel(ada, id)
    await age(id)
    (found,) = await originals.find(100)
    version = (await ada.one("{ viewer { version } }"))["version"]
    (again,) = (await ada.one(REGENERATE, input={"id": id}))["generations"]
    assert await originals.remove(found)
    assert await has_photo(ada, id)
    assert (await ada.one("{ viewer { version } }"))["version"] == version + 1, "only the new generation counts"
    await idle_server.services.generations.worker.process(again["id"])
    assert (await ada.generation(again["id"]))["status"] == "COMPLETED"


@pytest.mark.any_database
async def test_photos_that_are_in_use_do_not_hide_those_that_are_not(idle_server: Running) -> None:
    ada, originals = await idle_server.api.sign_up(), idle_server.services.gallery.originals
    used, unused = [await order(ada, count=2) for _ in range(3)], (await order(ada))[0]
    for canceled, completed in used:
        await cancel(ada, canceled)
        await idle_server.services.generations.worker.process(completed)
    await cancel(ada, unused)
    await age(*(canceled for canceled, _ in used), unused)
    found = [await originals.find(2) for _ in range(4)]
    assert [len(batch) for batch in found] == [0, 1, 0, 0], (
        "four are examined in two batches, then again from the start"
    )
    assert found[1] == [(ada.user["id"], (await Generation.get(id=unused)).original_id)]
