"""PostgreSQL as our backend: waits end, bad connections go, collisions are repeated, the URL is taken as it is."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
import pytest
from tortoise.connection import get_connections

from models.database.connection import is_outage, open_database, rows, run_tx
from models.database.postgres import REQUEST_LIMITS, Limits, NoConnectionError, server_settings
from tests.support.server_process import free_port

POOL = 3
SOON = 3.0  # seconds: what was promised of any answer while there is no database

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def url(empty_database: Callable[[str], str]) -> str:
    return empty_database("postgres")


@pytest.fixture
async def opened(url: str) -> AsyncIterator[str]:
    """The URL of a PostgreSQL that is open, with a small pool and little patience."""
    await other(url, "CREATE TABLE things (id serial PRIMARY KEY, version int NOT NULL)")
    async with open_database(url, pool_size=POOL, limits=Limits(statement=0.6, lock=0.2, idle=0.5)):
        yield url


async def thing() -> int:
    (made,) = await rows("INSERT INTO things (version) VALUES (0) RETURNING id")
    return int(made["id"])


async def whole() -> tuple[int, int]:
    """How many connections are in use, and how many can be used at once: none may have been lost."""
    async with asyncio.timeout(SOON):
        found = await asyncio.gather(*(rows("SELECT pg_backend_pid() AS pid, pg_sleep(0.05)") for _ in range(POOL)))
    connection: Any = get_connections().all()[0]  # its insides are what may be lost
    in_use = connection._pool.get_size() - connection._pool.get_idle_size()
    return in_use, len({row["pid"] for (row,) in found})


async def other(url: str, sql: str) -> None:
    """Run a statement on a connection that is not the pool's."""
    connection = await asyncpg.connect(url, server_settings={"default_transaction_read_only": "off"})
    await connection.execute(sql)
    await connection.close()


async def test_a_pool_that_stands_still_is_waited_for_two_seconds(opened: str) -> None:
    begun, go = [asyncio.Event() for _ in range(POOL)], asyncio.Event()

    async def hold(event: asyncio.Event) -> None:
        while not go.is_set():
            await rows("SELECT 1")  # so that the server does not take it for forgotten
            event.set()
            await asyncio.sleep(0.05)

    holders = [asyncio.create_task(run_tx(hold, event)) for event in begun]
    await asyncio.gather(*(event.wait() for event in begun))
    asked = time.monotonic()
    with pytest.raises(NoConnectionError) as refused:
        await rows("SELECT 1")
    assert 1.5 < time.monotonic() - asked < SOON
    assert is_outage(refused.value)
    go.set()
    await asyncio.gather(*holders)
    assert await whole() == (0, POOL)


async def test_a_line_that_moves_is_waited_in(opened: str) -> None:
    started = time.monotonic()
    await asyncio.gather(*(rows("SELECT pg_sleep(0.1)") for _ in range(POOL * 25)))
    assert time.monotonic() - started > 2.4, "nobody waited for longer than the line may stand still"


async def test_who_is_cancelled_in_the_line_takes_no_place_with_them(opened: str) -> None:
    waiting = [asyncio.create_task(rows("SELECT pg_sleep(0.05)")) for _ in range(20)]
    await asyncio.sleep(0.02)
    for task in waiting:
        task.cancel()
        await asyncio.sleep(0)
    await asyncio.wait(waiting)
    assert await whole() == (0, POOL)


@pytest.mark.parametrize("kind", ["statement", "lock", "idle"])
async def test_what_takes_too_long_is_an_outage_and_costs_no_connection(opened: str, kind: str) -> None:
    id = await thing()
    touch = "UPDATE things SET version = version + 1 WHERE id = $1 RETURNING id"

    async def slow() -> None:
        await rows(touch, id)
        if kind == "statement":
            await rows("SELECT pg_sleep(5)")
        elif kind == "lock":
            await asyncio.create_task(blocked())
        else:
            await asyncio.sleep(0.8)
            await rows("SELECT 1")

    async def blocked() -> None:
        connection = await asyncpg.connect(opened, server_settings={"lock_timeout": "200"})
        try:
            await connection.execute(touch, id)
        finally:
            await connection.close()

    with pytest.raises(Exception) as refused:  # noqa: PT011 - its class is PostgreSQL's business, is_outage is ours
        await run_tx(slow)
    assert is_outage(refused.value)
    assert await whole() == (0, POOL)
    assert await rows(touch, id) == [{"id": id}]


