"""The worker pool: the order of claims, the limit per account, wake-ups, and queue estimates."""

import asyncio
import contextlib
import time
from collections import Counter
from typing import Any

import pytest

from models import Generation
from models.database.connection import rows
from models.enum import GenerationStatus
from services.events.payload import CANCELED_CHANNEL
from services.generations.claim import Claim
from services.generations.queue.next_claims import Claims
from services.generations.worker import GenerationWorker
from services.generations.worker_pool import WorkerPool
from services.integrations.messaging.bus import Bus
from services.integrations.messaging.wake_up import WakeUps
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import PATIENCE, Api, until
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.integrity import adjust_credits, assert_invariants, make_member
from tests.support.servers import RedisServer


class CountingWorker(GenerationWorker):
    """Finds nothing to claim, and counts how often it reads the table."""

    def __init__(self) -> None:
        self.name = "counting"
        self.reads = self.at_once = self.most_at_once = 0

    async def take(self, limit: int) -> Claims:
        self.reads += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0.01)
        self.at_once -= 1
        return Claims()

    async def take_due_jobs(self, limit: int) -> list[Claim]:
        return []


class ReturningWorker(GenerationWorker):
    """Hands its generation back, and has claimed it again when the first run of it ends."""

    def __init__(self, claim: Claim) -> None:
        self.name = "returning"
        self._claim = claim
        self._is_waiting = True
        self.runs = 0
        self.runs_again, self.was_canceled = asyncio.Event(), asyncio.Event()
        self.first_run: asyncio.Task[None] | None = None

    async def take(self, limit: int) -> Claims:
        is_waiting, self._is_waiting = self._is_waiting, False
        return Claims([self._claim] if is_waiting else [])

    async def take_due_jobs(self, limit: int) -> list[Claim]:
        return []

    async def run(self, claim: Claim) -> None:
        self.runs += 1
        if self.runs == 1:
            self.first_run = asyncio.current_task()
            self._is_waiting = True
            await self.runs_again.wait()
            return
        self.runs_again.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.was_canceled.set()
            raise


WAITING = "query($id: ID!) { viewer { generation(id: $id) { status queuePosition estimatedSeconds } } }"


