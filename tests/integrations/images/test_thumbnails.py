"""Thumbnails and scaled decoding: colours, orientation and completeness of large pictures."""

import io

import pytest
from PIL import Image

from services.integrations.images.encoding import shrink
from services.integrations.images.sanitizer import BadImage, BadImageError, CleanImage, ImageSanitizer
from tests.support.corpus import photos
from tests.support.corpus import pictures as make

ANY_SIZE = 1 << 30  # bytes
COLOURS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0))


def quarters(image: Image.Image) -> list[tuple[int, ...]]:
    """Return the colours in the middle of the quarters: top left, top right, bottom left, bottom right."""
    image = image.convert("RGB")
    points = [(image.width * x // 4, image.height * y // 4) for y in (1, 3) for x in (1, 3)]
    return [image.getpixel(point) for point in points]  # type: ignore[misc]  # three bands


def is_scene(image: Image.Image) -> bool:
    return all(
        abs(a - b) < 12
        for found, colour in zip(quarters(image), COLOURS, strict=True)
        for a, b in zip(found, colour, strict=True)
    )


def images(clean: CleanImage) -> list[Image.Image]:
    """Return the stored image and its thumbnails."""
    return [Image.open(io.BytesIO(data)) for data in (clean.data, *clean.thumbnails.values())]


@pytest.mark.parametrize("size", [(1280, 960), (1500, 1000), (2000, 1500), (4000, 3001)])
async def test_every_thumbnail_shows_the_whole_picture_upright(
    sanitizer: ImageSanitizer, size: tuple[int, int]
) -> None:
    turned = make.scene(size=size).transpose(Image.Transpose.ROTATE_90)
    data = make.encode(turned, "JPEG", quality=90, exif=make.exif(6))
    clean = await sanitizer.clean(data, max_bytes=ANY_SIZE)
    assert (clean.width, clean.height) == size
    assert all(is_scene(image) for image in images(clean))


@pytest.mark.parametrize("orientation", [1, 3, 6])
async def test_jpeg_that_is_decoded_at_a_fraction_is_upright_and_whole(
    sanitizer: ImageSanitizer, orientation: int
) -> None:
    turn = {1: None, 3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90}[orientation]
    scene = make.scene(size=(10000, 400))
    data = make.encode(scene if turn is None else scene.transpose(turn), "JPEG", exif=make.exif(orientation))
    clean = await sanitizer.clean(data, max_bytes=ANY_SIZE)
    assert (clean.width, clean.height) == (4096, 164)
    assert all(is_scene(image) for image in images(clean))


@pytest.mark.parametrize("options", [{}, {"progressive": True}], ids=str)
async def test_cut_jpeg_that_is_decoded_at_a_fraction_is_refused(
    sanitizer: ImageSanitizer, options: dict[str, bool]
) -> None:
    data = photos.photo_jpeg((10000, 1000), **options)
    for percent in (20, 50):
        with pytest.raises(BadImageError) as refusal:
            await sanitizer.clean(data[: len(data) * percent // 100], max_bytes=ANY_SIZE)
        assert refusal.value.reason is BadImage.DAMAGED


@pytest.mark.parametrize("size", [(64, 64), (60, 60), (48, 48), (33, 33), (7, 7)])
def test_fine_pattern_becomes_its_mean(size: tuple[int, int]) -> None:
    pattern = Image.new("L", (192, 192))
    pattern.putdata([255 * ((x + y) % 2) for y in range(192) for x in range(192)])
    low, high = shrink(pattern.convert("RGB"), size).convert("L").getextrema()
    assert 110 <= low <= high <= 145  # type: ignore[operator]  # one band


def test_image_of_the_size_is_returned_as_it_is() -> None:
    image = make.scene()
    assert shrink(image, image.size) is image


def test_exact_fraction_is_the_mean_of_its_pixels() -> None:
    image = make.noise("RGB", (64, 48))
    assert shrink(image, (32, 24)).tobytes() == image.reduce(2).tobytes()
    assert shrink(image, (16, 24)).size == (16, 24)


async def test_png_of_the_default_compression_is_stored_with_the_same(sanitizer: ImageSanitizer) -> None:
    image = photos.textured((640, 480))
    for level in (1, 6, 9):
        data = make.encode(image, "PNG", compress_level=level)
        clean = await sanitizer.clean(data, max_bytes=ANY_SIZE)
        assert len(clean.data) <= len(data) * 1.02
        assert images(clean)[0].tobytes() == image.tobytes()
