"""The structure of a JPEG file (ITU-T T.81, annex B): what is decoded of it, how often, and whether it is complete."""

import io
import random
import re
from typing import NamedTuple

from PIL import Image, ImageChops

from services.integrations.images.refusal import RefusedError

SOI, EOI = b"\xff\xd8", b"\xff\xd9"
_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")  # neither a stuffed byte (00), nor a restart (D0-D7), nor fill (FF)
_TEM, _SOI, _EOI, _SOS, _APP0, _APP1, _APP2, _APP14 = 0x01, 0xD8, 0xD9, 0xDA, 0xE0, 0xE1, 0xE2, 0xEE
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})  # SOF0 to SOF15
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_TABLES = frozenset({0xC4, 0xCC, 0xDB, 0xDC, 0xDD})  # DHT, DAC, DQT, DNL, DRI
_METADATA = {_APP0: b"JFIF\0", _APP1: b"Exif\0\0", _APP2: b"ICC_PROFILE\0", _APP14: b"Adobe"}  # needed for the pixels
_FIRST_ONLY = frozenset({_APP0, _APP1, _APP14})

MAX_SEGMENTS = 10_000  # a photo with its thumbnails and editing history has at most a few hundred
MAX_SCANS = 100  # encoders write up to 20
MAX_SCANNED_PIXELS = 1_500_000_000  # pixels times scans: the decoder passes over all pixels for each scan
# A file without an end may lack this share of its pixels: less than a block in a small picture, so that only complete
# ones are accepted; in a large one, the last blocks.
MAX_MISSING = 1 / 2000
_RANDOM_BYTES = 256 << 10  # more than 1/2000 of the blocks of the largest picture can use up


class Jpeg(NamedTuple):
    """What is decoded of a JPEG file."""

    data: bytes  # without comments, previews, other metadata, garbage, and anything after the end
    is_progressive: bool
    has_end: bool
    coefficient_bytes: int  # that the decoder keeps of several scans until it has read them all


def read_jpeg(data: bytes) -> Jpeg:
    """Return the parts of a file that its decoder needs.

    Raises:
        RefusedError: DAMAGED, or TOO_SLOW for more segments or scans than any encoder writes.
    """
    parts, kept = [SOI], set[int]()
    at, segments, scans, pixels, samples = 2, 0, 0, 0, 0.0
    is_progressive = has_end = False
    while (found := _MARKER.search(data, at)) is not None:
        marker, start = data[found.start() + 1], found.start()
        if marker == _TEM:
            at = start + 2
            continue
        if marker == _EOI:
            has_end = True
            break
        size = int.from_bytes(data[start + 2 : start + 4], "big")
        end = start + 2 + size
        if marker == _SOI or size < 2 or end > len(data):
            raise RefusedError("DAMAGED")
        segments += 1
        if segments > MAX_SEGMENTS:
            raise RefusedError("TOO_SLOW")
        body = data[start + 4 : end]
        if marker in _FRAMES:
            is_progressive = marker in _PROGRESSIVE
            pixels = int.from_bytes(body[1:3], "big") * int.from_bytes(body[3:5], "big")
            samples = pixels * _samples_per_pixel(body)
        at = end
        if marker == _SOS:
            scans += 1
            following = _MARKER.search(data, end)
            at = following.start() if following else len(data)
        if _is_needed(marker, body) and marker not in kept:
            parts.append(data[start:at])
            kept.update({marker} & _FIRST_ONLY)
    if scans > MAX_SCANS or scans * pixels > MAX_SCANNED_PIXELS:
        raise RefusedError("TOO_SLOW")
    if has_end:
        parts.append(EOI)
    return Jpeg(b"".join(parts), is_progressive, has_end, int(2 * samples) if is_progressive or scans > 1 else 0)


def _samples_per_pixel(frame: bytes) -> float:
    """Return how many samples of all components there are for each pixel, such as 1.5 for 4:2:0."""
    factors = [((factor >> 4) or 1, (factor & 15) or 1) for factor in frame[7::3]]  # horizontal, vertical
    most = max((h for h, _ in factors), default=1) * max((v for _, v in factors), default=1)
    return sum(h * v for h, v in factors) / most


def _is_needed(marker: int, body: bytes) -> bool:
    if marker in _METADATA:
        return body.startswith(_METADATA[marker])
    return marker in _FRAMES or marker in _TABLES or marker == _SOS


def with_end(jpeg: Jpeg) -> bytes:
    """Return the data of a JPEG with its end, added if only that is missing.

    A decoder fills missing pixels without an error. So they are found by decoding twice, once with random bytes
    at the end: pixels that differ are missing from the file.

    Raises:
        RefusedError: DAMAGED, pixels are missing.
    """
    if jpeg.has_end:
        return jpeg.data
    body = jpeg.data.rstrip(b"\0")  # a camera or a broken transfer fills a file with zeros
    if body.endswith(b"\xff"):  # a stuffed byte, or the first half of the end
        body = body + b"\0" if len(body) < len(jpeg.data) else body[:-1]
    filler = random.Random(0).randbytes(_RANDOM_BYTES).replace(b"\xff", b"\x55")
    first, second = _brightness(body + EOI), _brightness(body + filler + EOI)
    missing = first.width * first.height - ImageChops.difference(first, second).histogram()[0]
    if missing > MAX_MISSING * first.width * first.height:
        raise RefusedError("DAMAGED")
    return body + EOI


def _brightness(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data), formats=("JPEG",))
    image.draft("L", image.size)
    return image.convert("L")
