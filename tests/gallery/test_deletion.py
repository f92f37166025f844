"""Deletion of generations: hidden from every read at once, files removed from the storage, ledger unchanged."""

import asyncio
from typing import Any

from models import File, Generation
from models.enum import FileState
from services.generations.claim import Claim
from tests.conftest import Running
from tests.support.client import PATIENCE, PROGRESS, Api, photo
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.integrity import assert_invariants, stored_keys

DELETE = "mutation($ids: [ID!]!) { deleteGenerations(ids: $ids) { deletedIds errors { code message field } } }"
READS = """
query($id: ID!, $batch: ID!) {
  node(id: $id) { id }
  nodes(ids: [$id]) { id }
  viewer {
    generation(id: $id) { id }
    all: generations { nodes { id } totalCount }
    batch: generations(filter: {batchId: $batch}) { totalCount }
    transactions { nodes { generation { id } } }
  }
}"""


async def create(api: Api, count: int = 1, **more: Any) -> list[dict[str, Any]]:
    """Create generations from one photo."""
    style = await api.style("free", "sandbox")
    made = await api.create(photo(64, 48), styleId=style, prompt="A fox", count=count, **more)
    assert made["errors"] == []
    generations: list[dict[str, Any]] = made["generations"]
    return generations


async def delete(api: Api, *ids: str) -> dict[str, Any]:
    payload: dict[str, Any] = await api.one(DELETE, ids=list(ids))
    return payload


