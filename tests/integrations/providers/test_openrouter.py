"""The OpenRouter provider with a scripted server: its requests, the meaning of each response, and no retries."""

import asyncio
import base64
import socket
import time
from collections.abc import AsyncIterator, Callable

import pytest

from models.enum import ErrorCode, Quality
from services.integrations.providers.openrouter.client import OpenRouterProvider
from services.integrations.providers.protocol import (
    MAX_ANSWER_BYTES,
    FinalImage,
    ImageRequest,
    PartialImage,
    Progress,
    ProviderError,
    ProviderEvent,
    ReferencePhoto,
)
from services.integrations.providers.safe_fetch import SafeFetch
from tests.support.corpus.openrouter_cases import BAD_RESPONSES, BadResponse
from tests.support.fakes import openrouter_response as scripted
from tests.support.fakes.openrouter import KEY, ScriptedOpenRouter
from tests.support.fakes.openrouter_response import COST, GENERATION_ID, MODEL, data_url, good_picture
from tests.support.fakes.raw_server import Response

PROMPT = "A fox in a red raincoat, oil on canvas"
REQUEST = ImageRequest(generation_id="gen_1", prompt=PROMPT)

MISCONFIGURED = ErrorCode.PROVIDER_MISCONFIGURED
FAILED = ErrorCode.GENERATION_FAILED
UNAVAILABLE = ErrorCode.PROVIDER_UNAVAILABLE


@pytest.fixture
async def fake() -> AsyncIterator[ScriptedOpenRouter]:
    async with ScriptedOpenRouter() as fake:
        yield fake


@pytest.fixture
async def provider(fake: ScriptedOpenRouter) -> AsyncIterator[OpenRouterProvider]:
    provider = OpenRouterProvider(
        fake.key, base_url=fake.base_url, app_url="https://darkroom.example", read_seconds=0.5
    )
    yield provider
    await provider.aclose()


async def collect(provider: OpenRouterProvider, request: ImageRequest = REQUEST) -> list[ProviderEvent]:
    return [event async for event in provider.generate(request)]


async def failure(provider: OpenRouterProvider) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await collect(provider)
    return caught.value


@pytest.mark.parametrize(
    "response",
    [scripted.picture(), scripted.sse_picture(), scripted.content_parts(), scripted.markdown()],
    ids=["images", "stream", "parts", "markdown"],
)
async def test_every_good_response_yields_image_cost_and_request_id(
    response: Response, fake: ScriptedOpenRouter, provider: OpenRouterProvider
) -> None:
    fake.script(response)
    *before, final = await collect(provider)
    assert final == FinalImage(good_picture(), MODEL, COST, GENERATION_ID)
    assert all(isinstance(event, Progress) for event in before)
    assert len(fake.calls) == 1


@pytest.mark.parametrize("bad", BAD_RESPONSES, ids=lambda bad: bad.name)
async def test_every_bad_response_has_its_error_code_and_is_not_retried(
    bad: BadResponse, fake: ScriptedOpenRouter, provider: OpenRouterProvider
) -> None:
    fake.script(bad.response, scripted.picture())  # a retry would succeed, and be noticed
    error = await failure(provider)
    assert (error.code, error.may_retry, error.retry_after) == (bad.code, bad.may_retry, bad.retry_after)
    assert error.request_left
    assert len(fake.calls) == 1


async def test_request_has_the_documented_format(fake: ScriptedOpenRouter, provider: OpenRouterProvider) -> None:
    photo = ReferencePhoto(good_picture(), "image/png", 1200, 800)
    await collect(provider, ImageRequest("gen_1", PROMPT, reference=photo, quality=Quality.HD))
    [call] = fake.calls
    assert (call.method, call.path) == ("POST", "/api/v1/chat/completions")
    assert call.body == {
        "model": "google/gemini-3.1-flash-image",
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": PROMPT},
                    {"type": "image_url", "image_url": {"url": data_url(good_picture())}},
                ],
            }
        ],
        "modalities": ["image", "text"],
        "image_config": {"aspect_ratio": "3:2", "image_size": "2K"},
        "stream": True,
    }
    assert call.headers["authorization"] == f"Bearer {KEY}"
    assert call.headers["http-referer"] == "https://darkroom.example"
    assert call.headers["x-openrouter-title"] == "Darkroom"
    assert call.headers["x-title"] == "Darkroom"
    assert call.headers["content-type"] == "application/json"


