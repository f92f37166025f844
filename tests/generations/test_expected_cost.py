"""Calls of which no answer says what they cost: the daily cap counts what they are expected to have cost."""

from collections.abc import AsyncIterator

import pytest

from models import Generation
from models.database.connection import rows
from models.enum import MediaKind
from services.generations.claim import Claim
from services.generations.worker import Times
from services.integrations.storage.protocol import StorageError
from services.integrations.videos.sample import tiny_video
from services.operations.maintenance import spent_today
from settings import Settings
from tests.conftest import Running, running
from tests.generations.test_worker import SlowStorage, another_worker
from tests.support.client import Api
from tests.support.fakes import openrouter_response as answer
from tests.support.fakes.huggingface import ScriptedHuggingFace
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.fakes.openrouter_videos import ScriptedVideos
from tests.support.fakes.raw_server import Response
from tests.support.huggingface_server import running_on_huggingface
from tests.support.integrity import assert_invariants
from tests.support.video_orders import go_on, idle_server, order, row_of, work

VEO, PICTURE = "google/veo-3.1", "google/gemini-2.5-flash-image"
DELETE = "mutation($ids: [ID!]!) { deleteGenerations(ids: $ids) { deletedIds errors { code } } }"


@pytest.fixture
async def videos() -> AsyncIterator[ScriptedVideos]:
    async with ScriptedVideos(tiny_video()) as fake:
        yield fake


@pytest.fixture
async def idle(scripted_settings: Settings, videos: ScriptedVideos) -> AsyncIterator[Running]:
    async with idle_server(scripted_settings, videos) as found:
        yield found


def estimate(server: Running, model: str) -> float:
    """Return what the catalogue says of one result of the model."""
    return next(each.cost_usd for each in server.services.products.profile.known_models if each.id == model)


async def called(server: Running, api: Api, provider: str = "openrouter") -> str:
    """Order a picture, claim it, and record the call of a provider, whose answer never comes; return its id."""
    (created,) = (await api.create(prompt="A fox", model=PICTURE))["generations"]
    claim = await server.services.generations.worker.take_next()
    assert claim is not None
    await claim.record_call(provider)
    return str(created["id"])


async def cancel(server: Running, api: Api, id: str) -> Generation:
    await server.services.generations.requests.cancel(str(api.user["id"]), id)
    return await row_of(id)


@pytest.mark.any_database
async def test_canceled_video_counts_as_much_as_its_duration_is_expected_to_cost(
    idle: Running, videos: ScriptedVideos
) -> None:
    ada = await idle.api.sign_up()
    id = await order(ada, durationSeconds=8)
    await work(idle.services)
    row = await cancel(idle, ada, id)
    assert row.provider_cost == pytest.approx(2 * estimate(idle, VEO)), "twice as long as the first duration"
    assert (await go_on(idle.services, id)).status == "CANCELED"
    assert await spent_today() == pytest.approx(2 * estimate(idle, VEO))
    await assert_invariants(idle.services)


async def test_deleted_picture_whose_provider_was_called_is_counted(idle: Running) -> None:
    ada = await idle.api.sign_up()
    id = await called(idle, ada)
    assert (await ada.one(DELETE, ids=[id]))["errors"] == []
    assert (await row_of(id)).provider_cost == pytest.approx(estimate(idle, PICTURE))


async def test_cost_that_is_known_of_a_canceled_picture_is_kept(idle: Running) -> None:
    ada = await idle.api.sign_up()
    id = await called(idle, ada)
    await Generation.filter(id=id).update(provider_cost=0.002)  # of its enriched prompt
    assert (await cancel(idle, ada, id)).provider_cost == pytest.approx(estimate(idle, PICTURE) + 0.002)


async def test_order_that_is_canceled_before_any_call_costs_nothing(idle: Running) -> None:
    ada = await idle.api.sign_up()
    (created,) = (await ada.create(prompt="A fox", model=PICTURE))["generations"]
    assert (await cancel(idle, ada, created["id"])).provider_cost is None
    assert await spent_today() == 0


@pytest.mark.parametrize("provider", ["demo", "huggingface"])
async def test_another_provider_counts_as_at_most_its_dearest_model(idle: Running, provider: str) -> None:
    known = idle.services.products.profile.known_models
    dearest = max(each.cost_usd for each in known if (each.provider, each.medium) == (provider, MediaKind.IMAGE))
    ada = await idle.api.sign_up()
    id = await called(idle, ada, provider)
    assert (await cancel(idle, ada, id)).provider_cost == (pytest.approx(dearest) if dearest else None)


