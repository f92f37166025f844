"""The read replica: what it serves, read-your-writes while its replay is paused, and the primary when it fails."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from structlog.testing import capture_logs

from main import prepare
from models.database import replica
from models.database.connection import rows, run_tx
from models.enum import Role
from settings import ROOT, load_settings
from telemetry import metric
from tests.conftest import Running, quick_settings, running
from tests.support.client import Api, photo, until
from tests.support.server_process import free_port
from tests.support.servers import PostgresServer

pytestmark = pytest.mark.postgres_only

PAGE = """{ viewer { version generations(first: 5) { totalCount nodes { id isFavorite } }
    transactions(first: 5) { totalCount nodes { amount } } stats { favorites creditsSpent } } }"""
ADMIN = """{ admin { users(first: 5) { totalCount nodes { id } } generations(first: 5) { nodes { id } }
    transactions(first: 5) { nodes { id } } auditLog(first: 5) { nodes { id } }
    paymentReviews(first: 5) { nodes { id } } metrics { generations } } styles(first: 3) { nodes { id } } }"""


class Pair:
    """A primary and its streaming replica."""

    def __init__(self) -> None:
        self.primary = PostgresServer(own=True, has_replica=True)
        self.replica = PostgresServer(own=True, primary=self.primary)

    async def query_replica(self, sql: str) -> Any:
        """Run a statement on the replica and return its value."""
        connection = await asyncpg.connect(self.replica.url("postgres"))
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    async def pause_replay(self) -> None:
        await self.query_replica("SELECT pg_wal_replay_pause()")
        await until(lambda: self.query_replica("SELECT pg_get_wal_replay_pause_state() = 'paused'"))

    async def resume_replay(self) -> None:
        await self.query_replica("SELECT pg_wal_replay_resume()")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    servers = Pair()
    servers.primary.start()
    servers.primary.create_database("darkroom")
    folder = tmp_path_factory.mktemp("data")
    settings = load_settings(_env_file=None, data_dir=folder, database_url=servers.primary.url("darkroom"))
    with ThreadPoolExecutor(1) as pool:  # the event loop of this thread is already running
        pool.submit(asyncio.run, prepare(settings)).result()
    servers.replica.start()
    yield servers
    servers.replica.stop()
    servers.primary.stop()


@pytest.fixture
async def server(pair: Pair, tmp_path: Path) -> AsyncIterator[Running]:
    """A server with the replica, whose replay is not paused."""
    pair.replica.start()
    await pair.resume_replay()
    settings = quick_settings(pair.primary.url("darkroom"), tmp_path)
    settings = settings.model_copy(update={"database_replica_url": pair.replica.url("darkroom")})
    async with running(settings, kept_answers_bytes=0) as found:
        await until_usable(found)
        yield found


async def until_usable(server: Running) -> None:
    read_replica = server.services.core.replica
    assert read_replica is not None

    async def usable() -> bool:
        return read_replica.position is not None

    await until(usable)


def reads(outcome: str) -> float:
    return float(metric.replica_reads.labels(outcome)._value.get())


@contextlib.asynccontextmanager
async def counted() -> AsyncIterator[Callable[[str], float]]:
    """Yield a function that returns how many reads had an outcome since the start of the body."""
    before = {outcome: reads(outcome) for outcome in ("replica", "behind", "down", "failed")}
    yield lambda outcome: reads(outcome) - before[outcome]


async def eventually_replica(read: Callable[[], Awaitable[Any]]) -> Any:
    """Repeat a read until the replica serves all of it, and return its result."""
    found: list[Any] = []

    async def from_replica() -> bool:
        async with counted() as since:
            found[:] = [await read()]
        return since("replica") > 0 and since("behind") == since("down") == since("failed") == 0

    await until(from_replica)
    return found[0]


async def signed_up(server: Running, name: str) -> Api:
    return await server.api.sign_up(f"{name}@example.com")


async def test_lists_of_an_account_come_from_the_replica_and_equal_those_of_the_primary(server: Running) -> None:
    ada = await signed_up(server, "lists")
    order = await ada.create(photo(), prompt="A fox")
    await ada.wait_for_end(order["generations"][0]["id"])
    found = await eventually_replica(lambda: ada.one(PAGE))
    assert len(found["generations"]["nodes"]) == found["generations"]["totalCount"] == 1
    assert found["transactions"]["totalCount"] == 2
    read_replica, server.services.core.__dict__["replica"] = server.services.core.replica, None
    try:
        assert await ada.one(PAGE) == found
    finally:
        server.services.core.__dict__["replica"] = read_replica


async def test_account_reads_its_own_writes_while_the_replica_does_not_replay(server: Running, pair: Pair) -> None:
    ada, eve = await signed_up(server, "writes"), await signed_up(server, "unchanged")
    order = await ada.create(photo(), prompt="A fox")
    id = order["generations"][0]["id"]
    await ada.wait_for_end(id)
    before = await eventually_replica(lambda: ada.one(PAGE))
    await eventually_replica(lambda: eve.one(PAGE))
    await pair.pause_replay()
    async with counted() as since:
        await ada.execute(f'mutation {{ setFavorite(id: "{id}", isFavorite: true) {{ errors {{ code }} }} }}')
        after = await ada.one(PAGE)
        assert (since("replica"), since("behind")) == (0, 5)  # two pages, their totals, statistics
        twice = await ada.execute(
            "{ viewer { stats { favorites creditsSpent } } again: viewer { stats { favorites creditsSpent } } }"
        )
        assert twice == {"viewer": {"stats": after["stats"]}, "again": {"stats": after["stats"]}}
        assert (since("replica"), since("behind")) == (0, 6)
        await eve.one(PAGE)
        assert since("replica") == 5
    assert [node["isFavorite"] for node in after["generations"]["nodes"]] == [True]
    assert after["stats"]["favorites"] == before["stats"]["favorites"] + 1
    await ada.execute(f'mutation {{ deleteGenerations(ids: ["{id}"]) {{ deletedIds }} }}')
    assert (await ada.one(PAGE))["generations"] == {"totalCount": 0, "nodes": []}
    await pair.resume_replay()
    assert (await eventually_replica(lambda: ada.one(PAGE)))["generations"]["nodes"] == []


async def test_lists_of_all_accounts_come_from_the_primary_once_the_replica_lags(
    server: Running, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica, "_INTERVAL", 0.05)
    root = await signed_up(server, "root")
    await server.services.accounts.roles.set_by_operator("root@example.com", Role.SUPER_ADMIN)
    await eventually_replica(lambda: root.execute(ADMIN))
    await pair.pause_replay()
    await signed_up(server, "newest")
    monkeypatch.setattr(replica, "MAX_LAG", 0.5)

    async def lags() -> bool:
        async with counted() as since:
            await root.execute(ADMIN)
        return since("replica") == 0 and since("behind") > 0

    await until(lags)
    newest = await root.one("{ admin { users(first: 1) { nodes { email } } } }")
    assert newest["users"]["nodes"] == [{"email": "newest@example.com"}]


async def test_primary_serves_every_read_when_the_replica_dies(server: Running, pair: Pair) -> None:
    ada = await signed_up(server, "dies")
    await eventually_replica(lambda: ada.one(PAGE))
    with capture_logs() as logs:
        pair.replica.kill()
        async with counted() as since:
            found = await asyncio.gather(*(ada.one(PAGE) for _ in range(20)))  # without errors
            assert since("replica") == 0
        assert [each["generations"]["totalCount"] for each in found] == [0] * 20

        async def lost() -> bool:
            return metric.replica_lost._value.get() == 1 and any(each["event"] == "replica.lost" for each in logs)

        await until(lost)
        pair.replica.start()
        await eventually_replica(lambda: ada.one(PAGE))
    assert [
        each["event"] for each in logs if each["event"].startswith("replica.") and each["log_level"] != "debug"
    ] == [
        "replica.lost",
        "replica.recovered",
    ]
    assert metric.replica_lost._value.get() == 0


async def test_primary_serves_a_read_that_a_hanging_replica_does_not(server: Running, pair: Pair) -> None:
    ada = await signed_up(server, "hangs")
    await eventually_replica(lambda: ada.one(PAGE))
    pair.replica.pause()
    try:
        async with counted() as since:
            assert (await ada.one(PAGE))["generations"]["totalCount"] == 0
            assert since("failed") >= 1
            assert since("replica") == 0
    finally:
        pair.replica.resume()
    await eventually_replica(lambda: ada.one(PAGE))


async def test_list_that_takes_too_long_leaves_the_others_on_the_replica(server: Running) -> None:
    ada = await signed_up(server, "slow")
    await eventually_replica(lambda: ada.one(PAGE))
    read_replica = server.services.core.replica
    assert read_replica is not None
    runs = 0

    async def slow() -> str | None:
        nonlocal runs
        runs += 1
        if runs == 1:
            await rows("SELECT pg_sleep(60)")
        return read_replica.position  # on the primary, before the replica could be checked again

    async with counted() as since:
        assert await read_replica.run(slow, "SELECT TRUE") is not None
        assert (runs, since("failed")) == (2, 1)


async def test_replica_accepts_neither_transactions_nor_writes(server: Running) -> None:
    read_replica = server.services.core.replica
    assert read_replica is not None

    async def transaction() -> None:
        await run_tx(rows, "SELECT 1 AS one")

    async def write() -> None:
        await rows("UPDATE users SET name = 'x' WHERE id = $1", "usr_nothing")
        seen.append(True)

    seen: list[bool] = []
    with pytest.raises(RuntimeError, match="no transactions"):
        await read_replica.run(transaction, "SELECT TRUE")
    async with counted() as since:
        await read_replica.run(write, "SELECT TRUE")
        assert since("failed") == 1
    assert seen == [True]  # of the primary only


async def test_check_names_the_replica_and_why_it_serves_nothing(pair: Pair, tmp_path: Path) -> None:
    async def line(url: str) -> str:
        variables = {
            "DATABASE_URL": pair.primary.url("darkroom"),
            "DATABASE_REPLICA_URL": url,
            "DATA_DIR": str(tmp_path),
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "main.py", "check"),
            cwd=ROOT,
            env={"PATH": os.defpath, **variables},
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate()
        return next(found for found in output.decode().splitlines() if found.split()[1] == "replica")

    pair.replica.start()
    address = pair.replica.url("darkroom")
    down = f"postgresql://ada:hush@127.0.0.1:{free_port()}/x"
    lines = await asyncio.gather(*map(line, (address, pair.primary.url("darkroom"), down)))
    assert lines[0] == f"ok    replica    {address.split('@')[1]}"
    assert [each.split()[0] for each in lines] == ["ok", "FAIL", "FAIL"]
    assert "no streaming replica" in lines[1]
    assert "hush" not in lines[2]
