"""PNGs that the sanitizer stores as WebP: results of models, unless PNG_RESULTS is png."""

import io
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
from PIL import Image, ImageChops, ImageStat

from services.integrations.images.formats import PngStorage
from services.integrations.images.sanitizer import CleanImage, ImageSanitizer
from tests.support.corpus import photos
from tests.support.corpus import pictures as make
from tests.support.corpus.picture_cases import MARKERS, ORDINARY, Accepted

ANY_SIZE = 1 << 30  # bytes
PATIENCE = 60.0  # seconds for one image


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def webp() -> AsyncIterator[ImageSanitizer]:
    async with ImageSanitizer(processes=1, timeout=PATIENCE, png_as=PngStorage.WEBP) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def lossless() -> AsyncIterator[ImageSanitizer]:
    async with ImageSanitizer(processes=1, timeout=PATIENCE, png_as=PngStorage.WEBP_LOSSLESS) as opened:
        yield opened


def picture(clean: CleanImage) -> Image.Image:
    image = Image.open(io.BytesIO(clean.data))
    image.load()
    return image


def mean_difference(first: Image.Image, second: Image.Image) -> float:
    """Return the mean difference of two images of one mode, 0 to 255."""
    return max(ImageStat.Stat(ImageChops.difference(first, second)).mean)


def photo(mode: str = "RGB") -> Image.Image:
    image = photos.textured((640, 480))
    if mode == "RGBA":
        image.putalpha(photos.landscape((640, 480), "L"))
    return image.convert(mode)


async def test_opaque_png_is_stored_as_a_webp_of_less_than_half_its_bytes(webp: ImageSanitizer) -> None:
    data = make.encode(photo(), "PNG", optimize=True)
    clean = await webp.clean(data, max_bytes=ANY_SIZE)
    image = picture(clean)
    assert (clean.content_type, image.format, image.mode, image.size) == ("image/webp", "WEBP", "RGB", (640, 480))
    assert len(clean.data) < len(data) / 2
    assert mean_difference(image, photo()) < 3
    assert list(clean.thumbnails) == [320]


async def test_transparency_of_a_png_is_exact_in_its_webp(webp: ImageSanitizer) -> None:
    image = picture(await webp.clean(make.encode(photo("RGBA"), "PNG"), max_bytes=ANY_SIZE))
    assert (image.format, image.mode) == ("WEBP", "RGBA")
    assert image.getchannel("A").tobytes() == photo("RGBA").getchannel("A").tobytes()


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("build", [photo, lambda mode: photos.landscape((640, 480)).convert(mode)])
async def test_lossless_webp_of_a_png_has_the_same_pixels_and_is_not_larger(
    sanitizer: ImageSanitizer, lossless: ImageSanitizer, mode: str, build: Callable[[str], Image.Image]
) -> None:
    data = make.encode(build(mode), "PNG")
    clean = await lossless.clean(data, max_bytes=ANY_SIZE)
    assert picture(clean).tobytes() == picture(await sanitizer.clean(data, max_bytes=ANY_SIZE)).tobytes()
    assert len(clean.data) <= len(data)
    assert clean.content_type == "image/webp"


async def test_noise_that_is_no_smaller_as_lossless_webp_is_stored_without_growing(lossless: ImageSanitizer) -> None:
    data = make.encode(make.noise("L", (300, 300)).convert("RGB"), "PNG", optimize=True)
    clean = await lossless.clean(data, max_bytes=ANY_SIZE)
    assert len(clean.data) <= 1.02 * len(data)
    assert picture(clean).convert("RGB").tobytes() == make.noise("L", (300, 300)).convert("RGB").tobytes()


@pytest.mark.parametrize("sanitizer_name", ["webp", "lossless"])
async def test_png_with_a_palette_remains_a_png(
    webp: ImageSanitizer, lossless: ImageSanitizer, sanitizer_name: str
) -> None:
    data = make.encode(photos.landscape((300, 200)).quantize(16), "PNG")
    clean = await {"webp": webp, "lossless": lossless}[sanitizer_name].clean(data, max_bytes=ANY_SIZE)
    assert clean.content_type == "image/png"


async def test_flat_png_that_would_be_larger_as_webp_remains_a_png(webp: ImageSanitizer) -> None:
    stripes = Image.new("RGB", (1500, 1500), "white")
    for x in range(0, 1500, 3):
        stripes.paste("red", (x, 0, x + 1, 1500))
    data = make.encode(stripes, "PNG", optimize=True)
    clean = await webp.clean(data, max_bytes=ANY_SIZE)
    assert clean.content_type == "image/png"
    assert picture(clean).convert("RGB").tobytes() == stripes.tobytes()


@pytest.mark.parametrize("name", ["JPEG", "WEBP"])
async def test_other_formats_are_stored_as_they_are(webp: ImageSanitizer, name: str) -> None:
    clean = await webp.clean(make.encode(photo(), name), max_bytes=ANY_SIZE)
    assert clean.content_type == f"image/{name.lower()}"


@pytest.mark.parametrize("case", [case for case in ORDINARY if max(case.size) < 1000], ids=lambda case: case.name)
async def test_ordinary_image_looks_the_same_as_webp_and_as_png(
    sanitizer: ImageSanitizer, webp: ImageSanitizer, case: Accepted
) -> None:
    expected = await sanitizer.clean(case.build(), max_bytes=ANY_SIZE)
    found = await webp.clean(case.build(), max_bytes=ANY_SIZE)
    assert picture(found).size == picture(expected).size == (found.width, found.height)
    first, second = (picture(clean).convert("RGBA").convert("RGBa") for clean in (expected, found))
    assert mean_difference(Image.merge("RGBA", first.split()), Image.merge("RGBA", second.split())) < 8
    assert found.thumbnails.keys() == expected.thumbnails.keys()
    assert not [marker for marker in MARKERS if marker in found.data]
    assert not {"exif", "xmp", "icc_profile", "comment"} & picture(found).info.keys()
    assert getattr(picture(found), "n_frames", 1) == 1


@pytest.mark.parametrize("orientation", range(1, 9))
async def test_orientation_is_applied_to_the_webp_of_a_png(webp: ImageSanitizer, orientation: int) -> None:
    image = picture(await webp.clean(make.oriented("PNG", orientation), max_bytes=ANY_SIZE)).convert("RGB")
    assert image.size == (64, 48)
    assert mean_difference(image, make.scene()) < 8
