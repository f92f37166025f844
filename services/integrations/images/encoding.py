"""Encoding: stored images that are not larger than their originals, thumbnails and placeholders."""

import contextlib
import io
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from PIL import Image, ImageFile

from services.integrations.images.decoding import Origin
from services.integrations.images.formats import PngStorage
from services.integrations.images.indexed import MAX_COLOURS, MAX_GREYS, with_palette
from services.integrations.images.refusal import RefusedError

Options = dict[str, Any]  # of Pillow's encoder

# CPU time after which no smaller encoding is tried; one image may use 5. PNG's second takes three times as long.
_SECONDS = {"JPEG": 1.0, "PNG": 0.3, "WEBP": 1.0}
_ROOM = 1.02  # an encoding may be this much larger than its original
_SMALL = {"PNG": 4096}  # bytes: a file this small is small enough, whatever its original
_DETAILED = 1.0  # bits of a file for each pixel: a photo with fine detail has more
_MAX_QUALITY = 95  # above it, a JPEG grows by half without a visible difference
# By the format to store, in the order in which they are tried. JPEG: of HEIC and AVIF, which have 4:2:0, too, and take
# up to half the bytes of a JPEG. PNG: level 3 is 3 % smaller than 1 and takes 50 % longer.
_TRIED: dict[str, tuple[Options, ...]] = {
    "JPEG": tuple({"quality": quality, "subsampling": "4:2:0", "optimize": True} for quality in (90, 84, 77, 70)),
    "PNG": ({"compress_level": 1}, {"compress_level": 6}, {"optimize": True}),
    "WEBP": ({"quality": 92, "method": 0}, {"quality": 80, "method": 2}, {"quality": 65, "method": 2}),
}
_LOSSLESS: tuple[Options, ...] = tuple(
    {"lossless": True, "quality": quality, "method": method} for quality, method in ((50, 2), (80, 4))
)
_MAX_LOSSLESS = 6_000_000  # pixels, of WebP: a screenshot of a tablet
# A PNG as WebP. Lossless with method 0 takes a sixth of the time of PNG's level 6, for three quarters of the bytes.
_WEBP_OF_PNG: dict[PngStorage, tuple[Options, ...]] = {
    PngStorage.PNG: (),
    PngStorage.WEBP: ({"quality": 90, "method": 0},),
    PngStorage.WEBP_LOSSLESS: tuple({"lossless": True, "quality": 0, "method": method} for method in (0, 1)),
}
_INDEXED: tuple[Options, ...] = ({"compress_level": 6}, {"compress_level": 9})  # PNG with a palette, which is fast
_MAX_SPARE_ATTEMPT = 2_000_000  # pixels: larger ones are not first encoded in full colour if they need not be
# libwebp needs 30 bytes per pixel for noise as lossless alpha, with twelve levels half. It must not run out of memory:
# it tries again for each symbol, for up to 20 seconds.
_MAX_LOSSLESS_ALPHA = 12_000_000  # pixels
# If there is not enough memory.
_FRUGAL: dict[str, Options] = {
    "JPEG": {"quality": 90, "subsampling": "4:2:0"},
    "PNG": {"compress_level": 1},
    "WEBP": {"quality": 92, "method": 0, "alpha_quality": 50},
}


class Stored(NamedTuple):
    """The file to store."""

    format: str
    data: bytes
    is_converted: bool = False  # a PNG that became a WebP


def encode(image: Image.Image, name: str, **options: Any) -> bytes:
    out = io.BytesIO()
    if name == "JPEG":  # whose encoder needs room for the whole file at once
        ImageFile.MAXBLOCK = max(1 << 16, 3 * image.width * image.height)
    image.save(out, name, **options)
    return out.getvalue()


def resize(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return image if image.size == size else image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)


