"""Outages under load: Redis, PostgreSQL, processes and messages get lost, and nobody notices more than was promised."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence

import pytest

from models.database.connection import rows
from services.integrations.storage.local import LocalStorage
from tests.campaigns.chaos_live import LAST_LINE, Audience, LedgerReader, ProgressReader
from tests.campaigns.chaos_load import CUT, Crowd, Person, codes, slowest
from tests.campaigns.chaos_server import LOSS, lossy
from tests.campaigns.chaos_site import PATIENCE, Site, open_site
from tests.support.client import Api

LIVE_SECONDS = 10.0  # within which what was committed is told, without Redis too
TYPED_SECONDS = 3.0  # within which everybody is answered, without PostgreSQL too
BACK_SECONDS = 10.0  # within which everything works again
# The short form's clocks, a fifth of those that an operator is given; the long form keeps these, but for one.
QUICK = {
    "generation_lease_seconds": 5.0,
    "generation_sweep_seconds": 0.5,
    "subscription_reread_seconds": 1.0,
    "file_orphan_seconds": 1.5,
}
LONG = {"file_orphan_seconds": 15.0}  # a quarter of an hour is too long to wait for

pytestmark = [pytest.mark.timeout(1800), pytest.mark.any_database]


@pytest.fixture(scope="module")
def budget(pytestconfig: pytest.Config) -> float:
    """0: the short form; 1: the long one."""
    return float(pytestconfig.getoption("--budget"))


@pytest.fixture
def amount(budget: float) -> Callable[[int, int], int]:
    """`amount(short, long)`: how much of something the drill does."""
    return lambda short, long: max(short, round(long * budget))


@pytest.fixture(scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory, seed: int, budget: float) -> AsyncIterator[Site]:
    async with open_site(tmp_path_factory.mktemp("site"), seed, **(LONG if budget else QUICK)) as site:
        yield site


@pytest.fixture
async def crowd(site: Site, rng: random.Random) -> Crowd:
    """Two people who order with photos and without."""
    people = []
    for _ in range(2):
        apis = await site.person(f"person-{rng.getrandbits(40):x}")
        style = await apis[0].style("cute", "plushify")
        people.append(Person(apis, random.Random(rng.random()), style))
    return Crowd(people)


def report(*figures: str) -> None:
    print("  " + ", ".join(figures))  # noqa: T201 - the drill's report


async def all_is_well(site: Site, crowd: Crowd, budget: float) -> None:
    """Everything has ended, every promise holds, and what people were told of is all there is."""
    took = await site.settle(120 if budget else 15)
    storage = LocalStorage(site.folder / "files", address="", secret="unused", link_seconds=60)
    assert await site.broken(storage.keys) == {}
    ids = [person.apis[0].user["id"] for person in crowd.people]
    marks = ", ".join(f"${number}" for number in range(1, len(ids) + 1))
    made = await rows(f"SELECT id, status FROM generations WHERE user_id IN ({marks})", *ids)  # noqa: S608 - numbers
    assert sorted(row["id"] for row in made) == sorted(crowd.accepted)
    ends = {status: sum(row["status"] == status for row in made) for status in {row["status"] for row in made}}
    report(f"{len(made)} accepted generations, ended as {ends}", f"all quiet {took:.1f} s after the last order")


async def completed_between(start: float, end: float) -> int:
    """How many generations completed in that time."""
    (found,) = await rows(
        "SELECT COUNT(*) AS n FROM generations WHERE status = 'COMPLETED'"
        " AND completed_at BETWEEN to_timestamp($1) AND to_timestamp($2)",
        start,
        end,
    )
    return int(found["n"])


async def ledger_readers(apis: Sequence[Api], number: int, dice: random.Random) -> list[LedgerReader]:
    """Subscribers who know a new account's first line and wait for the second."""
    (line,) = (await apis[0].one(LAST_LINE))["transactions"]["nodes"]
    return [LedgerReader(apis, random.Random(dice.random()), last_id=line["id"]) for _ in range(number)]


async def test_redis_may_die_and_come_back_empty_and_nobody_is_refused(
    site: Site, crowd: Crowd, rng: random.Random, budget: float, amount: Callable[[int, int], int]
) -> None:
    away = amount(3, 30)
    readers: list[LedgerReader] = []
    async with Audience() as audience:
        for person in crowd.people:
            readers += await ledger_readers(person.apis, 3, rng)
        audience.admit(*readers)
        async with crowd:
            await asyncio.sleep(0.5)  # the load is under way
            await site.in_hands(site.redis.kill)
            gone = time.time()
            made = 0  # while Redis is away, however busy this machine is
            while time.time() < gone + away or (made == 0 and time.time() < gone + PATIENCE):
                buyer = rng.choice(crowd.people)
                for id in await buyer.order(with_photo=False):
                    audience.admit(ProgressReader(buyer.apis, random.Random(rng.random()), generation_id=id))
                await asyncio.sleep(away / 12)
                made = await completed_between(gone, time.time())
            back = time.time()
            await site.in_hands(site.redis.start)
            await asyncio.sleep(1)
        for reader in readers:
            reader.wanted = 1 + next(person.bought for person in crowd.people if person.apis is reader.apis)
        await audience.heard_all(60 if budget else 15)
    during = crowd.answers(gone, back)
    report(
        f"Redis away for {back - gone:.1f} s: {dict(codes(during))}, slowest {slowest(during):.2f} s",
        f"{made} completed meanwhile",
        f"{len(audience.delays)} live updates, the slowest after {max(audience.delays):.2f} s",
    )
    assert codes(crowd.answers()).keys() == {"query", "text", "photo"}
    assert made > 0
    assert max(audience.delays) < LIVE_SECONDS
    assert audience.faults == []
    await all_is_well(site, crowd, budget)


