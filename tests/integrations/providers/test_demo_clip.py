"""Clips of the demo provider: real ones that browsers play, deterministic, moving, made in a process of their own."""

import io
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image, ImageChops, ImageStat

from models.enum import ErrorCode, Quality
from services.integrations.images.sanitizer import ImageSanitizer
from services.integrations.providers.demo import filming
from services.integrations.providers.demo.filming import make_clip
from services.integrations.providers.protocol import ImageRequest, ProviderError, ReferencePhoto
from services.integrations.videos.sanitizer import VideoSanitizer
from tests.support.client import photo

SCENE = ImageRequest("gen_1", "A lighthouse in a storm", style="avenger/noir", aspect_ratio="16:9")


def frames(clip: bytes) -> list[Image.Image]:
    opened: Any = av.open(io.BytesIO(clip))
    with opened:
        return [frame.to_image() for frame in opened.decode(video=0)]


def difference(one: Image.Image, other: Image.Image) -> float:
    return sum(ImageStat.Stat(ImageChops.difference(one, other)).mean)


async def test_clip_is_accepted_as_any_video_is() -> None:
    clip = await make_clip(SCENE)
    async with ImageSanitizer(processes=1, timeout=60) as images:
        clean = await VideoSanitizer(images).clean(clip)
    assert (clean.content_type, clean.seconds, (clean.width, clean.height)) == ("video/mp4", 3.0, (768, 432))
    assert clean.poster.placeholder


async def test_camera_moves_slowly_over_the_whole_length() -> None:
    shown = frames(await make_clip(SCENE, seconds=2.0))
    assert len(shown) == 48
    assert difference(shown[0], shown[-1]) > 3 * difference(shown[0], shown[1])
    assert 0 < difference(shown[23], shown[24]) < difference(shown[0], shown[-1])


async def test_clip_is_determined_by_the_generation_id() -> None:
    first, again, other = [await make_clip(ImageRequest(id, "A fox"), 0.5) for id in ("gen_1", "gen_1", "gen_2")]
    assert first == again != other


async def test_photo_is_filmed_in_its_shape_and_at_the_quality() -> None:
    reference = ReferencePhoto(photo(300, 400), "image/jpeg", 300, 400)
    request = ImageRequest("gen_1", "Plush", style="plushify/cute", reference=reference, quality=Quality.HD)
    shown = frames(await make_clip(request, 0.2))
    assert shown[0].size == (1248, 1662)


async def test_unreadable_photo_fails_the_generation() -> None:
    request = ImageRequest("gen_1", "Plush", reference=ReferencePhoto(b"no photo", "image/jpeg", 1, 1))
    with pytest.raises(ProviderError) as failed:
        await make_clip(request)
    assert (failed.value.code, failed.value.request_left) == (ErrorCode.GENERATION_FAILED, False)


async def test_process_that_fails_ends_the_generation(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "broken.py"
    program.write_text("raise SystemExit(3)")
    monkeypatch.setattr(filming, "_PROGRAM", program)
    with pytest.raises(ProviderError) as failed:
        await make_clip(SCENE)
    assert failed.value.code is ErrorCode.GENERATION_FAILED
