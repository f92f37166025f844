"""What is kept of a PNG: its pixels exactly, its transparency and its colours, whatever its texts are."""

import io
import struct
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from PIL import Image

from services.integrations.images.formats import PngStorage
from services.integrations.images.sanitizer import ImageSanitizer
from tests.support.corpus import pictures as make

ANY_SIZE = 1 << 30  # bytes


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def lossless() -> AsyncIterator[ImageSanitizer]:
    async with ImageSanitizer(processes=1, timeout=60.0, png_as=PngStorage.WEBP_LOSSLESS) as opened:
        yield opened


async def stored(sanitizer: ImageSanitizer, data: bytes) -> Image.Image:
    clean = await sanitizer.clean(data, max_bytes=ANY_SIZE)
    return Image.open(io.BytesIO(clean.data)).convert("RGBA")


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt"])
async def test_long_text_does_not_matter(sanitizer: ImageSanitizer, kind: bytes) -> None:
    with_text = await sanitizer.clean(make.text_bomb(kind, 3), max_bytes=ANY_SIZE)
    assert with_text == await sanitizer.clean(make.png(), max_bytes=ANY_SIZE)


async def test_many_texts_do_not_matter(sanitizer: ImageSanitizer) -> None:
    text = make.text_bomb(b"zTXt", 1)[33 : -len(make.png()) + 33]
    data = make.with_chunks(text * 100)
    assert (await sanitizer.clean(data, max_bytes=ANY_SIZE)).data == (
        await sanitizer.clean(make.png(), max_bytes=ANY_SIZE)
    ).data


@pytest.mark.parametrize("storage", ["png", "webp-lossless"])
async def test_half_transparent_pixels_are_kept_exactly(
    sanitizer: ImageSanitizer, lossless: ImageSanitizer, storage: str
) -> None:
    image = make.noise("RGBA", (64, 64))
    image.putalpha(image.getchannel("A").point(lambda value: value & 0xE0))  # an eighth is fully transparent
    found = await stored(sanitizer if storage == "png" else lossless, make.encode(image, "PNG"))
    image.paste((0, 0, 0, 0), mask=image.getchannel("A").point(lambda value: 0 if value else 255))
    assert found.tobytes() == image.tobytes()


async def test_resized_image_has_no_colour_of_transparent_pixels(sanitizer: ImageSanitizer) -> None:
    image = make.scene("RGBA", (8192, 64))  # its red quarter is transparent
    found = await stored(sanitizer, make.encode(image, "PNG"))
    assert found.size == (4096, 32)
    assert found.getpixel((10, 10)) == (0, 0, 0, 0)


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
@pytest.mark.parametrize("share", [0, 1])
async def test_transparent_grey_is_that_of_the_depth(sanitizer: ImageSanitizer, depth: int, share: int) -> None:
    row = bytes(4 * depth) + b"\xff" * (4 * depth)  # half black, half white
    value = share * ((1 << depth) - 1)
    key = make.chunk(b"tRNS", struct.pack(">H", value))
    found = await stored(sanitizer, make.raw_png((64, 48), depth, 0, [row] * 48, before=key))
    black, white = ((0, 0, 0, 255), (255, 255, 255, 0)) if share else ((0, 0, 0, 0), (255, 255, 255, 255))
    assert found.getpixel((5, 5)) == black
    assert found.getpixel((60, 5)) == (white if white[3] else (0, 0, 0, 0))


async def test_transparent_grey_of_a_file_whose_header_is_not_first_is_as_pillow_reads_it(
    sanitizer: ImageSanitizer,
) -> None:
    data = make.raw_png((64, 48), 8, 0, [bytes(64)] * 48, before=make.chunk(b"tRNS", struct.pack(">H", 0)))
    moved = data[:8] + make.chunk(b"tIME", bytes([7, 234, 1, 1, 0, 0, 0])) + data[8:]
    assert (await stored(sanitizer, moved)).getpixel((5, 5)) == (0, 0, 0, 0)


def linear_grey_profile() -> bytes:
    """Return an ICC profile of grey whose values are light: 128 is half of it, which sRGB has at 188 (ICC.1:2022)."""
    white = b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061)
    curve = b"curv" + bytes(8)
    body = struct.pack(">I", 2) + struct.pack(">4sII4sII", b"wtpt", 156, 20, b"kTRC", 176, 12) + white + curve
    head = struct.pack(">I4sI4s4s4s", 128 + len(body), bytes(4), 0x02100000, b"mntr", b"GRAY", b"XYZ ")
    head += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + body


@pytest.mark.parametrize("bits", [8, 16])
async def test_profile_of_grey_is_applied_under_transparency(sanitizer: ImageSanitizer, bits: int) -> None:
    profile = linear_grey_profile()
    opaque = await stored(sanitizer, make.encode(Image.new("L", (64, 48), 128), "PNG", icc_profile=profile))
    data = make.encode(Image.new("LA", (64, 48), (128, 200)), "PNG", icc_profile=profile)
    if bits == 16:
        deep = make.deep_png(4, (128 << 8, 200 << 8))
        start = data.index(b"iCCP") - 4
        data = deep[:33] + data[start : start + 12 + int.from_bytes(data[start : start + 4], "big")] + deep[33:]
    pixel = (await stored(sanitizer, data)).getpixel((5, 5))
    expected = opaque.getpixel((5, 5))
    assert isinstance(pixel, tuple)
    assert isinstance(expected, tuple)
    assert abs(expected[0] - 188) <= 1
    assert pixel == (*expected[:3], 200)