async def test_postgresql_may_die_and_everybody_is_told_so_at_once(
    site: Site, crowd: Crowd, rng: random.Random, budget: float, amount: Callable[[int, int], int]
) -> None:
    outages = []
    async with crowd:
        for _ in range(amount(1, 10)):
            await asyncio.sleep(0.5)
            gone = time.time()
            await site.in_hands(site.postgres.kill)
            await asyncio.sleep(rng.uniform(0.8, 2.0))
            start = time.time()
            await site.in_hands(site.postgres.start)
            outages.append((gone, start, time.time()))
            await asyncio.sleep(amount(2, 12))
    recoveries, slow, seen = [], 0.0, []
    for (gone, _start, back), (next_gone, *_) in zip(outages, [*outages[1:], (float("inf"),)], strict=True):
        during = crowd.answers(gone - 0.2, back)
        seen += during
        slow = max(slow, slowest(during))
        after = [answer for answer in crowd.answers(back) if answer.ended < next_gone]  # the others met the next outage
        refused = [answer.ended - back for answer in after if answer.code is not None]
        recoveries.append(max(refused, default=0.0))
    report(
        f"PostgreSQL killed {len(outages)} times: {dict(codes(seen))} meanwhile",
        f"slowest {slow:.2f} s",
        f"the last refusal {max(recoveries):.2f} s after it was back",
    )
    assert set(codes(crowd.answers())) <= {"query", "text", "photo", "UNAVAILABLE"}
    assert codes(seen)["UNAVAILABLE"] > 0
    assert slow < TYPED_SECONDS
    assert max(recoveries) < BACK_SECONDS
    await all_is_well(site, crowd, budget)


async def test_servers_and_workers_may_be_replaced_under_load_and_no_order_is_lost(
    site: Site, crowd: Crowd, budget: float, amount: Callable[[int, int], int]
) -> None:
    rounds = amount(1, 20)
    seconds = []
    async with crowd:
        for _ in range(rounds):
            for member in site.members:
                started = time.monotonic()
                code = await member.stop()
                assert code in (0, -15), f"{member.name} ended with {code}:\n{member.log.read_text()[-3000:]}"
                await member.start()
                seconds.append(time.monotonic() - started)
    found = codes(crowd.answers())
    report(
        f"{rounds} rolling restarts of {len(site.members)} processes, {max(seconds):.1f} s each at most",
        f"{dict(found)}",
        f"slowest {slowest(crowd.answers()):.2f} s",
    )
    assert set(found) <= {"query", "text", "photo", CUT}
    await all_is_well(site, crowd, budget)


async def test_subscribers_miss_nothing_when_messages_get_lost_and_redis_restarts(
    site: Site, rng: random.Random, budget: float, amount: Callable[[int, int], int]
) -> None:
    subscribers, changes, restarts = amount(20, 100), amount(10, 50), amount(1, 5)
    apis = await site.person(f"watched-{rng.getrandbits(40):x}")
    buyer = Person(apis, random.Random(rng.random()))
    readers = await ledger_readers(apis, subscribers, rng)
    pictures: list[ProgressReader] = []
    async with Audience() as audience:
        audience.admit(*readers)
        await asyncio.gather(*(reader.listening.wait() for reader in readers))
        lossy(site.folder).touch()
        try:
            for change in range(changes):
                if change % max(changes // restarts, 1) == changes // restarts // 2:
                    await site.in_hands(site.redis.restart)
                (id,) = await buyer.order()
                pictures.append(ProgressReader(apis, random.Random(rng.random()), generation_id=id))
                audience.admit(pictures[-1])
            for reader in readers:
                reader.wanted = 1 + changes
            await audience.heard_all(30)
            lost = len(lossy(site.folder).read_bytes())
        finally:
            lossy(site.folder).unlink()
    report(
        f"{subscribers} ledger subscribers x {changes} changes and {len(pictures)} pictures watched",
        f"{lost} messages lost ({LOSS:.0%}), {restarts} Redis restarts",
        f"slowest update {max(audience.delays):.2f} s",
    )
    assert lost > 0
    assert audience.faults == []
    assert all(reader.sequences == list(range(2, changes + 2)) for reader in readers)
    assert {picture.end for picture in pictures} == {"COMPLETED"}
    await all_is_well(site, Crowd([buyer]), budget)
