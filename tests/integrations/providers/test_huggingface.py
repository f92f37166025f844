"""The Hugging Face provider with a scripted server: its requests, loading models, and the meaning of each response."""

import asyncio
import base64
import logging
import socket
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest

from models.enum import ErrorCode
from services.integrations.providers.huggingface.call_budget import CallBudget
from services.integrations.providers.huggingface.client import DEFAULT_MODEL, HuggingFaceProvider
from services.integrations.providers.huggingface.size import PictureModel, size_of
from services.integrations.providers.protocol import (
    MAX_ANSWER_BYTES,
    FinalImage,
    ImageRequest,
    Progress,
    ProviderError,
    ProviderEvent,
    ReferencePhoto,
)
from tests.support.corpus.huggingface_cases import BAD_RESPONSES, BadResponse
from tests.support.fakes import huggingface_response as scripted
from tests.support.fakes.huggingface import TOKEN, ScriptedHuggingFace
from tests.support.fakes.huggingface_response import REQUEST_ID
from tests.support.fakes.openrouter_response import good_picture
from tests.support.servers import RedisServer

PROMPT = "A beautiful sunset over mountains"
REQUEST = ImageRequest(generation_id="gen_1", prompt=PROMPT)


@pytest.fixture
async def fake() -> AsyncIterator[ScriptedHuggingFace]:
    async with ScriptedHuggingFace() as fake:
        yield fake


def provider_of(fake: ScriptedHuggingFace, token: str = TOKEN, patience: float = 20.0) -> HuggingFaceProvider:
    return HuggingFaceProvider(
        token,
        budget=CallBudget(0, None),
        base_url=fake.url,
        patience=patience,
        models={DEFAULT_MODEL: PictureModel(512, 2_000_000)},
        read_seconds=0.5,
    )


@pytest.fixture
async def provider(fake: ScriptedHuggingFace) -> AsyncIterator[HuggingFaceProvider]:
    provider = provider_of(fake)
    yield provider
    await provider.aclose()


async def collect(provider: HuggingFaceProvider, request: ImageRequest = REQUEST) -> list[ProviderEvent]:
    return [event async for event in provider.generate(request)]


async def failure(provider: HuggingFaceProvider, request: ImageRequest = REQUEST) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await collect(provider, request)
    return caught.value


async def test_image_is_returned_as_received(fake: ScriptedHuggingFace, provider: HuggingFaceProvider) -> None:
    for data, content_type in ((good_picture(), "image/png"), (b"not an image", "image/jpeg; charset=binary")):
        fake.script(scripted.image(data, content_type))
        assert (await collect(provider))[-1] == FinalImage(data, DEFAULT_MODEL, None, REQUEST_ID)


@pytest.mark.parametrize("bad", BAD_RESPONSES, ids=lambda bad: bad.name)
async def test_every_bad_response_has_its_error_code_and_is_not_retried(
    bad: BadResponse, fake: ScriptedHuggingFace, provider: HuggingFaceProvider
) -> None:
    fake.script(bad.response, scripted.image())  # a retry would succeed, and be noticed
    error = await failure(provider)
    assert (error.code, error.may_retry, error.retry_after) == (bad.code, bad.may_retry, bad.retry_after)
    assert error.request_left
    assert len(fake.calls) == 1


async def test_request_has_the_documented_format(fake: ScriptedHuggingFace, provider: HuggingFaceProvider) -> None:
    await collect(provider, ImageRequest("gen_1", PROMPT, aspect_ratio="16:9", model="stabilityai/sdxl"))
    await collect(provider, ImageRequest("gen_2", PROMPT, aspect_ratio="2:3"))
    first, second = fake.calls
    assert first.path == "/hf-inference/models/stabilityai/sdxl"
    seed = first.body["parameters"]["seed"]
    assert first.body == {"inputs": PROMPT, "parameters": {"width": 1344, "height": 768, "seed": seed}}
    assert second.model == DEFAULT_MODEL
    assert (second.body["parameters"]["width"], second.body["parameters"]["height"]) == (448, 640)
    assert second.body["parameters"]["seed"] != seed, "otherwise it would be the same image again"
    for name in ("host", "content-length"):
        first.headers.pop(name)
    assert first.headers == {
        "accept": "image/png",
        "accept-encoding": "identity",
        "authorization": f"Bearer {TOKEN}",
        "connection": "keep-alive",
        "content-type": "application/json",
        "user-agent": "darkroom",
        "x-use-cache": "false",
    }


