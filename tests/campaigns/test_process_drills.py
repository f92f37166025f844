"""Drills of whole processes: no worker left, a server killed, a restart of the database.

Each prints how many seconds it took to show; docs/operating.md has the table.
"""

import asyncio
import random
import signal
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from models.database.connection import rows
from services.integrations.storage.local import LocalStorage
from tests.campaigns.chaos_deployment import PATIENCE, Deployment, Member, open_deployment, until
from tests.campaigns.chaos_load import LoadClient, codes, slowest
from tests.campaigns.drill_stand import Samples, firing
from tests.campaigns.test_chaos import report

pytestmark = [pytest.mark.any_database, pytest.mark.chaos, pytest.mark.timeout(300)]

LOST, SLOTS = 'darkroom_workers{state="lost"}', "darkroom_worker_slots"
LOST_SECONDS = 45.0  # a worker counts as lost after 30 s, and metrics are read every few seconds


@pytest.fixture(scope="module")
async def deployment(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Deployment]:
    async with open_deployment(tmp_path_factory.mktemp("processes"), 1) as deployment:
        yield deployment


async def client_of(deployment: Deployment, name: str) -> LoadClient:
    return LoadClient(await deployment.sign_up(name), random.Random(1))


async def kill(member: Member) -> None:
    assert member.process is not None
    member.process.send(signal.SIGKILL)
    await asyncio.shield(member.process.exit_code)


async def health(member: Member) -> dict[str, Any]:
    found: dict[str, Any] = (await member.http.get("/health?full=1")).json()
    return found


async def samples(member: Member) -> Samples:
    lines = (line.rpartition(" ") for line in (await member.http.get("/metrics")).text.splitlines())
    return {name: float(value) for name, _, value in lines if name.startswith("darkroom_")}


async def samples_when(
    member: Member, what: str, is_so: Callable[[Samples], bool], patience: float = PATIENCE
) -> tuple[Samples, float]:
    """Return the metrics once they say what they should, and the seconds that it took; gauges are read every two."""
    found: Samples = {}

    async def show() -> bool:
        nonlocal found
        found = await samples(member)
        return is_so(found)

    seconds = await until(show, f"metrics: {what}", patience)
    return found, seconds


async def assert_each_is_made_once(deployment: Deployment, client: LoadClient) -> None:
    """Assert that what was confirmed has completed, nothing else exists, and the books are right."""
    await deployment.wait_until_settled(60)
    found = await rows("SELECT id, status FROM generations WHERE user_id = $1", client.apis[0].user["id"])
    confirmed = sorted(id for ids in client.accepted.values() for id in ids)
    assert sorted(row["id"] for row in found) == confirmed
    assert {str(row["status"]) for row in found} == {"COMPLETED"}
    storage = LocalStorage(deployment.folder / "files", address="", secret="unused", link_seconds=60)
    assert await deployment.violated_invariants(storage.keys) == {}


async def test_orders_wait_while_no_worker_is_left(deployment: Deployment) -> None:
    server, *_ = deployment.servers
    workers = [member for member in deployment.members if member.command == "worker"]
    client = await client_of(deployment, "waiting")
    before = await samples(server)
    await asyncio.gather(*(kill(worker) for worker in workers))
    (first,) = await client.create()

    async def health_shows() -> bool:
        return bool((await health(server))["workers"] == "none seen")

    in_health, (during, in_metrics) = await asyncio.gather(
        until(health_shows, "health: no workers", LOST_SECONDS),
        samples_when(server, "no slots", lambda found: found[SLOTS] == 0, LOST_SECONDS),
    )
    assert (await health(server))["status"] == "degraded"
    assert (await client.apis[0].generation(first))["status"] == "PENDING"
    await asyncio.gather(*(worker.start() for worker in workers))
    over = time.monotonic()
    await client.apis[0].wait_for_end(first)
    over = time.monotonic() - over
    after, _ = await samples_when(server, "slots again", lambda found: found[SLOTS] > 0)
    fired = await asyncio.to_thread(firing, before, during, after)
    assert "DarkroomNoWorker" in fired.during
    assert "DarkroomNoWorker" not in fired.after
    await assert_each_is_made_once(deployment, client)
    report(f"no worker is left: health {in_health:.1f} s, metric {in_metrics:.1f} s, made {over:.1f} s after the start")


