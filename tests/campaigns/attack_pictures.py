"""Pictures that cost more to decode than to send."""

import io
from collections.abc import Callable
from functools import cache

import httpx
from PIL import Image

from tests.campaigns.attack import Attack, Target
from tests.support.client import photo

_ORDER = "mutation($input: CreateGenerationInput!) { createGeneration(input: $input) { errors { code } } }"
_SCANS = 2000
_IN_FLIGHT = 24


@cache
def many_scans() -> bytes:
    """A progressive JPEG of 40 megapixels and 2,000 scans, 365 KB."""
    buffer = io.BytesIO()
    Image.new("RGB", (8192, 4880)).save(buffer, "JPEG", quality=60, progressive=True)
    data = buffer.getvalue()
    last_scan = data.rfind(b"\xff\xda")
    return data[:last_scan] + data[last_scan:-2] * _SCANS + data[-2:]


@cache
def large_photo() -> bytes:
    """A photo of 48 megapixels, as phones take them."""
    buffer = io.BytesIO()
    small = Image.open(io.BytesIO(photo(320, 240)))
    small.resize((8064, 6048), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=60)
    return buffer.getvalue()


def half_photo() -> bytes:
    data = photo(1600, 1200)
    return data[: len(data) // 2]


async def _order(target: Target, picture: Callable[[], bytes], in_flight: int) -> None:
    mallory, data = await target.sign_up(), picture()

    async def send() -> httpx.Response:
        return await mallory.raw(_ORDER, {"input.image": data}, input={"prompt": "a boat"})

    await target.repeat(in_flight, send, pause=0.05)


async def pictures_of_many_scans(target: Target) -> None:
    """24 uploads in flight, each of which takes a decoder seconds."""
    await _order(target, many_scans, _IN_FLIGHT)


async def damaged_pictures(target: Target) -> None:
    """Refused pictures, which cost the sender no credits."""
    await _order(target, half_photo, _IN_FLIGHT)


async def large_photos(target: Target) -> None:
    """Valid photos of 48 megapixels."""
    await _order(target, large_photo, 5)


ATTACKS: tuple[Attack, ...] = (pictures_of_many_scans, damaged_pictures, large_photos)
