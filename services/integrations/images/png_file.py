"""The structure of a PNG file (PNG, third edition): the chunks that its pixels need."""

from typing import NamedTuple

from services.integrations.images.refusal import RefusedError

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_END = b"\0\0\0\0IEND\xaeB`\x82"
_PIXELS = frozenset({b"IHDR", b"PLTE", b"IDAT"})
_ONCE = frozenset({b"tRNS", b"iCCP", b"eXIf"})  # the first counts
_TEXTS = frozenset({b"zTXt", b"iTXt"})  # Pillow limits how much they decompress to, and refuses more
_COLOURS = frozenset({b"cICP", b"sRGB", b"gAMA", b"cHRM"})

MAX_CHUNKS = 200_000


class Png(NamedTuple):
    """What is decoded of a PNG file."""

    data: bytes  # one image, without text, frames of an animation and unknown chunks
    colours: dict[bytes, bytes]  # of cICP, sRGB, gAMA and cHRM: the content by the name
    has_default_level: bool = False  # of compression, as its zlib stream says: 6, as most programs use


def read_png(data: bytes) -> Png:
    """Return the parts of a file that its decoder needs; a missing end is added.

    Raises:
        RefusedError: DAMAGED, or TOO_SLOW for more chunks than any encoder writes.
    """
    parts, seen, colours = [SIGNATURE], set[bytes](), dict[bytes, bytes]()
    at, has_default_level = len(SIGNATURE), False
    for _ in range(MAX_CHUNKS):
        kind = data[at + 4 : at + 8]
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        if kind == b"IEND" or (end > len(data) and kind not in _PIXELS):
            return Png(b"".join(parts) + _END, colours, has_default_level)
        if end > len(data):
            raise RefusedError("DAMAGED")
        if kind == b"IDAT" and kind not in seen:
            has_default_level = b"\x80" <= data[at + 9 : at + 10] < b"\xc0"  # RFC 1950: FLEVEL
        if kind in _COLOURS:
            if b"IDAT" not in seen:
                colours.setdefault(kind, data[at + 8 : end - 4])
        elif kind in _PIXELS or kind in _TEXTS or (kind in _ONCE and kind not in seen):
            parts.append(data[at:end])
        seen.add(kind)
        at = end
    raise RefusedError("TOO_SLOW")
