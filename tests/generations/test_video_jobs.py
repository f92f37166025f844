"""Videos through the API: a job at the provider, submitted once, which any worker goes on with."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from models.database.connection import rows
from models.enum import ErrorCode
from services.generations.claim import MAX_JOB_ATTEMPTS
from services.generations.claim_statement import expired_leases
from services.generations.videos.due_jobs import take_due
from services.integrations.videos.sample import tiny_video
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import PATIENCE, Api, photo, until
from tests.support.fakes.openrouter_response import hang, reset, status
from tests.support.fakes.openrouter_videos import CANCELLED, COST, EXPIRED, ScriptedVideos, State, failed
from tests.support.fakes.raw_server import Response
from tests.support.integrity import assert_invariants
from tests.support.video_orders import ended, go_on, make_due, order, row_of, work
from tests.web.test_metrics import read_metrics, sample

PRICE = 20
PROGRESS = """
subscription($id: ID!) { generationProgress(id: $id) { id status stage progress message errorCode refunded } }"""


@pytest.fixture
async def videos() -> AsyncIterator[ScriptedVideos]:
    async with ScriptedVideos(tiny_video()) as fake:
        yield fake


@pytest.fixture
def video_settings(scripted_settings: Settings, videos: ScriptedVideos) -> Settings:
    return scripted_settings.model_copy(
        update={
            "openrouter_base_url": videos.base_url,
            "openrouter_webhook_secret": (videos.secret,),
            "video_poll_seconds": 0.1,
            "video_deadline_seconds": 30.0,
        }
    )


@pytest.fixture
async def studio(video_settings: Settings) -> AsyncIterator[Running]:
    async with running(video_settings) as found:
        yield found


@pytest.fixture
async def idle(video_settings: Settings) -> AsyncIterator[Running]:
    """A server without a worker: the test is the worker."""
    async with running(video_settings, idle=True) as found:
        yield found


async def credits_of(api: Api) -> int:
    return int((await api.one("{ viewer { credits } }"))["credits"])


async def test_video_is_made_from_text(studio: Running, videos: ScriptedVideos) -> None:
    videos.ends_after(2)
    ada = await studio.api.sign_up("ada@example.com")
    before = await credits_of(ada)
    row = await ended(await order(ada))
    assert (row.status, row.provider, row.model) == ("COMPLETED", "openrouter", "google/veo-3.1")
    assert (row.provider_job_id, row.provider_request_id, row.provider_cost) == ("vid-000001", "gen-vid-000001", COST)
    assert (row.provider_calls, row.attempts) == (1, 1)
    assert await credits_of(ada) == before - PRICE
    assert [job.asked for job in videos.jobs] == [3]
    assert videos.prompts[0].endswith("while the camera drifts a little.")
    await assert_invariants(studio.services)


async def test_photo_is_the_first_frame(studio: Running, videos: ScriptedVideos) -> None:
    ada = await studio.api.sign_up("ada@example.com")
    row = await ended(await order(ada, image=photo(64, 96), quality="HD"))
    assert row.status == "COMPLETED"
    body = videos.jobs[0].body
    assert (body["resolution"], body["aspect_ratio"], body["duration"]) == ("1080p", "9:16", 4)
    assert [frame["frame_type"] for frame in body["frame_images"]] == ["first_frame"]


async def test_progress_is_published_until_the_video_is_ready(studio: Running, videos: ScriptedVideos) -> None:
    videos.ends_after(4)
    ada = await studio.api.sign_up("ada@example.com")
    async with ada.socket() as socket:
        stream = await socket.subscribe(PROGRESS, id=await order(ada))
        events = await stream.rest()
    stages = [event["stage"] for event in events]
    assert stages[-1] == "COMPLETED"
    assert stages.count("GENERATING") >= 2
    progress = [event["progress"] for event in events]
    assert progress == sorted(progress)


async def test_time_of_a_video_is_that_of_all_its_claims(idle: Running, videos: ScriptedVideos) -> None:
    videos.ends_after(1)
    id = await order(await idle.api.sign_up("ada@example.com"))
    before = await read_metrics(idle.api.http)
    await work(idle.services)
    earlier = {"started_at": -22.0, "provider_called_at": -20.0}
    for column, seconds in earlier.items():
        await rows(f"UPDATE generations SET {column} = LATER($2) WHERE id = $1 RETURNING id", id, seconds)  # noqa: S608 - one of the two above
    assert (await go_on(idle.services, id)).status == "PROCESSING"
    with capture_logs() as logs:
        assert (await go_on(idle.services, id)).status == "COMPLETED"
    (line,) = [line for line in logs if line["event"] == "generation.ended"]
    assert 22 <= line["seconds"] < 30
    assert 20 <= line["stages"]["generating"] < 28
    assert set(line["stages"]) == {"generating", "storing"}
    after = await read_metrics(idle.api.http)
    for stage in ("VALIDATING", "GENERATING", "STORING"):
        count = "generation_stage_seconds_count"
        assert sample(after, count, stage=stage) - sample(before, count, stage=stage) == 1, stage
    total = "generation_stage_seconds_sum"
    assert 20 <= sample(after, total, stage="GENERATING") - sample(before, total, stage="GENERATING") < 28


async def test_waiting_job_holds_no_slot(idle: Running, videos: ScriptedVideos) -> None:
    videos.ends_after(1)
    id = await order(await idle.api.sign_up("ada@example.com"))
    await work(idle.services)
    row = await row_of(id)
    assert (row.status, row.stage, row.worker) == ("PROCESSING", "GENERATING", None)
    assert row.lease_until is not None
    assert await expired_leases(10) == []
    row = await go_on(idle.services, id)
    assert (row.status, row.worker) == ("PROCESSING", None)
    row = await go_on(idle.services, id)
    assert (row.status, row.attempts, len(videos.jobs)) == ("COMPLETED", 1, 1)
    await assert_invariants(idle.services)


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (failed(), ErrorCode.GENERATION_FAILED),
        (failed("no", "content_policy_violation", 403), ErrorCode.CONTENT_REJECTED),
        (failed("no", "provider_unavailable", 502), ErrorCode.PROVIDER_UNAVAILABLE),
        (State("failed", None, COST), ErrorCode.GENERATION_FAILED),
        (CANCELLED, ErrorCode.PROVIDER_UNAVAILABLE),
        (EXPIRED, ErrorCode.GENERATION_TIMEOUT),
    ],
)
async def test_job_without_a_video_is_refunded(
    idle: Running, videos: ScriptedVideos, end: State, code: ErrorCode
) -> None:
    videos.ends_after(0, end)
    ada = await idle.api.sign_up("ada@example.com")
    before = await credits_of(ada)
    id = await order(ada)
    await work(idle.services)
    row = await go_on(idle.services, id)
    assert (row.status, row.error_code, row.refunded, row.provider_cost) == ("FAILED", code, True, end.cost)
    assert await credits_of(ada) == before
    assert len(videos.jobs) == 1
    await assert_invariants(idle.services)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (status(400, "content_policy_violation"), ErrorCode.CONTENT_REJECTED),
        (status(401, "authentication"), ErrorCode.PROVIDER_MISCONFIGURED),
        (status(500, "server"), ErrorCode.PROVIDER_UNAVAILABLE),
        (reset(), ErrorCode.PROVIDER_UNAVAILABLE),
    ],
)
async def test_submission_without_a_job_is_not_repeated(
    idle: Running, videos: ScriptedVideos, answer: Response, code: ErrorCode
) -> None:
    videos.script_submissions(answer)
    id = await order(await idle.api.sign_up("ada@example.com"))
    await work(idle.services)
    row = await row_of(id)
    assert (row.status, row.error_code, row.refunded) == ("FAILED", code, True)
    assert (row.provider_calls, row.provider_job_id, len(videos.calls)) == (1, None, 1)


async def test_submission_that_was_not_accepted_is_repeated(idle: Running, videos: ScriptedVideos) -> None:
    videos.script_submissions(status(429, retry_after="0"), status(503, retry_after="0"))
    id = await order(await idle.api.sign_up("ada@example.com"))
    await work(idle.services)
    row = await row_of(id)
    assert (row.status, row.provider_calls, row.provider_job_id) == ("PROCESSING", 3, "vid-000001")


@pytest.mark.parametrize("answer", [status(401), status(404), status(429), status(500), reset()])
async def test_job_of_unknown_state_is_asked_about_again(
    idle: Running, videos: ScriptedVideos, answer: Response
) -> None:
    id = await order(await idle.api.sign_up("ada@example.com"))
    await work(idle.services)
    videos.script_questions(answer)
    videos.script_contents(status(502))
    assert (await go_on(idle.services, id)).status == "PROCESSING"
    assert (await go_on(idle.services, id)).status == "PROCESSING"
    assert (await go_on(idle.services, id)).status == "COMPLETED"
    assert len(videos.jobs) == 1


@pytest.mark.parametrize("retry_after", ["0", "Thu, 01 Jan 2026 00:00:00 GMT"])
async def test_job_is_not_asked_about_at_once_whatever_a_refusal_says(
    video_settings: Settings, videos: ScriptedVideos, retry_after: str
) -> None:
    async with running(video_settings.model_copy(update={"video_poll_seconds": 30.0}), idle=True) as server:
        id = await order(await server.api.sign_up("ada@example.com"))
        await work(server.services)
        videos.script_questions(status(429, "rate_limit_exceeded", retry_after=retry_after))
        row = await go_on(server.services, id)
        assert row.lease_until is not None
        assert (row.lease_until - row.updated_at).total_seconds() >= 2.9


@pytest.mark.parametrize(
    ("answer", "code"), [(None, ErrorCode.GENERATION_TIMEOUT), (status(401), ErrorCode.PROVIDER_MISCONFIGURED)]
)
async def test_job_that_is_late_fails(
    idle: Running, videos: ScriptedVideos, answer: Response | None, code: ErrorCode
) -> None:
    videos.ends_after(1000)
    id = await order(await idle.api.sign_up("ada@example.com"))
    await work(idle.services)
    await rows("UPDATE generations SET provider_called_at = LATER($2) WHERE id = $1", id, -31.0)
    if answer is not None:
        videos.script_questions(answer)
    row = await go_on(idle.services, id)
    assert (row.status, row.error_code, row.refunded) == ("FAILED", code, True)
    await assert_invariants(idle.services)


async def test_canceled_job_is_thrown_away(idle: Running, videos: ScriptedVideos) -> None:
    ada = await idle.api.sign_up("ada@example.com")
    before = await credits_of(ada)
    id = await order(ada)
    await work(idle.services)
    canceled = await ada.one(
        "mutation($id: ID!) { cancelGeneration(id: $id) { generation { status refunded } errors { code } } }", id=id
    )
    assert canceled == {"generation": {"status": "CANCELED", "refunded": False}, "errors": []}
    row = await go_on(idle.services, id)
    assert (row.status, [job.asked for job in videos.jobs]) == ("CANCELED", [0])
    assert await credits_of(ada) == before - PRICE
    await assert_invariants(idle.services)


async def test_job_is_resumed_by_another_worker_and_never_submitted_again(
    idle: Running, videos: ScriptedVideos
) -> None:
    id = await order(await idle.api.sign_up("ada@example.com"))
    await work(idle.services)
    for number in range(1, 4):  # workers that die while they ask about it
        await make_due(id)
        (claim,) = await take_due("dead", 0, 8)
        assert claim.generation.attempts == number
    await until(lambda: rows("SELECT id FROM generations WHERE lease_until < NOW()"))
    row = await go_on(idle.services, id)
    assert (row.status, row.attempts, row.provider_calls) == ("COMPLETED", 4, 1)
    assert len(videos.jobs) == 1
    await assert_invariants(idle.services)


async def test_job_whose_workers_keep_dying_fails(idle: Running, videos: ScriptedVideos) -> None:
    id = await order(await idle.api.sign_up("ada@example.com"))
    await work(idle.services)
    for _ in range(MAX_JOB_ATTEMPTS):
        await make_due(id)
        await take_due("dead", 0, 8)
    row = await go_on(idle.services, id)
    assert (row.status, row.error_code, row.attempts, row.refunded) == (
        "FAILED",
        ErrorCode.UNAVAILABLE,
        MAX_JOB_ATTEMPTS,
        True,
    )
    assert [job.asked for job in videos.jobs] == [0]
    await assert_invariants(idle.services)


async def test_worker_without_its_claim_changes_nothing(idle: Running, videos: ScriptedVideos) -> None:
    id = await order(await idle.api.sign_up("ada@example.com"))
    await work(idle.services)
    await make_due(id)
    (late,) = await take_due("late", 0, 8)
    row = await go_on(idle.services, id)
    assert row.status == "COMPLETED"
    await idle.services.generations.worker.run(late)
    again = await row_of(id)
    assert (again.version, again.result_id) == (row.version, row.result_id)
    await assert_invariants(idle.services)


async def test_job_is_on_its_row_although_the_worker_stops_while_it_submits(
    idle: Running, videos: ScriptedVideos
) -> None:
    id = await order(await idle.api.sign_up("ada@example.com"))
    claim = await idle.services.generations.worker.take_next()
    assert claim is not None
    videos.answering.clear()
    running_it = asyncio.create_task(idle.services.generations.worker.run(claim))
    await asyncio.wait_for(videos.called.wait(), PATIENCE)
    running_it.cancel()
    await asyncio.sleep(0)
    videos.answering.set()
    await asyncio.wait([running_it])
    row = await row_of(id)
    assert (row.status, row.provider_job_id, row.worker) == ("PROCESSING", "vid-000001", None)
    assert (await go_on(idle.services, id)).status == "COMPLETED"
    assert len(videos.jobs) == 1


async def test_submission_of_unknown_outcome_fails_when_the_worker_stops(idle: Running, videos: ScriptedVideos) -> None:
    id = await order(await idle.api.sign_up("ada@example.com"))
    claim = await idle.services.generations.worker.take_next()
    assert claim is not None
    videos.script_submissions(hang())
    running_it = asyncio.create_task(idle.services.generations.worker.run(claim))
    await asyncio.wait_for(videos.called.wait(), PATIENCE)
    running_it.cancel()
    await asyncio.wait([running_it])
    row = await row_of(id)
    assert (row.status, row.error_code, row.provider_job_id) == ("FAILED", ErrorCode.UNAVAILABLE, None)
    await work(idle.services)
    assert len(videos.calls) == 1


async def test_job_of_a_provider_that_is_no_longer_configured_fails(idle: Running, videos: ScriptedVideos) -> None:
    id = await order(await idle.api.sign_up("ada@example.com"))
    await work(idle.services)
    await rows("UPDATE generations SET provider = 'another' WHERE id = $1", id)
    row = await go_on(idle.services, id)
    assert (row.status, row.error_code, row.refunded) == ("FAILED", ErrorCode.UNAVAILABLE, True)
    assert [job.asked for job in videos.jobs] == [0]


async def test_video_can_be_requested_again_but_not_varied_or_refined(studio: Running, videos: ScriptedVideos) -> None:
    ada = await studio.api.sign_up("ada@example.com")
    row = await ended(await order(ada))
    again = "mutation($input: RegenerateInput!) { regenerate(input: $input) { generations { id } errors { code } } }"
    answer = await ada.one(again, input={"id": row.id, "asVariation": True})
    assert [error["code"] for error in answer["errors"]] == ["CONFLICT"]
    answer = await ada.one(again, input={"id": row.id})
    assert answer["errors"] == []
    assert (await ended(answer["generations"][0]["id"])).status == "COMPLETED"
    assert len(videos.jobs) == 2