async def submit(api: Api, count: int = 1) -> list[str]:
    created: list[str] = []
    for size in [4] * (count // 4) + [count % 4] * bool(count % 4):
        created += [each["id"] for each in (await api.create(prompt="A red boat", count=size))["generations"]]
    return created


async def waiting_state(api: Api, id: str) -> Any:
    return (await api.execute(WAITING, id=id))["viewer"]["generation"]


async def test_members_are_claimed_first_and_then_by_age(idle_server: Running) -> None:
    ada, eve = await idle_server.api.sign_up("ada@example.com"), await idle_server.api.sign_up("eve@example.com")
    await make_member(str(eve.user["id"]))
    first, second = await submit(ada), await submit(ada)
    members = await submit(eve)
    claims = [await idle_server.services.generations.worker.take_next() for _ in range(3)]
    assert [claim.generation.id for claim in claims if claim] == [*members, *first, *second]
    assert await idle_server.services.generations.worker.take_next() is None


async def test_one_account_cannot_occupy_all_workers(idle_server: Running) -> None:
    ada, eve = await idle_server.api.sign_up("ada@example.com"), await idle_server.api.sign_up("eve@example.com")
    limit = idle_server.settings.generation_user_concurrency
    waiting = await submit(ada, limit + 3)
    others = await submit(eve)
    claims = await asyncio.gather(*(idle_server.services.generations.worker.take_next() for _ in range(limit + 4)))
    owners = Counter(claim.generation.user_id for claim in claims if claim)
    assert owners == {ada.user["id"]: limit, eve.user["id"]: 1}
    (one, *_) = [claim for claim in claims if claim and claim.generation.user_id == ada.user["id"]]
    await idle_server.services.generations.worker.run(one)
    following = await idle_server.services.generations.worker.take_next()
    assert following is not None
    assert following.generation.id == waiting[limit]
    assert others


async def test_all_generations_of_one_account_run_within_its_concurrency_limit(scripted: Running) -> None:
    ada = await scripted.api.sign_up()
    most = 0

    async def watch() -> None:
        nonlocal most
        while True:
            (found,) = await rows("SELECT COUNT(*) AS running FROM generations WHERE status = 'PROCESSING'")
            most = max(most, found["running"])
            await asyncio.sleep(0.001)

    watching = asyncio.create_task(watch())
    started = time.monotonic()
    ended = await ada.wait_for_all(await submit(ada, 12))
    watching.cancel()
    assert {one["status"] for one in ended} == {"COMPLETED"}
    assert most <= scripted.settings.generation_user_concurrency
    assert time.monotonic() - started < PATIENCE
    await assert_invariants(scripted.services, all_ended=True)


async def test_waiting_generation_shows_its_queue_position_and_estimated_seconds(idle_server: Running) -> None:
    ada, eve = await idle_server.api.sign_up("ada@example.com"), await idle_server.api.sign_up("eve@example.com")
    await make_member(str(eve.user["id"]))
    (first,) = await submit(ada)
    assert await waiting_state(ada, first) == {"status": "PENDING", "queuePosition": 0, "estimatedSeconds": None}
    await idle_server.services.generations.worker.process(first)
    assert await waiting_state(ada, first) == {"status": "COMPLETED", "queuePosition": None, "estimatedSeconds": None}
    await rows("UPDATE generations SET completed_at = LATER($1) WHERE id = $2 RETURNING id", 10.0, first)
    idle_server.services.generations.queue_estimates._medians.clear()  # an estimate is cached for some seconds

    second, third = await submit(ada, 2)
    (members,) = await submit(eve)
    await idle_server.services.operations.worker_registry.heartbeat("another worker", 2)
    found = {id: await waiting_state(api, id) for api, id in ((eve, members), (ada, second), (ada, third))}
    assert [found[id]["queuePosition"] for id in (members, second, third)] == [0, 1, 2]
    one = found[members]["estimatedSeconds"]
    assert 9 < one < 11
    assert found[second]["estimatedSeconds"] == one  # the second of two slots
    assert found[third]["estimatedSeconds"] == pytest.approx(2 * one, abs=0.2)

    claim = await idle_server.services.generations.worker.take_next()
    assert claim is not None
    running_state = await waiting_state(eve, members)
    assert (running_state["status"], running_state["queuePosition"]) == ("PROCESSING", None)
    assert 0 < running_state["estimatedSeconds"] <= one


async def test_page_of_waiting_generations_shows_every_position(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    await adjust_credits(str(ada.user["id"]), 100, "many")
    ids = await submit(ada, 12)
    page = await ada.execute("{ viewer { generations(first: 20, orderBy: OLDEST) { nodes { id queuePosition } } } }")
    nodes = page["viewer"]["generations"]["nodes"]
    assert nodes == [{"id": id, "queuePosition": number} for number, id in enumerate(ids)]


async def test_cancel_frees_the_slot_while_the_provider_is_working(
    scripted_settings: Settings, openrouter: ScriptedOpenRouter
) -> None:
    slow = scripted_settings.model_copy(update={"generation_deadline_seconds": 60.0, "worker_concurrency": 1})
    async with running(slow) as server:
        ada = await server.api.sign_up()
        openrouter.answering.clear()
        (id,) = await submit(ada)
        await asyncio.wait_for(openrouter.called.wait(), PATIENCE)
        await server.services.generations.requests.cancel(str(ada.user["id"]), id)
        # The only slot is free again long before the provider answers or the lease ends.
        (following,) = await submit(ada)

        async def is_claimed() -> bool:
            return (await Generation.get(id=following)).status is GenerationStatus.PROCESSING

        await until(is_claimed)
        openrouter.answering.set()
        assert (await ada.wait_for_end(following))["status"] == "COMPLETED"
        assert (await ada.generation(id))["status"] == "CANCELED"


async def test_generations_run_while_redis_is_down(scripted_settings: Settings, redis: RedisServer) -> None:
    async with running(scripted_settings.model_copy(update={"redis_url": redis.url})) as server:
        ada = await server.api.sign_up()
        assert (await ada.wait_for_end((await submit(ada))[0]))["status"] == "COMPLETED"
        redis.kill()
        try:
            assert (await ada.wait_for_end((await submit(ada))[0]))["status"] == "COMPLETED"
        finally:
            redis.start()
        assert (await ada.wait_for_end((await submit(ada))[0]))["status"] == "COMPLETED"
        await assert_invariants(server.services, all_ended=True)


async def test_process_starts_and_runs_generations_without_redis(scripted_settings: Settings) -> None:
    no_redis = scripted_settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"})
    async with running(no_redis) as server:
        ada = await server.api.sign_up()
        assert (await ada.wait_for_end((await submit(ada))[0]))["status"] == "COMPLETED"


@pytest.mark.any_database
async def test_wake_up_reaches_a_pool_with_a_free_slot_while_another_is_full(
    scripted_settings: Settings, openrouter: ScriptedOpenRouter, shared_redis: RedisServer
) -> None:
    url = shared_redis.url
    changes = {"redis_url": url, "generation_deadline_seconds": 60.0, "generation_user_concurrency": 100}
    async with (
        running(scripted_settings.model_copy(update=changes), idle=True) as server,
        Bus.open(url) as bus,
        contextlib.AsyncExitStack() as pools,
    ):
        services = server.services

        async def start_pool(wake_ups: WakeUps, bus: Bus, concurrency: int) -> None:
            # Neither polls the table while this test runs.
            pool = WorkerPool(wake_ups, bus, services.operations.worker_registry, poll=600.0, grace=5.0)
            await pools.enter_async_context(pool.working(services.generations.worker, concurrency))
            pools.callback(openrouter.answering.set)

        async def all_claimed() -> bool:
            return not await Generation.filter(status=GenerationStatus.PENDING).exists()

        ada = await server.api.sign_up()
        openrouter.answering.clear()
        await start_pool(services.integrations.wake_ups, services.integrations.bus, 1)
        await submit(ada)
        await until(all_claimed)
        await start_pool(WakeUps(bus), bus, 8)
        for _ in range(8):
            await submit(ada)
            await until(all_claimed)


@pytest.mark.any_database
async def test_burst_of_wake_ups_is_one_slot_reading_the_table(idle_server: Running) -> None:
    services, worker = idle_server.services, CountingWorker()
    async with Bus.open(None) as bus:
        wake_ups = WakeUps(bus)
        pool = WorkerPool(wake_ups, bus, services.operations.worker_registry, poll=600.0, grace=5.0)
        async with pool.working(worker, 8):
            started = time.monotonic()
            for number in range(2000):
                await wake_ups.publish(f"gen_{number}")
            lasted = time.monotonic() - started
            reads = worker.reads
            await asyncio.sleep(0.05)
            await wake_ups.publish("gen_last")

            async def read_again() -> bool:
                return worker.reads > reads

            await until(read_again)
    assert worker.most_at_once == 1
    assert reads <= lasted / 0.01 + 2


@pytest.mark.any_database
async def test_wake_up_while_the_table_is_read_causes_another_read(idle_server: Running) -> None:
    services, worker = idle_server.services, CountingWorker()
    async with Bus.open(None) as bus:
        wake_ups = WakeUps(bus)
        pool = WorkerPool(wake_ups, bus, services.operations.worker_registry, poll=600.0, grace=5.0)
        async with pool.working(worker, 8):

            async def is_reading() -> bool:
                return worker.at_once > 0

            await until(is_reading)
            before = worker.reads
            await wake_ups.publish("gen_1")

            async def read_again() -> bool:
                return worker.reads > before

            await until(read_again)


@pytest.mark.any_database
async def test_generation_that_is_claimed_again_while_its_slot_is_being_freed_can_be_canceled(
    idle_server: Running,
) -> None:
    services = idle_server.services
    ada = await idle_server.api.sign_up()
    (id,) = await submit(ada)
    worker = ReturningWorker(Claim(await Generation.get(id=id), 60.0))
    async with Bus.open(None) as bus:
        wake_ups = WakeUps(bus)
        pool = WorkerPool(wake_ups, bus, services.operations.worker_registry, poll=600.0, grace=5.0)
        async with pool.working(worker, 2):

            async def has_ended_once() -> bool:
                await wake_ups.publish(id)
                return worker.runs == 2 and worker.first_run is not None and worker.first_run.done()

            await until(has_ended_once)
            await bus.publish(CANCELED_CHANNEL, {"id": id})
            await asyncio.wait_for(worker.was_canceled.wait(), PATIENCE)