@pytest.mark.parametrize(
    ("ratio", "side", "size"),
    [
        (None, 512, (512, 512)),
        ("1:1", 1024, (1024, 1024)),
        ("16:9", 1024, (1344, 768)),
        ("9:16", 1024, (768, 1344)),
        ("3:2", 1024, (1280, 832)),
        ("4:3", 512, (576, 448)),
        ("21:9", 1024, (1344, 768)),
        ("1:9999", 1024, (768, 1344)),
        ("0:0", 1024, (1024, 1024)),
        ("wide", 512, (512, 512)),
    ],
)
def test_size_has_the_pixels_of_the_model_in_every_aspect_ratio(
    ratio: str | None, side: int, size: tuple[int, int]
) -> None:
    assert size_of(ratio, side) == size


def test_reference_may_be_as_large_as_the_model_takes() -> None:
    provider = HuggingFaceProvider(TOKEN, budget=CallBudget(0, None), models={DEFAULT_MODEL: PictureModel(512, 10)})
    assert provider.max_reference_bytes(REQUEST) == 10
    assert provider.max_reference_bytes(ImageRequest("gen_1", PROMPT, model="x/y")) is None


async def test_photo_is_sent_to_the_model_with_the_prompt(
    fake: ScriptedHuggingFace, provider: HuggingFaceProvider
) -> None:
    photo = ReferencePhoto(good_picture(), "image/png", 128, 128)
    final = (await collect(provider, ImageRequest("gen_1", PROMPT, reference=photo, model="timbrooks/edit")))[-1]
    assert isinstance(final, FinalImage)
    [call] = fake.calls
    encoded = base64.b64encode(good_picture()).decode()
    assert call.body == {"inputs": encoded, "parameters": {"prompt": PROMPT}}


async def test_loading_model_is_waited_for_with_rising_progress(
    fake: ScriptedHuggingFace, provider: HuggingFaceProvider
) -> None:
    fake.script(scripted.loading(1.2), scripted.loading(0.0), scripted.image())
    *before, final = await collect(provider)
    fractions = [event.fraction for event in before if isinstance(event, Progress)]
    assert len(fractions) == len(before) >= 3
    assert fractions == sorted(set(fractions))
    assert 0 < fractions[0] < fractions[-1] < 1
    assert isinstance(final, FinalImage)
    assert len(fake.calls) == 3


async def test_model_that_loads_for_too_long_may_be_asked_for_again_later(fake: ScriptedHuggingFace) -> None:
    for response, seconds in ((scripted.loading(344.5), 344.5), (scripted.loading(None), None)):
        fake.script(response)
        error = await failure(provider_of(fake, patience=5.5))
        found = (error.code, error.may_retry, error.retry_after)
        assert found == (ErrorCode.PROVIDER_UNAVAILABLE, True, seconds)
    assert len(fake.calls) == 2


async def test_slow_image_has_rising_progress(fake: ScriptedHuggingFace) -> None:
    provider = HuggingFaceProvider(TOKEN, budget=CallBudget(0, None), base_url=fake.url)
    fake.answering.clear()
    fractions = []
    async for event in provider.generate(REQUEST):
        if isinstance(event, Progress):
            fractions.append(event.fraction)
            if len(fractions) == 3:
                fake.answering.set()
    assert len(fractions) >= 3
    assert fractions == sorted(set(fractions))
    await provider.aclose()


async def test_canceled_call_closes_its_connection(fake: ScriptedHuggingFace, provider: HuggingFaceProvider) -> None:
    fake.script(scripted.endless())
    call = asyncio.create_task(collect(provider_of(fake)))
    await fake.called.wait()
    call.cancel()
    await asyncio.wait_for(fake.client_disconnected.wait(), 5)
    assert fake.sent < MAX_ANSWER_BYTES


async def test_too_long_body_is_not_read_to_its_end(fake: ScriptedHuggingFace, provider: HuggingFaceProvider) -> None:
    fake.script(scripted.announced(MAX_ANSWER_BYTES + 1))
    assert (await failure(provider)).code is ErrorCode.GENERATION_FAILED
    assert fake.sent < 16 * 2**20, "only what the kernel buffers"


