"""The demo provider: order of events, deterministic output, sizes, cancellation and cleanup."""

import asyncio
import time
from dataclasses import replace

import pytest
from PIL import Image

from models.enum import ErrorCode, Quality
from services.generations.delivered_quality import quality_of
from services.integrations.providers.demo.looks.develop import STEPS
from services.integrations.providers.demo.provider import DemoProvider
from services.integrations.providers.protocol import (
    FinalImage,
    ImageProvider,
    ImageRequest,
    PartialImage,
    Progress,
    ProviderError,
    ProviderEvent,
)
from tests.support.fakes.demo_portrait import (
    PORTRAIT,
    as_reference,
    decode,
    difference,
    draw_portrait,
    generate_bytes,
    generate_events,
    generate_picture,
    request_for,
)


def test_demo_provider_implements_the_protocol() -> None:
    provider: ImageProvider = DemoProvider()
    assert provider.name == "demo"


@pytest.mark.parametrize("style", ["plushify/cute", "avenger/noir", "scenes/starry-night", "sandbox/free"])
async def test_output_is_deterministic_per_generation_id(style: str) -> None:
    first, again = await generate_events(request_for(style)), await generate_events(request_for(style))
    other = await generate_picture(replace(request_for(style), generation_id="gen_2"))
    assert first == again
    final = first[-1]
    assert isinstance(final, FinalImage)
    assert difference(decode(final.data), other) > 0.5


async def test_concurrent_generations_do_not_affect_each_other() -> None:
    requests = [
        request_for("plushify/realistic"),
        request_for("avenger/noir"),
        request_for("scenes/magic-castle", None),
    ]
    one_by_one = [await generate_bytes(request) for request in requests]
    provider = DemoProvider(seconds=0)

    async def last(request: ImageRequest) -> ProviderEvent:
        return [event async for event in provider.generate(request)][-1]

    concurrent = await asyncio.gather(*(last(request) for request in requests))
    await provider.aclose()
    assert [event.data for event in concurrent if isinstance(event, FinalImage)] == one_by_one


async def test_events_are_in_order_and_end_with_one_image() -> None:
    events = await generate_events(request_for("avenger/cinematic"))
    *before, final = events
    assert isinstance(final, FinalImage)
    assert (final.model, final.cost, final.request_id) == ("demo", None, None)
    fractions = [event.fraction for event in before if isinstance(event, Progress | PartialImage)]
    assert len(fractions) == len(before)
    assert fractions == sorted(fractions)
    assert fractions[0] > 0
    assert fractions[-1] < 1
    assert [event.fraction for event in before if isinstance(event, PartialImage)] == list(STEPS)


async def test_previews_are_small_and_approach_the_final_image() -> None:
    events = await generate_events(request_for("scenes/quiet-beach"))
    final = events[-1]
    assert isinstance(final, FinalImage)
    distances = []
    for event in events:
        if isinstance(event, PartialImage):
            preview = decode(event.data)
            assert max(preview.size) <= 512
            distances.append(difference(preview, decode(final.data)))
    assert distances == sorted(distances, reverse=True)
    assert distances[0] > 3 * distances[-1]


@pytest.mark.parametrize(
    ("quality", "size"), [(Quality.STANDARD, (1024, 768)), (Quality.HD, (2048, 1536)), (Quality.ULTRA, (4096, 3072))]
)
async def test_quality_determines_the_size_in_pixels(quality: Quality, size: tuple[int, int]) -> None:
    picture = await generate_picture(replace(request_for(None), quality=quality))
    assert picture.size == size


@pytest.mark.parametrize(
    ("ratio", "size"),
    [
        ("3:2", (1024, 683)),
        ("9:16", (576, 1024)),
        ("9:19.5", (473, 1024)),
        ("100:1", (1024, 128)),
        ("auto", (1024, 1024)),
        ("0:3", (1024, 1024)),
        (None, (1024, 1024)),
    ],
)
async def test_drawn_image_has_the_requested_aspect_ratio(ratio: str | None, size: tuple[int, int]) -> None:
    picture = await generate_picture(replace(request_for("scenes/future-city", None), aspect_ratio=ratio))
    assert picture.size == size


