"""Stored images in another format: the same size, and white instead of transparency where the format has none."""

import io
from collections.abc import AsyncIterator

import pytest
from PIL import Image

from services.integrations.images.sanitizer import BadImageError, ImageSanitizer
from tests.support.corpus import pictures as make


@pytest.fixture(scope="module")
async def sanitizer() -> AsyncIterator[ImageSanitizer]:
    async with ImageSanitizer(processes=1, timeout=60.0) as found:
        yield found


@pytest.mark.parametrize("before", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("after", ["JPEG", "PNG", "WEBP"])
async def test_image_keeps_its_size_in_any_format(sanitizer: ImageSanitizer, before: str, after: str) -> None:
    converted = Image.open(io.BytesIO(await sanitizer.convert(make.encode(make.noise("RGB", (90, 60)), before), after)))
    converted.load()
    assert (converted.format, converted.size) == (after, (90, 60))


async def test_transparency_stays_or_becomes_white(sanitizer: ImageSanitizer) -> None:
    data = make.encode(Image.new("RGBA", (8, 8), (255, 0, 0, 0)), "PNG")
    for format, pixel in (("WEBP", (0, 0, 0, 0)), ("PNG", (255, 0, 0, 0)), ("JPEG", (255, 255, 255))):
        found = Image.open(io.BytesIO(await sanitizer.convert(data, format))).getpixel((4, 4))
        assert isinstance(found, tuple)
        assert found[3:] == pixel[3:]
        assert format != "JPEG" or found == pixel


async def test_quality_decides_the_size_of_the_file(sanitizer: ImageSanitizer) -> None:
    data = make.encode(make.noise("RGB", (300, 200)), "PNG")
    small, large = [await sanitizer.convert(data, "JPEG", quality=quality) for quality in (10, 95)]
    assert len(small) < len(large)


async def test_damaged_image_is_refused(sanitizer: ImageSanitizer) -> None:
    with pytest.raises(BadImageError):
        await sanitizer.convert(b"no image", "PNG")
