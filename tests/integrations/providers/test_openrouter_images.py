"""The images API of OpenRouter with a scripted server: its requests, previews, and the meaning of each response."""

import asyncio
import base64
from collections.abc import AsyncIterator

import pytest

from models.enum import ErrorCode, Quality
from services.integrations.providers.openrouter.client import OpenRouterProvider
from services.integrations.providers.openrouter.model import ModelCapabilities
from services.integrations.providers.protocol import (
    FinalImage,
    ImageRequest,
    PartialImage,
    ProviderError,
    ProviderEvent,
    ReferencePhoto,
)
from tests.support.corpus.openrouter_cases import BAD_IMAGES, BAD_RESPONSES, ERROR_TYPES, BadResponse
from tests.support.fakes import openrouter_images as images
from tests.support.fakes import openrouter_response as scripted
from tests.support.fakes.openrouter import KEY, ScriptedOpenRouter
from tests.support.fakes.openrouter_response import GENERATION_ID, data_url, good_picture, sse
from tests.support.fakes.raw_server import Ending, Response

MODEL = "example/image-only"
PROMPT = "A fox in a red raincoat, oil on canvas"
REQUEST = ImageRequest(generation_id="gen_1", prompt=PROMPT, model=MODEL)
# Bad responses that both APIs can give; the others are messages of a chat.
BY_STATUS = [bad for bad in BAD_RESPONSES if bad.name[:3].isdecimal() and bad.response.wire.startswith(b"HTTP/1.1 ")]


@pytest.fixture
async def fake() -> AsyncIterator[ScriptedOpenRouter]:
    async with ScriptedOpenRouter() as fake:
        yield fake


@pytest.fixture
async def provider(fake: ScriptedOpenRouter) -> AsyncIterator[OpenRouterProvider]:
    provider = OpenRouterProvider(
        fake.key,
        base_url=fake.base_url,
        app_url=None,
        read_seconds=0.5,
        models={MODEL: ModelCapabilities(api="images", aspect_ratios=("1:1", "1:2", "2:1"))},
    )
    yield provider
    await provider.aclose()


async def collect(provider: OpenRouterProvider, request: ImageRequest = REQUEST) -> list[ProviderEvent]:
    return [event async for event in provider.generate(request)]


async def failure(provider: OpenRouterProvider) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await collect(provider)
    return caught.value


async def test_request_has_the_documented_format(fake: ScriptedOpenRouter, provider: OpenRouterProvider) -> None:
    photo = ReferencePhoto(good_picture(), "image/png", 1200, 800)
    await collect(provider, ImageRequest("gen_1", PROMPT, model=MODEL, reference=photo, quality=Quality.HD))
    [call] = fake.calls
    assert (call.method, call.path) == ("POST", images.PATH)
    assert call.body == {
        "model": MODEL,
        "prompt": PROMPT,
        "resolution": "2K",
        "aspect_ratio": "2:1",
        "input_references": [{"type": "image_url", "image_url": {"url": data_url(good_picture())}}],
        "stream": True,
    }
    assert call.headers["authorization"] == f"Bearer {KEY}"
    assert call.headers["accept"] == "text/event-stream, application/json"


@pytest.mark.parametrize(("wanted", "sent"), [("2:3", "1:2"), ("16:9", "2:1"), ("5:4", "1:1"), (None, "1:1")])
async def test_ratio_is_the_nearest_that_the_model_has(
    wanted: str | None, sent: str, fake: ScriptedOpenRouter, provider: OpenRouterProvider
) -> None:
    await collect(provider, ImageRequest("gen_1", PROMPT, model=MODEL, aspect_ratio=wanted))
    assert fake.calls[0].body["aspect_ratio"] == sent


async def test_size_is_left_out_where_the_model_has_one(fake: ScriptedOpenRouter) -> None:
    one_size = ModelCapabilities(api="images", qualities=(Quality.STANDARD,), aspect_ratios=())
    provider = OpenRouterProvider(fake.key, base_url=fake.base_url, app_url=None, model=MODEL, models={MODEL: one_size})
    await collect(provider, ImageRequest("gen_1", PROMPT))
    await provider.aclose()
    assert fake.calls[0].body == {"model": MODEL, "prompt": PROMPT, "stream": True}


async def test_refinement_sends_its_instruction_and_the_image(
    fake: ScriptedOpenRouter, provider: OpenRouterProvider
) -> None:
    made = ReferencePhoto(good_picture(), "image/png", 64, 64, is_result=True)
    request = ImageRequest("gen_1", "Now in blue", model=MODEL, reference=made, earlier_prompts=(PROMPT, "A hat"))
    await collect(provider, request)
    assert fake.calls[0].body["prompt"] == "Now in blue"
    assert len(fake.calls[0].body["input_references"]) == 1


async def test_other_models_of_the_same_provider_use_chat_completions(
    fake: ScriptedOpenRouter, provider: OpenRouterProvider
) -> None:
    await collect(provider, ImageRequest("gen_1", PROMPT))
    await collect(provider, ImageRequest("gen_1", PROMPT, model=f"{MODEL}:free"))
    assert [call.path for call in fake.calls] == ["/api/v1/chat/completions", images.PATH]


GOOD = {
    "buffered": images.images(),
    "buffered, media type unknown": images.images(media_type=None),
    "several images": images.images(good_picture(), good_picture(tint=9)),
    "a stream": images.streamed(),
    "a stream with previews": images.streamed(good_picture(tint=10), good_picture(tint=20)),
    "a stream with text": sse(images.text_chunk("<svg", "draft"), images.text_chunk("thinking"), images.completed()),
}


