"""OpenRouter's videos against a local service with its wire format: submissions, questions, contents, errors."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from models.enum import ErrorCode, Quality
from services.integrations.providers.openrouter.video_wire import VideoModel
from services.integrations.providers.openrouter.videos import OpenRouterVideos
from services.integrations.providers.protocol import ImageRequest, ProviderError, ReferencePhoto
from services.integrations.providers.safe_fetch import SafeFetch
from services.integrations.providers.video import JobDone, JobRunning, VideoJob
from tests.support.client import photo
from tests.support.fakes.openrouter_response import content, json_200, json_response, redirect, reset, status
from tests.support.fakes.openrouter_videos import CANCELLED, COST, EXPIRED, ScriptedVideos, State, failed
from tests.support.fakes.raw_server import Response, raw_response

CLIP = b"the bytes of a clip"
MODEL = "google/veo-3.1"
VEO = VideoModel((Quality.STANDARD, Quality.HD), ("720p", "1080p"), (4, 6, 8), ("16:9", "9:16"))
REQUEST = ImageRequest("gen_1", "A fox in the snow", model=MODEL)
FRAME = ReferencePhoto(photo(64, 96), "image/jpeg", 64, 96)


@pytest.fixture
async def fake() -> AsyncIterator[ScriptedVideos]:
    async with ScriptedVideos(CLIP) as found:
        yield found


@pytest.fixture
async def videos(fake: ScriptedVideos) -> AsyncIterator[OpenRouterVideos]:
    found = provider_of(fake)
    yield found
    await found.aclose()


def provider_of(fake: ScriptedVideos, *, key: str | None = None, max_bytes: int = 1000) -> OpenRouterVideos:
    fetch = SafeFetch(frozenset(), max_bytes=max_bytes, origin=fake.base_url)
    return OpenRouterVideos(
        fake.key if key is None else key,
        models={MODEL: VEO},
        fetch=fetch,
        base_url=fake.base_url,
        callback_url="https://darkroom.example/webhooks/openrouter",
    )


async def nothing() -> None:
    return None


async def end_of(videos: OpenRouterVideos, job: VideoJob) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await videos.poll(job)
    return caught.value


async def test_video_is_submitted_asked_about_and_fetched(fake: ScriptedVideos, videos: OpenRouterVideos) -> None:
    fake.ends_after(1)
    job = await videos.submit(REQUEST)
    assert job == VideoJob("vid-000001")
    assert await videos.poll(job) == JobRunning()
    done = await videos.poll(job)
    assert done == JobDone(COST, "gen-vid-000001")
    assert await videos.fetch(job, done, REQUEST, nothing) == CLIP
    assert [call.headers["authorization"] for call in fake.calls] == [f"Bearer {fake.key}"] * 4


async def test_request_names_what_the_model_can_do(fake: ScriptedVideos, videos: OpenRouterVideos) -> None:
    await videos.submit(REQUEST)
    await videos.submit(replace(REQUEST, quality=Quality.HD, aspect_ratio="3:4"))
    await videos.submit(replace(REQUEST, reference=FRAME))
    callback = {"callback_url": "https://darkroom.example/webhooks/openrouter"}
    plain = {"model": MODEL, "prompt": "A fox in the snow", "duration": 4, "resolution": "720p", **callback}
    assert fake.jobs[0].body == plain
    assert fake.jobs[1].body == {**plain, "resolution": "1080p", "aspect_ratio": "9:16"}
    (frame,) = fake.jobs[2].body.pop("frame_images")
    assert fake.jobs[2].body == {**plain, "aspect_ratio": "9:16"}
    assert (frame["type"], frame["frame_type"]) == ("image_url", "first_frame")
    assert frame["image_url"]["url"].startswith("data:image/jpeg;base64,")


@pytest.mark.parametrize(
    ("named", "kept"),
    [
        ("/api/v1/videos/{}", None),
        ("/api/v1/videos/{}?token=1", "{origin}/api/v1/videos/{id}?token=1"),
        ("{}/state", "{origin}/api/v1/videos/{id}/state"),
        ("https://elsewhere.example/api/v1/videos/{}", None),
        ("//elsewhere.example/{}", None),
        ("https://[", None),
    ],
)
async def test_polling_url_is_followed_on_the_same_host_only(
    fake: ScriptedVideos, videos: OpenRouterVideos, named: str, kept: str | None
) -> None:
    fake.polling_url = named.format
    job = await videos.submit(REQUEST)
    origin = fake.base_url.removesuffix("/api/v1")
    assert job.url == (kept and kept.format(origin=origin, id=job.id))


async def test_absolute_polling_url_of_the_same_host_is_followed(
    fake: ScriptedVideos, videos: OpenRouterVideos
) -> None:
    fake.polling_url = f"{fake.base_url}/videos/{{}}".format
    job = await videos.submit(REQUEST)
    assert isinstance(await videos.poll(job), JobDone)


@pytest.mark.parametrize(
    ("answer", "code", "may_retry"),
    [
        (status(400, "invalid_request"), ErrorCode.GENERATION_FAILED, False),
        (status(400, "content_policy_violation"), ErrorCode.CONTENT_REJECTED, False),
        (status(401, "authentication"), ErrorCode.PROVIDER_MISCONFIGURED, False),
        (status(402, "payment_required"), ErrorCode.PROVIDER_MISCONFIGURED, False),
        (status(404, "not_found"), ErrorCode.PROVIDER_MISCONFIGURED, False),
        (status(429, "rate_limit_exceeded", retry_after="7"), ErrorCode.PROVIDER_UNAVAILABLE, True),
        (status(500, "server"), ErrorCode.PROVIDER_UNAVAILABLE, False),
        (status(503, "provider_overloaded"), ErrorCode.PROVIDER_UNAVAILABLE, True),
        (redirect("https://elsewhere.example/"), ErrorCode.PROVIDER_UNAVAILABLE, False),
        (reset(), ErrorCode.PROVIDER_UNAVAILABLE, False),
        (json_response(202, {"status": "pending"}), ErrorCode.GENERATION_FAILED, False),
        (json_response(202, {"id": "\x00 no id"}), ErrorCode.GENERATION_FAILED, False),
        (json_response(202, {"id": "x" * 300_000}), ErrorCode.GENERATION_FAILED, False),
        (json_200({"error": {"code": 502, "message": "no"}}), ErrorCode.GENERATION_FAILED, False),
    ],
)
async def test_refused_submission_is_classified(
    fake: ScriptedVideos, videos: OpenRouterVideos, answer: Response, code: ErrorCode, may_retry: bool
) -> None:
    fake.script_submissions(answer)
    with pytest.raises(ProviderError) as caught:
        await videos.submit(REQUEST)
    assert (caught.value.code, caught.value.may_retry, caught.value.request_left) == (code, may_retry, True)
    assert fake.key not in str(caught.value)
    assert len(fake.calls) == 1


async def test_submission_that_never_left_may_be_repeated(fake: ScriptedVideos) -> None:
    videos = OpenRouterVideos(
        fake.key, models={MODEL: VEO}, fetch=SafeFetch(frozenset()), base_url="http://127.0.0.1:9/api/v1"
    )
    with pytest.raises(ProviderError) as caught:
        await videos.submit(REQUEST)
    await videos.aclose()
    assert (caught.value.may_retry, caught.value.request_left) == (True, False)


@pytest.mark.parametrize(
    ("end", "code", "cost"),
    [
        (failed(), ErrorCode.GENERATION_FAILED, 0.0),
        (failed("no", "content_policy_violation", 403), ErrorCode.CONTENT_REJECTED, 0.0),
        (failed("Blocked by content policy"), ErrorCode.CONTENT_REJECTED, 0.0),
        (failed("no", "provider_unavailable", 502), ErrorCode.PROVIDER_UNAVAILABLE, 0.0),
        (State("failed", None, COST), ErrorCode.GENERATION_FAILED, COST),
        (CANCELLED, ErrorCode.PROVIDER_UNAVAILABLE, 0.0),
        (EXPIRED, ErrorCode.GENERATION_TIMEOUT, 0.0),
    ],
)
async def test_job_without_a_video_ends(
    fake: ScriptedVideos, videos: OpenRouterVideos, end: State, code: ErrorCode, cost: float
) -> None:
    fake.ends_after(0, end)
    error = await end_of(videos, await videos.submit(REQUEST))
    assert (error.code, error.may_retry, error.cost, error.request_id) == (code, False, cost, "gen-vid-000001")


@pytest.mark.parametrize(
    "answer",
    [
        status(401),
        status(404),
        status(429, retry_after="3"),
        status(500),
        status(503),
        reset(),
        json_200([]),
        json_200({"status": "resting"}),
        content(b"<html>", "text/html"),
    ],
)
async def test_job_of_unknown_state_is_asked_about_again(
    fake: ScriptedVideos, videos: OpenRouterVideos, answer: Response
) -> None:
    job = await videos.submit(REQUEST)
    fake.script_questions(answer)
    assert (await end_of(videos, job)).may_retry
    assert isinstance(await videos.poll(job), JobDone)


@pytest.mark.parametrize(
    ("answer", "may_retry"),
    [
        (status(404), True),
        (status(410), False),
        (status(429), True),
        (status(502), True),
        (reset(), True),
        (redirect("https://elsewhere.example/"), False),
        (content(b"x" * 1001, "video/mp4"), False),
        (raw_response(200, "video/mp4", b"x", **{"content-encoding": "gzip"}), False),
    ],
)
async def test_content_that_cannot_be_fetched(
    fake: ScriptedVideos, videos: OpenRouterVideos, answer: Response, may_retry: bool
) -> None:
    job = await videos.submit(REQUEST)
    fake.script_contents(answer)
    with pytest.raises(ProviderError) as caught:
        await videos.fetch(job, JobDone(COST, urls=("https://elsewhere.example/v.mp4",)), REQUEST, nothing)
    assert (caught.value.may_retry, caught.value.cost) == (may_retry, COST)


async def test_request_without_a_key_or_with_an_unknown_model_is_not_sent(fake: ScriptedVideos) -> None:
    videos = provider_of(fake, key=" ")
    for request in (REQUEST, replace(REQUEST, model="other/model")):
        with pytest.raises(ProviderError) as caught:
            await videos.submit(request)
        assert (caught.value.code, caught.value.request_left) == (ErrorCode.PROVIDER_MISCONFIGURED, False)
    await videos.aclose()
    assert fake.calls == []


async def test_first_frame_is_limited_by_the_model(videos: OpenRouterVideos) -> None:
    assert videos.max_reference_bytes(REQUEST) == 7_000_000
