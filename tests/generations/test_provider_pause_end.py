"""When a pause begins and ends: by new orders, not by old jobs, other providers or a key that cannot be asked about."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from models import Generation, ProviderPause
from services.integrations.providers.failure_cause import FailureCause
from services.integrations.videos.sample import tiny_video
from services.operations.provider_keys import UNKNOWN, ProviderKeys
from services.operations.provider_pause import ProviderPauses, read_pauses
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import Api, photo
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.fakes.openrouter_response import picture, status
from tests.support.fakes.openrouter_videos import ScriptedVideos
from tests.support.integrity import assert_invariants
from tests.support.video_orders import go_on, idle_server, order, work


@pytest.fixture
async def videos() -> AsyncIterator[ScriptedVideos]:
    async with ScriptedVideos(tiny_video()) as fake:
        yield fake


@pytest.fixture
async def idle(scripted_settings: Settings, videos: ScriptedVideos) -> AsyncIterator[Running]:
    async with idle_server(scripted_settings, videos) as found:
        yield found


async def order_picture(client: Api, number: int) -> str:
    """Order a picture whose policy refunds nothing once the provider was called; return its id."""
    style = await client.style("noir", "avenger")
    (created,) = (await client.create(photo(width=320 + number), styleId=style))["generations"]
    return str(created["id"])


async def pause(provider: str) -> None:
    """Write a pause whose provider is to be asked about its key now."""
    moment = datetime.now(UTC) - timedelta(hours=1)
    await ProviderPause.create(provider=provider, cause="credit", began_at=moment, asks_at=moment, questions=1)


async def test_refused_question_about_a_running_video_does_not_end_the_pause(
    idle: Running, videos: ScriptedVideos
) -> None:
    videos.ends_after(1)
    id, pauses = await order(await idle.api.sign_up()), idle.services.operations.provider_pauses
    await work(idle.services)
    valid, videos.key = videos.key, "another-key"
    assert await pauses.refused("openrouter", FailureCause.KEY)
    assert (await go_on(idle.services, id)).status == "PROCESSING"
    assert pauses.problem("openrouter") is FailureCause.KEY
    videos.key = valid
    assert [(await go_on(idle.services, id)).status for _ in range(2)] == ["PROCESSING", "COMPLETED"]
    assert pauses.problem("openrouter") is FailureCause.KEY, (
        "a video that was ordered before says nothing of new orders"
    )
    await assert_invariants(idle.services)


async def test_refusals_are_in_a_row_although_a_video_is_running(idle: Running, videos: ScriptedVideos) -> None:
    videos.ends_after(1000)
    ada, worker = await idle.api.sign_up(), idle.services.generations.worker
    video = await order(ada)
    await work(idle.services)
    videos.script(status(402, "payment_required"))
    ids = []
    for number in range(7):
        ids.append(await order_picture(ada, number))
        if (claim := await worker.take_next()) is not None:
            await worker.run(claim)
        await go_on(idle.services, video)
    states = [str((await Generation.get(id=id)).status) for id in ids]
    assert states == ["FAILED"] * 4 + ["PENDING"] * 3, "the fifth refusal in a row pauses the queue"
    assert set(await read_pauses()) == {"openrouter"}


async def test_accepted_video_ends_the_pause(idle: Running, videos: ScriptedVideos) -> None:
    await order(await idle.api.sign_up())
    await pause("openrouter")
    pauses = idle.services.operations.provider_pauses
    await pauses.refresh()
    await work(idle.services)
    assert len(videos.jobs) == 1
    assert await read_pauses() == {}


async def test_paused_provider_that_no_order_waits_for_neither_slows_others_nor_stays_paused(
    scripted_settings: Settings, openrouter: ScriptedOpenRouter
) -> None:
    settings = scripted_settings.model_copy(update={"fallback_models": ("demo:demo",)})
    async with running(settings, idle=True) as server:
        ada, pauses = await server.api.sign_up(), server.services.operations.provider_pauses
        for number in range(3):
            await order_picture(ada, number)
        await pause("demo")
        await pauses.refresh()
        claims = (await server.services.generations.worker.take(8)).claims
        assert len(claims) == 3
        assert await read_pauses() == {}, "its key is accepted, and no order could show more"
        for claim in claims:
            await server.services.generations.worker.run(claim)
        assert {row.provider for row in await Generation.all()} == {"openrouter"}


async def test_provider_is_tried_with_one_order_while_its_own_orders_wait(
    scripted_settings: Settings, openrouter: ScriptedOpenRouter
) -> None:
    async with running(scripted_settings, idle=True) as server:
        ada, worker = await server.api.sign_up(), server.services.generations.worker
        for number in range(3):
            await order_picture(ada, number)
        await pause("openrouter")
        await server.services.operations.provider_pauses.refresh()
        (claim,) = (await worker.take(8)).claims
        assert set(await read_pauses()) == {"openrouter"}
        await worker.run(claim)
        assert await read_pauses() == {}
        assert len((await worker.take(8)).claims) == 2


class UnknownKeys(ProviderKeys):
    """Keys that cannot be asked about: a gateway that has no such endpoint."""

    async def ask(self, name: str) -> str:
        return UNKNOWN


async def test_key_that_cannot_be_asked_about_pauses_only_after_refusals_in_a_row(
    scripted_settings: Settings, openrouter: ScriptedOpenRouter
) -> None:
    async with running(scripted_settings, idle=True) as server:
        integrations = server.services.integrations
        pauses = ProviderPauses(integrations.bus, UnknownKeys(()), integrations.route_tables)
        await order_picture(await server.api.sign_up(), 0)
        assert [await pauses.refused("openrouter", FailureCause.KEY) for _ in range(4)] == [False] * 4
        assert await pauses.allowed(4) == 4, "a refusal may be about one model"
        assert await pauses.refused("openrouter", FailureCause.KEY)
        assert await pauses.allowed(4) == 0
        await ProviderPause.filter(provider="openrouter").update(asks_at=datetime.now(UTC) - timedelta(hours=1))
        await pauses.refresh()
        assert await pauses.allowed(4) == 1, "an order is tried, because nothing else can show whether it works"
        assert await pauses.refused("openrouter", FailureCause.KEY), "the next refusal goes on with the pause"
        assert await pauses.allowed(4) == 0
        await pauses.worked("openrouter")
        assert not await pauses.refused("openrouter", FailureCause.KEY)


async def test_gateway_without_a_key_endpoint_refuses_one_model_only(
    scripted_settings: Settings, openrouter: ScriptedOpenRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ScriptedOpenRouter, "_about_key", lambda self, call: status(404, "not_found"))
    openrouter.script(status(403, "permission_denied"), picture())
    async with running(scripted_settings) as server:
        ada = await server.api.sign_up()
        ended = [await ada.wait_for_end(await order_picture(ada, number)) for number in range(3)]
        assert [one["status"] for one in ended] == ["FAILED", "COMPLETED", "COMPLETED"]
        assert await read_pauses() == {}