async def test_backends_that_were_all_terminated_are_replaced(opened: str) -> None:
    assert await whole() == (0, POOL)
    sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
    await other(opened, f"{sql} AND pid <> pg_backend_pid()")
    connection: Any = get_connections().all()[0]
    async with asyncio.timeout(SOON):
        while connection._pool.get_size():  # noqa: ASYNC110 - a socket that is closed sets no event
            await asyncio.sleep(0.005)
    assert await whole() == (0, POOL)


async def test_connections_to_a_server_that_was_demoted_are_dropped(opened: str) -> None:
    name = opened.rsplit("/", 1)[1]
    await whole()
    await other(opened, f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    connections: Any = get_connections().all()[0]
    await connections._pool.expire_connections()
    await whole()  # all of them are read-only now, as after a failover
    await other(opened, f'ALTER DATABASE "{name}" RESET ALL')
    with pytest.raises(Exception) as refused:  # noqa: PT011 - as above
        await run_tx(thing)
    assert is_outage(refused.value)
    for _ in range(POOL):
        await thing()
    assert await whole() == (0, POOL)


async def _collide(times: int, error: str) -> None:
    await rows("CREATE SEQUENCE tries")
    await rows(
        "CREATE FUNCTION collide() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN IF nextval('tries') <= {times} THEN RAISE EXCEPTION USING ERRCODE = '{error}'; END IF;"
        " RETURN NEW; END $$"
    )
    await rows("CREATE TRIGGER collide BEFORE INSERT ON things FOR EACH ROW EXECUTE FUNCTION collide()")


@pytest.mark.parametrize("error", ["deadlock_detected", "serialization_failure"])
async def test_a_collision_is_repeated_as_a_whole(opened: str, error: str) -> None:
    await _collide(3, error)
    runs = 0

    async def outer() -> None:
        nonlocal runs
        runs += 1
        await run_tx(thing)

    await run_tx(outer)
    assert runs == 4, "the savepoint inside is not what is repeated"
    assert len(await rows("SELECT 1 FROM things")) == 1
    assert await whole() == (0, POOL)


async def test_collisions_without_an_end_are_an_outage(opened: str) -> None:
    await _collide(1_000, "deadlock_detected")
    with pytest.raises(asyncpg.DeadlockDetectedError) as refused:
        await run_tx(thing)
    assert is_outage(refused.value)
    (tries,) = await rows("SELECT last_value AS n FROM tries")
    assert tries["n"] == 4


async def test_what_the_address_says_itself_is_left_to_it(opened: str) -> None:
    shown = "SELECT current_setting('application_name') AS name, current_setting('statement_timeout') AS timeout"
    assert await rows(shown) == [{"name": "darkroom", "timeout": "600ms"}]
    dsn = f"{opened}?sslmode=disable&application_name=studio&statement_timeout=700"
    assert "statement_timeout" not in server_settings(dsn, REQUEST_LIMITS)


@pytest.mark.parametrize("query", ["sslmode=disable&application_name=studio", "application_name=studio"])
async def test_the_addresss_own_words_reach_postgresql(url: str, query: str) -> None:
    async with open_database(f"{url}?{query}"):
        assert await rows("SELECT current_setting('application_name') AS name") == [{"name": "studio"}]
    async with open_database(f"{url}?sslmode=require"):
        with pytest.raises(NoConnectionError, match="SSL"):
            await rows("SELECT 1")


async def test_a_password_may_hold_anything(url: str) -> None:
    async with open_database(url.replace("postgres@", "postgres:p%40ss%2F%3A%3F%23%5B%5D%25@", 1)):
        assert await rows("SELECT 1 AS one") == [{"one": 1}]


async def test_five_hundred_who_ask_a_database_that_is_away_are_all_told_at_once() -> None:
    async with open_database(f"postgresql://postgres@127.0.0.1:{free_port()}/nothing"):
        started = time.monotonic()
        answers = await asyncio.gather(*(rows("SELECT 1 AS one") for _ in range(500)), return_exceptions=True)
        assert time.monotonic() - started < 3
    assert {type(answer) for answer in answers} == {NoConnectionError}
