"""The crash campaign: after kill -9 at any step, all generations end, the ledger adds up, no file is orphaned."""

import contextlib
import random
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters import open_storage
from models.database.connection import is_postgres, open_database, rows
from services.integrations.videos.sample import tiny_video
from tests.campaigns.crash_campaign import Campaign, Deployment
from tests.campaigns.crash_fork_client import CrashForkClient
from tests.campaigns.crash_load import CANCEL_RATE
from tests.campaigns.crash_mutants import MUTANTS
from tests.campaigns.crash_plan import CLUSTER, EMBEDDED, RANDOM_KILL, SERVER, plan
from tests.campaigns.crash_server import OTHER_VIDEO_MODEL, settings_of
from tests.support.fakes.openrouter_response import status
from tests.support.fakes.openrouter_videos import COMPLETED, EXPIRED, ScriptedVideos, State, failed
from tests.support.fakes.raw_server import Response
from tests.support.s3_server import BUCKET, KEY_ID, REGION, SECRET, S3Server, s3_server
from tests.support.servers import RedisServer

# Seconds without any change, after which what is under way never ends.
PATIENCE = 60.0
MUTANT_PATIENCE = 4.0
MUTANT_ROUNDS, MUTANT_KILLS = 5, 4  # a mutant that is not detected after this many kills has survived
EMBEDDED_SHARE, CLUSTER_SHARE = 0.5, 0.5  # of all kills
# A server that has just started shares the listening socket: kept connections would all lead to the others.
NEW_CONNECTIONS = httpx.Limits(max_keepalive_connections=0)

# One server on SQLite, and the cluster on PostgreSQL; with --database postgres, the one server runs on PostgreSQL.
pytestmark = pytest.mark.any_database


@pytest.fixture(scope="module")
async def fork_client() -> AsyncIterator[CrashForkClient]:
    async with CrashForkClient().running() as fork_client:
        yield fork_client


@pytest.fixture
async def videos() -> AsyncIterator[ScriptedVideos]:
    async with ScriptedVideos(tiny_video()) as fake:
        fake.find_end, fake.refuse = end_by_prompt, refusal_by_prompt
        yield fake


def end_by_prompt(body: Mapping[str, Any]) -> tuple[int, State]:
    """Return how a job ends, and after how many questions: by the prompt alone."""
    rng = random.Random(body["prompt"])
    return rng.randrange(4), rng.choice((COMPLETED, COMPLETED, COMPLETED, failed(), EXPIRED))


def refusal_by_prompt(body: Mapping[str, Any]) -> Response | None:
    """Return how the ordered model of some videos says that it began no work; the other model takes them."""
    if body["model"] == OTHER_VIDEO_MODEL:
        return None
    return random.Random(f"refusal of {body['prompt']}").choice(
        (None, None, status(404, "not_found"), status(503, "provider_unavailable", retry_after="60"))
    )


@pytest.fixture
def embedded(database: str, fork_client: CrashForkClient, tmp_path: Path, videos: ScriptedVideos) -> Deployment:
    """One server at a time, which is also the worker."""
    settings = {"openrouter_base_url": videos.base_url}
    return Deployment(fork_client, EMBEDDED, database, tmp_path, settings, videos=videos)


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
def cluster(
    empty_database: Callable[[str], str],
    redis: RedisServer,
    s3: S3Server,
    fork_client: CrashForkClient,
    tmp_path: Path,
    videos: ScriptedVideos,
) -> Deployment:
    """Two servers and two workers on PostgreSQL, Redis and S3."""
    settings = {
        "openrouter_base_url": videos.base_url,
        "redis_url": redis.url,
        "s3_bucket": BUCKET,
        "s3_endpoint_url": s3.url,
        "s3_region": REGION,
        "s3_prefix": secrets.token_hex(8),
        "aws_access_key_id": KEY_ID,
        "aws_secret_access_key": SECRET,
    }
    return Deployment(fork_client, CLUSTER, empty_database("postgres"), tmp_path, settings, redis, videos)


@contextlib.asynccontextmanager
async def open_campaign(
    deployment: Deployment, rng: random.Random, mutant: str | None = None
) -> AsyncIterator[Campaign]:
    """Open a campaign whose customers have signed up."""
    cancel_rate = MUTANTS[mutant].cancel_rate if mutant else CANCEL_RATE
    async with (
        open_database(deployment.database),
        open_storage(settings_of(deployment.spec(SERVER))) as storage,
        httpx.AsyncClient(base_url=deployment.fork_client.address, timeout=30, limits=NEW_CONNECTIONS) as http,
    ):
        campaign = Campaign(deployment, rng, storage, mutant, cancel_rate)
        await campaign.open(http)
        yield campaign


async def assert_nothing_is_lost(deployment: Deployment, rng: random.Random, kills: int) -> Campaign:
    """Run a campaign of so many kills, and assert that every check passes and every crash point is reached."""
    started = time.monotonic()
    async with open_campaign(deployment, rng) as campaign:
        await campaign.run(plan(rng, kills, deployment.topology), PATIENCE, retries=max(40, 2 * kills))
        print(f"{time.monotonic() - started:.1f} s: {await campaign.summary()}")  # noqa: T201 - the campaign's report
    assert campaign.findings == {}
    assert campaign.kills >= kills
    assert campaign.missed == []
    missed = {point for point in deployment.topology.points if campaign.hits[point] < deployment.topology.rounds(kills)}
    assert missed == set()
    if deployment.videos is not None and kills >= 30:  # some videos were made by the model that was not ordered
        assert {job.body["model"] for job in deployment.videos.jobs} > {OTHER_VIDEO_MODEL}
    return campaign


@pytest.mark.timeout(3600)
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