async def test_answer_that_is_large_in_memory_is_not_parsed(
    fake: ScriptedHuggingFace, provider: HuggingFaceProvider
) -> None:
    fake.script(scripted.crafted('"error": "nsfw"'))
    assert (await failure(provider)).code is ErrorCode.PROVIDER_UNAVAILABLE


async def test_unreachable_service_counts_as_not_called() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: every connection is refused
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        error = await failure(HuggingFaceProvider(TOKEN, budget=CallBudget(0, None), base_url=url))
    assert (error.code, error.may_retry, error.request_left) == (ErrorCode.PROVIDER_UNAVAILABLE, True, False)


@pytest.mark.parametrize("token", ["", "sk-or-v1-0123456789abcdef", "hf_", "hf_ä0123456789", "hf_\x00123456789"])
async def test_token_of_another_form_is_not_sent(token: str, fake: ScriptedHuggingFace) -> None:
    error = await failure(provider_of(fake, token))
    assert (error.code, error.request_left) == (ErrorCode.PROVIDER_MISCONFIGURED, False)
    assert fake.calls == []


async def test_error_text_contains_neither_token_nor_prompt(
    fake: ScriptedHuggingFace, provider: HuggingFaceProvider
) -> None:
    echo = f"Prompt {PROMPT!r} of {TOKEN} and hf_{'Other' * 6} was refused " + "QUJD" * 20
    for response in (scripted.error(400, echo), scripted.error(500, {"message": echo}), scripted.error_in_200(echo)):
        fake.script(response)
        error = await failure(provider)
        for secret in (TOKEN, TOKEN[3:], "Other", "sunset", "QUJDQUJD"):
            assert secret not in str(error), secret
        assert "refused" in error.detail


async def test_libraries_log_neither_token_nor_prompt(
    fake: ScriptedHuggingFace, provider: HuggingFaceProvider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for response in (scripted.invalid_token(), scripted.reset(), scripted.hang()):
        fake.script(response)
        await failure(provider)
    assert "httpcore2" in caplog.text, "a control: something is logged"
    for secret in (TOKEN, TOKEN[3:], "sunset"):
        assert secret not in caplog.text


async def test_environment_variables_are_ignored(fake: ScriptedHuggingFace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_other")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    provider = provider_of(fake)
    assert isinstance((await collect(provider))[-1], FinalImage)
    await provider.aclose()
    assert fake.calls[0].headers["authorization"] == f"Bearer {TOKEN}"


async def test_budget_of_an_hour_refuses_the_next_call(fake: ScriptedHuggingFace) -> None:
    provider = HuggingFaceProvider(TOKEN, budget=CallBudget(2, None), base_url=fake.url)
    for _ in range(2):
        await collect(provider)
    error = await failure(provider)
    assert (error.code, error.may_retry, error.request_left) == (ErrorCode.RATE_LIMITED, True, False)
    assert error.retry_after is not None
    assert 3500 < error.retry_after <= 3601
    assert len(fake.calls) == 2
    await provider.aclose()


async def test_budget_is_shared_by_processes_through_redis(redis: RedisServer) -> None:
    first, second = CallBudget(3, redis.url), CallBudget(3, redis.url)
    for budget in (first, second, first):
        await budget.spend()
    with pytest.raises(ProviderError):
        await second.spend()
    await first.aclose()
    await second.aclose()


async def test_loading_model_is_one_call_of_the_budget(fake: ScriptedHuggingFace) -> None:
    provider = HuggingFaceProvider(TOKEN, budget=CallBudget(1, None), base_url=fake.url)
    fake.script(scripted.loading(0.1), scripted.image())
    assert isinstance((await collect(provider))[-1], FinalImage)
    await provider.aclose()


def test_pillow_is_not_imported() -> None:
    """The library decodes images with it; here, only the sanitizer's process does."""
    code = (
        "import sys, services.integrations.providers.huggingface.client;"
        "print([name for name in sys.modules if name.split('.')[0] in ('PIL', 'numpy', 'torch')])"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)  # noqa: S603 - our own program
    assert found.stdout.strip() == "[]"
