"""kill -9 of any process at any step: all generations end, the ledger adds up, no file is orphaned."""

import random
import secrets
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest

from campaigns.crash_campaign import Campaign, Site
from campaigns.crash_mutants import MUTANTS
from campaigns.crash_plan import ANYWHERE, CLUSTER, EMBEDDED, plan
from campaigns.crash_zygote import Zygote
from models.database import is_postgres, open_database, rows
from servers import RedisServer

PATIENCE = 20.0  # seconds until everything that was under way has ended; it takes about two
MUTANT_PATIENCE = 4.0  # seconds; what has not ended by then never will
MUTANT_ROUNDS, MUTANT_KILLS = 5, 4  # a mutant that survives this many deaths has escaped
EMBEDDED_SHARE, CLUSTER_SHARE = 0.2, 0.6  # of all kills, on each kind of database, and in the cluster


@pytest.fixture(scope="module")
async def zygote() -> AsyncIterator[Zygote]:
    async with Zygote().running() as zygote:
        yield zygote


@pytest.fixture
def embedded(database: str, zygote: Zygote, tmp_path: Path) -> Site:
    """One server at a time, which does everything."""
    return Site(zygote, EMBEDDED, database, tmp_path)


@pytest.fixture
def cluster(empty_database: Callable[[str], str], redis: RedisServer, zygote: Zygote, tmp_path: Path) -> Site:
    """Two servers and two workers on PostgreSQL and Redis."""
    return Site(zygote, CLUSTER, empty_database("postgres"), tmp_path, redis)


@pytest.fixture
def dice(request: pytest.FixtureRequest) -> random.Random:
    """Seeded by --seed, so that a campaign can be repeated; pytest shows the seed when it fails."""
    seed = request.config.getoption("--seed")
    seed = secrets.randbelow(10**6) if seed is None else seed
    print(f"\n{request.node.name}: --seed {seed}")  # noqa: T201 - part of the campaign's report
    return random.Random(f"{seed} {request.node.name}")


async def nothing_is_lost(site: Site, dice: random.Random, kills: int) -> Campaign:
    """A campaign of so many kills that finds nothing wrong."""
    started = time.monotonic()
    campaign = Campaign(site, dice)
    async with open_database(site.database), httpx.AsyncClient(base_url=site.zygote.address, timeout=30) as http:
        await campaign.open(http)
        await campaign.run(plan(dice, kills, site.topology), PATIENCE)
        print(f"{time.monotonic() - started:.1f} s: {await campaign.story()}")  # noqa: T201 - the campaign's report
    assert campaign.findings == {}
    assert campaign.kills >= kills
    missed = {point for point in site.topology.points if campaign.hits[point] < site.topology.rounds(kills)}
    assert missed == set()
    return campaign


@pytest.mark.timeout(1800)
async def test_nothing_is_lost_however_often_the_server_dies(
    embedded: Site, dice: random.Random, pytestconfig: pytest.Config
) -> None:
    await nothing_is_lost(embedded, dice, round(pytestconfig.getoption("--kills") * EMBEDDED_SHARE))


@pytest.mark.timeout(3600)
async def test_nothing_is_lost_whichever_process_dies_or_sleeps_past_its_lease(
    cluster: Site, dice: random.Random, pytestconfig: pytest.Config
) -> None:
    campaign = await nothing_is_lost(cluster, dice, round(pytestconfig.getoption("--kills") * CLUSTER_SHARE))
    if campaign.naps >= 5:
        assert campaign.zombies


async def find(campaign: Campaign, mutant: str) -> None:
    """Kill until the mistake shows."""
    site, known = campaign.site, MUTANTS[mutant]
    steps = [site.topology.step(fate) for fate in (*known.fates, *known.fates)] + [(ANYWHERE,), (ANYWHERE,)]
    async with open_database(site.database), httpx.AsyncClient(base_url=site.zygote.address, timeout=30) as http:
        await campaign.open(http)
        if known.unguarded:
            table = " ON generations" if is_postgres(site.database) else ""
            await rows("DROP TRIGGER tr_generations_final" + table)
        for _ in range(MUTANT_ROUNDS):
            await campaign.run(steps[:MUTANT_KILLS], MUTANT_PATIENCE)
            if known.breaks & campaign.findings.keys():
                break
        print(await campaign.story())  # noqa: T201 - the campaign's report
    assert known.breaks & campaign.findings.keys()


@pytest.mark.mutants
@pytest.mark.parametrize("mutant", [name for name, known in MUTANTS.items() if EMBEDDED in known.where])
async def test_the_campaign_finds_a_mistake_in_the_path_of_the_money(
    embedded: Site, dice: random.Random, mutant: str
) -> None:
    await find(Campaign(embedded, dice, mutant, MUTANTS[mutant].cancels), mutant)


@pytest.mark.mutants
@pytest.mark.parametrize("mutant", [name for name, known in MUTANTS.items() if CLUSTER in known.where])
async def test_the_campaign_finds_a_mistake_among_many_processes(
    cluster: Site, dice: random.Random, mutant: str
) -> None:
    await find(Campaign(cluster, dice, mutant, MUTANTS[mutant].cancels), mutant)
