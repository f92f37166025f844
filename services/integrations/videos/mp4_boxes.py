"""The boxes of an MP4 file (ISO/IEC 14496-12), checked before a demuxer builds tables from them."""

from collections.abc import Iterator
from typing import NamedTuple

from services.integrations.videos.refusal import BadVideo, VideoRefusedError

MAX_BOXES = 20_000  # a fragment has about ten
MAX_INDEX_BYTES = 4 << 20  # of all boxes but the media; an hour at 30 frames a second has two
MAX_TRACKS = 4
MAX_SAMPLES = 1_000_000  # of one track
MAX_EDITS = 2  # a pause before the start, then the whole track; more would repeat or hide parts
_SELF_CONTAINED = 1  # flag of a data reference: the media is in this file
_NORMAL_RATE = 1 << 16  # of an edit, as 16.16 fixed point
_MEDIA = (b"mdat", b"free", b"skip", b"wide")
_CONTAINERS = (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"stbl", b"edts", b"moof", b"traf", b"mvex")
_MAX_DEPTH = 8


class _Box(NamedTuple):
    kind: bytes
    start: int  # of the content
    end: int


def check_boxes(data: bytes) -> float | None:
    """Check what the header declares, and return the duration that it states in seconds; None: none.

    Raises:
        VideoRefusedError: DAMAGED for boxes that do not fit, DECEPTIVE for media elsewhere, edits or many tracks,
            TOO_MANY_FRAMES for tables of an absurd size.
    """
    checks = _Checks(data)
    checks.run()
    return checks.stated


class _Checks:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._boxes = self._tracks = 0
        self.stated: float | None = None

    def run(self) -> None:
        top = list(self._children(0, len(self._data)))
        if sum(box.end - box.start for box in top if box.kind not in _MEDIA) > MAX_INDEX_BYTES:
            raise VideoRefusedError(BadVideo.DECEPTIVE, f"the header has more than {MAX_INDEX_BYTES} bytes")
        if not any(box.kind == b"moov" for box in top):
            raise VideoRefusedError(BadVideo.DAMAGED, "there is no header (moov)")
        for box in top:
            self._check(box, 1)

    def _check(self, box: _Box, depth: int) -> None:
        if depth > _MAX_DEPTH:
            raise VideoRefusedError(BadVideo.DAMAGED, "boxes are nested too deeply")
        if box.kind == b"cmov":
            raise VideoRefusedError(BadVideo.DECEPTIVE, "the header is compressed")
        if box.kind == b"trak":
            self._tracks += 1
            if self._tracks > MAX_TRACKS:
                raise VideoRefusedError(BadVideo.DECEPTIVE, f"more than {MAX_TRACKS} tracks")
        if box.kind in (b"stsz", b"stz2") and self._number(box.start + 8) > MAX_SAMPLES:
            raise VideoRefusedError(BadVideo.TOO_MANY_FRAMES, f"{self._number(box.start + 8)} samples in a track")
        if box.kind == b"trun" and self._number(box.start + 4) > MAX_SAMPLES:
            raise VideoRefusedError(BadVideo.TOO_MANY_FRAMES, f"{self._number(box.start + 4)} samples in a fragment")
        if box.kind == b"mvhd":
            self._read_duration(box)
        if box.kind == b"elst":
            self._check_edits(box)
        if box.kind == b"dref":
            self._check_references(box)
        if box.kind in _CONTAINERS:
            for child in self._children(box.start, box.end):
                self._check(child, depth + 1)

    def _read_duration(self, box: _Box) -> None:
        size = 8 if self._data[box.start] == 1 else 4  # bytes of a time
        scale_at = box.start + 4 + 2 * size
        scale, at = self._number(scale_at), scale_at + 4
        duration = int.from_bytes(self._data[at : at + size], "big")
        is_known = 0 < duration < 2 ** (8 * size) - 1 and scale > 0
        self.stated = duration / scale if is_known else None

    def _check_edits(self, box: _Box) -> None:
        is_long, count = self._data[box.start] == 1, self._number(box.start + 4)
        if count > MAX_EDITS:
            raise VideoRefusedError(BadVideo.DECEPTIVE, f"an edit list of {count} parts")
        size = 20 if is_long else 12
        for number in range(count):
            rate = self._number(box.start + 8 + number * size + size - 4)
            if rate != _NORMAL_RATE:
                raise VideoRefusedError(BadVideo.DECEPTIVE, f"an edit at {rate / _NORMAL_RATE:g} times the speed")

    def _check_references(self, box: _Box) -> None:
        for entry in self._children(box.start + 8, box.end):
            if not self._number(entry.start) & _SELF_CONTAINED:
                raise VideoRefusedError(BadVideo.DECEPTIVE, "its media is in another file")

    def _number(self, at: int) -> int:
        return int.from_bytes(self._data[at : at + 4], "big")

    def _children(self, start: int, end: int) -> Iterator[_Box]:
        while start < end:
            self._boxes += 1
            if self._boxes > MAX_BOXES:
                raise VideoRefusedError(BadVideo.DECEPTIVE, f"more than {MAX_BOXES} boxes")
            size, kind, header = self._number(start), self._data[start + 4 : start + 8], 8
            if size == 1:
                size, header = int.from_bytes(self._data[start + 8 : start + 16], "big"), 16
            elif size == 0:
                size = end - start  # up to the end
            if size < header or start + size > end:
                raise VideoRefusedError(BadVideo.DAMAGED, f"the box {kind!r} at {start} does not fit")
            yield _Box(kind, start + header, start + size)
            start += size
