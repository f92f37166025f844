"""Errors of the database cost no generation, and an outage is reported as UNAVAILABLE."""

import asyncio
import contextlib
import resource
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import websockets
from structlog.testing import capture_logs

from main import prepare
from models.database.connection import is_postgres, rows
from settings import Settings
from tests.conftest import Running, quick_settings, running
from tests.support.client import CREATE, PATIENCE, Api, tasks_ended, until
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.servers import PostgresServer

STREAMS = (
    "subscription { creditsChanged { credits } }",
    "subscription { galleryChanged { version } }",
    "subscription { favoriteChanged { id } }",
    "subscription($id: ID!) { generationProgress(id: $id) { status } }",
    "subscription { adminActivity { at } }",
)


async def _fail(database: str, when: str) -> None:
    """Make the database refuse writes to a generation for which `when` is true."""
    if is_postgres(database):
        await rows(
            "CREATE FUNCTION refuse_write() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = 'disk_full'; END $$"
        )
        await rows(
            f"CREATE TRIGGER refuse_write BEFORE UPDATE ON generations FOR EACH ROW WHEN ({when})"
            " EXECUTE FUNCTION refuse_write()"
        )
    else:
        await rows(
            f"CREATE TRIGGER refuse_write BEFORE UPDATE ON generations WHEN {when}"
            " BEGIN SELECT RAISE(ABORT, 'no space left on device'); END"
        )


@contextlib.asynccontextmanager
async def _bad_disk(database: str) -> AsyncIterator[None]:
    """Let orders fail as on a disk with errors: of SQLite, the system refuses every write of this process to a file."""
    if is_postgres(database):
        await rows(
            "CREATE FUNCTION refuse_write() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'could not write block' USING ERRCODE = 'io_error'; END $$"
        )
        await rows(
            "CREATE TRIGGER refuse_write BEFORE INSERT ON generations FOR EACH ROW EXECUTE FUNCTION refuse_write()"
        )
        yield
        await _recover(database)
        return
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def _recover(database: str) -> None:
    await rows("DROP TRIGGER refuse_write" + (" ON generations" if is_postgres(database) else ""))


async def test_progress_that_cannot_be_written_is_skipped(server: Running, ada: Api, database: str) -> None:
    await _fail(database, "NEW.stage = 'GENERATING' AND NEW.progress > 0.1 OR NEW.stage = 'STORING'")
    (generation,) = (await ada.create(prompt="A red boat"))["generations"]
    assert (await ada.wait_for_end(generation["id"]))["status"] == "COMPLETED"


async def test_a_completion_that_cannot_be_written_is_retried(server: Running, ada: Api, database: str) -> None:
    await _fail(database, "NEW.status = 'COMPLETED'")
    (generation,) = (await ada.create(prompt="A red boat"))["generations"]
    deadline = time.monotonic() + PATIENCE
    while (await ada.generation(generation["id"]))["stage"] != "STORING":
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    await _recover(database)
    ended = await ada.wait_for_end(generation["id"])
    assert (ended["status"], ended["attempts"]) == ("COMPLETED", 1)
    assert await ada.credits() == 29


async def test_a_disk_with_errors_is_an_outage_and_no_bug(server: Running, ada: Api, database: str) -> None:
    with capture_logs() as lines:
        async with _bad_disk(database):
            assert (await ada.refused(CREATE, input={"prompt": "A red boat"}))["code"] == "UNAVAILABLE"
    assert "graphql.crashed" not in {line["event"] for line in lines}
    (generation,) = (await ada.create(prompt="A red boat"))["generations"]
    assert (await ada.wait_for_end(generation["id"]))["status"] == "COMPLETED"


@pytest.mark.postgres_only
async def test_a_call_that_cannot_be_recorded_waits_for_the_database(
    scripted: Running, openrouter: ScriptedOpenRouter, database: str
) -> None:
    ada = await scripted.api.sign_up()
    await _fail(database, "NEW.stage = 'GENERATING'")
    with capture_logs() as logs:
        (generation,) = (await ada.create(prompt="A red boat"))["generations"]

        async def has_failed_twice() -> bool:
            return [line["event"] for line in logs].count("generation.call_write_failed") > 1

        await until(has_failed_twice)
        assert openrouter.calls == []
        await _recover(database)
        ended = await ada.wait_for_end(generation["id"])
    assert (ended["status"], ended["attempts"]) == ("COMPLETED", 1)
    assert len(openrouter.calls) == 1
    assert not [line for line in logs if line["log_level"] == "error"]


@pytest.mark.postgres_only
async def test_a_call_that_cannot_be_recorded_in_time_is_not_made_and_is_refunded(
    scripted_settings: Settings, openrouter: ScriptedOpenRouter, database: str
) -> None:
    settings = scripted_settings.model_copy(update={"generation_deadline_seconds": 2.0})
    async with running(settings) as server:
        ada = await server.api.sign_up()
        before = await ada.credits()
        await _fail(database, "NEW.stage = 'GENERATING'")
        (generation,) = (await ada.create(prompt="A red boat"))["generations"]
        ended = await ada.wait_for_end(generation["id"])
        assert (ended["status"], ended["errorCode"], ended["refunded"]) == ("FAILED", "UNAVAILABLE", True)
        assert openrouter.calls == []
        assert await ada.credits() == before


