"""Deleting pictures: gone from every read at once, from the storage as soon as it lets go, never from the books."""

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


async def order(api: Api, count: int = 1, **more: Any) -> list[dict[str, Any]]:
    """New generations of one photo."""
    style = await api.style("free", "sandbox")
    made = await api.create(photo(64, 48), styleId=style, prompt="A fox", count=count, **more)
    assert made["errors"] == []
    generations: list[dict[str, Any]] = made["generations"]
    return generations


async def delete(api: Api, *ids: str) -> dict[str, Any]:
    answer: dict[str, Any] = await api.one(DELETE, ids=list(ids))
    return answer


async def test_a_deleted_picture_is_gone_from_every_read_and_its_files_from_the_storage(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    (made,) = await order(ada)
    await idle_server.services.generations.worker.process(made["id"])
    shown = await ada.generation(made["id"])
    assert shown["status"] == "COMPLETED"
    ledger = await ada.ledger()
    assert await delete(ada, made["id"]) == {"deletedIds": [made["id"]], "errors": []}
    found = await ada.ask(READS, id=made["id"], batch=made["batchId"])
    assert (found["node"], found["nodes"], found["viewer"]["generation"]) == (None, [None], None)
    assert found["viewer"]["all"] == {"nodes": [], "totalCount": 0}
    assert found["viewer"]["batch"] == {"totalCount": 0}
    assert [line["generation"] for line in found["viewer"]["transactions"]["nodes"]] == [None, None]
    without = [{**line, "generation": None} for line in ledger]
    assert await ada.ledger() == without
    assert {file.state for file in await File.all()} == {FileState.DELETING}
    await idle_server.services.background.sweeper.sweep()
    assert await stored_keys(idle_server.services) == set()
    assert await File.all().count() == 0
    for file in (shown["original"], shown["result"]):
        assert (await ada.http.get(file["url"])).status_code == 404
    await assert_invariants(idle_server.services, all_ended=True, all_swept=True)


async def test_what_is_under_way_is_called_off_first_and_refunded_as_a_cancel_would(
    idle_server: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada = await idle_server.api.sign_up()
    (waiting,), (claimed,), (called,) = [await order(ada) for _ in range(3)]
    openrouter.answering.clear()
    work = asyncio.create_task(idle_server.services.generations.worker.process(called["id"]))
    await asyncio.wait_for(openrouter.called.wait(), PATIENCE)
    assert await Claim.take(claimed["id"], "worker", 60, 4) is not None
    version = (await ada.one("{ viewer { version } }"))["version"]
    everything = [waiting["id"], claimed["id"], called["id"]]
    assert (await delete(ada, *everything))["deletedIds"] == everything
    assert (await ada.one("{ viewer { version } }"))["version"] == version + 1
    openrouter.answering.set()
    await asyncio.wait_for(work, PATIENCE)  # its picture is thrown away
    assert await ada.credits() == 10_000 - 1
    rows = {row.id: row for row in await Generation.all()}
    assert [rows[id].refunded for id in everything] == [True, True, False]
    await idle_server.services.background.sweeper.sweep()
    assert await stored_keys(idle_server.services) == set()
    await assert_invariants(idle_server.services, all_ended=True, all_swept=True)


async def test_who_watches_a_picture_that_is_deleted_sees_it_canceled_and_the_stream_end(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    (made,) = await order(ada)
    async with ada.socket() as socket:
        stream = await socket.subscribe(PROGRESS, id=made["id"])
        assert (await stream.next())["status"] == "PENDING"
        await delete(ada, made["id"])
        (last,) = await stream.rest()
        assert (last["status"], last["prompt"], last["original"]) == ("CANCELED", None, None)
        again = await socket.subscribe(PROGRESS, id=made["id"])
        (error,) = (await again.message())["payload"]["errors"]
        assert error["extensions"]["code"] == "NOT_FOUND"


async def test_one_that_cannot_be_deleted_stops_no_other(idle_server: Running) -> None:
    ada, eve = await idle_server.api.sign_up(), await idle_server.api.sign_up("eve@example.com")
    first, second, third = await order(ada, count=3)
    (theirs,) = await order(eve)
    await delete(ada, third["id"])
    missing = first["id"][:-4] + "0000"
    wanted = [theirs["id"], second["id"], missing, first["id"], second["id"], "gen_1' OR 1=1", third["id"]]
    answer = await delete(ada, *wanted)
    assert answer["deletedIds"] == [second["id"], first["id"]]
    assert [error["field"] for error in answer["errors"]] == [["ids", place] for place in "0256"]
    assert {(error["code"], error["message"]) for error in answer["errors"]} == {("NOT_FOUND", "This does not exist.")}
    assert (await eve.generation(theirs["id"]))["status"] == "PENDING"
    version = (await ada.one("{ viewer { version } }"))["version"]
    assert (await delete(ada, first["id"]))["deletedIds"] == []
    assert (await delete(ada)) == {"deletedIds": [], "errors": []}
    assert (await ada.one("{ viewer { version } }"))["version"] == version  # nothing changed
    too_many = await delete(ada, *["x"] * 101)
    assert [(error["code"], error["field"]) for error in too_many["errors"]] == [("INVALID_INPUT", ["ids"])]


async def test_a_photo_stays_until_the_last_picture_of_it_is_deleted(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    first, second = await order(ada, count=2)
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


async def test_a_storage_that_will_not_let_go_is_asked_until_nothing_is_left(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    stubborn, other = [(await order(ada))[0]["id"] for _ in range(2)]
    original = (await Generation.get(id=stubborn).select_related("original")).original
    assert original is not None
    path = idle_server.settings.data_dir / "files" / original.key
    bytes_of_it = path.read_bytes()
    path.unlink()
    path.mkdir()  # cannot be removed as a file
    assert len((await delete(ada, stubborn, other))["deletedIds"]) == 2
    for _ in range(3):
        await idle_server.services.background.sweeper.sweep()
        assert [file.id for file in await File.all()] == [original.id]
    path.rmdir()
    path.write_bytes(bytes_of_it)
    await idle_server.services.background.sweeper.sweep()
    assert await stored_keys(idle_server.services) == set()
    await assert_invariants(idle_server.services, all_ended=True, all_swept=True)


async def test_a_key_whose_pictures_were_deleted_answers_with_none_and_sells_nothing(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    first, second = await order(ada, count=2, idempotencyKey="once")
    await delete(ada, first["id"])
    assert [left["id"] for left in await order(ada, count=2, idempotencyKey="once")] == [second["id"]]
    await delete(ada, second["id"])
    assert await order(ada, count=2, idempotencyKey="once") == []
    assert await ada.credits() == 10_000
    assert await Generation.all().count() == 2
