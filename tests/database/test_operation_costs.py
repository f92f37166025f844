"""What the hot operations cost, in counts: a change that doubles one of them fails here.

Counts do not depend on the machine's load. After an improvement, lower the recorded count, so that the next change
cannot undo it unnoticed; `MARGIN` leaves space for what differs between runs.
"""

import json
import socket
import sys
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

import pytest

from settings import Settings
from tests.conftest import Running, running
from tests.support import factories
from tests.support.client import Api
from tests.support.counting_proxy import CountingProxy
from tests.support.factories import NOW, insert
from tests.support.raw_http import RawConnection, connection, request
from tests.support.servers import RedisServer

pytestmark = pytest.mark.postgres_only

MARGIN = 1.6  # times the recorded count
REPEATS = 6

PAGE = """{ viewer { credits generations(first: 20) {
  edges { cursor node { id status stage progress prompt size quality cost isFavorite createdAt } }
  pageInfo { hasNextPage endCursor }
} } }"""
REAL_PAGE = PAGE.replace("createdAt }", "createdAt style { id title } result { url thumbnailUrl } }")
ONE = "query($id: ID!) { viewer { generation(id: $id) { id status progress version } } }"
FIRST_SCREEN = """{ viewer { id email credits version membership { renewsAt } pass { plan { slug } }
  generations(first: 20) { nodes { id status prompt result { url thumbnailUrl } } pageInfo { hasNextPage } } }
  collections { id title styles { id title cost } } creditPackages { slug } plans { slug } }"""


@dataclass(frozen=True)
class Cost:
    """Statements (BEGIN and COMMIT included), bytes to and from PostgreSQL, and messages to Redis."""

    statements: int
    sent: int
    received: int
    published: int = 0


@dataclass(frozen=True)
class Work:
    """Function calls of one request, and the memory that it held at most, in KiB."""

    calls: int
    peak_kib: int


QUERIES = {
    "page": (PAGE, Cost(2, 210, 3400)),
    "real page": (REAL_PAGE, Cost(2, 210, 8400)),
    "one generation": (ONE, Cost(2, 240, 620)),
    "first screen": (FIRST_SCREEN, Cost(7, 640, 10_000)),
}
UNCHANGED = (PAGE, Cost(1, 120, 520))  # a page that is kept
REQUESTED = Cost(4, 1800, 3100, 3)
COMPLETED = Cost(8, 1450, 3100, 5)
WORK = {"page": Work(1480, 280), "one generation": Work(1290, 280)}
UNCHANGED_WORK = Work(840, 270)


def exceeded(found: Cost | Work, recorded: Cost | Work) -> dict[str, tuple[int, int]]:
    """Return each count that is above the recorded one, with both."""
    pairs = {name: (getattr(found, name), limit) for name, limit in vars(recorded).items()}
    return {name: pair for name, pair in pairs.items() if pair[0] > pair[1] * MARGIN}


def lowest(found: list[Cost]) -> Cost:
    """Return the lowest of each count: background tasks may add to any."""
    return Cost(**{name: min(getattr(cost, name) for cost in found) for name in vars(found[0])})


@pytest.fixture
def proxy(settings: Settings) -> Iterator[CountingProxy]:
    with CountingProxy(settings.database) as counting:
        yield counting


@pytest.fixture
def counted_settings(scripted_settings: Settings, proxy: CountingProxy, redis: RedisServer) -> Settings:
    """The settings of a server with Redis, whose statements pass the proxy.

    On one connection, because the text of a statement is sent once on each.
    """
    changes = {"database_url": proxy.url, "database_pool_size": 1, "redis_url": redis.url, "signup_credits": 1000}
    return scripted_settings.model_copy(update=changes)


@pytest.fixture
async def server(counted_settings: Settings) -> AsyncIterator[Running]:
    """An idle server that executes every request: it keeps no answers."""
    async with running(counted_settings.model_copy(update={"kept_answers_mib": 0}), idle=True) as found:
        yield found


@pytest.fixture
async def keeping_server(counted_settings: Settings) -> AsyncIterator[Running]:
    """An idle server that keeps the answers of unchanged accounts."""
    async with running(counted_settings, idle=True) as found:
        yield found


async def fill(api: Api) -> str:
    """Fill the account's gallery with more than a page of finished generations, and return the id of one."""
    user_id = str(api.user["id"])
    style = await api.style("noir", "avenger")
    done = {"status": "COMPLETED", "stage": "COMPLETED", "completed_at": NOW, "style_id": style, "prompt": "a fox"}
    for _ in range(25):
        result = (await insert("files", factories.file(user_id, kind="RESULT", thumbnail_widths="[320]")))["id"]
        made = await insert("generations", factories.generation(user_id, result_id=result, search_text="a fox", **done))
    return str(made["id"])


