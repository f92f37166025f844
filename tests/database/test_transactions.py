"""Transactions are atomic under errors and cancellation, and hand-written SQL works on both databases."""

import asyncio
import contextlib
import random
import shutil
import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tortoise.connection import get_connections

from models import CreditTransaction, User, ids
from models.database.connection import database_time, open_database, rows, run_tx
from models.enum import TransactionType
from services.billing import ledger
from services.core.error import NotFoundError
from tests.support import factories
from tests.support.factories import insert

CANCELS = (500, pytest.param(3_000, marks=pytest.mark.chaos))
CONCURRENCY = 30  # three times the pool
TICKS = 60  # iterations of the event loop that such a transaction takes, roughly
START = 100_000


@pytest.fixture
async def opened(database: str) -> AsyncIterator[str]:
    """The URL of the open database."""
    async with open_database(database):
        yield database


async def emails() -> list[str]:
    return [
        row["email"] for row in await rows("SELECT email FROM users WHERE email LIKE '%@example.net' ORDER BY email")
    ]


async def sign_up(email: str, *, then: Exception | None = None) -> None:
    await insert("users", factories.user(email=email))
    if then:
        raise then


async def test_a_transaction_commits(opened: str) -> None:
    await run_tx(sign_up, "ada@example.net")
    assert await emails() == ["ada@example.net"]


async def test_a_transaction_that_fails_leaves_nothing(opened: str) -> None:
    with pytest.raises(NotFoundError):
        await run_tx(sign_up, "ada@example.net", then=NotFoundError())
    assert await emails() == []


async def test_a_nested_transaction_is_a_savepoint(opened: str) -> None:
    async def outer() -> None:
        await run_tx(sign_up, "ada@example.net")
        with pytest.raises(NotFoundError):
            await run_tx(sign_up, "eve@example.net", then=NotFoundError())
        await sign_up("bob@example.net")

    await run_tx(outer)
    assert await emails() == ["ada@example.net", "bob@example.net"]


async def test_rolling_back_the_outer_transaction_rolls_back_nested_ones(opened: str) -> None:
    async def outer() -> None:
        await run_tx(sign_up, "ada@example.net")
        raise NotFoundError

    with pytest.raises(NotFoundError):
        await run_tx(outer)
    assert await emails() == []


async def test_sqlite_takes_its_write_lock_before_the_first_read(templates: Path, tmp_path: Path) -> None:
    file = shutil.copy(templates, tmp_path / "test.sqlite3")

    async def reads() -> None:
        assert await emails() == []
        with (
            contextlib.closing(sqlite3.connect(file, timeout=0)) as other,
            pytest.raises(sqlite3.OperationalError, match="locked"),
        ):
            other.execute("BEGIN IMMEDIATE")

    async with open_database(f"sqlite://{file}"):
        await run_tx(reads)


async def test_a_canceled_transaction_commits_before_the_caller_is_canceled(opened: str) -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        begun.set()
        await go.wait()
        await sign_up("ada@example.net")

    task = asyncio.create_task(run_tx(slow))
    await begun.wait()
    for _ in range(3):  # repeated cancellations change nothing
        task.cancel()
        await asyncio.sleep(0)
    assert not task.done()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await emails() == ["ada@example.net"]


async def test_closing_the_database_waits_for_running_transactions(database: str) -> None:
    begun = asyncio.Event()

    async def slow() -> None:
        begun.set()
        for _ in range(20):
            await asyncio.sleep(0)
        await sign_up("ada@example.net")

    async with open_database(database):
        task = asyncio.create_task(run_tx(slow))
        await begun.wait()
        task.cancel()
    async with open_database(database):
        assert await emails() == ["ada@example.net"]
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_timestamps_use_the_databases_clock_and_compare_with_the_orms(opened: str) -> None:
    user = await User.create(email="ada@example.net", password_hash="-")
    sql = "SELECT id FROM users WHERE id = $1 AND created_at > LATER($2) AND created_at < LATER($3)"
    assert len(await rows(sql, user.id, -60.0, 0.5)) == 1
    assert await rows(sql, user.id, -60.0, -30.0) == []
    assert await rows(sql, user.id, 0.5, 60.0) == []
    await rows("UPDATE users SET updated_at = LATER($2) WHERE id = $1 RETURNING id", user.id, 90.25)
    written = (await User.get(id=user.id)).updated_at - datetime.now(UTC)
    assert timedelta(seconds=80) < written < timedelta(seconds=91)


