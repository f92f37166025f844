"""The crash campaign: after kill -9 at any step, all generations end, the ledger adds up, no file is orphaned."""

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
from tests.campaigns.crash_campaign import Campaign, Deployment
from tests.campaigns.crash_fork_client import CrashForkClient
from tests.campaigns.crash_load import CANCEL_RATE
from tests.campaigns.crash_mutants import MUTANTS
from tests.campaigns.crash_plan import CLUSTER, EMBEDDED, RANDOM_KILL, SERVER, plan
from tests.campaigns.crash_server import settings_of
from tests.support.s3_server import BUCKET, KEY_ID, REGION, SECRET, S3Server, s3_server
from tests.support.servers import RedisServer

# Seconds without any change, after which what is under way never ends.
PATIENCE = 60.0
MUTANT_PATIENCE = 4.0
MUTANT_ROUNDS, MUTANT_KILLS = 5, 4  # a mutant that is not detected after this many kills has survived
EMBEDDED_SHARE, CLUSTER_SHARE = 0.5, 0.5  # of all kills

# One server on SQLite, and the cluster on PostgreSQL; with --database postgres, the one server runs on PostgreSQL.
pytestmark = pytest.mark.any_database


@pytest.fixture(scope="module")
async def fork_client() -> AsyncIterator[CrashForkClient]:
    async with CrashForkClient().running() as fork_client:
        yield fork_client


@pytest.fixture
def embedded(database: str, fork_client: CrashForkClient, tmp_path: Path) -> Deployment:
    """One server at a time, which is also the worker."""
    return Deployment(fork_client, EMBEDDED, database, tmp_path)


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
def cluster(
    empty_database: Callable[[str], str], redis: RedisServer, s3: S3Server, fork_client: CrashForkClient, tmp_path: Path
) -> Deployment:
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
    return Deployment(fork_client, CLUSTER, empty_database("postgres"), tmp_path, settings, redis)


@contextlib.asynccontextmanager
async def open_campaign(
    deployment: Deployment, rng: random.Random, mutant: str | None = None
) -> AsyncIterator[Campaign]:
    """Open a campaign whose customers have signed up."""
    cancel_rate = MUTANTS[mutant].cancel_rate if mutant else CANCEL_RATE
    async with (
        open_database(deployment.database),
        open_storage(settings_of(deployment.spec(SERVER))) as storage,
        httpx.AsyncClient(base_url=deployment.fork_client.address, timeout=30) as http,
    ):
        campaign = Campaign(deployment, rng, storage, mutant, cancel_rate)
        await campaign.open(http)
        yield campaign


async def assert_nothing_is_lost(deployment: Deployment, rng: random.Random, kills: int) -> Campaign:
    """Run a campaign of so many kills, and assert that every check passes and every crash point is reached."""
    started = time.monotonic()
    async with open_campaign(deployment, rng) as campaign:
        await campaign.run(plan(rng, kills, deployment.topology), PATIENCE, retries=2 * kills)
        print(f"{time.monotonic() - started:.1f} s: {await campaign.summary()}")  # noqa: T201 - the campaign's report
    assert campaign.findings == {}
    assert campaign.kills >= kills
    assert campaign.missed == []
    missed = {point for point in deployment.topology.points if campaign.hits[point] < deployment.topology.rounds(kills)}
    assert missed == set()
    return campaign


@pytest.mark.timeout(1800)
async def test_nothing_is_lost_when_one_server_is_killed_repeatedly(
    embedded: Deployment, rng: random.Random, pytestconfig: pytest.Config
) -> None:
    await assert_nothing_is_lost(embedded, rng, round(pytestconfig.getoption("--kills") * EMBEDDED_SHARE))


@pytest.mark.timeout(3600)
async def test_nothing_is_lost_when_processes_of_a_cluster_are_killed_or_suspended(
    cluster: Deployment, rng: random.Random, pytestconfig: pytest.Config
) -> None:
    campaign = await assert_nothing_is_lost(cluster, rng, round(pytestconfig.getoption("--kills") * CLUSTER_SHARE))
    if campaign.suspensions >= 5:
        assert campaign.zombies


async def assert_detected(deployment: Deployment, rng: random.Random, mutant: str) -> None:
    """Kill processes that run the mutant until a check fails."""
    known = MUTANTS[mutant]
    steps = [deployment.topology.step(fault) for fault in (*known.faults, *known.faults)]
    steps += [(RANDOM_KILL,), (RANDOM_KILL,)]
    async with open_campaign(deployment, rng, mutant) as campaign:
        if known.drop_trigger:
            table = " ON generations" if is_postgres(deployment.database) else ""
            await rows("DROP TRIGGER tr_generations_final" + table)
        for _ in range(MUTANT_ROUNDS):
            await campaign.run(steps[:MUTANT_KILLS], MUTANT_PATIENCE, retries=MUTANT_KILLS)
            if known.detected_by & campaign.findings.keys():
                break
        print(await campaign.summary())  # noqa: T201 - the campaign's report
    assert known.detected_by & campaign.findings.keys()


@pytest.mark.mutants
@pytest.mark.parametrize("mutant", [name for name, known in MUTANTS.items() if EMBEDDED in known.topologies])
async def test_campaign_detects_mutant_in_one_server(embedded: Deployment, rng: random.Random, mutant: str) -> None:
    await assert_detected(embedded, rng, mutant)


@pytest.mark.mutants
@pytest.mark.parametrize("mutant", [name for name, known in MUTANTS.items() if CLUSTER in known.topologies])
async def test_campaign_detects_mutant_in_cluster(cluster: Deployment, rng: random.Random, mutant: str) -> None:
    await assert_detected(cluster, rng, mutant)