async def test_deleted_generation_is_hidden_from_every_read_and_its_files_are_removed(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    (made,) = await create(ada)
    await idle_server.services.generations.worker.process(made["id"])
    shown = await ada.generation(made["id"])
    assert shown["status"] == "COMPLETED"
    ledger = await ada.ledger()
    assert await delete(ada, made["id"]) == {"deletedIds": [made["id"]], "errors": []}
    found = await ada.execute(READS, id=made["id"], batch=made["batchId"])
    assert (found["node"], found["nodes"], found["viewer"]["generation"]) == (None, [None], None)
    assert found["viewer"]["all"] == {"nodes": [], "totalCount": 0}
    assert found["viewer"]["batch"] == {"totalCount": 0}
    assert [line["generation"] for line in found["viewer"]["transactions"]["nodes"]] == [None, None]
    expected = [{**line, "generation": None} for line in ledger]
    assert await ada.ledger() == expected
    assert {file.state for file in await File.all()} == {FileState.DELETING}
    await idle_server.services.background.sweeper.sweep()
    assert await stored_keys(idle_server.services) == set()
    assert await File.all().count() == 0
    for file in (shown["original"], shown["result"]):
        assert (await ada.http.get(file["url"])).status_code == 404
    await assert_invariants(idle_server.services, all_ended=True, all_swept=True)


async def test_deletion_cancels_running_generations_and_refunds_like_a_cancellation(
    idle_server: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada = await idle_server.api.sign_up()
    (waiting,), (claimed,), (called,) = [await create(ada) for _ in range(3)]
    openrouter.answering.clear()
    work = asyncio.create_task(idle_server.services.generations.worker.process(called["id"]))
    await asyncio.wait_for(openrouter.called.wait(), PATIENCE)
    assert await Claim.take(claimed["id"], "worker", 60, 4) is not None
    version = (await ada.one("{ viewer { version } }"))["version"]
    all_ids = [waiting["id"], claimed["id"], called["id"]]
    assert (await delete(ada, *all_ids))["deletedIds"] == all_ids
    assert (await ada.one("{ viewer { version } }"))["version"] == version + 1
    openrouter.answering.set()
    await asyncio.wait_for(work, PATIENCE)  # its result is discarded
    assert await ada.credits() == 10_000 - 1
    rows = {row.id: row for row in await Generation.all()}
    assert [rows[id].refunded for id in all_ids] == [True, True, False]
    await idle_server.services.background.sweeper.sweep()
    assert await stored_keys(idle_server.services) == set()
    await assert_invariants(idle_server.services, all_ended=True, all_swept=True)


async def test_progress_of_a_deleted_generation_ends_with_canceled(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    (made,) = await create(ada)
    async with ada.socket() as socket:
        stream = await socket.subscribe(PROGRESS, id=made["id"])
        assert (await stream.next())["status"] == "PENDING"
        await delete(ada, made["id"])
        (last,) = await stream.rest()
        assert (last["status"], last["prompt"], last["original"]) == ("CANCELED", None, None)
        again = await socket.subscribe(PROGRESS, id=made["id"])
        (error,) = (await again.message())["payload"]["errors"]
        assert error["extensions"]["code"] == "NOT_FOUND"


async def test_missing_ids_are_reported_and_the_other_generations_deleted(idle_server: Running) -> None:
    ada, eve = await idle_server.api.sign_up(), await idle_server.api.sign_up("eve@example.com")
    first, second, third = await create(ada, count=3)
    (theirs,) = await create(eve)
    await delete(ada, third["id"])
    missing = first["id"][:-4] + "0000"
    wanted = [theirs["id"], second["id"], missing, first["id"], second["id"], "gen_1' OR 1=1", third["id"]]
    payload = await delete(ada, *wanted)
    assert payload["deletedIds"] == [second["id"], first["id"]]
    assert [error["field"] for error in payload["errors"]] == [["ids", index] for index in "0256"]
    assert {(error["code"], error["message"]) for error in payload["errors"]} == {("NOT_FOUND", "This does not exist.")}
    assert (await eve.generation(theirs["id"]))["status"] == "PENDING"
    version = (await ada.one("{ viewer { version } }"))["version"]
    assert (await delete(ada, first["id"]))["deletedIds"] == []
    assert (await delete(ada)) == {"deletedIds": [], "errors": []}
    assert (await ada.one("{ viewer { version } }"))["version"] == version  # nothing changed
    too_many = await delete(ada, *["x"] * 101)
    assert [(error["code"], error["field"]) for error in too_many["errors"]] == [("INVALID_INPUT", ["ids"])]


async def test_original_is_kept_until_its_last_generation_is_deleted(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    first, second = await create(ada, count=2)
    assert first["original"]["url"] == second["original"]["url"]
    await delete(ada, first["id"])
    await idle_server.services.background.sweeper.sweep()
    assert (await ada.http.get(second["original"]["url"])).status_code == 200
    await assert_invariants(idle_server.services, all_swept=True)
    await idle_server.services.generations.worker.process(second["id"])
    assert (await ada.generation(second["id"]))["status"] == "COMPLETED"
    await delete(ada, second["id"])
    await idle_server.services.background.sweeper.sweep()
    assert await stored_keys(idle_server.services) == set()
    await assert_invariants(idle_server.services, all_ended=True, all_swept=True)


async def test_sweeper_retries_until_the_storage_has_removed_every_file(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    failing, other = [(await create(ada))[0]["id"] for _ in range(2)]
    original = (await Generation.get(id=failing).select_related("original")).original
    assert original is not None
    path = idle_server.settings.data_dir / "files" / original.key
    data = path.read_bytes()
    path.unlink()
    path.mkdir()  # cannot be removed as a file
    assert len((await delete(ada, failing, other))["deletedIds"]) == 2
    for _ in range(3):
        await idle_server.services.background.sweeper.sweep()
        assert [file.id for file in await File.all()] == [original.id]
    path.rmdir()
    path.write_bytes(data)
    await idle_server.services.background.sweeper.sweep()
    assert await stored_keys(idle_server.services) == set()
    await assert_invariants(idle_server.services, all_ended=True, all_swept=True)


async def test_idempotent_replay_after_deletion_returns_the_rest_and_charges_nothing(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    first, second = await create(ada, count=2, idempotencyKey="once")
    await delete(ada, first["id"])
    assert [made["id"] for made in await create(ada, count=2, idempotencyKey="once")] == [second["id"]]
    await delete(ada, second["id"])
    assert await create(ada, count=2, idempotencyKey="once") == []
    assert await ada.credits() == 10_000
    assert await Generation.all().count() == 2
