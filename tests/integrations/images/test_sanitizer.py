"""The sanitizer: ordinary images are accepted and re-encoded, hostile ones are refused."""

import base64
import hashlib
import io
import random
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from PIL import Image

from services.integrations.images.sanitizer import THUMBNAIL_WIDTHS, BadImage, BadImageError, CleanImage, ImageSanitizer
from tests.support.corpus import pictures as make
from tests.support.corpus.picture_cases import HOSTILE, MARKERS, ORDINARY, Accepted, Refused

LIMIT = 10 << 20  # bytes


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def sanitizer() -> AsyncIterator[ImageSanitizer]:
    async with ImageSanitizer() as opened:
        yield opened


def picture(clean: CleanImage) -> Image.Image:
    image = Image.open(io.BytesIO(clean.data))
    image.load()
    return image


def decoded(uri: str) -> Image.Image:
    head, _, body = uri.partition(",")
    assert head == "data:image/webp;base64"
    image = Image.open(io.BytesIO(base64.b64decode(body)), formats=("WEBP",))
    image.load()
    return image


def is_close(pixel: object, expected: tuple[int, ...], distance: int = 12) -> bool:
    assert isinstance(pixel, tuple)
    return len(pixel) == len(expected) and all(abs(a - b) <= distance for a, b in zip(pixel, expected, strict=True))


def quarter_colours(image: Image.Image) -> list[object]:
    """Return the colours of the scene's quarters: top left, top right, bottom left, bottom right."""
    return [image.getpixel((x, y)) for y in (12, 36) for x in (16, 48)]


def is_the_scene(image: Image.Image) -> bool:
    expected = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0))
    return all(is_close(found, colour) for found, colour in zip(quarter_colours(image), expected, strict=True))


@pytest.mark.parametrize("case", ORDINARY, ids=lambda case: case.name)
async def test_ordinary_image_is_re_encoded_without_metadata(sanitizer: ImageSanitizer, case: Accepted) -> None:
    clean = await sanitizer.clean(case.build(), max_bytes=LIMIT)
    image = picture(clean)
    assert (image.format, image.size, image.mode) == (case.format, case.size, case.mode)
    assert (clean.width, clean.height) == case.size
    assert clean.content_type == f"image/{case.format.lower()}"
    assert clean.sha256 == hashlib.sha256(clean.data).hexdigest()
    assert getattr(image, "n_frames", 1) == 1
    assert not [marker for marker in MARKERS if marker in clean.data + b"".join(clean.thumbnails.values())]
    assert not {"exif", "xmp", "icc_profile", "comment", "photoshop"} & image.info.keys()


@pytest.mark.parametrize("case", ORDINARY, ids=lambda case: case.name)
async def test_thumbnails_and_placeholder_are_generated(sanitizer: ImageSanitizer, case: Accepted) -> None:
    clean = await sanitizer.clean(case.build(), max_bytes=LIMIT)
    narrowest, *wider = THUMBNAIL_WIDTHS
    assert list(clean.thumbnails) == [narrowest, *(width for width in wider if width < clean.width)]
    for width, data in clean.thumbnails.items():
        thumbnail = Image.open(io.BytesIO(data), formats=("WEBP",))
        assert thumbnail.width <= min(width, clean.width)
        assert thumbnail.height <= min(4 * width, clean.height)
        assert thumbnail.mode == case.mode
    assert len(clean.placeholder) <= 200
    assert max(decoded(clean.placeholder).size) <= 16


@pytest.mark.parametrize("case", HOSTILE, ids=lambda case: case.name)
async def test_hostile_image_is_refused(sanitizer: ImageSanitizer, case: Refused) -> None:
    with pytest.raises(BadImageError) as refusal:
        await sanitizer.clean(case.build(), max_bytes=LIMIT)
    assert refusal.value.reason in case.reasons


@pytest.mark.parametrize("case", [case for case in HOSTILE if case.name != "nothing"], ids=lambda case: case.name)
async def test_hostile_preview_is_refused(sanitizer: ImageSanitizer, case: Refused) -> None:
    with pytest.raises(BadImageError) as refusal:
        await sanitizer.preview(case.build())
    assert refusal.value.reason in case.reasons


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
async def test_every_exif_orientation_is_applied(sanitizer: ImageSanitizer, name: str, orientation: int) -> None:
    clean = await sanitizer.clean(make.oriented(name, orientation), max_bytes=LIMIT)
    assert is_the_scene(picture(clean).convert("RGB"))


@pytest.mark.parametrize("build", [lambda: make.animated("PNG"), lambda: make.animated("WEBP"), make.mpo])
async def test_only_the_first_frame_is_kept(sanitizer: ImageSanitizer, build: make.Builder) -> None:
    assert is_the_scene(picture(await sanitizer.clean(build(), max_bytes=LIMIT)))


async def test_cmyk_is_converted_with_its_colours(sanitizer: ImageSanitizer) -> None:
    data = make.encode(make.scene("CMYK"), "JPEG", quality=95)
    assert is_the_scene(picture(await sanitizer.clean(data, max_bytes=LIMIT)))


async def test_16_bit_channels_are_scaled_not_clamped(sanitizer: ImageSanitizer) -> None:
    grey = picture(await sanitizer.clean(make.deep_png(0, (40000,)), max_bytes=LIMIT))
    assert is_close(grey.getpixel((5, 5)), (156, 156, 156), 1)
    colour = picture(await sanitizer.clean(make.deep_png(6, (40000, 20000, 100, 30000)), max_bytes=LIMIT))
    assert is_close(colour.getpixel((5, 5)), (156, 78, 0, 117), 1)


