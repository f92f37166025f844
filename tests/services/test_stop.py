"""A worker that is told to stop finishes what it has begun, and begins nothing more."""

import asyncio
import time

from client import PATIENCE, Api
from conftest import running
from models import Generation
from models.enum import GenerationStatus
from services.integrations.queue import TaskQueue
from settings import Settings


async def test_what_waits_when_a_worker_stops_is_left_for_the_next(settings: Settings) -> None:
    slow = settings.model_copy(update={"demo_seconds": 1.0, "worker_concurrency": 1, "generation_sweep_seconds": 600.0})
    async with running(slow) as server:
        ada = await server.api.sign_up()
        orders = await ada.create(prompt="A red boat", count=4)
        await _until_one_is_under_way(ada, [each["id"] for each in orders["generations"]])
    async with running(slow, idle=True):
        left = [row.status for row in await Generation.all().order_by("id")]
    assert sorted(left) == [GenerationStatus.COMPLETED] + [GenerationStatus.PENDING] * 3
    async with running(slow.model_copy(update={"demo_seconds": 0.0})) as server:
        api = Api(server.api.http, server.api.address, ada.token)
        ended = [(await api.ended(each["id"]))["status"] for each in orders["generations"]]
    assert ended == ["COMPLETED"] * 4


async def _until_one_is_under_way(ada: Api, ids: list[str]) -> None:
    deadline = time.monotonic() + PATIENCE
    while "PROCESSING" not in [(await ada.generation(each))["status"] for each in ids]:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def test_a_second_bell_is_heard_where_the_first_message_hangs() -> None:
    heard: list[str] = []
    twice, never = asyncio.Event(), asyncio.Event()

    async def process(generation_id: str) -> None:
        heard.append(generation_id)
        if len(heard) == 2:
            twice.set()
        await never.wait()

    async with TaskQueue(None, lease_seconds=60) as queue:
        work = asyncio.create_task(queue.work(process, concurrency=4))
        await queue.ring("gen_1", 0)
        await queue.ring("gen_1", 0)  # the same message: docket knows it
        await queue.ring("gen_1", 0, again=True)
        async with asyncio.timeout(PATIENCE):
            await twice.wait()
        assert heard == ["gen_1", "gen_1"]
        never.set()
        work.cancel()
        await asyncio.wait([work])
