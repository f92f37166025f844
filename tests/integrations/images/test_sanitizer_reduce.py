"""Reduced copies of stored images: within a number of bytes and a box, for models and for chats."""

import io
from collections.abc import AsyncIterator

import pytest
from PIL import Image

from services.integrations.images.sanitizer import BadImage, BadImageError, ImageSanitizer, ReducedImage
from tests.support.corpus import pictures as make


@pytest.fixture(scope="module")
async def sanitizer() -> AsyncIterator[ImageSanitizer]:
    async with ImageSanitizer(processes=1, timeout=60.0) as found:
        yield found


def decoded(copy: ReducedImage) -> Image.Image:
    image = Image.open(io.BytesIO(copy.data))
    image.load()
    assert (image.size, image.get_format_mimetype()) == ((copy.width, copy.height), copy.content_type)
    return image


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP"])
async def test_copy_of_any_format_is_within_the_bytes_and_keeps_its_shape(sanitizer: ImageSanitizer, name: str) -> None:
    data = make.encode(make.noise("RGB", (900, 600)), name, **({} if name == "PNG" else {"quality": 95}))
    for limit in (len(data) // 2, 40_000, 2_000):
        copy = await sanitizer.reduce(data, max_bytes=limit)
        assert len(copy.data) <= limit
        assert decoded(copy).format == "JPEG"
        assert copy.width / copy.height == pytest.approx(1.5, rel=0.1)


async def test_limit_that_no_copy_can_meet_is_refused(sanitizer: ImageSanitizer) -> None:
    with pytest.raises(BadImageError) as refused:
        await sanitizer.reduce(make.png(), max_bytes=10)
    assert refused.value.reason is BadImage.TOO_MANY_BYTES


async def test_quality_is_reduced_before_the_size(sanitizer: ImageSanitizer) -> None:
    data = make.encode(make.noise("RGB", (300, 200)), "JPEG", quality=100, subsampling=0)
    copy = await sanitizer.reduce(data, max_bytes=len(data) // 2)
    assert (copy.width, copy.height) == (300, 200)


async def test_transparency_stays_unless_the_copy_must_be_opaque(sanitizer: ImageSanitizer) -> None:
    data = make.encode(make.scene("RGBA"), "PNG")
    copy = decoded(await sanitizer.reduce(data, max_bytes=100_000))
    assert (copy.format, copy.convert("RGBA").getpixel((5, 5))[3]) == ("WEBP", 0)  # type: ignore[index]  # four bands
    white = decoded(await sanitizer.reduce(data, max_bytes=100_000, opaque=True))
    assert white.format == "JPEG"
    assert min(white.getpixel((5, 5))) > 250  # type: ignore[arg-type]  # three bands


@pytest.mark.parametrize(
    ("size", "expected"),
    [((2400, 1600), (1200, 800)), ((300, 200), (300, 200)), ((600, 4000), (360, 2400)), ((3000, 2), (1200, 1))],
)
async def test_copy_fits_into_the_box_and_is_never_enlarged(
    sanitizer: ImageSanitizer, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    copy = await sanitizer.reduce(make.encode(make.scene(size=size), "PNG"), max_bytes=300_000, box=(1200, 2400))
    assert (copy.width, copy.height) == expected