async def test_work_of_a_frozen_worker_is_done_by_another(deployment: Deployment) -> None:
    server, *_ = deployment.servers
    frozen, other = (member for member in deployment.members if member.command == "worker")
    client = await client_of(deployment, "frozen")
    # Those that the drill before has killed count as lost for some minutes.
    await rows("DELETE FROM workers WHERE seen_at < NOW() - INTERVAL '10 seconds' RETURNING name")
    before, _ = await samples_when(server, "none is lost", lambda found: found[LOST] == 0)
    assert frozen.process is not None
    frozen.process.send(signal.SIGSTOP)

    async def health_shows() -> bool:
        return bool((await health(server))["operations"]["workers_lost"] == 1)

    try:
        orders = [id for _ in range(4) for id in await client.create()]
        in_health, (during, in_metrics) = await asyncio.gather(
            until(health_shows, "health: a worker is lost", LOST_SECONDS),
            samples_when(server, "a worker is lost", lambda found: found[LOST] == 1, LOST_SECONDS),
        )
        for id in orders:  # the other has made them; nothing waits for the frozen one
            assert (await client.apis[0].generation(id))["status"] == "COMPLETED"
        assert during['darkroom_workers{state="live"}'] == before['darkroom_workers{state="live"}'] - 1
    finally:
        frozen.process.send(signal.SIGCONT)
    after, over = await samples_when(server, "the worker reports again", lambda found: found[LOST] == 0)
    fired = await asyncio.to_thread(firing, before, during, after)
    assert "DarkroomWorkerLost" in fired.during
    assert "DarkroomWorkerLost" not in fired.after
    assert '"level": "error"' not in frozen.log.read_text() + other.log.read_text()
    await assert_each_is_made_once(deployment, client)
    report(
        f"a worker is frozen: health {in_health:.1f} s, metric {in_metrics:.1f} s, over {over:.1f} s after it goes on"
    )


async def test_another_server_answers_when_one_is_killed(deployment: Deployment) -> None:
    killed, other = deployment.servers
    client = await client_of(deployment, "cut")
    orders = [asyncio.create_task(client.create()) for _ in range(8)]
    await asyncio.sleep(0)  # the orders are on their way
    await kill(killed)
    began = time.monotonic()
    await asyncio.gather(*orders)  # each is sent again with its key, until one server answers
    answered = time.monotonic() - began
    assert set(codes(client.responses)) <= {"text", "CUT"}
    assert (await health(other))["status"] == "ok"
    await killed.start()
    await assert_each_is_made_once(deployment, client)
    report(f"a server is killed: all {len(orders)} orders confirmed after {answered:.1f} s by the other")


async def test_restart_of_the_database_loses_no_paid_picture(deployment: Deployment) -> None:
    client = await client_of(deployment, "restarted")
    for _ in range(6):
        await client.create()

    async def is_under_way() -> bool:
        return bool(await rows("SELECT id FROM generations WHERE status = 'PROCESSING' LIMIT 1"))

    await until(is_under_way, "a generation is in progress")
    server, *_ = deployment.servers
    await deployment.run_in_thread(deployment.postgres.kill)
    began = time.monotonic()

    async def health_shows() -> bool:
        return bool((await health(server))["database"] == "unreachable")

    shown = await until(health_shows, "health: the database is away")
    order = asyncio.create_task(client.create())  # sent again with its key, until it is confirmed
    await asyncio.sleep(max(0.0, 1.5 - (time.monotonic() - began)))  # the length of the outage, not a wait for it
    await deployment.run_in_thread(deployment.postgres.start)
    back = time.monotonic()
    await order
    confirmed = time.monotonic() - back
    assert codes(client.responses)["UNAVAILABLE"] > 0
    assert set(codes(client.responses)) <= {"text", "UNAVAILABLE"}
    await assert_each_is_made_once(deployment, client)
    report(
        f"the database restarts in {back - began:.1f} s: health {shown:.1f} s",
        f"an order confirmed {confirmed:.1f} s after it is back, slowest answer {slowest(client.responses):.2f} s",
    )
