"""Videos of Hugging Face's inference providers with a scripted router: orders, jobs, failures, and finished videos."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator

import pytest

from models.enum import ErrorCode
from services.integrations.providers.huggingface.call_budget import CallBudget
from services.integrations.providers.huggingface.videos import HuggingFaceVideos
from services.integrations.providers.protocol import MAX_ANSWER_BYTES, ImageRequest, ProviderError, ReferencePhoto
from services.integrations.providers.safe_fetch import SafeFetch
from services.integrations.providers.video import JobDone, JobRunning, VideoJob
from tests.support.fakes import huggingface_response as scripted
from tests.support.fakes.huggingface import TOKEN, ScriptedHuggingFace
from tests.support.fakes.huggingface_videos import VIDEO
from tests.support.fakes.openrouter_response import good_picture
from tests.support.fakes.raw_server import Response

PROMPT = "A fox runs through snow"
MODEL = "Wan-AI/Wan2.2-T2V-A14B"
REQUEST = ImageRequest("gen_1", PROMPT, model=MODEL)
QUEUED = ("fal-ai", "wavespeed", "together")


@pytest.fixture
async def fake() -> AsyncIterator[ScriptedHuggingFace]:
    async with ScriptedHuggingFace() as fake:
        yield fake


def provider_of(
    fake: ScriptedHuggingFace, *, calls: int = 0, token: str = TOKEN, max_bytes: int = MAX_ANSWER_BYTES
) -> HuggingFaceVideos:
    return HuggingFaceVideos(
        token,
        model=MODEL,
        budget=CallBudget(calls, None),
        fetch=SafeFetch(frozenset(), origin=fake.url, max_bytes=max_bytes),
        base_url=fake.url,
        hub_url=fake.url,
        read_seconds=0.5,
    )


@pytest.fixture
async def provider(fake: ScriptedHuggingFace) -> AsyncIterator[HuggingFaceVideos]:
    provider = provider_of(fake)
    yield provider
    await provider.aclose()


async def read_nothing() -> None:
    return None


async def failure(provider: HuggingFaceVideos, request: ImageRequest = REQUEST) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await provider.submit(request)
    return caught.value


async def poll_failure(provider: HuggingFaceVideos, job: VideoJob) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await provider.poll(job)
    return caught.value


@pytest.mark.parametrize("name", QUEUED)
async def test_job_is_ordered_once_and_found_by_another_process(name: str, fake: ScriptedHuggingFace) -> None:
    fake.videos.serve(MODEL, name)
    first, second = provider_of(fake), provider_of(fake)
    job = await first.submit(REQUEST)
    await first.aclose()
    assert job.id == "job-0"
    assert job.url is not None
    assert job.url.startswith(f"/{name}/")
    assert isinstance(await second.poll(job), JobRunning)
    done = await second.poll(job)
    assert isinstance(done, JobDone)
    assert await second.fetch(job, done, REQUEST, read_nothing) == VIDEO
    assert len(fake.videos.orders) == 1
    await second.aclose()


@pytest.mark.parametrize("name", ["novita", "replicate"])
async def test_provider_without_a_queue_answers_with_the_video(
    name: str, fake: ScriptedHuggingFace, provider: HuggingFaceVideos
) -> None:
    fake.videos.serve(MODEL, name)
    job = await provider.submit(REQUEST)
    done = await provider.poll(job)
    assert isinstance(done, JobDone)
    assert await provider.fetch(job, done, REQUEST, read_nothing) == VIDEO
    assert len(fake.videos.orders) == 1


async def test_orders_have_the_formats_of_their_providers(
    fake: ScriptedHuggingFace, provider: HuggingFaceVideos
) -> None:
    for name in (*QUEUED, "novita", "replicate"):
        fake.videos.serve(MODEL, *QUEUED, "novita", "replicate")
        await provider.submit(ImageRequest("gen_1", PROMPT, model=f"{MODEL}:{name}"))
    bodies = {order.provider: order.body for order in fake.videos.orders}
    seed = bodies["fal-ai"]["seed"]
    assert 0 <= seed < 2**31
    plain = {"prompt": PROMPT, "seed": seed}
    assert bodies == {
        "fal-ai": plain,
        "wavespeed": plain,
        "together": plain | {"model": "vendor/wan2.2-t2v-a14b"},
        "novita": plain,
        "replicate": {"input": plain},
    }
    assert fake.videos.orders[-1].headers["prefer"] == "wait"
    assert {order.headers["user-agent"] for order in fake.videos.orders} == {"darkroom"}


@pytest.mark.parametrize("name", QUEUED)
async def test_photo_is_the_first_frame(name: str, fake: ScriptedHuggingFace, provider: HuggingFaceVideos) -> None:
    fake.videos.serve(MODEL, name, task="image-to-video")
    photo = ReferencePhoto(good_picture(), "image/png", 128, 128)
    await provider.submit(ImageRequest("gen_1", PROMPT, model=MODEL, reference=photo))
    [order] = fake.videos.orders
    encoded = base64.b64encode(good_picture()).decode()
    sent = order.body.get("image_url") or order.body.get("image") or order.body["frame_images"][0]["input_image"]
    assert sent.partition(",")[2] == encoded
    assert provider.max_reference_bytes(ImageRequest("gen_1", PROMPT, model=f"{MODEL}:together")) == 44_000


async def test_provider_is_the_first_of_the_account_that_serves_the_task(
    fake: ScriptedHuggingFace, provider: HuggingFaceVideos
) -> None:
    fake.videos.serve(MODEL, "unknown-ai", "wavespeed", "fal-ai")
    for _ in range(3):
        await provider.submit(REQUEST)
    assert {order.provider for order in fake.videos.orders} == {"wavespeed"}
    assert fake.videos.lookups == 1, "the answer is kept"


async def test_model_that_no_provider_serves_is_not_ordered(
    fake: ScriptedHuggingFace, provider: HuggingFaceVideos
) -> None:
    unserved: list[tuple[tuple[str, ...], dict[str, str], str]] = [
        (("fal-ai",), {"status": "error"}, MODEL),
        (("fal-ai",), {"task": "image-to-video"}, MODEL),
        (("unknown-ai",), {}, MODEL),
        (("fal-ai",), {}, f"{MODEL}:wavespeed"),
        (("fal-ai",), {}, "no/model"),
    ]
    for providers, options, model in unserved:
        fake.videos.serve(MODEL, *providers, **options)
        error = await failure(provider, ImageRequest("gen_1", PROMPT, model=model))
        assert (error.code, error.request_left) == (ErrorCode.PROVIDER_MISCONFIGURED, False)
    assert fake.videos.orders == []


@pytest.mark.parametrize(
    ("answer", "code", "may_retry"),
    [
        (scripted.invalid_token(), ErrorCode.PROVIDER_MISCONFIGURED, False),
        (scripted.no_credits(), ErrorCode.PROVIDER_MISCONFIGURED, False),
        (scripted.unprocessable(), ErrorCode.GENERATION_FAILED, False),
        (scripted.unsafe(), ErrorCode.CONTENT_REJECTED, False),
        (scripted.rate_limited("9"), ErrorCode.RATE_LIMITED, True),
        (scripted.error(503, "busy"), ErrorCode.PROVIDER_UNAVAILABLE, True),
        (scripted.error(500), ErrorCode.PROVIDER_UNAVAILABLE, False),
        (scripted.error(504), ErrorCode.GENERATION_TIMEOUT, False),
        (scripted.html(), ErrorCode.GENERATION_FAILED, False),
        (scripted.reset(), ErrorCode.PROVIDER_UNAVAILABLE, False),
        (scripted.hang(), ErrorCode.GENERATION_TIMEOUT, False),
    ],
    ids=["401", "402", "422", "unsafe", "429", "503", "500", "504", "HTML", "reset", "silence"],
)
async def test_refused_order_has_its_error_code(
    answer: Response, code: ErrorCode, may_retry: bool, fake: ScriptedHuggingFace, provider: HuggingFaceVideos
) -> None:
    fake.videos.serve(MODEL, "fal-ai")
    fake.videos.answer = answer
    error = await failure(provider)
    assert (error.code, error.may_retry, error.request_left) == (code, may_retry, True)
    assert len(fake.videos.orders) == 1


@pytest.mark.parametrize("name", QUEUED)
async def test_failed_job_has_its_error_code(name: str, fake: ScriptedHuggingFace, provider: HuggingFaceVideos) -> None:
    fake.videos.serve(MODEL, name)
    fake.videos.polls = 0
    for text, code in (("out of frames", ErrorCode.GENERATION_FAILED), ("NSFW content", ErrorCode.CONTENT_REJECTED)):
        fake.videos.error = text
        error = await poll_failure(provider, await provider.submit(REQUEST))
        assert (error.code, error.may_retry) == (code, False)


@pytest.mark.parametrize(
    ("answer", "may_retry"),
    [
        (scripted.error(500), True),
        (scripted.rate_limited(), True),
        (scripted.invalid_token(), True),
        (scripted.html(), True),
        (scripted.reset(), True),
        (scripted.error(422), False),
    ],
    ids=["500", "429", "401", "HTML", "reset", "422"],
)
async def test_question_without_an_answer_may_be_repeated(
    answer: Response, may_retry: bool, fake: ScriptedHuggingFace, provider: HuggingFaceVideos
) -> None:
    fake.videos.serve(MODEL, "fal-ai")
    fake.videos.polls = 0
    job = await provider.submit(REQUEST)
    fake.videos.answer = answer
    assert (await poll_failure(provider, job)).may_retry is may_retry
    assert isinstance(await provider.poll(job), JobDone)


async def test_address_in_an_answer_cannot_lead_elsewhere(
    fake: ScriptedHuggingFace, provider: HuggingFaceVideos
) -> None:
    fake.videos.serve(MODEL, "fal-ai")

    def answer(url: object) -> Response:
        body = json.dumps({"request_id": "job-0", "response_url": url}).encode()
        return scripted.response(200, "application/json", body)

    for url in ("https://evil.example/../../api/whoami-v2", "//evil.example", "https://q/a b", "https://q", 7, None):
        fake.videos.answer = answer(url)
        assert (await failure(provider)).code is ErrorCode.GENERATION_FAILED, url
    fake.videos.answer = answer("https://evil.example/m/requests/job-0?x=1")
    assert (await provider.submit(REQUEST)).url == "/fal-ai/m/requests/job-0?_subdomain=queue", "asked at the router"


async def test_video_at_a_host_that_is_not_allowed_is_not_fetched(provider: HuggingFaceVideos) -> None:
    job = VideoJob("job-0", "https://169.254.169.254/latest")
    done = await provider.poll(job)
    assert isinstance(done, JobDone)
    with pytest.raises(ProviderError) as caught:
        await provider.fetch(job, done, REQUEST, read_nothing)
    assert (caught.value.code, caught.value.may_retry) == (ErrorCode.GENERATION_FAILED, False)


@pytest.mark.parametrize(("max_bytes", "headers"), [(100, {}), (MAX_ANSWER_BYTES, {"content-encoding": "gzip"})])
async def test_video_that_cannot_be_used_is_fetched_once(
    max_bytes: int, headers: dict[str, str], fake: ScriptedHuggingFace
) -> None:
    fake.videos.serve(MODEL, "replicate")
    fake.videos.content_headers = headers
    provider = provider_of(fake, max_bytes=max_bytes)
    job = await provider.submit(REQUEST)
    done = await provider.poll(job)
    assert isinstance(done, JobDone)
    with pytest.raises(ProviderError) as caught:
        await provider.fetch(job, done, REQUEST, read_nothing)
    assert (caught.value.code, caught.value.may_retry) == (ErrorCode.GENERATION_FAILED, False)
    await provider.aclose()


LONG = scripted.response(200, "application/json", b'{"status": "IN_PROGRESS", "a": "' + b"x" * 1_100_000 + b'"}')


async def test_answer_about_a_job_is_read_only_if_it_is_small_also_in_memory(
    fake: ScriptedHuggingFace, provider: HuggingFaceVideos
) -> None:
    fake.videos.serve(MODEL, "together")
    job = await provider.submit(REQUEST)
    fake.videos.answer = scripted.crafted('"status": "in_progress"')
    error = await poll_failure(provider, job)
    assert (error.may_retry, error.detail) == (True, "the answer has no known status")
    fake.videos.answer = LONG
    assert (await poll_failure(provider, job)).detail == "the body is over 1048576 bytes"


async def test_answer_to_an_order_is_not_parsed_if_it_is_large_in_memory(
    fake: ScriptedHuggingFace, provider: HuggingFaceVideos
) -> None:
    fake.videos.serve(MODEL, "together")
    fake.videos.answer = scripted.crafted('"id": "job-0", "status": "queued"')
    assert (await failure(provider)).code is ErrorCode.GENERATION_FAILED


@pytest.mark.parametrize("lookup", [LONG, scripted.crafted('"inferenceProviderMapping": []')])
async def test_answer_of_the_hub_that_is_too_large_orders_nothing(
    lookup: Response, fake: ScriptedHuggingFace, provider: HuggingFaceVideos
) -> None:
    fake.videos.lookup = lookup
    error = await failure(provider)
    assert (error.request_left, fake.videos.orders) == (False, [])


async def test_budget_counts_orders(fake: ScriptedHuggingFace) -> None:
    fake.videos.serve(MODEL, "fal-ai")
    provider = provider_of(fake, calls=1)
    job = await provider.submit(REQUEST)
    assert isinstance(await provider.poll(job), JobRunning)
    error = await failure(provider)
    assert (error.code, error.request_left) == (ErrorCode.RATE_LIMITED, False)
    assert len(fake.videos.orders) == 1
    await provider.aclose()


async def test_canceled_order_leaves_no_thread_and_no_task(
    fake: ScriptedHuggingFace, provider: HuggingFaceVideos
) -> None:
    fake.videos.serve(MODEL, "fal-ai")
    fake.videos.answer = scripted.hang()
    before = asyncio.all_tasks()
    order = asyncio.create_task(provider.submit(REQUEST))
    await fake.videos.ordered.wait()
    order.cancel()
    with pytest.raises(asyncio.CancelledError):
        await order
    await asyncio.wait_for(fake.client_disconnected.wait(), 5)
    assert len(asyncio.all_tasks() - before) <= 1  # the scripted server's connection
