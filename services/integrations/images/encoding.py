"""Encoding: stored images that are not larger than their originals, thumbnails and placeholders."""

import contextlib
import io
import time
from typing import Any

from PIL import Image, ImageFile

from services.integrations.images.decoding import Origin
from services.integrations.images.refusal import RefusedError

Options = dict[str, Any]  # of Pillow's encoder

# CPU time after which no smaller encoding is tried; one image may use 5. PNG's second takes three times as long.
_SECONDS = {"JPEG": 1.0, "PNG": 0.3, "WEBP": 1.0}
_ROOM = 1.02  # an encoding may be this much larger than its original
_MAX_QUALITY = 95  # above it, a JPEG grows by half without a visible difference
# By the format to store, in the order in which they are tried. JPEG: of HEIC and AVIF, which have 4:2:0, too.
# PNG: level 3 is 3 % smaller than 1 and takes 50 % longer.
_TRIED: dict[str, tuple[Options, ...]] = {
    "JPEG": ({"quality": 90, "subsampling": "4:2:0", "optimize": True},),
    "PNG": ({"compress_level": 1}, {"compress_level": 6}),
    "WEBP": ({"quality": 92, "method": 0}, {"quality": 80, "method": 2}, {"quality": 65, "method": 2}),
}
# libwebp needs 30 bytes per pixel for noise as lossless alpha, with twelve levels half. It must not run out of memory:
# it tries again for each symbol, for up to 20 seconds.
_MAX_LOSSLESS_ALPHA = 12_000_000  # pixels
# If there is not enough memory.
_FRUGAL: dict[str, Options] = {
    "JPEG": {"quality": 90, "subsampling": "4:2:0"},
    "PNG": {"compress_level": 1},
    "WEBP": {"quality": 92, "method": 0, "alpha_quality": 50},
}


def encode(image: Image.Image, name: str, **options: Any) -> bytes:
    out = io.BytesIO()
    if name == "JPEG":  # whose encoder needs room for the whole file at once
        ImageFile.MAXBLOCK = max(1 << 16, 3 * image.width * image.height)
    image.save(out, name, **options)
    return out.getvalue()


def resize(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return image if image.size == size else image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)


def encode_small_webp(image: Image.Image, limit: int, qualities: tuple[int, ...]) -> bytes:
    """Encode as WebP of at most `limit` bytes: reduce the quality first, then the size."""
    while True:
        for quality in qualities:
            data = encode(image, "WEBP", quality=quality, alpha_quality=quality, method=4)
            if len(data) <= limit or image.size == (1, 1):
                return data
        image = resize(image, (max(1, image.width // 2), max(1, image.height // 2)))


def encode_stored(image: Image.Image, origin: Origin) -> tuple[str, bytes]:
    """Return the format and the bytes of the file to store, if possible not larger than its original.

    Nothing but pixels is taken over: a table or a scan that is copied could carry code.

    Raises:
        RefusedError: TOO_MANY_PIXELS, there is not enough memory.
    """
    name = origin.format
    if name not in _TRIED:
        name = "WEBP" if image.mode == "RGBA" else "JPEG"
    tried = _jpeg_options(origin) if origin.format == "JPEG" else _TRIED[name]
    if name == "WEBP" and image.mode == "RGBA" and image.width * image.height > _MAX_LOSSLESS_ALPHA:
        tried = (_FRUGAL[name],)
    return name, _smallest(image, name, tried, origin.byte_size)


def _jpeg_options(origin: Origin) -> tuple[Options, ...]:
    """Return the quality, the subsampling and the kind of the original, then lower qualities."""
    quality = min(max(origin.quality, 92 if origin.is_scaled else 1), _MAX_QUALITY)
    lower = sorted({max(1, quality * percent // 100) for percent in (100, 94, 86, 75)}, reverse=True)
    is_progressive = origin.is_progressive and not origin.is_scaled
    same = {"subsampling": origin.subsampling, "optimize": True, "progressive": is_progressive}
    return tuple(same | {"quality": each} for each in lower)


def _smallest(image: Image.Image, name: str, tried: tuple[Options, ...], byte_size: int) -> bytes:
    """Encode until the file is about as small as the original; return the smallest.

    Raises:
        RefusedError: TOO_MANY_PIXELS, there is not enough memory.
    """
    smallest = b""
    started = time.process_time()
    for options in tried:
        try:
            data = encode(image, name, **options)
        except (MemoryError, OSError, ValueError):
            break
        smallest = min(data, smallest or data, key=len)
        if len(smallest) <= byte_size * _ROOM or time.process_time() - started > _SECONDS[name]:
            return smallest
    with contextlib.suppress(MemoryError, OSError, ValueError):
        smallest = smallest or encode(image, name, **_FRUGAL[name])
    if not smallest:
        raise RefusedError("TOO_MANY_PIXELS")
    return smallest
