"""Shutdown: a worker that stops claims nothing more, and finishes or releases what is running."""

import asyncio

from models import Generation
from models.enum import GenerationStatus
from settings import Settings
from tests.conftest import running
from tests.support.client import PATIENCE, Api, until
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.integrity import assert_invariants


async def test_waiting_generations_are_left_for_the_next_worker(settings: Settings) -> None:
    slow = settings.model_copy(update={"demo_seconds": 1.0, "worker_concurrency": 1, "generation_sweep_seconds": 600.0})
    async with running(slow) as server:
        ada = await server.api.sign_up()
        created = await ada.create(prompt="A red boat", count=4)
        await until(Generation.filter(status=GenerationStatus.PROCESSING).exists)
    async with running(slow, idle=True):
        left = [row.status for row in await Generation.all().order_by("id")]
    assert sorted(left) == [GenerationStatus.COMPLETED] + [GenerationStatus.PENDING] * 3
    async with running(slow.model_copy(update={"demo_seconds": 0.0})) as server:
        api = Api(server.api.http, server.api.address, ada.token)
        ended = [(await api.wait_for_end(each["id"]))["status"] for each in created["generations"]]
    assert ended == ["COMPLETED"] * 4


async def submit(api: Api) -> str:
    created = await api.create(prompt="A red boat")
    return str(created["generations"][0]["id"])


async def test_interrupted_generation_is_requeued_before_the_call_and_fails_after_it(
    scripted_settings: Settings, openrouter: ScriptedOpenRouter
) -> None:
    short_grace = scripted_settings.model_copy(update={"stop_grace_seconds": 0.1, "generation_deadline_seconds": 30.0})
    async with running(short_grace) as server:
        ada = await server.api.sign_up()
        openrouter.answering.clear()
        called = await submit(ada)
        await asyncio.wait_for(openrouter.called.wait(), PATIENCE)
    openrouter.answering.set()
    async with running(short_grace, idle=True) as server:
        api = Api(server.api.http, server.api.address, ada.token, ada.user)
        ended = await api.generation(called)
        assert (ended["status"], ended["errorCode"], ended["refunded"]) == ("FAILED", "UNAVAILABLE", True)
        id = await submit(api)
        claim = await server.services.generations.worker.take_next()
        assert claim is not None
        task = asyncio.create_task(server.services.generations.worker.run(claim))
        await asyncio.sleep(0)  # running, and the provider not called yet
        task.cancel()
        await asyncio.wait([task])
        requeued = await api.generation(id)
        # An attempt that the worker interrupted itself does not count.
        assert (requeued["status"], requeued["stage"], requeued["attempts"]) == ("PENDING", "QUEUED", 0)
        await assert_invariants(server.services, all_ended=False, all_swept=False)
