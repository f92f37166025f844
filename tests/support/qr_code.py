"""Reads a QR code from a clean picture of it, as a camera's app does: ISO/IEC 18004, versions 1 to 10, level M."""

import io
from collections.abc import Callable, Iterator

from PIL import Image

_FORMAT_MASK = 0x5412
_LEVEL_M = 0
_DARK = 128  # of 256 levels of grey
_FINDER = 7  # modules of the first row of a finder pattern
# The coordinates of alignment patterns beside the first one, and the data codewords of each block, by version.
_ALIGNMENT: dict[int, tuple[int, ...]] = {
    1: (), 2: (18,), 3: (22,), 4: (26,), 5: (30,), 6: (34,), 7: (22, 38), 8: (24, 42), 9: (26, 46), 10: (28, 50),
}  # fmt: skip
_BLOCKS: dict[int, tuple[int, ...]] = {
    1: (16,), 2: (28,), 3: (44,), 4: (32,) * 2, 5: (43,) * 2, 6: (27,) * 4, 7: (31,) * 4, 8: (38,) * 2 + (39,) * 2,
    9: (36,) * 3 + (37,) * 2, 10: (43,) * 4 + (44,),
}  # fmt: skip
_MASKS: tuple[Callable[[int, int], int], ...] = (
    lambda y, x: (y + x) % 2,
    lambda y, _: y % 2,
    lambda _, x: x % 3,
    lambda y, x: (y + x) % 3,
    lambda y, x: (y // 2 + x // 3) % 2,
    lambda y, x: y * x % 2 + y * x % 3,
    lambda y, x: (y * x % 2 + y * x % 3) % 2,
    lambda y, x: ((y + x) % 2 + y * x % 3) % 2,
)
_BYTES = 0b0100  # the mode

Modules = list[list[bool]]


def read_qr_code(picture: bytes) -> str:
    """Return the text of the QR code in a picture of it, upright and without errors to correct."""
    modules = _modules(Image.open(io.BytesIO(picture)).convert("L"))
    version = (len(modules) - 17) // 4
    bits = [modules[8][x] for x in (0, 1, 2, 3, 4, 5, 7, 8)] + [modules[y][8] for y in (7, 5, 4, 3, 2, 1, 0)]
    form = _number(bits) ^ _FORMAT_MASK
    assert form >> 13 == _LEVEL_M, "another level of error correction"
    mask = _MASKS[form >> 10 & 7]
    read = [modules[y][x] != (mask(y, x) == 0) for y, x in _places(version)]
    codewords = [_number(read[at : at + 8]) for at in range(0, len(read) - 7, 8)]
    text = "".join(f"{codeword:08b}" for codeword in _in_order(codewords, _BLOCKS[version]))
    assert int(text[:4], 2) == _BYTES
    start = 12 if version < 10 else 20
    count = int(text[4:start], 2)
    return bytes(int(text[at : at + 8], 2) for at in range(start, start + count * 8, 8)).decode()


def _modules(picture: Image.Image) -> Modules:
    dark = picture.point(lambda level: 255 if level < _DARK else 0)
    left, top, right, bottom = dark.getbbox() or (0, 0, 0, 0)
    across = next(x for x in range(left, right) if not dark.getpixel((x, top))) - left
    count = 17 + 4 * round(((right - left) * _FINDER / across - 17) / 4)
    size = (right - left) / count, (bottom - top) / count
    return [
        [bool(dark.getpixel((int(left + (x + 0.5) * size[0]), int(top + (y + 0.5) * size[1])))) for x in range(count)]
        for y in range(count)
    ]


def _number(bits: list[bool]) -> int:
    return int("".join(str(int(bit)) for bit in bits), 2)


def _places(version: int) -> Iterator[tuple[int, int]]:
    """Row and column of each module of the data, in their order."""
    size = 17 + 4 * version
    columns = [x for x in range(size - 1, 0, -1) if x > 6 and x % 2 == 0] + [5, 3, 1]
    for turn, right in enumerate(columns):
        for y in range(size) if turn % 2 else range(size - 1, -1, -1):
            for x in (right, right - 1):
                if not _is_pattern(version, size, y, x):
                    yield y, x


def _is_pattern(version: int, size: int, y: int, x: int) -> bool:
    """Whether a module is of a finder, a line of timing, the format, the version or an alignment pattern."""
    if 6 in (y, x) or (y < 9 and (x < 9 or x >= size - 8)) or (y >= size - 8 and x < 9):
        return True
    if version >= 7 and ((y < 6 and x >= size - 11) or (x < 6 and y >= size - 11)):
        return True
    centres = (6, *_ALIGNMENT[version])
    corners = {(6, 6), (6, centres[-1]), (centres[-1], 6)} if version > 1 else set()
    return version > 1 and any(
        abs(y - row) <= 2 and abs(x - column) <= 2
        for row in centres
        for column in centres
        if (row, column) not in corners
    )


def _in_order(codewords: list[int], blocks: tuple[int, ...]) -> list[int]:
    """Return the data codewords block after block; they are stored in turns."""
    taken: list[list[int]] = [[] for _ in blocks]
    rest = iter(codewords)
    for place in range(max(blocks)):
        for block, length in zip(taken, blocks, strict=True):
            if place < length:
                block.append(next(rest))
    return [codeword for block in taken for codeword in block]
