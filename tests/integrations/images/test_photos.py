"""Photos of phones and cameras: large ones, HEIC and AVIF, files without an end, PNGs with colour spaces."""

import io
from collections.abc import Callable
from functools import partial

import pillow_heif
import pytest
from PIL import Image

from services.integrations.images.sanitizer import BadImage, BadImageError, CleanImage, ImageSanitizer
from services.integrations.images.sanitizer_process import allowed_cpu
from tests.support.corpus import photos
from tests.support.corpus import pictures as make
from tests.support.corpus.picture_cases import MARKERS

ANY_SIZE = 1 << 30  # bytes


def pixels(clean: CleanImage) -> Image.Image:
    image = Image.open(io.BytesIO(clean.data))
    image.load()
    return image


async def refusal(sanitizer: ImageSanitizer, data: bytes) -> BadImageError:
    with pytest.raises(BadImageError) as caught:
        await sanitizer.clean(data, max_bytes=ANY_SIZE)
    return caught.value


def is_scene(image: Image.Image) -> bool:
    colours = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0))
    found = [image.convert("RGB").getpixel((x, y)) for y in (12, 36) for x in (16, 48)]
    assert all(isinstance(pixel, tuple) for pixel in found)
    return all(
        abs(a - b) < 40
        for pixel, colour in zip(found, colours, strict=True)
        for a, b in zip(pixel, colour, strict=True)  # type: ignore[arg-type]  # asserted above
    )


@pytest.mark.parametrize(
    ("size", "stored"),
    [
        ((8064, 6048), (4096, 3072)),
        ((12000, 2600), (4096, 887)),
        ((65500, 1), (4096, 1)),
    ],
)
async def test_large_photo_is_stored_with_4096_pixels(
    sanitizer: ImageSanitizer, size: tuple[int, int], stored: tuple[int, int]
) -> None:
    clean = await sanitizer.clean(photos.photo_jpeg(size), max_bytes=ANY_SIZE)
    assert (clean.width, clean.height) == stored


@pytest.mark.parametrize(
    ("data", "limit"),
    [(make.jpeg_header(12000, 10001), 120_000_000), (make.raw_png((8000, 7000), 8, 2, [b""]), 50_000_000)],
)
async def test_refusal_names_the_limit_and_the_size(sanitizer: ImageSanitizer, data: bytes, limit: int) -> None:
    error = await refusal(sanitizer, data)
    assert (error.reason, error.details["pixels"]) == (BadImage.TOO_MANY_PIXELS, limit)
    assert (error.details["width"], error.details["height"]) in ((12000, 10001), (8000, 7000))


def many_scans(scans: int) -> bytes:
    return make.many_scans(64, scans)


def tiny_scans_of_a_large_picture() -> bytes:
    return make.many_scans(6000, 60)


SLOW: dict[str, make.Builder] = {
    "101 scans": lambda: many_scans(101),
    "2,000 scans with fill bytes": lambda: many_scans(2000).replace(b"\xff\xda", b"\xff\xff\xff\xda"),
    "scans after a preview": lambda: make.jpeg()[:2] + make.segment(0xE1, many_scans(20)) + many_scans(150)[2:],
    "60 scans of 36 megapixels": tiny_scans_of_a_large_picture,
    "segments": lambda: make.with_segments(make.segment(0xFE, b"") * 2_000_000),
    "chunks": lambda: make.with_chunks(make.chunk(b"prVt", b"") * 800_000),
}


@pytest.mark.parametrize("build", SLOW.values(), ids=SLOW.keys())
async def test_picture_of_too_many_parts_is_refused_before_it_is_decoded(
    sanitizer: ImageSanitizer, build: make.Builder
) -> None:
    assert (await refusal(sanitizer, build())).reason is BadImage.TOO_SLOW


async def test_scans_in_a_preview_and_after_the_end_are_not_counted(sanitizer: ImageSanitizer) -> None:
    preview = make.segment(0xE1, many_scans(150)[:60_000])
    data = make.jpeg()[:2] + preview + make.jpeg()[2:] + many_scans(150)
    assert (await sanitizer.clean(data, max_bytes=ANY_SIZE)).width == 64


