"""The structure of a PNG file (PNG, third edition): the chunks that its pixels need."""

import zlib
from typing import NamedTuple

from services.integrations.images.refusal import RefusedError

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_END = b"\0\0\0\0IEND\xaeB`\x82"
_PIXELS = frozenset({b"IHDR", b"PLTE", b"IDAT"})
_ONCE = frozenset({b"tRNS", b"iCCP", b"eXIf"})  # the first counts
_TEXTS = frozenset({b"zTXt", b"iTXt"})  # compressed, or perhaps so
_COLOURS = frozenset({b"cICP", b"sRGB", b"gAMA", b"cHRM"})

MAX_CHUNKS = 200_000
MAX_TEXT_BYTES = 32 << 20  # decompressed, in all: of a workflow that an image was made with, a few MiB
_SMALL_TEXT = 1 << 14  # bytes as compressed, which become at most a thousand times as many: not measured


class Png(NamedTuple):
    """What is decoded of a PNG file."""

    data: bytes  # one image, without text, frames of an animation and unknown chunks
    colours: dict[bytes, bytes]  # of cICP, sRGB, gAMA and cHRM: the content by the name
    has_default_level: bool = False  # of compression, as its zlib stream says: 6, as most programs use

    @property
    def depth(self) -> int:
        """Bits of each channel, by the header; 0 if there is none."""
        return self._header[8] if len(self._header) > 9 else 0

    @property
    def is_grey(self) -> bool:
        """Whether the header declares grey, with or without alpha."""
        return len(self._header) > 9 and self._header[9] in (0, 4)

    @property
    def _header(self) -> bytes:
        return self.data[16:29] if self.data[12:16] == b"IHDR" else b""


def read_png(data: bytes) -> Png:
    """Return the parts of a file that its decoder needs; a missing end is added.

    Raises:
        RefusedError: DAMAGED, also for text that is there to fill the memory of a reader, or TOO_SLOW for more chunks
            than any encoder writes.
    """
    parts, seen, colours = [SIGNATURE], set[bytes](), dict[bytes, bytes]()
    at, has_default_level, text_room = len(SIGNATURE), False, MAX_TEXT_BYTES
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
        elif kind in _PIXELS or (kind in _ONCE and kind not in seen):
            parts.append(data[at:end])
        elif kind in _TEXTS and end - at > _SMALL_TEXT:
            text_room -= _text_size(kind, data[at + 8 : end - 4], text_room)
            if text_room < 0:
                raise RefusedError("DAMAGED")
        seen.add(kind)
        at = end
    raise RefusedError("TOO_SLOW")


def _text_size(kind: bytes, body: bytes, room: int) -> int:
    """Return how many bytes a compressed text has, at most `room` + 1; 0 if it is not compressed, or malformed."""
    _, _, rest = body.partition(b"\0")  # the keyword
    if kind == b"iTXt":
        if not rest.startswith(b"\1"):
            return 0
        rest = rest[1:2] + rest[2:].split(b"\0", 2)[-1]  # without the language and the translated keyword
    try:
        return len(zlib.decompressobj().decompress(rest[1:], room + 1))  # behind the method
    except zlib.error:
        return 0
