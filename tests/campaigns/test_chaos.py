"""Chaos drills: Redis, PostgreSQL, processes and messages fail under load, and clients see no more than documented."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence

import pytest

from models.database.connection import rows
from services.integrations.storage.local import LocalStorage
from tests.campaigns.chaos_deployment import PATIENCE, Deployment, open_deployment
from tests.campaigns.chaos_load import CUT, LoadClient, LoadGroup, codes, slowest
from tests.campaigns.chaos_server import LOSS, loss_file
from tests.campaigns.chaos_subscribers import NEWEST_LINE, LedgerSubscriber, ProgressSubscriber, SubscriberGroup
from tests.support.client import Api

LIVE_SECONDS = 10.0  # within which subscribers receive a committed change, without Redis too
RESPONSE_SECONDS = 3.0  # within which every request is answered, without PostgreSQL too
RECOVERY_SECONDS = 10.0  # within which everything works again
# The short form divides the default intervals by about five; the long form keeps all defaults but one.
QUICK = {
    "generation_lease_seconds": 5.0,
    "generation_sweep_seconds": 0.5,
    "subscription_reread_seconds": 1.0,
    "file_orphan_seconds": 1.5,
}
LONG = {"file_orphan_seconds": 15.0}  # the default of 15 minutes is too long to wait for

pytestmark = [pytest.mark.timeout(1800), pytest.mark.any_database]


@pytest.fixture(scope="module")
def budget(pytestconfig: pytest.Config) -> float:
    """Return the size of the drills: 0 is the short form, 1 the long one."""
    return float(pytestconfig.getoption("--budget"))


@pytest.fixture
def amount(budget: float) -> Callable[[int, int], int]:
    """Return a function that scales an amount between the short and the long form."""
    return lambda short, long: max(short, round(long * budget))


@pytest.fixture(scope="module")
async def deployment(tmp_path_factory: pytest.TempPathFactory, seed: int, budget: float) -> AsyncIterator[Deployment]:
    folder = tmp_path_factory.mktemp("deployment")
    async with open_deployment(folder, seed, **(LONG if budget else QUICK)) as deployment:
        yield deployment


@pytest.fixture
async def load(deployment: Deployment, rng: random.Random) -> LoadGroup:
    """Two clients that create generations with and without photos."""
    clients = []
    for _ in range(2):
        apis = await deployment.sign_up(f"user-{rng.getrandbits(40):x}")
        style = await apis[0].style("cute", "plushify")
        clients.append(LoadClient(apis, random.Random(rng.random()), style))
    return LoadGroup(clients)


def report(*parts: str) -> None:
    print("  " + ", ".join(parts))  # noqa: T201 - the drill's report


async def assert_settled_and_consistent(deployment: Deployment, load: LoadGroup, budget: float) -> None:
    """Assert that everything has ended, every invariant holds, and exactly the confirmed generations exist."""
    took = await deployment.wait_until_settled(120 if budget else 15)
    storage = LocalStorage(deployment.folder / "files", address="", secret="unused", link_seconds=60)
    assert await deployment.violated_invariants(storage.keys) == {}
    ids = [client.apis[0].user["id"] for client in load.clients]
    marks = ", ".join(f"${number}" for number in range(1, len(ids) + 1))
    made = await rows(f"SELECT id, status FROM generations WHERE user_id IN ({marks})", *ids)  # noqa: S608 - numbers
    assert sorted(row["id"] for row in made) == sorted(load.accepted)
    statuses = {status: sum(row["status"] == status for row in made) for status in {row["status"] for row in made}}
    report(f"{len(made)} accepted generations, ended as {statuses}", f"settled {took:.1f} s after the last request")


async def completed_between(start: float, end: float) -> int:
    """Count the generations that completed in this window (Unix seconds)."""
    (found,) = await rows(
        "SELECT COUNT(*) AS n FROM generations WHERE status = 'COMPLETED'"
        " AND completed_at BETWEEN to_timestamp($1) AND to_timestamp($2)",
        start,
        end,
    )
    return int(found["n"])


async def ledger_subscribers(apis: Sequence[Api], number: int, rng: random.Random) -> list[LedgerSubscriber]:
    """Return subscribers that have a new account's first ledger line and wait for the second."""
    (line,) = (await apis[0].one(NEWEST_LINE))["transactions"]["nodes"]
    return [LedgerSubscriber(apis, random.Random(rng.random()), last_id=line["id"]) for _ in range(number)]


async def test_redis_outage_refuses_no_request_and_delays_no_update_beyond_the_limit(
    deployment: Deployment, load: LoadGroup, rng: random.Random, budget: float, amount: Callable[[int, int], int]
) -> None:
    outage_seconds = amount(3, 30)
    readers: list[LedgerSubscriber] = []
    async with SubscriberGroup() as group:
        for client in load.clients:
            readers += await ledger_subscribers(client.apis, 3, rng)
        group.add(*readers)
        async with load:
            await asyncio.sleep(0.5)  # the load is under way
            await deployment.run_in_thread(deployment.redis.kill)
            down_since = time.time()
            made = 0  # during the outage, which lasts longer where a busy machine has completed none
            while time.time() < down_since + outage_seconds or (made == 0 and time.time() < down_since + PATIENCE):
                client = rng.choice(load.clients)
                for id in await client.create(with_photo=False):
                    group.add(ProgressSubscriber(client.apis, random.Random(rng.random()), generation_id=id))
                await asyncio.sleep(outage_seconds / 12)
                made = await completed_between(down_since, time.time())
            back = time.time()
            await deployment.run_in_thread(deployment.redis.start)
            await asyncio.sleep(1)
        for reader in readers:
            reader.last_sequence = 1 + next(
                client.accepted_count for client in load.clients if client.apis is reader.apis
            )
        await group.wait_until_done(60 if budget else 15)
    during = load.responses(down_since, back)
    report(
        f"Redis down for {back - down_since:.1f} s: {dict(codes(during))}, slowest {slowest(during):.2f} s",
        f"{made} completed during the outage",
        f"{len(group.delays)} live updates, the slowest after {max(group.delays):.2f} s",
    )
    assert codes(load.responses()).keys() == {"query", "text", "photo"}
    assert made > 0
    assert max(group.delays) < LIVE_SECONDS
    assert group.faults == []
    await assert_settled_and_consistent(deployment, load, budget)