async def test_refinement_sends_earlier_prompts_and_the_image_as_user_messages(
    fake: ScriptedOpenRouter, provider: OpenRouterProvider
) -> None:
    made = ReferencePhoto(good_picture(), "image/png", 64, 64, is_result=True)
    await collect(provider, ImageRequest("gen_1", "Now in blue", reference=made, earlier_prompts=(PROMPT, "A hat")))
    [call] = fake.calls
    assert call.body["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": PROMPT}]},
        {"role": "user", "content": [{"type": "text", "text": "A hat"}]},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Now in blue"},
                {"type": "image_url", "image_url": {"url": data_url(good_picture())}},
            ],
        },
    ]


async def test_request_follows_model_ratio_and_quality(fake: ScriptedOpenRouter, provider: OpenRouterProvider) -> None:
    await collect(provider, ImageRequest("gen_1", PROMPT, model="x/y", aspect_ratio="7:3", quality=Quality.ULTRA))
    await collect(provider, ImageRequest("gen_1", PROMPT, aspect_ratio="0:0"))
    first, second = (call.body for call in fake.calls)
    assert first["model"] == "x/y"
    assert first["image_config"] == {"aspect_ratio": "21:9", "image_size": "4K"}
    assert first["messages"] == [{"role": "user", "content": [{"type": "text", "text": PROMPT}]}]
    assert second["image_config"] == {"aspect_ratio": "1:1", "image_size": "1K"}


async def test_environment_variables_are_ignored(fake: ScriptedOpenRouter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-other")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Spy: 1\nAuthorization: Bearer sk-other")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    provider = OpenRouterProvider(fake.key, base_url=fake.base_url, app_url=None, app_title="暗房")
    await collect(provider)
    await provider.aclose()
    [call] = fake.calls
    assert call.headers["authorization"] == f"Bearer {KEY}"
    ours = {"host", "accept", "accept-encoding", "authorization", "connection", "content-length", "content-type"}
    # The title is not ASCII, so it is not sent in a header.
    assert set(call.headers) == ours | {"user-agent", "x-stainless-raw-response"}


async def test_previews_are_in_order_and_before_the_final_image(
    fake: ScriptedOpenRouter, provider: OpenRouterProvider
) -> None:
    first, second, last = (good_picture(tint=tint) for tint in (10, 20, 30))
    fake.script(scripted.sse_picture((first, second), last))
    events = await collect(provider)
    pictures = [event.data for event in events if isinstance(event, PartialImage | FinalImage)]
    assert pictures == [first, second, last]
    assert isinstance(events[-1], FinalImage)


async def test_progress_only_increases_and_stays_below_one(
    fake: ScriptedOpenRouter, provider: OpenRouterProvider
) -> None:
    large = good_picture() + bytes(3_000_000)
    fake.script(scripted.picture(large))
    fractions = [event.fraction for event in await collect(provider) if isinstance(event, Progress)]
    assert len(fractions) > 10
    assert fractions == sorted(set(fractions))
    assert 0 < fractions[0] < fractions[-1] < 1


async def test_complete_stream_without_http_end_is_accepted(
    fake: ScriptedOpenRouter, provider: OpenRouterProvider
) -> None:
    whole = scripted.sse_picture().wire
    fake.script(Response(whole[: whole.index(b"data: [DONE]")]))  # the data is complete, the HTTP framing is not
    events = await collect(provider)
    assert isinstance(events[-1], FinalImage)


