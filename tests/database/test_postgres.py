"""The PostgreSQL backend: bounded waits, broken connections, retried conflicts, and the unmodified URL."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
import pytest
from tortoise.connection import get_connections

from models.database.connection import is_outage, open_database, rows, run_tx
from models.database.connection_pool import NoConnectionError
from models.database.postgres import REQUEST_LIMITS, Limits, server_settings
from models.database.table_copy import snapshot
from tests.support.server_process import free_port

POOL = 3
ANSWER_SECONDS = 3.0  # the promised limit of any response during an outage

# Not the temporary file of another test's upload, which the garbage collector may close during one of these.
pytestmark = pytest.mark.filterwarnings("error", "ignore:Unclosed file <tempfile:ResourceWarning")


@pytest.fixture
def url(empty_database: Callable[[str], str]) -> str:
    return empty_database("postgres")


@pytest.fixture
async def opened(url: str) -> AsyncIterator[str]:
    """The URL of an open PostgreSQL, with a small pool and short time limits."""
    await execute_elsewhere(url, "CREATE TABLE things (id serial PRIMARY KEY, version int NOT NULL)")
    async with open_database(url, pool_size=POOL, limits=Limits(statement=0.6, lock=0.2, idle=0.5)):
        yield url


async def insert_thing() -> int:
    (made,) = await rows("INSERT INTO things (version) VALUES (0) RETURNING id")
    return int(made["id"])


async def pool_state() -> tuple[int, int]:
    """Return how many connections are in use, and how many can be used at once: none may be leaked."""
    async with asyncio.timeout(ANSWER_SECONDS):
        found = await asyncio.gather(*(rows("SELECT pg_backend_pid() AS pid, pg_sleep(0.05)") for _ in range(POOL)))
    connection: Any = get_connections().all()[0]  # the test needs its internals
    in_use = connection._pool.get_size() - connection._pool.get_idle_size()
    return in_use, len({row["pid"] for (row,) in found})


async def execute_elsewhere(url: str, sql: str) -> None:
    """Run a statement on a connection outside the pool."""
    connection = await asyncpg.connect(url, server_settings={"default_transaction_read_only": "off"})
    await connection.execute(sql)
    await connection.close()


async def test_a_busy_pool_is_given_up_after_two_seconds(opened: str) -> None:
    begun, go = [asyncio.Event() for _ in range(POOL)], asyncio.Event()

    async def hold(event: asyncio.Event) -> None:
        while not go.is_set():
            await rows("SELECT 1")  # so that the server does not end the idle transaction
            event.set()
            await asyncio.sleep(0.05)

    busy = [asyncio.create_task(run_tx(hold, event)) for event in begun]
    await asyncio.gather(*(event.wait() for event in begun))
    started = time.monotonic()
    with pytest.raises(NoConnectionError) as refused:
        await rows("SELECT 1")
    assert 1.5 < time.monotonic() - started < ANSWER_SECONDS
    assert is_outage(refused.value)
    go.set()
    await asyncio.gather(*busy)
    assert await pool_state() == (0, POOL)


async def test_requests_wait_longer_while_the_queue_moves(opened: str) -> None:
    started = time.monotonic()
    await asyncio.gather(*(rows("SELECT pg_sleep(0.1)") for _ in range(POOL * 25)))
    assert time.monotonic() - started > 2.4, "no request waited longer than the stall timeout"


async def test_canceled_waiters_leak_no_connection(opened: str) -> None:
    waiting = [asyncio.create_task(rows("SELECT pg_sleep(0.05)")) for _ in range(20)]
    await asyncio.sleep(0.02)
    for task in waiting:
        task.cancel()
        await asyncio.sleep(0)
    await asyncio.wait(waiting)
    assert await pool_state() == (0, POOL)


@pytest.mark.parametrize("kind", ["statement", "lock", "idle"])
async def test_exceeded_time_limits_are_outages_and_leak_no_connection(opened: str, kind: str) -> None:
    id = await insert_thing()
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

    with pytest.raises(Exception) as refused:  # noqa: PT011 - any class, as long as is_outage knows it
        await run_tx(slow)
    assert is_outage(refused.value)
    assert await pool_state() == (0, POOL)
    assert await rows(touch, id) == [{"id": id}]


async def test_terminated_backends_are_replaced(opened: str) -> None:
    assert await pool_state() == (0, POOL)
    sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
    await execute_elsewhere(opened, f"{sql} AND pid <> pg_backend_pid()")
    connection: Any = get_connections().all()[0]
    async with asyncio.timeout(ANSWER_SECONDS):
        while connection._pool.get_size():  # noqa: ASYNC110 - a closed socket sets no event
            await asyncio.sleep(0.005)
    assert await pool_state() == (0, POOL)


async def test_connections_to_a_demoted_server_are_dropped(opened: str) -> None:
    name = opened.rsplit("/", 1)[1]
    await pool_state()
    await execute_elsewhere(opened, f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    connection: Any = get_connections().all()[0]
    await connection._pool.expire_connections()
    await pool_state()  # all of them are read-only now, as after a failover
    await execute_elsewhere(opened, f'ALTER DATABASE "{name}" RESET ALL')
    with pytest.raises(Exception) as refused:  # noqa: PT011 - as above
        await run_tx(insert_thing)
    assert is_outage(refused.value)
    for _ in range(POOL):
        await insert_thing()
    assert await pool_state() == (0, POOL)


async def _add_conflicts(times: int, error: str) -> None:
    await rows("CREATE SEQUENCE tries")
    await rows(
        "CREATE FUNCTION conflict() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN IF nextval('tries') <= {times} THEN RAISE EXCEPTION USING ERRCODE = '{error}'; END IF;"
        " RETURN NEW; END $$"
    )
    await rows("CREATE TRIGGER conflict BEFORE INSERT ON things FOR EACH ROW EXECUTE FUNCTION conflict()")


@pytest.mark.parametrize("error", ["deadlock_detected", "serialization_failure"])
async def test_a_conflict_retries_the_whole_transaction(opened: str, error: str) -> None:
    await _add_conflicts(3, error)
    runs = 0

    async def outer() -> None:
        nonlocal runs
        runs += 1
        await run_tx(insert_thing)

    await run_tx(outer)
    assert runs == 4, "the savepoint alone is not retried"
    assert len(await rows("SELECT 1 FROM things")) == 1
    assert await pool_state() == (0, POOL)


async def test_repeated_conflicts_are_an_outage(opened: str) -> None:
    await _add_conflicts(1_000, "deadlock_detected")
    with pytest.raises(asyncpg.DeadlockDetectedError) as refused:
        await run_tx(insert_thing)
    assert is_outage(refused.value)
    (tries,) = await rows("SELECT last_value AS n FROM tries")
    assert tries["n"] == 4


async def test_settings_in_the_url_take_precedence(opened: str) -> None:
    shown = "SELECT current_setting('application_name') AS name, current_setting('statement_timeout') AS timeout"
    assert await rows(shown) == [{"name": "darkroom command", "timeout": "600ms"}]
    dsn = f"{opened}?sslmode=disable&application_name=studio&statement_timeout=700"
    assert "statement_timeout" not in server_settings(dsn, REQUEST_LIMITS)


async def test_connections_of_backups_are_named(url: str) -> None:
    for address, name in ((url, "darkroom command"), (f"{url}?application_name=studio", "studio")):
        async with snapshot(address) as opened:
            assert await opened.rows("SELECT current_setting('application_name') AS name") == [{"name": name}]


@pytest.mark.parametrize("query", ["sslmode=disable&application_name=studio", "application_name=studio"])
async def test_parameters_of_the_url_reach_postgresql(url: str, query: str) -> None:
    async with open_database(f"{url}?{query}"):
        assert await rows("SELECT current_setting('application_name') AS name") == [{"name": "studio"}]
    async with open_database(f"{url}?sslmode=require"):
        with pytest.raises(NoConnectionError, match="SSL"):
            await rows("SELECT 1")


async def test_a_password_may_contain_any_character(url: str) -> None:
    async with open_database(url.replace("postgres@", "postgres:p%40ss%2F%3A%3F%23%5B%5D%25@", 1)):
        assert await rows("SELECT 1 AS one") == [{"one": 1}]


async def test_five_hundred_requests_to_a_database_that_is_down_fail_in_time() -> None:
    async with open_database(f"postgresql://postgres@127.0.0.1:{free_port()}/nothing"):
        started = time.monotonic()
        errors = await asyncio.gather(*(rows("SELECT 1 AS one") for _ in range(500)), return_exceptions=True)
        assert time.monotonic() - started < 3
    assert {type(error) for error in errors} == {NoConnectionError}