async def test_postgresql_outage_is_reported_at_once_and_recovered_from(
    deployment: Deployment, load: LoadGroup, rng: random.Random, budget: float, amount: Callable[[int, int], int]
) -> None:
    outages = []
    async with load:
        for _ in range(amount(1, 10)):
            await asyncio.sleep(0.5)
            down_since = time.time()
            await deployment.run_in_thread(deployment.postgres.kill)
            await asyncio.sleep(rng.uniform(0.8, 2.0))
            start = time.time()
            await deployment.run_in_thread(deployment.postgres.start)
            outages.append((down_since, start, time.time()))
            await asyncio.sleep(amount(2, 12))
    recoveries, slow, seen = [], 0.0, []
    for (down_since, _start, back), (next_down_since, *_) in zip(outages, [*outages[1:], (float("inf"),)], strict=True):
        during = load.responses(down_since - 0.2, back)
        seen += during
        slow = max(slow, slowest(during))
        # Requests that ended later met the next outage.
        after = [response for response in load.responses(back) if response.ended < next_down_since]
        refused = [response.ended - back for response in after if response.code is not None]
        recoveries.append(max(refused, default=0.0))
    report(
        f"PostgreSQL killed {len(outages)} times: {dict(codes(seen))} during the outages",
        f"slowest {slow:.2f} s",
        f"the last error {max(recoveries):.2f} s after it was back",
    )
    assert set(codes(load.responses())) <= {"query", "text", "photo", "UNAVAILABLE"}
    assert codes(seen)["UNAVAILABLE"] > 0
    assert slow < RESPONSE_SECONDS
    assert max(recoveries) < RECOVERY_SECONDS
    await assert_settled_and_consistent(deployment, load, budget)


async def test_rolling_restart_under_load_loses_no_request(
    deployment: Deployment, load: LoadGroup, budget: float, amount: Callable[[int, int], int]
) -> None:
    rounds = amount(1, 20)
    seconds = []
    async with load:
        for _ in range(rounds):
            for member in deployment.members:
                started = time.monotonic()
                code = await member.stop()
                assert code in (0, -15), f"{member.name} ended with {code}:\n{member.log.read_text()[-3000:]}"
                await member.start()
                seconds.append(time.monotonic() - started)
    found = codes(load.responses())
    report(
        f"{rounds} rolling restarts of {len(deployment.members)} processes, {max(seconds):.1f} s each at most",
        f"{dict(found)}",
        f"slowest {slowest(load.responses()):.2f} s",
    )
    assert set(found) <= {"query", "text", "photo", CUT}
    await assert_settled_and_consistent(deployment, load, budget)


async def test_subscribers_miss_nothing_when_messages_are_lost_and_redis_restarts(
    deployment: Deployment, rng: random.Random, budget: float, amount: Callable[[int, int], int]
) -> None:
    subscribers, changes, restarts = amount(20, 100), amount(10, 50), amount(1, 5)
    apis = await deployment.sign_up(f"watched-{rng.getrandbits(40):x}")
    client = LoadClient(apis, random.Random(rng.random()))
    readers = await ledger_subscribers(apis, subscribers, rng)
    progress_subscribers: list[ProgressSubscriber] = []
    async with SubscriberGroup() as group:
        group.add(*readers)
        await asyncio.gather(*(reader.subscribed.wait() for reader in readers))
        loss_file(deployment.folder).touch()
        try:
            for change in range(changes):
                if change % max(changes // restarts, 1) == changes // restarts // 2:
                    await deployment.run_in_thread(deployment.redis.restart)
                (id,) = await client.create()
                progress_subscribers.append(ProgressSubscriber(apis, random.Random(rng.random()), generation_id=id))
                group.add(progress_subscribers[-1])
            for reader in readers:
                reader.last_sequence = 1 + changes
            await group.wait_until_done(30)
            lost = len(loss_file(deployment.folder).read_bytes())
        finally:
            loss_file(deployment.folder).unlink()
    report(
        f"{subscribers} ledger subscribers x {changes} changes and {len(progress_subscribers)} generations watched",
        f"{lost} messages lost ({LOSS:.0%}), {restarts} Redis restarts",
        f"slowest update {max(group.delays):.2f} s",
    )
    assert lost > 0
    assert group.faults == []
    assert all(reader.sequences == list(range(2, changes + 2)) for reader in readers)
    assert {subscriber.final_status for subscriber in progress_subscribers} == {"COMPLETED"}
    await assert_settled_and_consistent(deployment, LoadGroup([client]), budget)