@pytest.mark.parametrize("response", GOOD.values(), ids=GOOD.keys())
async def test_every_good_response_yields_image_and_cost(
    response: Response, fake: ScriptedOpenRouter, provider: OpenRouterProvider
) -> None:
    fake.script(response)
    final = (await collect(provider))[-1]
    assert isinstance(final, FinalImage)
    assert (final.data, final.model, final.cost) == (good_picture(), MODEL, images.COST)
    assert len(fake.calls) == 1


async def test_cost_may_be_missing_and_the_id_is_in_a_header(
    fake: ScriptedOpenRouter, provider: OpenRouterProvider
) -> None:
    fake.script(images.images(cost=None), images.streamed(cost=None))
    buffered, streamed = (await collect(provider))[-1], (await collect(provider))[-1]
    assert buffered == FinalImage(good_picture(), MODEL, None, GENERATION_ID)
    assert streamed == FinalImage(good_picture(), MODEL, None, None)


async def test_previews_arrive_while_the_image_is_being_made(
    fake: ScriptedOpenRouter, provider: OpenRouterProvider
) -> None:
    first, second = good_picture(tint=10), good_picture(tint=20)
    whole = images.streamed(first, second).wire
    before = whole[: whole.index(b'data: {"type": "image_generation.completed"')]
    fake.script(Response(before, ending=Ending.SILENCE))
    events = provider.generate(REQUEST)
    shown: list[bytes] = []
    while len(shown) < 2:
        event = await asyncio.wait_for(anext(events), 5)
        shown += [event.data] if isinstance(event, PartialImage) else []
    assert shown == [first, second]
    with pytest.raises(ProviderError):  # the read timeout: nothing comes any more
        await anext(events)


async def test_preview_is_never_the_result(fake: ScriptedOpenRouter, provider: OpenRouterProvider) -> None:
    preview = images.partial(0, good_picture())
    fake.script(sse(preview), sse(preview, done=False))
    finished, cut = await failure(provider), await failure(provider)
    assert (finished.code, cut.code) == (ErrorCode.GENERATION_FAILED, ErrorCode.PROVIDER_UNAVAILABLE)


async def test_broken_preview_is_left_out(fake: ScriptedOpenRouter, provider: OpenRouterProvider) -> None:
    broken = {"type": "image_generation.partial_image", "partial_image_index": 0, "b64_json": "@@@"}
    empty = {"type": "image_generation.partial_image", "partial_image_index": 1, "b64_json": None}
    fake.script(sse(broken, empty, images.completed()))
    events = await collect(provider)
    assert isinstance(events[-1], FinalImage)
    assert not any(isinstance(event, PartialImage) for event in events)


async def test_complete_stream_without_done_is_accepted(fake: ScriptedOpenRouter, provider: OpenRouterProvider) -> None:
    whole = images.streamed(cost=None).wire
    fake.script(Response(whole[: whole.index(b"data: [DONE]")]))
    assert isinstance((await collect(provider))[-1], FinalImage)


@pytest.mark.parametrize("bad", [*BY_STATUS, *BAD_IMAGES], ids=lambda bad: bad.name)
async def test_every_bad_response_has_its_error_code_and_is_not_retried(
    bad: BadResponse, fake: ScriptedOpenRouter, provider: OpenRouterProvider
) -> None:
    fake.script(bad.response, images.images())  # a retry would succeed, and be noticed
    error = await failure(provider)
    assert (error.code, error.may_retry, error.retry_after) == (bad.code, bad.may_retry, bad.retry_after)
    assert error.request_left
    assert len(fake.calls) == 1


@pytest.mark.parametrize(("name", "code"), ERROR_TYPES.items())
async def test_every_documented_error_type_has_its_code(
    name: str, code: ErrorCode, fake: ScriptedOpenRouter, provider: OpenRouterProvider
) -> None:
    fake.script(scripted.status(400, name), scripted.error_in_200(400, name), images.failed_stream("Failed", name))
    found = [(await failure(provider)).code for _ in range(3)]
    assert found == [code] * 3


async def test_failed_generation_costs_nothing(fake: ScriptedOpenRouter, provider: OpenRouterProvider) -> None:
    fake.script(scripted.status(502, "provider_unavailable"), images.failed_stream("Failed", "server_error"))
    assert [(await failure(provider)).cost for _ in range(2)] == [None, None]
    fake.script(images.no_images())
    error = await failure(provider)
    assert (error.code, error.cost) == (ErrorCode.GENERATION_FAILED, images.COST)


async def test_error_detail_leaks_no_key_prompt_or_image(
    fake: ScriptedOpenRouter, provider: OpenRouterProvider
) -> None:
    quoted = f"Bad call with Bearer {KEY}: '{PROMPT}' {data_url(good_picture())}"
    fake.script(images.failed_stream(quoted, "server_error"), scripted.status(400, text=quoted))
    for _ in range(2):
        error = await failure(provider)
        text = f"{error!s} {error!r} {error.detail} {error.__cause__!r}"
        assert KEY not in text
        assert "raincoat" not in text
        assert base64.b64encode(good_picture()).decode()[:30] not in text


async def test_endless_stream_of_previews_is_closed_at_the_limit(
    fake: ScriptedOpenRouter, provider: OpenRouterProvider
) -> None:
    whole = sse(images.partial(0, good_picture() + bytes(1_000_000)), done=False).wire
    head, body = whole.split(b"\r\n\r\n", 1)
    fake.script(Response(head + b"\r\n\r\n", repeat=body.removesuffix(b"0\r\n\r\n")))
    assert (await failure(provider)).code is ErrorCode.GENERATION_FAILED
    await asyncio.wait_for(fake.client_disconnected.wait(), 5)
    assert fake.sent < (64 + 16) * 2**20  # 16: bytes that the kernel may have buffered
