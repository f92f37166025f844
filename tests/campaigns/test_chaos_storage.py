"""Chaos drill: S3 fails 40 % of its requests or is down; refused requests cost nothing, no image is paid for twice."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator

import pytest

from models.database.connection import rows
from services.integrations.storage.s3 import S3Storage
from tests.campaigns.chaos_deployment import CREDITS, Deployment, open_deployment
from tests.campaigns.chaos_load import LoadClient, codes, responses_of, slowest
from tests.campaigns.chaos_proxy import FaultyProxy, faulty_proxy
from tests.campaigns.chaos_server import call_log
from tests.support.s3_server import BUCKET, KEY_ID, REGION, SECRET, S3Server, s3_server

FAILURE_RATE = 0.4  # of the requests to S3 that fail
REQUESTS, CLIENTS = 200, 4

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600), pytest.mark.any_database]


@pytest.fixture(scope="module")
def store() -> Iterator[S3Server]:
    with s3_server() as store:
        yield store


@pytest.fixture
async def proxy(store: S3Server, rng: random.Random) -> AsyncIterator[FaultyProxy]:
    async with faulty_proxy(store.url, random.Random(rng.random())) as proxy:
        yield proxy


@pytest.fixture
def prefix(rng: random.Random) -> str:
    """Return the key prefix of this drill: the store is shared by the module."""
    return f"drill-{rng.getrandbits(40):x}"


@pytest.fixture
async def deployment(
    tmp_path_factory: pytest.TempPathFactory, proxy: FaultyProxy, prefix: str
) -> AsyncIterator[Deployment]:
    extra = {
        "s3_bucket": BUCKET,
        "s3_prefix": prefix,
        "s3_endpoint_url": proxy.url,
        "s3_region": REGION,
        "aws_access_key_id": KEY_ID,
        "aws_secret_access_key": SECRET,
        "generation_sweep_seconds": 1.0,
        "file_orphan_seconds": 10.0,
    }
    async with open_deployment(tmp_path_factory.mktemp("deployment"), 0, **extra) as deployment:
        yield deployment


async def sign_up_clients(deployment: Deployment, rng: random.Random, number: int) -> list[LoadClient]:
    """Sign up new accounts, each with a style that needs a photo."""
    clients = []
    for _ in range(number):
        apis = await deployment.sign_up(f"buyer-{rng.getrandbits(40):x}")
        style = await apis[0].style("cute", "plushify")
        clients.append(LoadClient(apis, random.Random(rng.random()), style))
    return clients


async def keys(proxy: FaultyProxy, prefix: str) -> set[str]:
    """Return the keys in the bucket."""
    storage = S3Storage(
        BUCKET,
        region=REGION,
        prefix=prefix,
        link_seconds=60,
        endpoint_url=proxy.target,
        access_key_id=KEY_ID,
        secret_access_key=SECRET,
    )
    async with storage:
        return await storage.keys()


async def test_s3_failures_lose_no_picture_and_no_credit(
    deployment: Deployment, proxy: FaultyProxy, prefix: str, rng: random.Random
) -> None:
    clients = await sign_up_clients(deployment, rng, CLIENTS)

    async def run(client: LoadClient) -> None:
        for _ in range(REQUESTS // CLIENTS):
            await client.create(with_photo=True)

    proxy.failure_rate = FAILURE_RATE
    await asyncio.gather(*(run(client) for client in clients))
    found = responses_of(clients)
    proxy.failure_rate = 0.0
    took = await deployment.wait_until_settled(90)
    statuses = Counter(row["status"] for row in await rows("SELECT status FROM generations"))
    calls = Counter(call_log(deployment.folder).read_text().split())
    print(  # noqa: T201 - the drill's report
        f"  {REQUESTS} requests with photos: {dict(codes(found))}, slowest {slowest(found):.2f} s,"
        f" requests to S3: {dict(proxy.failed)} failed, {proxy.passed} passed;"
        f" {dict(statuses)}, {calls.total()} provider calls, settled {took:.1f} s after the faults"
    )
    assert set(codes(found)) <= {"photo", "UPLOAD_FAILED", "UNAVAILABLE"}
    assert codes(found)["photo"] == REQUESTS
    assert {"PUT", "GET", "DELETE"} <= set(proxy.failed)
    assert statuses == {"COMPLETED": REQUESTS}
    assert max(calls.values()) == 1
    assert await deployment.violated_invariants(lambda: keys(proxy, prefix)) == {}


async def test_s3_outage_refuses_photos_at_no_charge_and_accepts_text_requests(
    deployment: Deployment, proxy: FaultyProxy, prefix: str, rng: random.Random
) -> None:
    (client,) = await sign_up_clients(deployment, rng, 1)
    await proxy.stop()
    for _ in range(3):
        assert await client.create(with_photo=True, attempts=1) == []
    refused = list(client.responses)
    assert await client.apis[0].credits() == CREDITS
    (generation_id,) = await client.create(with_photo=False)
    await proxy.start()
    took = await deployment.wait_until_settled(60)
    ended = await client.apis[0].generation(generation_id)
    print(  # noqa: T201 - the drill's report
        f"  S3 down: {dict(codes(refused))}, slowest {slowest(refused):.2f} s;"
        f" a text-only generation was {ended['status']} {took:.1f} s after it was back"
    )
    assert set(codes(refused)) <= {"UPLOAD_FAILED", "UNAVAILABLE"}
    assert ended["status"] == "COMPLETED"
    assert call_log(deployment.folder).read_text().split() == [generation_id]
    assert await deployment.violated_invariants(lambda: keys(proxy, prefix)) == {}
