"""Sizes of stored pictures: not larger than their originals, and without loss where those had none."""

import io
from collections.abc import Callable

import pytest
from PIL import Image, ImageDraw

from services.integrations.images.sanitizer import CleanImage, ImageSanitizer
from tests.support.corpus import photos
from tests.support.corpus import pictures as make

ANY_SIZE = 1 << 30  # bytes


def decoded(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def pixels(clean: CleanImage) -> Image.Image:
    return decoded(clean.data)


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("options", [{}, {"subsampling": "4:4:4"}, {"progressive": True}], ids=str)
@pytest.mark.parametrize("quality", [30, 60, 75, 85, 95])
async def test_stored_jpeg_is_not_larger_than_its_original(
    sanitizer: ImageSanitizer, mode: str, options: dict[str, object], quality: int
) -> None:
    original = photos.textured((640, 480), mode)
    data = make.encode(original, "JPEG", quality=quality, **options)
    clean = await sanitizer.clean(data, max_bytes=ANY_SIZE)
    assert len(clean.data) <= len(data) * 1.02


def drawing(mode: str, colours: int = 24) -> Image.Image:
    """Return a screenshot: text and flat colours."""
    image = Image.new("RGB", (600, 400), (247, 247, 250))
    draw = ImageDraw.Draw(image)
    for line in range(12):
        colour = ((0, 122, 255), (52, 199, 89), (230, 230, 235))[line % 3]
        draw.rounded_rectangle((10, 10 + 32 * line, 400 + 37 * line % 150, 36 + 32 * line), 9, fill=colour)
        draw.text((20, 14 + 32 * line), f"Line {line} of a conversation", fill="black", font_size=15)
    return image.quantize(colours) if mode == "P" else image.convert(mode)


def see_through(image: Image.Image) -> Image.Image:
    image = image.convert("LA" if image.mode == "L" else "RGBA")
    image.putalpha(photos.landscape(image.size, "L").point(lambda value: value // 64 * 85))
    return image


ENCODED: dict[str, Callable[[], bytes]] = {
    "photo as webp 60": lambda: make.encode(photos.textured((640, 480)), "WEBP", quality=60),
    "photo as webp 90": lambda: make.encode(photos.textured((640, 480)), "WEBP", quality=90),
    "photo as avif": lambda: make.encode(photos.textured((640, 480)), "AVIF", quality=60, speed=10),
    "photo as heic": lambda: make.encode(photos.textured((640, 480)), "HEIF", quality=50),
    "photo as png": lambda: make.encode(photos.landscape((640, 480)), "PNG", compress_level=6),
    "grey photo as png": lambda: make.encode(photos.textured((640, 480), "L"), "PNG", optimize=True),
    "grey photo with transparency": lambda: make.encode(see_through(photos.textured((640, 480), "L")), "PNG"),
    "grey photo of 16 bits": lambda: make.encode(photos.textured((640, 480), "L").convert("I;16"), "PNG"),
    "photo with a palette": lambda: make.encode(photos.textured((640, 480)).quantize(256), "PNG", optimize=True),
    "screenshot": lambda: make.encode(drawing("RGB"), "PNG", optimize=True),
    "screenshot as lossless webp": lambda: make.encode(drawing("RGB"), "WEBP", lossless=True),
    "transparent screenshot as webp": lambda: make.encode(see_through(drawing("RGB")), "WEBP", lossless=True),
    "screenshot with a palette": lambda: make.encode(drawing("P"), "PNG", optimize=True),
    "screenshot of 16 colours": lambda: make.encode(drawing("P", 16), "PNG", optimize=True),
    "palette with transparency": lambda: make.encode(see_through(drawing("P", 16)).quantize(64), "PNG", optimize=True),
    "palette with one transparent colour": lambda: make.encode(drawing("P"), "PNG", optimize=True, transparency=0),
    "scan in black and white": lambda: make.encode(drawing("1"), "PNG", optimize=True),
    "scan in grey": lambda: make.encode(drawing("L"), "PNG", optimize=True),
}


@pytest.mark.parametrize("build", ENCODED.values(), ids=ENCODED.keys())
async def test_stored_picture_is_not_larger_than_its_original(
    sanitizer: ImageSanitizer, build: Callable[[], bytes]
) -> None:
    data = build()
    assert len((await sanitizer.clean(data, max_bytes=ANY_SIZE)).data) <= len(data) * 1.02


EXACT = [name for name in ENCODED if not name.startswith("photo as") and "16 bits" not in name]


@pytest.mark.parametrize("name", EXACT)
async def test_stored_png_and_lossless_webp_have_the_same_pixels(sanitizer: ImageSanitizer, name: str) -> None:
    data = ENCODED[name]()
    before = decoded(data).convert("RGBA")
    after = pixels(await sanitizer.clean(data, max_bytes=ANY_SIZE)).convert("RGBA")
    if before.getchannel("A").getextrema() != (255, 255):  # colours under full transparency are removed
        before, after = before.convert("RGBa"), after.convert("RGBa")
    assert before.tobytes() == after.tobytes()


async def test_quantization_tables_of_the_original_are_not_copied(sanitizer: ImageSanitizer) -> None:
    table = [value or 1 for value in (make.SCRIPT * 2)[:64]]
    data = make.encode(photos.textured((64, 64)), "JPEG", qtables=[table, table])
    written = data[data.index(b"\xff\xdb") + 5 :][:64]
    assert written not in (await sanitizer.clean(data, max_bytes=ANY_SIZE)).data
