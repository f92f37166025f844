"""A database that stumbles for a moment costs no picture, and one that is away is told as an outage."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from main import prepare
from models.database.connection import is_postgres, rows
from tests.conftest import Running, quick_settings, running
from tests.support.client import PATIENCE, Api
from tests.support.servers import PostgresServer


async def _fail(database: str, when: str) -> None:
    """From now on, a write to a generation that makes `when` true is refused by the database itself."""
    if is_postgres(database):
        await rows(
            "CREATE FUNCTION stumble() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = 'disk_full'; END $$"
        )
        await rows(
            f"CREATE TRIGGER stumble BEFORE UPDATE ON generations FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION stumble()"
        )
    else:
        await rows(
            f"CREATE TRIGGER stumble BEFORE UPDATE ON generations WHEN {when}"
            " BEGIN SELECT RAISE(ABORT, 'no space left on device'); END"
        )


async def _recover(database: str) -> None:
    await rows("DROP TRIGGER stumble" + (" ON generations" if is_postgres(database) else ""))


async def test_progress_that_cannot_be_written_is_left_out(server: Running, ada: Api, database: str) -> None:
    await _fail(database, "NEW.stage = 'GENERATING' AND NEW.progress > 0.1 OR NEW.stage = 'STORING'")
    (generation,) = (await ada.create(prompt="A red boat"))["generations"]
    assert (await ada.wait_for_end(generation["id"]))["status"] == "COMPLETED"


async def test_an_end_that_cannot_be_written_is_written_later(server: Running, ada: Api, database: str) -> None:
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


@pytest.fixture
def mortal_postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL that may be killed."""
    server = PostgresServer(own=True)
    server.start()
    server.create_database("darkroom")
    yield server
    server.stop()


async def test_a_database_that_is_away_is_an_outage_and_comes_back(
    mortal_postgres: PostgresServer, tmp_path: Path
) -> None:
    settings = quick_settings(mortal_postgres.url("darkroom"), tmp_path)
    await asyncio.create_task(prepare(settings))
    async with running(settings) as server:
        ada = await server.api.sign_up()
        await rows("CHECKPOINT")  # this cluster is careless about its log
        mortal_postgres.kill()
        for query in ("{ viewer { id } }", "{ collections { slug } }"):
            refused = await ada.refused(query)
            assert (refused["code"], "reference" in refused) == ("UNAVAILABLE", False)
        assert (await server.api.http.get("/s/the-fox")).status_code == 503
        mortal_postgres.start()
        deadline = time.monotonic() + PATIENCE
        while "errors" in (body := (await ada.raw("{ viewer { credits } }")).json()):
            assert time.monotonic() < deadline, body
            await asyncio.sleep(0.05)
        assert body["data"]["viewer"]["credits"] == 30


async def test_a_server_that_starts_before_its_database_serves_when_it_comes(
    mortal_postgres: PostgresServer, tmp_path: Path
) -> None:
    settings = quick_settings(mortal_postgres.url("darkroom"), tmp_path)
    await asyncio.create_task(prepare(settings))
    mortal_postgres.kill()
    async with running(settings, idle=True) as server:
        query = "{ collections { slug } }"
        burst = await asyncio.gather(*(server.api.refused(query) for _ in range(20)))
        assert {refused["code"] for refused in burst} == {"UNAVAILABLE"}
        mortal_postgres.start()
        deadline = time.monotonic() + 10  # seconds: what was promised
        while "errors" in (body := (await server.api.raw(query)).json()):
            assert time.monotonic() < deadline, body
            await asyncio.sleep(0.05)
