"""A night of 5,000 orders under all faults, one after another: none is lost, stuck, or charged wrongly.

`make night` runs it whole; BUDGET=0.1 runs 500 orders and each fault once.
"""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from models.database.connection import rows
from services.integrations.storage.s3 import S3Storage
from tests.campaigns.chaos_deployment import CREDITS, Deployment, open_deployment
from tests.campaigns.chaos_load import CUT, LoadClient, LoadGroup, codes
from tests.campaigns.chaos_proxy import FaultyProxy, faulty_proxy
from tests.campaigns.night_faults import FAULTS, Night
from tests.support.s3_server import BUCKET, KEY_ID, REGION, SECRET, S3Server, s3_server

ORDERS, ROUNDS, CLIENTS = 5000, 10, 6  # of the whole night; in a round each fault happens once
PAUSE = 0.6  # seconds between two orders of a client, so that orders meet all faults
QUIET = 2.0  # seconds between two faults
LEASE = 10.0
SETTINGS = {
    "generation_lease_seconds": LEASE,
    "generation_sweep_seconds": 1.0,
    "generation_deadline_seconds": 5.0,
    "subscription_reread_seconds": 2.0,
    "file_orphan_seconds": 10.0,
    "circuit_open_seconds": 2.0,
    "stop_grace_seconds": 10.0,
}
# What a client may see: it sends the same request again, with the same key.
ALLOWED = {"query", "text", "photo", "UNAVAILABLE", "UPLOAD_FAILED", CUT, "HTTP 503"}
FOR_A_PERSON = {"provider.key", "provider.paused"}  # errors in the log: a key has to be replaced

pytestmark = [pytest.mark.night, pytest.mark.timeout(4 * 3600), pytest.mark.any_database]


@pytest.fixture(scope="module")
def store() -> Iterator[S3Server]:
    with s3_server() as store:
        yield store


@pytest.fixture
async def proxy(store: S3Server, rng: random.Random) -> AsyncIterator[FaultyProxy]:
    async with faulty_proxy(store.url, random.Random(rng.random())) as proxy:
        yield proxy


@pytest.fixture
async def deployment(tmp_path: Path, proxy: FaultyProxy, seed: int) -> AsyncIterator[Deployment]:
    extra = {
        "s3_bucket": BUCKET,
        "s3_prefix": "night",
        "s3_endpoint_url": proxy.url,
        "s3_region": REGION,
        "aws_access_key_id": KEY_ID,
        "aws_secret_access_key": SECRET,
        **SETTINGS,
    }
    async with open_deployment(tmp_path, seed, **extra) as deployment:
        yield deployment


async def sign_up(deployment: Deployment, rng: random.Random) -> LoadClient:
    apis = await deployment.sign_up(f"night-{rng.getrandbits(40):x}")
    style = await apis[0].style("cute", "plushify")
    return LoadClient(apis, random.Random(rng.random()), style, pause=PAUSE)


async def stored_keys(proxy: FaultyProxy) -> set[str]:
    storage = S3Storage(
        BUCKET,
        region=REGION,
        prefix="night",
        link_seconds=60,
        endpoint_url=proxy.target,
        access_key_id=KEY_ID,
        secret_access_key=SECRET,
    )
    async with storage:
        return await storage.keys()


def error_lines(deployment: Deployment) -> Counter[str]:
    """Count the lines of the level error in the logs of all processes, by event."""
    found: Counter[str] = Counter()
    for member in deployment.members:
        for line in member.log.read_text(errors="replace").splitlines():
            if line.startswith("{") and (entry := json.loads(line))["level"] in ("error", "critical"):
                found[entry["event"]] += 1
    return found


async def assert_charged_rightly(clients: list[LoadClient]) -> None:
    """Assert that each account paid for what it was not refunded, and for nothing else."""
    for client in clients:
        user = client.apis[0].user["id"]
        made = await rows("SELECT id, cost, refunded, size_refund FROM generations WHERE user_id = $1", user)
        owed = sum(0 if row["refunded"] else row["cost"] - row["size_refund"] for row in made)
        assert await client.apis[0].credits() == CREDITS - owed, user


async def test_night_of_orders_under_all_faults(
    deployment: Deployment, proxy: FaultyProxy, rng: random.Random, pytestconfig: pytest.Config
) -> None:
    budget = float(pytestconfig.getoption("--budget")) or 0.1
    orders, rounds = round(ORDERS * budget), max(1, round(ROUNDS * budget))
    clients = [await sign_up(deployment, rng) for _ in range(CLIENTS)]
    load, night = LoadGroup(clients), Night(deployment, proxy, rng, LEASE)
    began = time.monotonic()
    made = 0
    async with load:
        while made < rounds * len(FAULTS) or len(load.accepted) < orders:
            for fault in rng.sample(FAULTS, len(FAULTS)):
                before, since = len(load.accepted), time.monotonic()
                await fault(night)
                made += 1
                print(  # noqa: T201 - the campaign's report
                    f"  {time.monotonic() - began:6.0f} s {fault.__name__}: {time.monotonic() - since:.1f} s,"
                    f" {len(load.accepted) - before} orders meanwhile, {len(load.accepted)} in all"
                )
                await asyncio.sleep(QUIET)
    took = await deployment.wait_until_settled(300)
    ids = [client.apis[0].user["id"] for client in clients]
    marks = ", ".join(f"${number}" for number in range(1, len(ids) + 1))
    ended = await rows(
        f"SELECT id, status, error_code, refunded FROM generations WHERE user_id IN ({marks})",  # noqa: S608 - numbers
        *ids,
    )
    outcomes = Counter((row["status"], row["error_code"], bool(row["refunded"])) for row in ended)
    errors = error_lines(deployment)
    print(  # noqa: T201 - as above
        f"  {len(ended)} orders under {made} faults in {time.monotonic() - began:.0f} s: {dict(outcomes)};"
        f" {dict(codes(load.responses()))}; settled {took:.1f} s after the last order; errors logged: {dict(errors)}"
    )
    assert len(ended) >= orders
    assert sorted(row["id"] for row in ended) == sorted(load.accepted), "lost, or made twice"
    assert set(codes(load.responses())) <= ALLOWED
    assert await deployment.violated_invariants(lambda: stored_keys(proxy)) == {}
    await assert_charged_rightly(clients)
    assert set(errors) <= FOR_A_PERSON
