"""Providers that an admin has switched off: they make nothing, also in place of others; jobs that they have go on."""

from collections.abc import AsyncIterator

import pytest

from models import Generation, User
from services.integrations.videos.sample import tiny_video
from services.operations.maintenance import MaintenanceChange, ProviderSwitch
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import Api
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.fakes.openrouter_response import status
from tests.support.fakes.openrouter_videos import ScriptedVideos
from tests.support.integrity import assert_invariants, make_admin
from tests.support.video_orders import go_on, order, row_of, work

BUSY = status(429, "rate_limit_exceeded", retry_after="60")


@pytest.fixture
def fallback_settings(scripted_settings: Settings) -> Settings:
    changes = {"fallback_models": ("demo:demo", "demo:demo-video"), "demo_seconds": 0.0}
    return scripted_settings.model_copy(update={**changes, "generation_deadline_seconds": 60.0})


@pytest.fixture
async def videos() -> AsyncIterator[ScriptedVideos]:
    async with ScriptedVideos(tiny_video()) as fake:
        yield fake


async def switch(server: Running, admin: Api, provider: str, *, is_off: bool) -> None:
    change = MaintenanceChange(provider=ProviderSwitch(provider, is_off))
    await server.services.operations.maintenance.set(await User.get(id=admin.user["id"]), change)


async def make(server: Running, api: Api) -> Generation:
    """Order a picture, run it, and return its row."""
    (created,) = (await api.create(prompt="A fox"))["generations"]
    await work(server.services)
    return await row_of(created["id"])


async def test_provider_that_is_off_stands_in_for_no_other(
    fallback_settings: Settings, openrouter: ScriptedOpenRouter
) -> None:
    openrouter.script(BUSY)
    async with running(fallback_settings, idle=True) as server:
        ada, admin = await server.api.sign_up(), await make_admin(server.api)
        await switch(server, admin, "demo", is_off=True)
        row = await make(server, ada)
        assert (row.status, row.error_code, row.refunded) == ("FAILED", "PROVIDER_UNAVAILABLE", True)
        path = [(one["provider"], one["sent"]) for one in row.provider_path or []]
        assert path[-1] == ("demo", False)
        await switch(server, admin, "demo", is_off=False)
        row = await make(server, ada)
        assert (row.status, row.provider) == ("COMPLETED", "demo")
        await assert_invariants(server.services, all_ended=True)


async def test_order_that_was_claimed_before_its_provider_was_switched_off_waits(
    scripted_settings: Settings, openrouter: ScriptedOpenRouter
) -> None:
    async with running(scripted_settings, idle=True) as server:
        ada, admin = await server.api.sign_up(), await make_admin(server.api)
        (created,) = (await ada.create(prompt="A fox"))["generations"]
        claim = await server.services.generations.worker.take_next()
        assert claim is not None
        await switch(server, admin, "openrouter", is_off=True)
        await server.services.generations.worker.run(claim)
        row = await row_of(created["id"])
        assert (row.status, row.attempts, row.provider_calls, openrouter.calls) == ("PENDING", 0, 0, [])
        await switch(server, admin, "openrouter", is_off=False)
        await work(server.services)
        assert (await row_of(row.id)).status == "COMPLETED"
        await assert_invariants(server.services, all_ended=True)


async def test_video_is_not_submitted_to_a_provider_that_is_off_and_a_running_one_is_made(
    fallback_settings: Settings, videos: ScriptedVideos
) -> None:
    settings = fallback_settings.model_copy(update={"openrouter_base_url": videos.base_url})
    async with running(settings, idle=True) as server:
        ada, admin = await server.api.sign_up(), await make_admin(server.api)
        videos.script_submissions(BUSY)
        first = await order(ada)
        await work(server.services)
        assert (await row_of(first)).provider == "demo"
        await switch(server, admin, "demo", is_off=True)
        assert (await go_on(server.services, first)).status == "COMPLETED"
        videos.script_submissions(BUSY)
        second = await order(ada)
        await work(server.services)
        row = await row_of(second)
        assert (row.status, row.error_code, row.provider) == ("FAILED", "PROVIDER_UNAVAILABLE", "openrouter")
        await assert_invariants(server.services, all_ended=True)


PROGRESS = "subscription($id: ID!) { generationProgress(id: $id) { status message } }"
STATE = "query($id: ID!) { viewer { generation(id: $id) { message estimatedSeconds } } }"
FREE = "Waiting for a free worker."
OFF = "The image service does not accept our requests at the moment. Your order waits and will be made."


@pytest.mark.any_database
async def test_waiting_orders_say_that_their_provider_is_off(scripted_settings: Settings) -> None:
    async with running(scripted_settings, idle=True) as server:
        ada, admin = await server.api.sign_up(), await make_admin(server.api)
        assert (await make(server, ada)).status == "COMPLETED"  # so that there is an estimate
        (created,) = (await ada.create(prompt="A fox"))["generations"]
        async with ada.socket() as socket:
            stream = await socket.subscribe(PROGRESS, id=created["id"])
            assert await stream.next() == {"status": "PENDING", "message": FREE}
            for is_off, text in ((True, OFF), (False, FREE)):
                await switch(server, admin, "openrouter", is_off=is_off)
                assert await stream.next() == {"status": "PENDING", "message": text}
                shown = (await ada.one(STATE, id=created["id"]))["generation"]
                assert shown == {"message": text, "estimatedSeconds": None}