def shrink(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Scale down for a thumbnail or a preview: by averaging blocks of pixels, and the rest of the way by a filter.

    LANCZOS over all pixels takes four times as long, for a difference that WebP's quality of 80 removes again.
    """
    if image.size == size:
        return image
    factor = min(image.width // size[0], image.height // size[1])
    if image.size == (factor * size[0], factor * size[1]):
        return image.reduce(factor)
    filter_ = Image.Resampling.HAMMING if factor == 1 else Image.Resampling.BICUBIC  # blocks have blurred it already
    return image.resize(size, filter_, reducing_gap=1.0)


def encode_thumbnails(
    image: Image.Image, sizes: list[tuple[int, int]], stored: Stored
) -> tuple[list[bytes], Image.Image]:
    """Return a WebP of each size, widest first, each made from the one before it; and the last image.

    Method 2 is what makes pictures with flat areas small; method 0 takes half the time, and in a detailed picture the
    same bytes within a few per cent.
    """
    is_detailed = len(stored.data) * 8 > _DETAILED * image.width * image.height
    method = 0 if is_detailed or stored.is_converted else 2
    thumbnails = []
    for size in sizes:
        image = shrink(image, size)
        thumbnails.append(encode(image, "WEBP", quality=80, method=method))
    return thumbnails, image


def encode_small_webp(image: Image.Image, limit: int, qualities: tuple[int, ...]) -> bytes:
    """Encode as WebP of at most `limit` bytes: reduce the quality first, then the size."""
    while True:
        for quality in qualities:
            data = encode(image, "WEBP", quality=quality, alpha_quality=quality, method=4)
            if len(data) <= limit or image.size == (1, 1):
                return data
        image = resize(image, (max(1, image.width // 2), max(1, image.height // 2)))


def encode_stored(image: Image.Image, origin: Origin, png_as: PngStorage = PngStorage.PNG) -> Stored:
    """Return the file to store, if possible not larger than its original.

    Nothing but pixels is taken over: a table or a scan that is copied could carry code.

    Raises:
        RefusedError: TOO_MANY_PIXELS, there is not enough memory.
    """
    name = origin.format
    if name not in _TRIED:
        name = "WEBP" if image.mode == "RGBA" else "JPEG"
    tried = _jpeg_options(origin) if origin.format == "JPEG" else _TRIED[name]
    pixels = image.width * image.height
    if name == "PNG" and not origin.has_palette and (webp := _as_webp(image, origin.byte_size, png_as)):
        return Stored("WEBP", webp, is_converted=True)
    if name == "WEBP" and image.mode == "RGBA" and pixels > _MAX_LOSSLESS_ALPHA:
        tried = (_FRUGAL[name],)
    elif origin.is_lossless and pixels <= _MAX_LOSSLESS:
        tried = (*_LOSSLESS, *tried)
    return Stored(name, _smallest(_attempts(image, name, tried, origin), name, image, origin.byte_size))


def _as_webp(image: Image.Image, byte_size: int, png_as: PngStorage) -> bytes | None:
    """Return a PNG as WebP; None if it would not be smaller, or there is not enough memory."""
    pixels = image.width * image.height
    if png_as is PngStorage.WEBP_LOSSLESS:
        is_too_large = pixels > _MAX_LOSSLESS
    else:
        is_too_large = image.mode == "RGBA" and pixels > _MAX_LOSSLESS_ALPHA
    if is_too_large:
        return None
    with contextlib.suppress(MemoryError, OSError, ValueError):
        for options in _WEBP_OF_PNG[png_as]:
            data = encode(image, "WEBP", **options)
            if len(data) < byte_size:
                return data
    return None


def _jpeg_options(origin: Origin) -> tuple[Options, ...]:
    """Return the quality, the subsampling and the kind of the original, then lower qualities."""
    quality = min(max(origin.quality, 92 if origin.is_scaled else 1), _MAX_QUALITY)
    lower = sorted({max(1, quality * percent // 100) for percent in (100, 94, 86, 75)}, reverse=True)
    is_progressive = origin.is_progressive and not origin.is_scaled
    same = {"subsampling": origin.subsampling, "optimize": True, "progressive": is_progressive}
    return tuple(same | {"quality": each} for each in lower)


def _attempts(
    image: Image.Image, name: str, tried: tuple[Options, ...], origin: Origin
) -> Iterator[tuple[Image.Image, Options]]:
    """Yield what to encode, and how: in full colour, then without a loss of pixels as compactly as the original was."""
    started, seconds = time.process_time(), _SECONDS[name]
    compact = _compact(image, name, origin)
    is_small = image.width * image.height <= _MAX_SPARE_ATTEMPT
    if compact is None and origin.has_default_level and is_small:  # a lower level would be larger
        tried, seconds = tried[1:], seconds / 2
    if compact is None or is_small:
        yield image, tried[0]
    if compact is not None:
        image, tried = compact, _INDEXED if compact.mode == "P" else tried
        yield image, tried[0]
    for options in tried[1:]:
        if time.process_time() - started > seconds:
            return
        yield image, options


def _compact(image: Image.Image, name: str, origin: Origin) -> Image.Image | None:
    """Return the image in grey or with a palette; None if its original was neither, or has more colours now."""
    if name == "JPEG":
        return image.convert("L") if origin.is_grey else None
    if name != "PNG":
        return None
    if origin.is_grey:
        grey = image.convert("LA" if image.mode == "RGBA" else "L")
        return with_palette(grey, MAX_GREYS) or grey
    return with_palette(image, MAX_COLOURS) if origin.has_palette else None


def _smallest(attempts: Iterator[tuple[Image.Image, Options]], name: str, image: Image.Image, byte_size: int) -> bytes:
    """Encode until the file is about as small as the original; return the smallest.

    Raises:
        RefusedError: TOO_MANY_PIXELS, there is not enough memory.
    """
    smallest = b""
    with contextlib.suppress(MemoryError, OSError, ValueError):
        for attempt, options in attempts:
            data = encode(attempt, name, **options)
            smallest = min(data, smallest or data, key=len)
            if len(smallest) <= max(byte_size * _ROOM, _SMALL.get(name, 0)):
                return smallest
    with contextlib.suppress(MemoryError, OSError, ValueError):
        smallest = smallest or encode(image, name, **_FRUGAL[name])
    if not smallest:
        raise RefusedError("TOO_MANY_PIXELS")
    return smallest
