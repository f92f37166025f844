"""The structure of a HEIF file (ISO/IEC 23008-12): whether all pixels of its primary image can be decoded."""

from collections.abc import Iterator
from typing import NamedTuple

from PIL import Image, ImageChops

_MAX_ITEMS = 10_000  # a picture of 120 megapixels has 480 tiles

_GREENS = slice(64, 150)  # 84 by BT.709, 94 by BT.2020, 135 by BT.601


class _Box(NamedTuple):
    kind: bytes
    start: int  # of the content
    end: int


class _Reader:
    """Reads whole numbers, one after another."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self._at = at

    def number(self, size: int) -> int:
        if self._at + size > len(self._data):
            raise ValueError("the box ends early")
        self._at += size
        return int.from_bytes(self._data[self._at - size : self._at], "big")


class Heif(NamedTuple):
    """What the decoder does not report about a file: it leaves tiles blank that it cannot decode."""

    is_cut: bool = False  # the primary image, or a tile that it is made of, is beyond the end of the file
    tiles: int = 1  # of the primary image


def read_heif(data: bytes) -> Heif:
    """Return what is known about a file; one that cannot be read in this way is left to the decoder."""
    try:
        boxes = _children(data)
        primary = _Reader(data, boxes[b"pitm"].start)
        item = primary.number(4 if primary.number(4) >> 24 else 2)
        needed = _items_of(data, boxes.get(b"iref"), item)
        is_cut = any(end > len(data) for found, end in _extents(data, boxes[b"iloc"]) if found in needed)
        return Heif(is_cut, max(1, len(needed) - 1))
    except (KeyError, ValueError, IndexError):
        return Heif()


def has_blank_tile(image: Image.Image, tiles: int) -> bool:
    """Whether an RGB image of several tiles has one that the decoder left at zero in all planes, of YCbCr.

    That is a dark green without red and blue, by the matrix, which no camera makes a tile of: the green channel has
    the same value in about as many pixels as a tile has. Tiles at the edges may be half as large.
    """
    enough = image.width * image.height // (2 * tiles)
    if tiles < 2 or image.mode != "RGB":
        return False
    red, green, blue = image.split()
    if min(red.histogram()[0], blue.histogram()[0]) < enough:
        return False
    is_zero = ImageChops.add(red, blue).point(lambda value: 0 if value else 255)
    return max(green.histogram(is_zero)[_GREENS]) >= enough


def _boxes(data: bytes, at: int, end: int) -> Iterator[_Box]:
    for _ in range(_MAX_ITEMS):
        if at + 8 > end:
            return
        size, head = int.from_bytes(data[at : at + 4], "big"), 8
        if size == 1:
            size, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        stop = end if size == 0 else at + size
        if stop < at + head:
            raise ValueError("a box is shorter than its head")
        yield _Box(data[at + 4 : at + 8], at + head, min(stop, end))
        at = stop


def _children(data: bytes) -> dict[bytes, _Box]:
    """Return the boxes in the meta box, by kind."""
    meta = next((box for box in _boxes(data, 0, len(data)) if box.kind == b"meta"), None)
    if meta is None:
        raise ValueError("there is no meta box")
    return {box.kind: box for box in _boxes(data, meta.start + 4, meta.end)}


def _items_of(data: bytes, references: _Box | None, item: int) -> set[int]:
    """Return the item and those that it is derived from: the tiles of a grid."""
    if references is None:
        return {item}
    size = 4 if data[references.start] else 2
    derived: dict[int, list[int]] = {}
    for box in _boxes(data, references.start + 4, references.end):
        if box.kind == b"dimg":
            reader = _Reader(data, box.start)
            source = reader.number(size)
            derived[source] = [reader.number(size) for _ in range(min(reader.number(2), _MAX_ITEMS))]
    found, queue = {item}, [item]
    while queue and len(found) < _MAX_ITEMS:
        new = set(derived.get(queue.pop(), ())) - found
        found |= new
        queue.extend(new)
    return found


def _extents(data: bytes, locations: _Box) -> Iterator[tuple[int, int]]:
    """Yield the id of an item and the end of a part of it in the file, for each part."""
    reader = _Reader(data, locations.start)
    version = reader.number(4) >> 24
    sizes, more = reader.number(1), reader.number(1)
    id_size = 4 if version == 2 else 2
    for _ in range(min(reader.number(id_size), _MAX_ITEMS)):
        item = reader.number(id_size)
        is_in_file = not (version and reader.number(2) & 15)
        reader.number(2)  # the file; 0: this one
        base = reader.number(more >> 4)
        for _ in range(min(reader.number(2), _MAX_ITEMS)):
            if version:
                reader.number(more & 15)
            start, size = reader.number(sizes >> 4), reader.number(sizes & 15)
            if is_in_file:
                yield item, base + start + size