async def test_an_outage_of_the_database_is_unavailable_until_it_is_back(
    own_postgres: PostgresServer, tmp_path: Path
) -> None:
    settings = quick_settings(own_postgres.url("darkroom"), tmp_path)
    await asyncio.create_task(prepare(settings))
    async with running(settings) as server:
        ada = await server.api.sign_up()
        await rows("CHECKPOINT")  # this cluster runs without fsync
        own_postgres.kill()
        for query in ("{ viewer { id } }", "{ collections { slug } }"):
            refused = await ada.refused(query)
            assert (refused["code"], "reference" in refused) == ("UNAVAILABLE", False)
        assert (await server.api.http.get("/s/the-fox")).status_code == 503
        with pytest.raises(websockets.ConnectionClosed) as closed, capture_logs() as logs:
            async with ada.socket():
                pass
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1013  # after which clients connect again
        assert not [line for line in logs if line["log_level"] == "error"]
        own_postgres.start()
        deadline = time.monotonic() + PATIENCE
        while "errors" in (body := (await ada.raw("{ viewer { credits } }")).json()):
            assert time.monotonic() < deadline, body
            await asyncio.sleep(0.05)
        assert body["data"]["viewer"]["credits"] == 30


async def test_a_paid_picture_survives_a_restart_of_the_database(
    own_postgres: PostgresServer, openrouter: ScriptedOpenRouter, tmp_path: Path
) -> None:
    changes = {
        "openrouter_api_key": openrouter.key,
        "openrouter_base_url": openrouter.base_url,
        "storage_patience_seconds": float(PATIENCE),
    }
    settings = quick_settings(own_postgres.url("darkroom"), tmp_path).model_copy(update=changes)
    await asyncio.create_task(prepare(settings))
    async with running(settings) as server:
        ada = await server.api.sign_up()
        openrouter.answering.clear()
        id = (await ada.create(prompt="A red boat"))["generations"][0]["id"]
        await asyncio.wait_for(openrouter.called.wait(), PATIENCE)
        await tasks_ended("mail")
        await rows("CHECKPOINT")  # this cluster runs without fsync
        with capture_logs() as logs:
            own_postgres.kill()
            openrouter.answering.set()

            async def has_failed_to_store() -> bool:
                return any(line["event"] == "generation.files_unavailable" for line in logs)

            async def has_ended() -> Any:
                body = (await ada.raw("query($id: ID!) { viewer { generation(id: $id) { status } } }", id=id)).json()
                return "errors" not in body and body["data"]["viewer"]["generation"]["status"] not in (
                    "PENDING",
                    "PROCESSING",
                )

            await until(has_failed_to_store)
            own_postgres.start()
            await until(has_ended)
            ended = await ada.generation(id)
        assert (ended["status"], ended["attempts"]) == ("COMPLETED", 1)
        assert len(openrouter.calls) == 1
        assert not [line for line in logs if line["log_level"] == "error"]


async def test_a_server_that_starts_before_its_database_serves_once_that_is_up(
    own_postgres: PostgresServer, tmp_path: Path
) -> None:
    settings = quick_settings(own_postgres.url("darkroom"), tmp_path)
    await asyncio.create_task(prepare(settings))
    own_postgres.kill()
    async with running(settings, idle=True) as server:
        query = "{ collections { slug } }"
        burst = await asyncio.gather(*(server.api.refused(query) for _ in range(20)))
        assert {refused["code"] for refused in burst} == {"UNAVAILABLE"}
        own_postgres.start()
        deadline = time.monotonic() + 10  # seconds: the promised limit
        while "errors" in (body := (await server.api.raw(query)).json()):
            assert time.monotonic() < deadline, body
            await asyncio.sleep(0.05)


@pytest.fixture
async def ada_without_database(own_postgres: PostgresServer, tmp_path: Path) -> AsyncIterator[Api]:
    """A signed-in client of a server whose database the test kills."""
    settings = quick_settings(own_postgres.url("darkroom"), tmp_path)
    await asyncio.create_task(prepare(settings))
    async with running(settings) as server:
        ada = await server.api.sign_up()
        await rows("CHECKPOINT")  # this cluster runs without fsync
        yield ada


async def test_streams_that_begin_in_an_outage_end_with_unavailable(
    ada_without_database: Api, own_postgres: PostgresServer
) -> None:
    ada = ada_without_database
    unavailable = {"code": "UNAVAILABLE"}
    async with ada.socket() as socket:
        own_postgres.kill()
        for query in STREAMS:
            stream = await socket.subscribe(query, id="gen_00000000000000000000000000")
            ended = await stream.message()
            assert (ended["type"], ended["payload"][0]["extensions"]) == ("error", unavailable), query
    for query in ("subscription { creditsChanged { credits } }", "subscription { galleryChanged { version } }"):
        answer = await ada.raw(query, headers={"accept": "text/event-stream"})
        first, second, *rest = [part for part in answer.text.split("\n\n") if part and not part.startswith(":")]
        assert first.startswith("event: next\n"), answer.text
        assert '"UNAVAILABLE"' in first
        assert (second.splitlines()[0], rest) == ("event: complete", [])


@pytest.mark.parametrize("path", ["/verify-email", "/change-email", "/reset-password"])
async def test_account_pages_say_that_they_are_unavailable(
    ada_without_database: Api, own_postgres: PostgresServer, path: str
) -> None:
    own_postgres.kill()
    form = {"token": "A" * 43, "password": "correct horse battery"}
    answer = await ada_without_database.http.post(
        path, data=form, headers={"accept": "text/html", "accept-language": "zh-CN"}
    )
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.headers["content-type"].startswith("text/html")
    assert "服务暂时不可用" in answer.text
    answer = await ada_without_database.http.post(path, data=form, headers={"accept": "*/*"})
    assert (answer.status_code, answer.headers["content-type"]) == (503, "text/plain; charset=utf-8")