async def test_embedded_colour_profile_is_applied(sanitizer: ImageSanitizer) -> None:
    data = make.encode(make.scene("RGBA"), "PNG", icc_profile=make.swapped_profile())
    image = picture(await sanitizer.clean(data, max_bytes=LIMIT))
    assert is_close(image.getpixel((16, 36)), (255, 0, 0, 255))  # was blue
    assert is_close(image.getpixel((48, 12)), (0, 255, 0, 255))
    assert is_close(image.getpixel((48, 36)), (0, 255, 255, 255))  # was yellow


async def test_colours_under_full_transparency_are_removed(sanitizer: ImageSanitizer) -> None:
    image = picture(await sanitizer.clean(make.encode(make.scene("RGBA"), "PNG"), max_bytes=LIMIT))
    assert image.getpixel((16, 12)) == (0, 0, 0, 0)  # was red


async def test_profile_of_another_colour_space_is_ignored(sanitizer: ImageSanitizer) -> None:
    data = make.encode(make.scene("CMYK"), "JPEG", quality=95, icc_profile=make.swapped_profile())
    assert is_the_scene(picture(await sanitizer.clean(data, max_bytes=LIMIT)))


@pytest.mark.parametrize(
    ("size", "made"),
    [
        ((200, 150), {320: (200, 150)}),
        ((640, 480), {320: (320, 240)}),
        ((1000, 750), {320: (320, 240), 640: (640, 480)}),
        ((2000, 1500), {320: (320, 240), 640: (640, 480), 1280: (1280, 960)}),
        ((700, 4000), {320: (224, 1280), 640: (448, 2560)}),  # at most four times as high as wide
    ],
)
async def test_thumbnails_are_generated_for_every_width_below_the_image(
    sanitizer: ImageSanitizer, size: tuple[int, int], made: dict[int, tuple[int, int]]
) -> None:
    data = io.BytesIO()
    Image.new("RGB", size, "#804020").save(data, "JPEG")
    clean = await sanitizer.clean(data.getvalue(), max_bytes=LIMIT)
    found = {width: Image.open(io.BytesIO(thumbnail)).size for width, thumbnail in clean.thumbnails.items()}
    assert found == made


@pytest.mark.parametrize("name", ["PNG", "WEBP"])
async def test_transparency_is_kept_in_image_and_thumbnail(sanitizer: ImageSanitizer, name: str) -> None:
    data = make.encode(make.scene("RGBA", (800, 600)), name)
    clean = await sanitizer.clean(data, max_bytes=LIMIT)
    for image in (picture(clean), Image.open(io.BytesIO(clean.thumbnails[320]))):
        alpha = image.getchannel("A")
        assert alpha.getpixel((10, 10)) == 0
        assert alpha.getpixel((image.width - 10, 10)) == 255


async def test_photo_placeholder_is_about_100_characters(sanitizer: ImageSanitizer) -> None:
    soft = make.scene(size=(800, 600)).effect_spread(200)
    clean = await sanitizer.clean(make.encode(soft, "JPEG"), max_bytes=LIMIT)
    assert 80 <= len(clean.placeholder) <= 140


async def test_image_over_max_bytes_is_refused(sanitizer: ImageSanitizer) -> None:
    with pytest.raises(BadImageError) as refusal:
        await sanitizer.clean(make.png(), max_bytes=len(make.png()) - 1)
    assert refusal.value.reason is BadImage.TOO_MANY_BYTES
    assert await sanitizer.clean(make.png(), max_bytes=len(make.png()))


@pytest.mark.parametrize("build", [make.webp, make.jpeg])
async def test_format_that_is_not_accepted_is_refused(sanitizer: ImageSanitizer, build: make.Builder) -> None:
    with pytest.raises(BadImageError) as refusal:
        await sanitizer.clean(build(), max_bytes=LIMIT, formats=frozenset({"PNG"}))
    assert refusal.value.reason is BadImage.UNSUPPORTED_FORMAT


async def test_sanitizing_is_deterministic(sanitizer: ImageSanitizer) -> None:
    first = await sanitizer.clean(make.jpeg(), max_bytes=LIMIT)
    assert await sanitizer.clean(make.jpeg(), max_bytes=LIMIT) == first


async def test_sanitizing_a_png_twice_changes_nothing(sanitizer: ImageSanitizer) -> None:
    clean = await sanitizer.clean(make.png(), max_bytes=LIMIT)
    assert await sanitizer.clean(clean.data, max_bytes=LIMIT) == clean


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
async def test_preview_is_small_for_any_content(sanitizer: ImageSanitizer, mode: str) -> None:
    uri = await sanitizer.preview(make.encode(make.noise(mode, (1024, 1024)), "PNG"))
    assert len(uri) <= 12_100
    assert decoded(uri).width <= 256


async def test_preview_has_the_requested_width(sanitizer: ImageSanitizer) -> None:
    uri = await sanitizer.preview(make.encode(make.scene(size=(800, 600)), "JPEG"), width=64)
    assert decoded(uri).size == (64, 48)
    assert decoded(await sanitizer.preview(make.png(), width=256)).size == (64, 48)


@pytest.mark.parametrize("build", [make.jpeg, make.png, make.webp])
async def test_random_corruption_is_accepted_or_refused_but_never_an_outage(
    sanitizer: ImageSanitizer, build: make.Builder
) -> None:
    rng = random.Random(7)
    outcomes: set[type] = set()
    for _ in range(60):
        data = bytearray(build())
        for _ in range(rng.randrange(1, 12)):
            data[rng.randrange(12, len(data))] = rng.randrange(256)
        try:
            outcomes.add(type(await sanitizer.clean(bytes(data), max_bytes=LIMIT)))
        except BadImageError:
            outcomes.add(BadImageError)
    assert outcomes == {CleanImage, BadImageError}