async def test_connection_may_stay_open_after_done(fake: ScriptedOpenRouter, provider: OpenRouterProvider) -> None:
    fake.script(Response(scripted.sse_picture().wire.removesuffix(b"0\r\n\r\n"), repeat=b"1\r\n\n\r\n", gap=0.05))
    events = await asyncio.wait_for(collect(provider), 5)
    assert isinstance(events[-1], FinalImage)


async def test_cancellation_closes_the_connection(fake: ScriptedOpenRouter, provider: OpenRouterProvider) -> None:
    fake.script(scripted.drip())
    task = asyncio.create_task(collect(provider))
    await asyncio.wait_for(fake.called.wait(), 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(fake.client_disconnected.wait(), 5)
    fake.script(scripted.picture())
    assert isinstance((await collect(provider))[-1], FinalImage)


async def test_closing_the_iterator_closes_the_connection(
    fake: ScriptedOpenRouter, provider: OpenRouterProvider
) -> None:
    whole = scripted.picture(bytes(3_000_000)).wire
    fake.script(Response(whole[:-100], repeat=b" ", gap=0.02))
    events = provider.generate(REQUEST)
    assert isinstance(await anext(events), Progress)
    await events.aclose()  # type: ignore[attr-defined]  # the Protocol says AsyncIterator; it is a generator
    await asyncio.wait_for(fake.client_disconnected.wait(), 5)


async def test_deadline_of_the_caller_ends_a_slow_stream(
    fake: ScriptedOpenRouter, provider: OpenRouterProvider
) -> None:
    fake.script(scripted.drip())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):  # twice the read timeout, which keep-alives reset
            await collect(provider)
    await asyncio.wait_for(fake.client_disconnected.wait(), 5)
    assert len(fake.calls) == 1


async def test_error_with_endless_body_is_reported_soon(fake: ScriptedOpenRouter, provider: OpenRouterProvider) -> None:
    fake.script(Response(b"HTTP/1.1 429 Slow\r\nRetry-After: 3\r\n\r\n" + b'{"error"', repeat=b" ", gap=0.02))
    started = time.monotonic()
    error = await failure(provider)
    assert (error.code, error.may_retry, error.retry_after) == (UNAVAILABLE, True, 3)
    assert time.monotonic() - started < 5  # seconds; the body is given 2


@pytest.mark.parametrize(("code", "megabytes"), [(200, 64), (500, 1)])
async def test_endless_body_is_closed_at_the_limit(
    code: int, megabytes: int, fake: ScriptedOpenRouter, provider: OpenRouterProvider
) -> None:
    fake.script(scripted.huge(code))
    await failure(provider)
    await asyncio.wait_for(fake.client_disconnected.wait(), 5)
    assert fake.sent < (megabytes + 16) * 2**20  # 16: bytes that the kernel may have buffered


async def test_body_that_is_announced_over_the_limit_is_not_read(
    fake: ScriptedOpenRouter, provider: OpenRouterProvider
) -> None:
    fake.script(scripted.announced(MAX_ANSWER_BYTES + 1))
    assert (await failure(provider)).code is FAILED
    await asyncio.wait_for(fake.client_disconnected.wait(), 5)
    assert fake.sent < 16 * 2**20  # bytes that the kernel may have buffered


