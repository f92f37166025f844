"""The pool of connections to PostgreSQL, used by single reads: waits, cancellation, lost and slow connections."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from tortoise.connection import get_connections

from models import Generation
from models.database.connection import is_outage, open_database, rows, run_tx
from models.database.connection_pool import NoConnectionError
from models.database.fixed_sql import Row, RowKind, fetch
from models.database.postgres import Limits
from tests.support.server_process import free_port

POOL = 3
LIMITS = Limits(statement=0.5, lock=0.2, idle=0.5)
ANSWER_SECONDS = 3.0  # the promised limit of any response during an outage


class _Backend(Row, model=Generation):
    """The process of PostgreSQL that runs the statement."""

    pid: int


_KIND = RowKind(_Backend)


async def read(seconds: float = 0.0) -> int:
    """Run a statement of `seconds` as a single read, and return PostgreSQL's process."""
    (found,) = await fetch(_KIND, "SELECT pg_backend_pid() AS pid, pg_sleep($1)", [seconds])
    return found.pid


async def usable() -> tuple[int, int]:
    """Return how many connections are in use, and how many can be used at once: none may be leaked."""
    async with asyncio.timeout(ANSWER_SECONDS):
        found = await asyncio.gather(*(read(0.05) for _ in range(POOL)))
    client: Any = get_connections().all()[0]  # the test needs its internals
    return client._pool.get_size() - client._pool.get_idle_size(), len(set(found))


@pytest.fixture
def url(empty_database: Callable[[str], str]) -> str:
    return empty_database("postgres")


@pytest.fixture
async def opened(url: str) -> AsyncIterator[str]:
    """The URL of an open PostgreSQL, with a small pool and short time limits."""
    async with open_database(url, pool_size=POOL, limits=LIMITS):
        yield url


async def test_reads_statements_and_transactions_share_the_connections(opened: str) -> None:
    count = "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND application_name <> ''"

    async def work() -> int:
        await rows("SELECT pg_sleep(0.02)")
        return int((await rows(count))[0]["n"])

    others = [*(work() for _ in range(9)), *(run_tx(work) for _ in range(9))]
    found = await asyncio.gather(*others, *(read(0.02) for _ in range(20)))
    assert max(found[: len(others)]) <= POOL
    assert await usable() == (0, POOL)


async def test_reads_are_served_in_the_order_of_arrival(opened: str) -> None:
    served: list[int] = []

    async def one(number: int) -> None:
        await (read(0.01) if number % 2 else rows("SELECT pg_sleep(0.01)"))
        served.append(number)

    await asyncio.gather(*(one(number) for number in range(30)))
    assert all(abs(place - number) < 2 * POOL for place, number in enumerate(served)), served


async def test_busy_pool_refuses_a_read_after_two_seconds(opened: str) -> None:
    begun, go = [asyncio.Event() for _ in range(POOL)], asyncio.Event()

    async def hold(event: asyncio.Event) -> None:
        while not go.is_set():
            await rows("SELECT 1")
            event.set()
            await asyncio.sleep(0.05)

    busy = [asyncio.create_task(run_tx(hold, event)) for event in begun]
    await asyncio.gather(*(event.wait() for event in begun))
    started = time.monotonic()
    with pytest.raises(NoConnectionError) as refused:
        await read()
    assert time.monotonic() - started < ANSWER_SECONDS
    assert is_outage(refused.value)
    go.set()
    await asyncio.gather(*busy)
    assert await usable() == (0, POOL)


async def test_canceled_reads_leave_no_connection_busy(opened: str) -> None:
    before = await asyncio.gather(*(read(0.05) for _ in range(POOL)))
    reads = [asyncio.create_task(read(0.4)) for _ in range(POOL * 3)]
    await asyncio.sleep(0.05)
    for task in reads:
        task.cancel()
    await asyncio.wait(reads)
    assert all(task.cancelled() for task in reads)
    started = time.monotonic()
    after = await asyncio.gather(*(read(0.05) for _ in range(POOL)))
    assert time.monotonic() - started < ANSWER_SECONDS
    assert set(after) == set(before), "the connections are kept"
    assert await usable() == (0, POOL)


async def test_slow_statement_is_an_outage_and_keeps_its_connection(opened: str) -> None:
    pid = await read()
    with pytest.raises(Exception) as refused:  # noqa: PT011 - any class, as long as is_outage knows it
        await read(5)
    assert is_outage(refused.value)
    assert await read() == pid
    assert await usable() == (0, POOL)


async def test_connection_that_does_not_answer_is_closed(url: str) -> None:
    async with open_database(f"{url}?statement_timeout=0", pool_size=POOL, limits=Limits(statement=-0.8)):  # 0.2 s
        pid = await read()
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            await read(20)
        assert time.monotonic() - started < ANSWER_SECONDS
        assert await read() != pid
        with pytest.raises(TimeoutError):
            await rows("SELECT pg_sleep(20)")
        assert await usable() == (0, POOL)


async def test_lost_and_expired_connections_are_replaced(opened: str) -> None:
    pid = await read()
    with pytest.raises(Exception) as lost:  # noqa: PT011 - as above
        await fetch(_KIND, "SELECT pg_terminate_backend(pg_backend_pid())::int AS pid", [])
    assert is_outage(lost.value)
    assert (second := await read()) != pid
    client: Any = get_connections().all()[0]
    busy = asyncio.create_task(read(0.2))
    await asyncio.sleep(0.05)
    await client._pool.expire_connections()
    assert await busy == second
    assert await read() != second
    assert await usable() == (0, POOL)


async def test_refused_statement_keeps_its_connection(opened: str) -> None:
    pid = await read()
    for sql in ("SELECT 1 / 0 AS pid", "SELECT nothing FROM nowhere"):
        with pytest.raises(Exception) as refused:  # noqa: PT011 - of the driver
            await fetch(_KIND, sql, [])
        assert not is_outage(refused.value)
    assert await read() == pid


async def test_closing_waits_for_reads(url: str) -> None:
    async with open_database(url, pool_size=POOL):
        running = [asyncio.create_task(read(0.1)) for _ in range(POOL)]
        await asyncio.sleep(0.05)
    assert all([await task for task in running])


async def test_five_hundred_reads_of_a_database_that_is_down_fail_in_time() -> None:
    async with open_database(f"postgresql://postgres@127.0.0.1:{free_port()}/nothing"):
        started = time.monotonic()
        errors = await asyncio.gather(*(read() for _ in range(500)), return_exceptions=True)
        assert time.monotonic() - started < ANSWER_SECONDS
    assert {type(error) for error in errors} == {NoConnectionError}
