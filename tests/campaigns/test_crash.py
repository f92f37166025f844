"""kill -9 of any process at any step: all generations end, the ledger adds up, no file is orphaned."""

import contextlib
import random
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import pytest

from adapters import open_storage
from models.database.connection import is_postgres, open_database, rows
from tests.campaigns.crash_campaign import Campaign, Site
from tests.campaigns.crash_fork_client import Zygote
from tests.campaigns.crash_load import CANCELS
from tests.campaigns.crash_mutants import MUTANTS
from tests.campaigns.crash_plan import ANYWHERE, CLUSTER, EMBEDDED, SERVER, plan
from tests.campaigns.crash_server import settings_of
from tests.support.s3_server import BUCKET, KEY_ID, REGION, SECRET, S3Server, s3_server
from tests.support.servers import RedisServer

PATIENCE = 20.0  # seconds until everything that was under way has ended; it takes about two
MUTANT_PATIENCE = 4.0  # seconds; what has not ended by then never will
MUTANT_ROUNDS, MUTANT_KILLS = 5, 4  # a mutant that survives this many deaths has escaped
EMBEDDED_SHARE, CLUSTER_SHARE = 0.5, 0.5  # of all kills

# One server on SQLite, and the cluster on PostgreSQL; --database postgres tries one server on PostgreSQL instead.
pytestmark = pytest.mark.any_database


@pytest.fixture(scope="module")
async def zygote() -> AsyncIterator[Zygote]:
    async with Zygote().running() as zygote:
        yield zygote


@pytest.fixture
def embedded(database: str, zygote: Zygote, tmp_path: Path) -> Site:
    """One server at a time, which does everything."""
    return Site(zygote, EMBEDDED, database, tmp_path)


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
def cluster(
    empty_database: Callable[[str], str], redis: RedisServer, s3: S3Server, zygote: Zygote, tmp_path: Path
) -> Site:
    """Two servers and two workers on PostgreSQL, Redis and S3."""
    settings = {
        "redis_url": redis.url,
        "s3_bucket": BUCKET,
        "s3_endpoint_url": s3.url,
        "s3_region": REGION,
        "s3_prefix": secrets.token_hex(8),
        "aws_access_key_id": KEY_ID,
        "aws_secret_access_key": SECRET,
    }
    return Site(zygote, CLUSTER, empty_database("postgres"), tmp_path, settings, redis)


@contextlib.asynccontextmanager
async def opened(site: Site, dice: random.Random, mutant: str | None = None) -> AsyncIterator[Campaign]:
    """A campaign with people who have signed up."""
    cancels = MUTANTS[mutant].cancels if mutant else CANCELS
    async with (
        open_database(site.database),
        open_storage(settings_of(site.order(SERVER))) as storage,
        httpx.AsyncClient(base_url=site.zygote.address, timeout=30) as http,
    ):
        campaign = Campaign(site, dice, storage, mutant, cancels)
        await campaign.open(http)
        yield campaign


async def nothing_is_lost(site: Site, dice: random.Random, kills: int) -> Campaign:
    """A campaign of so many kills that finds nothing wrong."""
    started = time.monotonic()
    async with opened(site, dice) as campaign:
        # Where each place is promised its rounds, what is missed on a busy machine is tried again.
        await campaign.run(plan(dice, kills, site.topology), PATIENCE, kills if site.topology.rounds(kills) else 0)
        print(f"{time.monotonic() - started:.1f} s: {await campaign.story()}")  # noqa: T201 - the campaign's report
    assert campaign.findings == {}
    assert campaign.kills >= kills
    missed = {point for point in site.topology.points if campaign.hits[point] < site.topology.rounds(kills)}
    assert missed == set()
    return campaign


@pytest.mark.timeout(1800)
async def test_nothing_is_lost_however_often_the_server_dies(
    embedded: Site, rng: random.Random, pytestconfig: pytest.Config
) -> None:
    await nothing_is_lost(embedded, rng, round(pytestconfig.getoption("--kills") * EMBEDDED_SHARE))


@pytest.mark.timeout(3600)
async def test_nothing_is_lost_whichever_process_dies_or_sleeps_past_its_lease(
    cluster: Site, rng: random.Random, pytestconfig: pytest.Config
) -> None:
    campaign = await nothing_is_lost(cluster, rng, round(pytestconfig.getoption("--kills") * CLUSTER_SHARE))
    if campaign.naps >= 5:
        assert campaign.zombies


async def find(site: Site, dice: random.Random, mutant: str) -> None:
    """Kill until the mistake shows."""
    known = MUTANTS[mutant]
    steps = [site.topology.step(fate) for fate in (*known.fates, *known.fates)] + [(ANYWHERE,), (ANYWHERE,)]
    async with opened(site, dice, mutant) as campaign:
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
    embedded: Site, rng: random.Random, mutant: str
) -> None:
    await find(embedded, rng, mutant)


@pytest.mark.mutants
@pytest.mark.parametrize("mutant", [name for name, known in MUTANTS.items() if CLUSTER in known.where])
async def test_the_campaign_finds_a_mistake_among_many_processes(
    cluster: Site, rng: random.Random, mutant: str
) -> None:
    await find(cluster, rng, mutant)