@pytest.mark.parametrize("quality", Quality)
@pytest.mark.parametrize("ratio", ["1:1", "16:9", "1:4", "8:1"])
async def test_drawn_image_counts_as_the_requested_quality(ratio: str, quality: Quality) -> None:
    request = replace(request_for("scenes/future-city", None), aspect_ratio=ratio, quality=quality)
    assert quality_of(*(await generate_picture(request)).size) is quality


async def test_one_pixel_photo_is_accepted() -> None:
    picture = await generate_picture(request_for("avenger/classic", as_reference(draw_portrait(1, 1))))
    assert picture.size == (1024, 1024)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
async def test_every_format_that_the_sanitizer_writes_is_read(form: str) -> None:
    picture = await generate_picture(request_for(None, as_reference(draw_portrait(), form)))
    assert picture.size == (1024, 768)


async def test_transparent_photo_is_placed_on_white() -> None:
    clear = Image.new("RGBA", (300, 300), (0, 0, 0, 0))
    white = Image.new("RGB", (300, 300), (255, 255, 255))
    assert await generate_bytes(request_for(None, as_reference(clear))) == await generate_bytes(
        request_for(None, as_reference(white))
    )


@pytest.mark.parametrize("data", [b"", b"GIF89a", PORTRAIT.data[: len(PORTRAIT.data) // 2]])
async def test_broken_photo_is_a_provider_error(data: bytes) -> None:
    with pytest.raises(ProviderError) as caught:
        await generate_events(request_for("plushify/cute", replace(PORTRAIT, data=data)))
    assert caught.value.code is ErrorCode.GENERATION_FAILED
    assert caught.value.request_left is False


async def test_zero_seconds_never_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(_: float) -> None:
        raise AssertionError("the demo provider waited")

    monkeypatch.setattr(asyncio, "sleep", refused)
    assert isinstance((await generate_events(request_for(None)))[-1], FinalImage)


async def test_generation_takes_the_configured_seconds() -> None:
    provider = DemoProvider(seconds=1.2)
    started = time.monotonic()
    arrivals = [time.monotonic() - started async for event in provider.generate(request_for(None))]
    await provider.aclose()
    assert arrivals[-1] >= 1.15
    assert arrivals[0] < 0.5


async def test_event_loop_is_not_blocked_while_drawing() -> None:
    provider = DemoProvider(seconds=0)
    turns = 0
    finished = asyncio.Event()

    async def draw() -> None:
        async for _ in provider.generate(request_for("plushify/realistic")):
            pass
        finished.set()

    drawing = asyncio.create_task(draw())
    while not finished.is_set():
        turns += 1
        await asyncio.sleep(0.001)
    await drawing
    await provider.aclose()
    assert turns > 20


async def test_closing_the_stream_early_leaves_no_task() -> None:
    provider = DemoProvider(seconds=600)
    before = asyncio.all_tasks()
    stream = provider.generate(request_for("avenger/anime"))
    assert isinstance(await anext(stream), Progress)
    assert isinstance(await anext(stream), Progress)
    await stream.aclose()  # type: ignore[attr-defined]  # the Protocol says AsyncIterator; it is a generator
    assert asyncio.all_tasks() == before
    await provider.aclose()


async def test_canceled_generation_ends_at_once_and_the_next_one_works() -> None:
    provider = DemoProvider(seconds=600)
    first = asyncio.Event()

    async def draw() -> None:
        async for _ in provider.generate(request_for("scenes/starry-night")):
            first.set()

    drawing = asyncio.create_task(draw())
    await first.wait()
    drawing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await drawing
    assert isinstance(await anext(provider.generate(request_for(None))), Progress)
    await provider.aclose()