KINDS: dict[str, Callable[[], bytes]] = {
    "baseline": partial(photos.photo_jpeg, (800, 600)),
    "4:4:4": partial(photos.photo_jpeg, (801, 603), subsampling="4:4:4", quality=95),
    "progressive": partial(photos.photo_jpeg, (800, 600), progressive=True),
    "restart markers": partial(photos.photo_jpeg, (800, 600), restart_marker_rows=1),
    "grey": lambda: make.encode(photos.landscape((800, 600), "L"), "JPEG"),
    "cmyk": lambda: make.encode(photos.landscape((800, 600), "CMYK"), "JPEG"),
    "grain": lambda: make.encode(photos.textured((800, 600)), "JPEG", quality=90),
}


@pytest.mark.parametrize("build", KINDS.values(), ids=KINDS.keys())
async def test_jpeg_without_its_end_is_accepted(sanitizer: ImageSanitizer, build: Callable[[], bytes]) -> None:
    data = build()
    whole = await sanitizer.clean(data, max_bytes=ANY_SIZE)
    for cut in (data[:-2], data[:-1], data[:-2] + b"\0" * 5000):
        assert (await sanitizer.clean(cut, max_bytes=ANY_SIZE)).sha256 == whole.sha256


@pytest.mark.parametrize("build", KINDS.values(), ids=KINDS.keys())
async def test_jpeg_with_missing_pixels_is_refused(sanitizer: ImageSanitizer, build: Callable[[], bytes]) -> None:
    data = build()
    for percent in (20, 50, 90):
        cut = data[: len(data) * percent // 100]
        for damaged in (cut, cut + b"\0" * (len(data) - len(cut))):
            assert (await refusal(sanitizer, damaged)).reason is BadImage.DAMAGED


SRGB, CICP = make.chunk(b"sRGB", b"\0"), partial(make.chunk, b"cICP")
LINEAR = photos.gamma_chunk(1.0)


@pytest.mark.parametrize("kind", ["rgb", "grey", "palette", "deep", "rgba"])
async def test_linear_gamma_of_a_png_is_applied(sanitizer: ImageSanitizer, kind: str) -> None:
    found = pixels(await sanitizer.clean(photos.grey_png(64, LINEAR, kind=kind), max_bytes=ANY_SIZE)).getpixel((4, 4))
    assert isinstance(found, tuple)
    assert all(abs(channel - 137) <= 1 for channel in found[:3]), found  # sRGB of 64 / 255


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (b"", 64),
        (photos.gamma_chunk(0.45455), 64),  # what sRGB has
        (photos.gamma_chunk(1 / 1.8), 81),
        (SRGB + LINEAR, 64),
        (LINEAR + photos.srgb_profile_chunk(), 64),
        (LINEAR + CICP(b"\1\x0d\0\1"), 64),
        (CICP(b"\1\x08\0\1"), 137),  # linear
        (CICP(b"\1\x63\0\1") + LINEAR, 137),  # an unknown code does not count
        (photos.gamma_chunk(0), 64),
        (make.chunk(b"gAMA", b"\1"), 64),
        (make.chunk(b"cHRM", b"\xff" * 32), 64),
        (make.chunk(b"cHRM", b"\0" * 32) + LINEAR, 137),
    ],
)
async def test_colour_chunks_count_in_the_order_of_browsers(
    sanitizer: ImageSanitizer, before: bytes, expected: int
) -> None:
    found = pixels(await sanitizer.clean(photos.grey_png(64, before), max_bytes=ANY_SIZE)).getpixel((4, 4))
    assert isinstance(found, tuple)
    assert all(abs(channel - expected) <= 1 for channel in found), found


async def test_display_p3_of_a_png_is_converted(sanitizer: ImageSanitizer) -> None:
    row = bytes((200, 100, 50)) * 8
    data = make.raw_png((8, 8), 8, 2, [row] * 8, before=CICP(b"\x0c\x0d\0\1"))
    found = pixels(await sanitizer.clean(data, max_bytes=ANY_SIZE)).getpixel((4, 4))
    assert isinstance(found, tuple)
    assert all(abs(a - b) <= 3 for a, b in zip(found, (215, 93, 31), strict=True)), found


@pytest.mark.parametrize("build", [photos.heic, photos.avif])
async def test_heic_and_avif_are_stored_as_jpeg(sanitizer: ImageSanitizer, build: make.Builder) -> None:
    clean = await sanitizer.clean(build(), max_bytes=ANY_SIZE)
    assert (clean.content_type, clean.width, clean.height) == ("image/jpeg", 64, 48)
    assert is_scene(pixels(clean))


