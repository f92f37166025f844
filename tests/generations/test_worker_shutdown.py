"""Shutdown: a worker that stops claims nothing more, and finishes or releases what is running."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from models import Generation
from models.enum import GenerationStatus
from settings import Settings
from tests.conftest import running
from tests.support.client import PATIENCE, Api, photo, until
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.fakes.openrouter_response import picture, status
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


async def order_unrefunded(api: Api, count: int) -> list[str]:
    """Order pictures that are not refunded once their provider was called; return their ids."""
    created = await api.create(photo(), styleId=await api.style("noir", "avenger"), count=count)
    return [each["id"] for each in created["generations"]]


async def states() -> list[tuple[str, int, int]]:
    """Return status, claims that count, and recorded calls of all generations, the oldest first."""
    return [(row.status.value, row.attempts, row.provider_calls) for row in await Generation.all().order_by("id")]


@contextlib.asynccontextmanager
async def afterwards(settings: Settings, client: Api) -> AsyncIterator[Api]:
    """The same client of the next process, whose worker makes what is left."""
    async with running(settings) as server:
        yield Api(server.api.http, server.api.address, client.token, client.user)
        await assert_invariants(server.services, all_ended=True, all_swept=True)


@pytest.mark.any_database
async def test_what_waits_for_its_call_is_handed_back_and_what_was_called_ends(
    scripted_settings: Settings, openrouter: ScriptedOpenRouter
) -> None:
    settings = scripted_settings.model_copy(update={"provider_max_calls": 1, "stop_grace_seconds": PATIENCE})
    openrouter.answering.clear()
    async with running(settings) as server:
        ada = await server.api.sign_up()
        ids = await order_unrefunded(ada, 1)
        await until(Generation.filter(provider_calls=1).exists)  # it has the provider's only slot
        ids += await order_unrefunded(ada, 3)

        async def all_are_claimed() -> bool:
            return await Generation.filter(status=GenerationStatus.PROCESSING).count() == 4

        await until(all_are_claimed)
        assert await states() == [("PROCESSING", 1, calls) for calls in (1, 0, 0, 0)]

        async def answer_once_the_others_are_back() -> None:
            await until(Generation.filter(status=GenerationStatus.PENDING).offset(2).exists)
            openrouter.answering.set()

        answering = asyncio.create_task(answer_once_the_others_are_back())
    await answering
    async with running(settings, idle=True):
        assert sorted(await states()) == [("COMPLETED", 1, 1)] + [("PENDING", 0, 0)] * 3
    assert len(openrouter.calls) == 1
    async with afterwards(settings, ada) as api:
        assert {(await api.wait_for_end(id))["status"] for id in ids} == {"COMPLETED"}
    assert len(openrouter.calls) == 4


@pytest.mark.any_database
async def test_pause_before_a_second_call_is_handed_back(
    scripted_settings: Settings, openrouter: ScriptedOpenRouter
) -> None:
    settings = scripted_settings.model_copy(update={"stop_grace_seconds": 0.1, "generation_deadline_seconds": 600.0})
    openrouter.script(status(429, retry_after="300"))
    async with running(settings) as server:
        ada = await server.api.sign_up()
        (id,) = await order_unrefunded(ada, 1)
        await asyncio.wait_for(openrouter.called.wait(), PATIENCE)

        async def is_pausing() -> bool:
            return any(found.claim.may_hand_back for found in server.services.generations.worker_pool._running)

        await until(is_pausing)
    async with running(settings, idle=True):
        assert await states() == [("PENDING", 0, 0)]  # no provider has begun it
    openrouter.script(picture())
    async with afterwards(settings, ada) as api:
        assert (await api.wait_for_end(id))["status"] == "COMPLETED"
