"""Videos on their routes: another model where no job was accepted, circuits, slots and enriched prompts."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from models import Collection, Generation
from models.database.connection import rows
from services.integrations.videos.sample import tiny_video
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import until
from tests.support.fakes.huggingface import ScriptedHuggingFace
from tests.support.fakes.openrouter_response import hang, json_response, message, reset, status
from tests.support.fakes.openrouter_videos import COST, ScriptedVideos, failed
from tests.support.fakes.raw_server import Response
from tests.support.integrity import assert_invariants, make_admin
from tests.support.video_orders import ended, go_on, order, row_of, work

VEO, DEMO, WAN = "google/veo-3.1", "demo-video", "Wan-AI/Wan2.2-T2V-A14B"
PATH = """
{ admin { generations(first: 1) { nodes { providerPath { provider model errorCode seconds sent } } } } }"""

# What says that no job was accepted, and that asking again is pointless at the moment.
UNSTARTED = {
    "an unknown model": (status(404, "not_found"), "PROVIDER_MISCONFIGURED"),
    "no credit": (status(402, "payment_required"), "PROVIDER_MISCONFIGURED"),
    "a refused key": (status(401, "authentication"), "PROVIDER_MISCONFIGURED"),
    "too many requests": (status(429, "rate_limit_exceeded", retry_after="60"), "PROVIDER_UNAVAILABLE"),
    "overloaded": (status(503, "provider_unavailable", retry_after="60"), "PROVIDER_UNAVAILABLE"),
}
# After these there may be a job, or the request itself was declined.
STARTED = {
    "an error": (status(500, "server"), "PROVIDER_UNAVAILABLE"),
    "a lost connection": (reset(), "PROVIDER_UNAVAILABLE"),
    "no job in the answer": (json_response(202, {"status": "pending"}), "GENERATION_FAILED"),
    "a declined request": (status(403, "content_policy_violation"), "CONTENT_REJECTED"),
}


@pytest.fixture
async def videos() -> AsyncIterator[ScriptedVideos]:
    async with ScriptedVideos(tiny_video()) as fake:
        yield fake


@pytest.fixture
def video_settings(scripted_settings: Settings, videos: ScriptedVideos) -> Settings:
    changes = {"openrouter_base_url": videos.base_url, "video_poll_seconds": 0.1, "video_deadline_seconds": 30.0}
    return scripted_settings.model_copy(update=changes)


@pytest.fixture
async def idle(video_settings: Settings) -> AsyncIterator[Running]:
    """A server without a worker, whose videos may be made by the demo provider instead."""
    settings = video_settings.model_copy(update={"fallback_models": (f"demo:{DEMO}",), "demo_seconds": 0.0})
    async with running(settings, idle=True) as found:
        yield found


def path_of(row: Generation) -> list[tuple[str, str | None, str | None, bool]]:
    """Return provider, model, code and whether a request was sent of every try."""
    path: list[dict[str, Any]] = row.provider_path or []
    return [(one["provider"], one["model"], one["code"], one["sent"]) for one in path]


async def test_next_model_makes_a_video_whose_job_was_not_accepted(idle: Running, videos: ScriptedVideos) -> None:
    ada = await idle.api.sign_up()
    before = await ada.credits()
    for number, (name, (refusal, code)) in enumerate(UNSTARTED.items(), 1):
        videos.by_model = {VEO: refusal}
        id = await order(ada)
        await work(idle.services)
        row = await row_of(id)
        # The job and the path to it were written together: another process goes on with both.
        assert (row.status, row.provider, row.provider_calls) == ("PROCESSING", "demo", 2), name
        assert path_of(row) == [("openrouter", VEO, code, True), ("demo", DEMO, None, True)], name
        if number == 1:
            row = await go_on(idle.services, id)
            assert (row.status, row.model, row.requested_model) == ("COMPLETED", DEMO, VEO)
            assert path_of(row) == [("openrouter", VEO, code, True), ("demo", DEMO, None, True)]
            shown = (await (await make_admin(idle.api)).one(PATH))["generations"]["nodes"][0]["providerPath"]
            assert [(one["model"], one["errorCode"]) for one in shown] == [(VEO, code), (DEMO, None)]
    assert videos.jobs == []
    assert await ada.credits() == before - 20 * len(UNSTARTED)
    await assert_invariants(idle.services)


@pytest.mark.any_database
async def test_next_model_is_not_tried_where_there_may_be_a_job(idle: Running, videos: ScriptedVideos) -> None:
    ada = await idle.api.sign_up()
    before = await ada.credits()
    for name, (answer, code) in STARTED.items():
        videos.by_model = {VEO: answer}
        id = await order(ada)
        await work(idle.services)
        row = await row_of(id)
        assert (row.status, row.error_code, row.refunded) == ("FAILED", code, True), name
        assert path_of(row) == [("openrouter", VEO, code, True)], name
    assert await ada.credits() == before
    await assert_invariants(idle.services)


@pytest.mark.any_database
async def test_silence_until_the_deadline_leaves_nothing_to_the_next_model(
    video_settings: Settings, videos: ScriptedVideos
) -> None:
    videos.by_model = {VEO: hang()}
    changes = {"fallback_models": (f"demo:{DEMO}",), "generation_deadline_seconds": 0.5}
    async with running(video_settings.model_copy(update=changes), idle=True) as idle:
        id = await order(await idle.api.sign_up())
        await work(idle.services)
        row = await row_of(id)
        assert (row.status, row.error_code, row.refunded) == ("FAILED", "GENERATION_TIMEOUT", True)
        assert path_of(row) == [("openrouter", VEO, "GENERATION_TIMEOUT", True)]
        await assert_invariants(idle.services)


@pytest.mark.any_database
async def test_submission_that_never_left_is_refunded_whatever_the_policy(video_settings: Settings) -> None:
    # Port 9 refuses connections.
    settings = video_settings.model_copy(update={"openrouter_base_url": "http://127.0.0.1:9/api/v1"})
    async with running(settings, idle=True) as idle:
        await Collection.filter(slug="sandbox").update(refund_policy="BEFORE_PROVIDER")
        ada = await idle.api.sign_up()
        before = await ada.credits()
        id = await order(ada)
        await work(idle.services)
        row = await row_of(id)
        assert (row.status, row.error_code, row.refunded) == ("FAILED", "PROVIDER_UNAVAILABLE", True)
        assert path_of(row) == [("openrouter", VEO, "PROVIDER_UNAVAILABLE", False)] * 3
        assert await ada.credits() == before


@pytest.mark.any_database
async def test_video_is_made_by_another_provider(video_settings: Settings, videos: ScriptedVideos) -> None:
    videos.by_model = {VEO: status(402, "payment_required")}
    async with ScriptedHuggingFace() as other:
        other.videos.content = tiny_video()
        other.videos.serve(WAN, "fal-ai")
        changes = {
            "fallback_models": (f"huggingface:{WAN}:fal-ai",),
            "huggingface_api_key": other.token,
            "huggingface_base_url": other.url,
            "huggingface_hub_url": other.url,
        }
        async with running(video_settings.model_copy(update=changes)) as studio:
            row = await ended(await order(await studio.api.sign_up()))
            assert (row.status, row.provider, row.model) == ("COMPLETED", "huggingface", f"{WAN}:fal-ai")
            assert [(one["provider"], one["code"]) for one in row.provider_path or []] == [
                ("openrouter", "PROVIDER_MISCONFIGURED"),
                ("huggingface", None),
            ]
            assert (len(videos.jobs), len(other.videos.orders), row.provider_calls) == (0, 1, 2)
            await assert_invariants(studio.services, all_ended=True)


@pytest.mark.any_database
async def test_job_that_fails_is_not_made_by_another_model(idle: Running, videos: ScriptedVideos) -> None:
    videos.ends_after(0, failed("no", "provider_unavailable", 502))
    id = await order(await idle.api.sign_up())
    await work(idle.services)
    row = await go_on(idle.services, id)
    assert (row.status, row.error_code, row.refunded) == ("FAILED", "PROVIDER_UNAVAILABLE", True)
    assert path_of(row) == [("openrouter", VEO, "PROVIDER_UNAVAILABLE", True)]
    assert (row.provider_calls, len(videos.jobs)) == (1, 1)
    await assert_invariants(idle.services)


async def fail_twice(idle: Running, videos: ScriptedVideos, answer: Response | None) -> None:
    """Let two videos fail: their submissions, or without an answer, their jobs."""
    ada = await idle.api.sign_up("first@example.com")
    if answer is None:
        videos.ends_after(0, failed("no", "provider_unavailable", 502))
    else:
        videos.by_model = {VEO: answer}
    for _ in range(2):
        id = await order(ada)
        await work(idle.services)
        assert (await go_on(idle.services, id)).status == "FAILED"


@pytest.mark.any_database
@pytest.mark.parametrize("answer", [status(500, "server"), None], ids=["submissions", "jobs"])
async def test_open_circuit_refunds_at_once_without_a_request(
    video_settings: Settings, videos: ScriptedVideos, answer: Response | None
) -> None:
    settings = video_settings.model_copy(update={"circuit_min_calls": 2, "circuit_open_seconds": 3000.0})
    async with running(settings, idle=True) as idle:
        await fail_twice(idle, videos, answer)
        ada, calls = await idle.api.sign_up(), len(videos.calls)
        before = await ada.credits()
        id = await order(ada, enhancePrompt=True)
        await work(idle.services)
        row = await row_of(id)
        assert (row.status, row.error_code, row.refunded) == ("FAILED", "PROVIDER_UNAVAILABLE", True)
        assert path_of(row) == [("openrouter", VEO, "PROVIDER_UNAVAILABLE", False)]
        assert (row.provider_calls, row.provider_called_at, len(videos.calls)) == (0, None, calls)
        assert await ada.credits() == before
        await assert_invariants(idle.services)


@pytest.mark.any_database
async def test_calls_beyond_the_limit_wait_for_their_turn(video_settings: Settings, videos: ScriptedVideos) -> None:
    videos.answering.clear()
    async with running(video_settings.model_copy(update={"provider_max_calls": 1})) as studio:
        ada = await studio.api.sign_up()
        ids = [await order(ada), await order(ada)]

        async def both_have_begun() -> bool:
            return len(videos.calls) >= 1 and await Generation.filter(status="PROCESSING").count() == 2

        await until(both_have_begun)
        assert sorted([row.provider_calls for row in await Generation.all()]) == [0, 1]
        assert len(videos.calls) == 1
        videos.answering.set()
        assert [(await ended(id)).status for id in ids] == ["COMPLETED", "COMPLETED"]


@pytest.mark.any_database
async def test_question_that_finds_no_free_slot_is_put_off(video_settings: Settings, videos: ScriptedVideos) -> None:
    async with running(video_settings.model_copy(update={"provider_max_calls": 1}), idle=True) as idle:
        id = await order(await idle.api.sign_up())
        await work(idle.services)
        routes = idle.services.integrations.video_routes
        assert routes is not None
        # Images of the same provider have the same slots.
        slots = idle.services.integrations.routes.slots["openrouter"]
        assert routes.slots["openrouter"] is slots
        await slots.acquire("another account")
        row = await go_on(idle.services, id)
        assert (row.status, row.worker, videos.jobs[0].asked) == ("PROCESSING", None, 0)
        # Late, it is asked about all the same.
        await rows("UPDATE generations SET provider_called_at = LATER($2) WHERE id = $1", id, -31.0)
        assert (await go_on(idle.services, id)).status == "COMPLETED"
        slots.release("another account")


@pytest.mark.any_database
async def test_prompt_of_a_video_is_enriched(idle: Running, videos: ScriptedVideos) -> None:
    videos.script_texts(message(content="A red fox trots through fresh snow.", cost=0.002))
    ada = await idle.api.sign_up()
    id = await order(ada, prompt="A fox", enhancePrompt=True)
    await work(idle.services)
    assert "A red fox trots through fresh snow." in videos.prompts[0]
    row = await go_on(idle.services, id)
    assert row.status == "COMPLETED"
    assert row.provider_cost == pytest.approx(COST + 0.002)
    shown = "query($id: ID!) { viewer { generation(id: $id) { prompt enhancedPrompt } } }"
    found = (await ada.one(shown, id=id))["generation"]
    assert found == {"prompt": "A fox", "enhancedPrompt": "A red fox trots through fresh snow."}
    assert len(videos.text_calls) == 1
    # A model that answers nothing of use leaves the prompt as it is.
    videos.script_texts(status(500, "server"))
    await order(ada, prompt="A hare", enhancePrompt=True)
    await work(idle.services)
    assert "A hare" in videos.prompts[1]