def publications(redis: RedisServer) -> int:
    """Return how many messages a Redis server has ever published."""
    port = int(redis.url.rpartition(":")[2].partition("/")[0])
    with socket.create_connection(("127.0.0.1", port)) as link:
        link.sendall(b"INFO commandstats\r\nQUIT\r\n")
        text = b"".join(iter(lambda: link.recv(65536), b"")).decode()
    return sum(int(line.split("calls=")[1].split(",")[0]) for line in text.splitlines() if "publish:" in line)


async def too_costly(ada: Api, proxy: CountingProxy, queries: dict[str, tuple[str, Cost]]) -> dict[str, Any]:
    """Execute the queries, and return the counts that are above the recorded ones."""
    newest = await fill(ada)
    problems = {}
    for name, (query, recorded) in queries.items():
        found = []
        for _ in range(REPEATS):
            proxy.traffic.reset()
            variables: dict[str, Any] = {"id": newest} if "$id" in query else {}
            await ada.execute(query, **variables)
            found.append(Cost(proxy.traffic.statements, proxy.traffic.sent, proxy.traffic.received))
        if excess := exceeded(lowest(found), recorded):
            problems[name] = excess
    return problems


async def test_hot_queries_need_no_more_statements_and_bytes(server: Running, proxy: CountingProxy) -> None:
    assert await too_costly(await server.api.sign_up(), proxy, QUERIES) == {}


async def test_a_page_that_is_kept_needs_no_more_statements_and_bytes(
    keeping_server: Running, proxy: CountingProxy
) -> None:
    assert await too_costly(await keeping_server.api.sign_up(), proxy, {"unchanged page": UNCHANGED}) == {}


async def test_a_generation_needs_no_more_statements_bytes_and_messages(
    server: Running, proxy: CountingProxy, redis: RedisServer
) -> None:
    ada = await server.api.sign_up()
    requested, completed = [], []

    async def cost_of(work: Awaitable[object]) -> Cost:
        published = publications(redis)
        proxy.traffic.reset()
        await work
        traffic = proxy.traffic
        return Cost(traffic.statements, traffic.sent, traffic.received, publications(redis) - published)

    for _ in range(REPEATS // 2):
        requested.append(await cost_of(ada.create(prompt="A fox")))
        (waiting,) = (await ada.one("{ viewer { generations(first: 1) { nodes { id } } } }"))["generations"]["nodes"]
        completed.append(await cost_of(server.services.generations.worker.process(waiting["id"])))
    assert (await ada.generation(waiting["id"]))["status"] == "COMPLETED"
    assert [exceeded(lowest(requested), REQUESTED), exceeded(lowest(completed), COMPLETED)] == [{}, {}]


async def work_of(raw: RawConnection, sent: bytes) -> Work:
    """Count the function calls of a request, and the memory that it holds at most."""
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    async def exchange() -> None:
        await raw.send(sent)
        answer = await raw.answer()
        assert answer.status == 200
        assert "errors" not in json.loads(answer.body)

    await exchange()
    sys.setprofile(count)
    try:
        await exchange()
    finally:
        sys.setprofile(None)
    tracemalloc.start()
    try:
        await exchange()
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        await exchange()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return Work(calls, (peak - before) // 1024)


async def too_much_work(server: Running, recorded: dict[str, Work]) -> dict[str, Any]:
    """Send the requests of these operations, and return the counts that are above the recorded ones."""
    ada = await server.api.sign_up()
    newest = await fill(ada)
    operations = {"page": {"query": PAGE}, "one generation": {"query": ONE, "variables": {"id": newest}}}
    problems = {}
    async with connection(server.api.address) as raw:
        for name, limit in recorded.items():
            headers = (f"Authorization: Bearer {ada.token}", "Content-Type: application/json")
            sent = request("POST", "/graphql", *headers, body=json.dumps(operations[name]).encode())
            found = [await work_of(raw, sent) for _ in range(REPEATS)]
            smallest = Work(min(work.calls for work in found), min(work.peak_kib for work in found))
            if excess := exceeded(smallest, limit):
                problems[name] = excess
    return problems


async def test_hot_queries_need_no_more_calls_and_memory(server: Running) -> None:
    assert await too_much_work(server, WORK) == {}


async def test_a_page_that_is_kept_needs_no_more_calls_and_memory(keeping_server: Running) -> None:
    assert await too_much_work(keeping_server, {"page": UNCHANGED_WORK}) == {}