@pytest.mark.parametrize("make", [scripted.picture, lambda png: scripted.sse_picture((png[:1000],), png)])
async def test_answer_of_almost_the_limit_is_read(
    make: Callable[[bytes], Response], fake: ScriptedOpenRouter, provider: OpenRouterProvider
) -> None:
    data = good_picture() + bytes(MAX_ANSWER_BYTES // 4 * 3 - 10_000)
    fake.script(make(data))
    *_, final = await collect(provider)
    assert isinstance(final, FinalImage)
    assert final.data == data


async def test_redirect_is_not_followed(fake: ScriptedOpenRouter, provider: OpenRouterProvider) -> None:
    async with ScriptedOpenRouter() as other:
        for target in (f"{other.base_url}/chat/completions", "http://169.254.169.254/", "file:///etc/passwd"):
            fake.script(scripted.redirect(target))
            error = await failure(provider)
            assert (error.code, error.may_retry) == (UNAVAILABLE, False)
        assert other.calls == []


async def test_refused_connection_may_be_retried() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    provider = OpenRouterProvider(KEY, base_url=f"http://127.0.0.1:{port}/v1", app_url=None)
    error = await failure(provider)
    await provider.aclose()
    assert (error.code, error.may_retry, error.request_left) == (UNAVAILABLE, True, False)


async def test_unknown_host_may_be_retried() -> None:
    provider = OpenRouterProvider(KEY, base_url="http://nowhere.invalid/v1", app_url=None)
    error = await failure(provider)
    await provider.aclose()
    assert (error.code, error.may_retry, error.request_left) == (UNAVAILABLE, True, False)


@pytest.mark.parametrize("key", ["", "  ", "sk-or\nX-Spy: 1", "sk-ключ"], ids=["none", "blank", "lines", "letters"])
async def test_key_that_is_no_valid_header_is_not_sent(key: str, fake: ScriptedOpenRouter) -> None:
    provider = OpenRouterProvider(key, base_url=fake.base_url, app_url=None)
    error = await failure(provider)
    await provider.aclose()
    assert (error.code, error.request_left) == (MISCONFIGURED, False)
    assert fake.calls == []


async def test_wrong_key_is_a_misconfiguration(fake: ScriptedOpenRouter) -> None:
    provider = OpenRouterProvider("sk-or-v1-wrong", base_url=fake.base_url, app_url=None)
    error = await failure(provider)
    await provider.aclose()
    assert (error.code, error.may_retry) == (MISCONFIGURED, False)
    assert len(fake.calls) == 1


@pytest.mark.parametrize("code", [400, 401, 403, 429, 500])
async def test_error_detail_leaks_no_key_prompt_or_image(
    code: int, fake: ScriptedOpenRouter, provider: OpenRouterProvider
) -> None:
    quoted = f"Bad call with Bearer {KEY}: '{PROMPT}' {data_url(good_picture())}"
    fake.script(
        scripted.status(code, text=quoted, metadata={"flagged_input": PROMPT, "raw": quoted}),
        scripted.error_in_200(code, text=quoted),
    )
    for _ in range(2):
        error = await failure(provider)
        text = f"{error!s} {error!r} {error.detail} {error.__cause__!r}"
        assert KEY not in text
        assert "raincoat" not in text
        assert base64.b64encode(good_picture()).decode()[:30] not in text
        assert f"{code}" in error.detail


async def test_rejected_response_reports_its_cost(fake: ScriptedOpenRouter, provider: OpenRouterProvider) -> None:
    for response in (
        scripted.refusal(),
        scripted.text_only(),
        scripted.not_an_image(),
        scripted.message(content=None, finish_reason="content_filter"),
    ):
        fake.script(response)
        error = await failure(provider)
        assert (error.cost, error.request_id) == (COST, GENERATION_ID)


async def test_image_on_a_host_that_is_not_allowed_is_not_fetched(fake: ScriptedOpenRouter) -> None:
    fetch = SafeFetch(frozenset({"pictures.example"}))
    provider = OpenRouterProvider(fake.key, base_url=fake.base_url, app_url=None, fetch=fetch)
    async with ScriptedOpenRouter() as other:
        for url in (f"{other.base_url}/a.png", "https://other.example/a.png", "https://169.254.169.254/latest"):
            fake.script(scripted.remote_url(url))
            error = await failure(provider)
            assert (error.code, error.cost) == (FAILED, COST)
        assert other.calls == []
    await provider.aclose()