@pytest.mark.any_database
async def test_call_whose_worker_died_is_counted(idle: Running) -> None:
    ada = await idle.api.sign_up()
    id = await called(idle, ada)
    await rows("UPDATE generations SET lease_until = LATER($2) WHERE id = $1 RETURNING id", id, -1.0)
    assert await idle.services.generations.lease_recovery.recover(id)
    row = await row_of(id)
    assert (row.status, row.error_code) == ("FAILED", "UNAVAILABLE")
    assert row.provider_cost == pytest.approx(estimate(idle, PICTURE))
    await assert_invariants(idle.services)


async def test_call_is_counted_that_is_cut_off_when_the_process_stops(idle: Running) -> None:
    ada = await idle.api.sign_up()
    await ada.create(prompt="A fox", model=PICTURE)
    worker = idle.services.generations.worker
    claim = await worker.take_next()
    assert isinstance(claim, Claim)
    await claim.record_call("openrouter")
    claim.may_hand_back = False
    await worker.release(claim)
    assert (await row_of(claim.generation.id)).provider_cost == pytest.approx(estimate(idle, PICTURE))


class FullStorage(SlowStorage):
    """The storage, except that no result can be written."""

    async def put(self, key: str, data: bytes, content_type: str) -> None:
        raise StorageError("full")


async def test_result_that_cannot_be_stored_has_cost_what_its_provider_reported(idle: Running) -> None:
    ada = await idle.api.sign_up()
    (created,) = (await ada.create(prompt="A fox", model=PICTURE))["generations"]
    storage = FullStorage(idle.services.integrations.storage)
    await another_worker(idle.services, Times(60, 15, 10, storage=0.0), storage).process(created["id"])
    row = await row_of(created["id"])
    assert (row.status, row.error_code, row.provider_cost) == ("FAILED", "UNAVAILABLE", answer.COST)


@pytest.mark.any_database
async def test_pictures_of_a_provider_that_reports_no_cost_are_counted(settings: Settings) -> None:
    async with (
        ScriptedHuggingFace() as fake,
        running_on_huggingface(settings, fake, profile="studio", signup_credits=100) as server,
    ):
        ada = await server.api.sign_up()
        (created,) = (await ada.create(prompt="A fox"))["generations"]
        ended = await ada.wait_for_end(created["id"])
        assert ended["status"] == "COMPLETED"
        assert (await row_of(created["id"])).provider_cost == pytest.approx(estimate(server, ended["model"]))
        assert await spent_today() == pytest.approx(estimate(server, ended["model"]))
        await assert_invariants(server.services, all_ended=True)


@pytest.mark.any_database
@pytest.mark.parametrize("response", [answer.hang(), answer.reset()], ids=["silence", "a lost connection"])
async def test_picture_whose_answer_is_lost_is_counted(
    scripted_settings: Settings, openrouter: ScriptedOpenRouter, response: Response
) -> None:
    openrouter.script(response)
    async with running(scripted_settings.model_copy(update={"generation_deadline_seconds": 1.0})) as server:
        ada = await server.api.sign_up()
        (created,) = (await ada.create(prompt="A fox", model=PICTURE))["generations"]
        assert (await ada.wait_for_end(created["id"]))["refunded"]
        assert (await row_of(created["id"])).provider_cost == pytest.approx(estimate(server, PICTURE))


async def test_picture_that_its_provider_refused_costs_nothing(
    scripted_settings: Settings, openrouter: ScriptedOpenRouter
) -> None:
    openrouter.script(answer.status(401, "authentication"))
    async with running(scripted_settings) as server:
        ada = await server.api.sign_up()
        (created,) = (await ada.create(prompt="A fox", model=PICTURE))["generations"]
        await ada.wait_for_end(created["id"])
        assert (await row_of(created["id"])).provider_cost is None


async def test_video_that_is_too_late_is_counted(idle: Running, videos: ScriptedVideos) -> None:
    videos.ends_after(100)
    id = await order(await idle.api.sign_up(), durationSeconds=8)
    await work(idle.services)
    await rows("UPDATE generations SET provider_called_at = LATER($2) WHERE id = $1 RETURNING id", id, -1201.0)
    row = await go_on(idle.services, id)
    assert (row.status, row.error_code) == ("FAILED", "GENERATION_TIMEOUT")
    assert row.provider_cost == pytest.approx(2 * estimate(idle, VEO))
