"""A worker that is told to stop finishes what it has begun, and begins nothing more."""

import asyncio

from models import Generation
from models.enum import GenerationStatus
from settings import Settings
from tests.conftest import running
from tests.support.client import PATIENCE, Api, until
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.integrity import assert_invariants


async def test_what_waits_when_a_worker_stops_is_left_for_the_next(settings: Settings) -> None:
    slow = settings.model_copy(update={"demo_seconds": 1.0, "worker_concurrency": 1, "generation_sweep_seconds": 600.0})
    async with running(slow) as server:
        ada = await server.api.sign_up()
        orders = await ada.create(prompt="A red boat", count=4)
        await until(Generation.filter(status=GenerationStatus.PROCESSING).exists)
    async with running(slow, idle=True):
        left = [row.status for row in await Generation.all().order_by("id")]
    assert sorted(left) == [GenerationStatus.COMPLETED] + [GenerationStatus.PENDING] * 3
    async with running(slow.model_copy(update={"demo_seconds": 0.0})) as server:
        api = Api(server.api.http, server.api.address, ada.token)
        ended = [(await api.wait_for_end(each["id"]))["status"] for each in orders["generations"]]
    assert ended == ["COMPLETED"] * 4


async def order(api: Api) -> str:
    made = await api.create(prompt="A red boat")
    return str(made["generations"][0]["id"])


async def test_what_takes_too_long_is_handed_back_before_the_call_and_failed_after_it(
    scripted_settings: Settings, openrouter: ScriptedOpenRouter
) -> None:
    hasty = scripted_settings.model_copy(update={"stop_grace_seconds": 0.1, "generation_deadline_seconds": 30.0})
    async with running(hasty) as server:
        ada = await server.api.sign_up()
        openrouter.answering.clear()
        called = await order(ada)
        await asyncio.wait_for(openrouter.called.wait(), PATIENCE)
    openrouter.answering.set()
    async with running(hasty, idle=True) as server:
        api = Api(server.api.http, server.api.address, ada.token, ada.user)
        ended = await api.generation(called)
        assert (ended["status"], ended["errorCode"], ended["refunded"]) == ("FAILED", "UNAVAILABLE", True)
        id = await order(api)
        claim = await server.services.generations.worker.take_next()
        assert claim is not None
        making = asyncio.create_task(server.services.generations.worker.run(claim))
        await asyncio.sleep(0)  # it has begun, and not yet called anybody
        making.cancel()
        await asyncio.wait([making])
        back = await api.generation(id)
        # An attempt that we broke off ourselves is not held against the generation.
        assert (back["status"], back["stage"], back["attempts"]) == ("PENDING", "QUEUED", 0)
        await assert_invariants(server.services, all_ended=False, all_swept=False)
