"""S3 that fails two requests of five, or is not there: refused orders cost nothing, and no picture is made twice."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator

import pytest

from models.database.connection import rows
from services.integrations.storage.s3 import S3Storage
from tests.campaigns.chaos_load import Person, answers, codes, slowest
from tests.campaigns.chaos_proxy import FaultyProxy, faulty_proxy
from tests.campaigns.chaos_server import tally
from tests.campaigns.chaos_site import CREDITS, Site, open_site
from tests.support.s3_server import BUCKET, KEY_ID, REGION, SECRET, S3Server, s3_server

SHARE = 0.4  # of the requests to S3 that fail
ORDERS, BUYERS = 200, 4

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
    """Where this drill's objects are: the store outlives it."""
    return f"drill-{rng.getrandbits(40):x}"


@pytest.fixture
async def site(tmp_path_factory: pytest.TempPathFactory, proxy: FaultyProxy, prefix: str) -> AsyncIterator[Site]:
    given = {
        "s3_bucket": BUCKET,
        "s3_prefix": prefix,
        "s3_endpoint_url": proxy.url,
        "s3_region": REGION,
        "aws_access_key_id": KEY_ID,
        "aws_secret_access_key": SECRET,
        "generation_sweep_seconds": 1.0,
        "file_orphan_seconds": 10.0,
    }
    async with open_site(tmp_path_factory.mktemp("site"), 0, **given) as site:
        yield site


async def bought(site: Site, dice: random.Random, number: int) -> list[Person]:
    """New accounts, each with a style that needs a photo."""
    people = []
    for _ in range(number):
        apis = await site.person(f"buyer-{dice.getrandbits(40):x}")
        style = await apis[0].style("cute", "plushify")
        people.append(Person(apis, random.Random(dice.random()), style))
    return people


async def keys(proxy: FaultyProxy, prefix: str) -> set[str]:
    """What is in the bucket."""
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


async def test_two_failures_of_five_lose_no_picture_and_no_credit(
    site: Site, proxy: FaultyProxy, prefix: str, rng: random.Random
) -> None:
    people = await bought(site, rng, BUYERS)

    async def buy(person: Person) -> None:
        for _ in range(ORDERS // BUYERS):
            await person.order(with_photo=True)

    proxy.share = SHARE
    await asyncio.gather(*(buy(person) for person in people))
    found = answers(people)
    proxy.share = 0.0
    took = await site.settle(90)
    ends = Counter(row["status"] for row in await rows("SELECT status FROM generations"))
    calls = Counter(tally(site.folder).read_text().split())
    print(  # noqa: T201 - the drill's report
        f"  {ORDERS} orders with photos: {dict(codes(found))}, slowest {slowest(found):.2f} s,"
        f" requests to S3: {dict(proxy.failed)} failed, {proxy.passed} passed;"
        f" {dict(ends)}, {calls.total()} calls of the provider, all quiet {took:.1f} s after the faults"
    )
    assert set(codes(found)) <= {"photo", "UPLOAD_FAILED", "UNAVAILABLE"}
    assert codes(found)["photo"] == ORDERS
    assert {"PUT", "GET", "DELETE"} <= set(proxy.failed)
    assert ends == {"COMPLETED": ORDERS}
    assert max(calls.values()) == 1
    assert await site.broken(lambda: keys(proxy, prefix)) == {}


async def test_without_s3_photos_are_refused_at_no_charge_and_words_are_taken(
    site: Site, proxy: FaultyProxy, prefix: str, rng: random.Random
) -> None:
    (person,) = await bought(site, rng, 1)
    await proxy.stop()
    for _ in range(3):
        assert await person.order(with_photo=True, tries=1) == []
    refused = list(person.answers)
    assert await person.apis[0].credits() == CREDITS
    (generation_id,) = await person.order(with_photo=False)
    await proxy.start()
    took = await site.settle(60)
    ended = await person.apis[0].generation(generation_id)
    print(  # noqa: T201 - the drill's report
        f"  S3 away: {dict(codes(refused))}, slowest {slowest(refused):.2f} s;"
        f" an order of words meanwhile {ended['status']} {took:.1f} s after it was back"
    )
    assert set(codes(refused)) <= {"UPLOAD_FAILED", "UNAVAILABLE"}
    assert ended["status"] == "COMPLETED"
    assert tally(site.folder).read_text().split() == [generation_id]
    assert await site.broken(lambda: keys(proxy, prefix)) == {}