@pytest.mark.parametrize("build", [photos.heic, photos.avif])
async def test_transparent_heic_and_avif_are_stored_as_webp(
    sanitizer: ImageSanitizer, build: Callable[[Image.Image], bytes]
) -> None:
    clean = await sanitizer.clean(build(make.scene("RGBA")), max_bytes=ANY_SIZE)
    assert clean.content_type == "image/webp"
    assert pixels(clean).getchannel("A").getextrema() == (0, 255)


@pytest.mark.parametrize("name", ["HEIC", "AVIF"])
@pytest.mark.parametrize("orientation", [2, 3, 6, 8])
async def test_rotation_of_heic_and_avif_is_applied_once(
    sanitizer: ImageSanitizer, name: str, orientation: int
) -> None:
    turned = Image.open(io.BytesIO(make.oriented("PNG", orientation)))
    turned.load()
    exif = make.exif(orientation)
    data = photos.heic(turned, exif=exif) if name == "HEIC" else photos.avif(turned, exif=exif)
    clean = await sanitizer.clean(data, max_bytes=ANY_SIZE)
    assert (clean.width, clean.height) == (64, 48)
    assert is_scene(pixels(clean))
    assert not [marker for marker in MARKERS if marker in clean.data]


async def test_primary_image_of_a_burst_and_first_of_a_sequence_are_kept(sanitizer: ImageSanitizer) -> None:
    sequence = photos.avif(save_all=True, append_images=[Image.new("RGB", (64, 48))])
    for data in (photos.heic_burst(), sequence):
        assert is_scene(pixels(await sanitizer.clean(data, max_bytes=ANY_SIZE)))


@pytest.mark.parametrize("build", [photos.heic, photos.avif])
async def test_cut_heic_and_avif_are_refused(sanitizer: ImageSanitizer, build: make.Builder) -> None:
    data = build()
    for percent in (30, 60, 95):
        assert (await refusal(sanitizer, data[: len(data) * percent // 100])).reason is BadImage.DAMAGED


async def test_heic_of_which_tiles_are_missing_is_refused(
    sanitizer: ImageSanitizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pillow_heif.options, "GRID_TILE_SIZE", 64)
    data = photos.heic(photos.textured((256, 192)))
    assert (await sanitizer.clean(data, max_bytes=ANY_SIZE)).width == 256
    for percent in (40, 70, 95):
        assert (await refusal(sanitizer, data[: len(data) * percent // 100])).reason is BadImage.DAMAGED


@pytest.mark.parametrize("size", [(256, 192), (250, 180)])
async def test_heic_of_which_a_tile_cannot_be_decoded_is_refused(
    sanitizer: ImageSanitizer, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    monkeypatch.setattr(pillow_heif.options, "GRID_TILE_SIZE", 64)
    data = photos.heic(photos.textured(size))
    start, end = data.index(b"mdat") + 4, len(data)
    for part in (0.0, 0.3, 0.6, 0.82):
        at, size_of_two = int(start + part * (end - start)), (end - start) // 6
        damaged = data[:at] + bytes(size_of_two) + data[at + size_of_two :]
        assert (await refusal(sanitizer, damaged)).reason is BadImage.DAMAGED


async def test_heic_with_a_flat_dark_green_half_is_accepted(
    sanitizer: ImageSanitizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pillow_heif.options, "GRID_TILE_SIZE", 64)
    image = photos.landscape((256, 192))
    for colour in ((0, 0, 0), (0, 60, 0), (0, 255, 0), (40, 135, 20)):
        image.paste(colour, (0, 0, 128, 192))
        assert (await sanitizer.clean(photos.heic(image), max_bytes=ANY_SIZE)).width == 256


def test_heic_and_avif_may_use_twice_the_cpu_time() -> None:
    found = [allowed_cpu(data, 5) for data in (photos.heic(), photos.avif(), make.jpeg(), b"")]
    assert found == [10, 10, 5, 5]


async def test_every_decoder_is_installed(sanitizer: ImageSanitizer) -> None:
    assert await sanitizer.missing_formats() == frozenset()


async def test_refused_format_is_named(sanitizer: ImageSanitizer) -> None:
    with pytest.raises(BadImageError) as caught:
        await sanitizer.clean(photos.heic(), max_bytes=ANY_SIZE, formats=frozenset({"JPEG"}))
    assert (caught.value.reason, caught.value.details) == (BadImage.UNSUPPORTED_FORMAT, {"format": "HEIC"})