async def test_the_clock_advances_within_a_transaction(opened: str) -> None:
    async def two_times() -> None:
        (first,) = await rows("SELECT NOW() AS now")
        await asyncio.sleep(0.005)
        (second,) = await rows("SELECT NOW() AS now")
        assert second["now"] > first["now"]

    await run_tx(two_times)


async def test_placeholders_are_numbered_and_can_repeat_in_any_order(opened: str) -> None:
    sql = "SELECT CAST($2 AS TEXT) AS b, CAST($1 AS TEXT) AS a, CAST($2 AS TEXT) AS again"
    assert await rows(sql, "1", "2") == [{"b": "2", "a": "1", "again": "2"}]


@pytest.mark.parametrize("cancels", CANCELS)
async def test_random_cancellations_leak_no_connection_lock_or_credit(
    opened: str, pytestconfig: pytest.Config, cancels: int
) -> None:
    seed = pytestconfig.getoption("--seed") or random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown when this fails, so that it can be repeated
    rng = random.Random(seed)
    user = (await insert("users", factories.user(credits=START)))["id"]
    pool_before = await pool()

    async def spend() -> None:
        await run_tx(ledger.post, user, ledger.deduction(ids.new_id(ids.GENERATION), 1))

    async def spend_and_be_cancelled() -> bool:
        task = asyncio.create_task(spend())
        for _ in range(rng.randrange(1, TICKS)):
            await asyncio.sleep(0)
        task.cancel()
        if rng.random() < 0.2:
            await asyncio.sleep(0)
            task.cancel()
        await asyncio.wait([task])
        return task.cancelled()

    slots = asyncio.Semaphore(CONCURRENCY)

    async def limited() -> bool:
        async with slots:
            return await spend_and_be_cancelled()

    canceled = sum(await asyncio.gather(*(limited() for _ in range(cancels))))
    assert canceled > cancels / 2, "most transactions were not canceled"
    async with asyncio.timeout(10):  # more than there are connections: none was leaked, nothing is locked
        await asyncio.gather(*(spend() for _ in range(CONCURRENCY)))
    assert await pool() == pool_before

    lines = await CreditTransaction.filter(user_id=user).order_by("sequence")
    account = await User.get(id=user)
    assert cancels - canceled + CONCURRENCY <= len(lines) <= cancels + CONCURRENCY
    assert [line.sequence for line in lines] == list(range(1, len(lines) + 1))
    assert [line.balance for line in lines] == [START - line.sequence for line in lines]
    assert {line.type for line in lines} == {TransactionType.DEDUCTION}
    assert (account.credits, account.version) == (START - len(lines), len(lines))


async def pool() -> tuple[object, ...]:
    """Return the state that a leaked connection or an open transaction would change."""
    connection: Any = get_connections().all()[0]  # the test needs its internals
    if connection.capabilities.dialect == "sqlite":
        return (connection._lock.locked(), connection._connection.in_transaction)
    (open_,) = await rows(
        "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in %'"
    )
    in_use = connection._pool.get_size() - connection._pool.get_idle_size()
    return (in_use, open_["n"])


async def test_the_folder_of_an_sqlite_file_may_have_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "what? a #1 %41 & more"
    async with open_database(f"sqlite://{folder}/darkroom.sqlite3"):
        assert await rows("SELECT 1 AS one") == [{"one": 1}]
    assert [path.name for path in folder.glob("*.sqlite3")] == ["darkroom.sqlite3"]


async def test_a_moment_of_the_database_has_come_once_it_is_read(opened: str) -> None:
    """Whatever is due at a time that was read before is due: SQLite compares the two as text."""
    statement = "SELECT CASE WHEN $1 <= NOW() THEN 1 ELSE 0 END AS due"
    found = [bool((await rows(statement, await database_time()))[0]["due"]) for _ in range(100)]
    assert all(found)
