"""Colour spaces: ICC profiles made from what a file says about its colours, and the conversion to sRGB."""

import io
import struct
from collections.abc import Callable
from typing import NamedTuple

from PIL import Image, ImageCms

Matrix = tuple[tuple[float, ...], ...]
Point = tuple[float, float]  # x and y of CIE 1931
Points = tuple[Point, Point, Point, Point]  # red, green, blue, white


class ColourSpace(NamedTuple):
    """Primaries and white, and the function from a stored value to light, both 0 to 1."""

    red: Point
    green: Point
    blue: Point
    white: Point
    to_light: Callable[[float], float]


_D65 = (0.3127, 0.3290)
_D50 = (0.9642, 1.0, 0.8249)  # of the profile connection space
# ITU-T H.273, table 2: colour primaries.
_PRIMARIES = {
    1: ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)),  # BT.709, sRGB
    5: ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06)),  # BT.601, 625 lines
    6: ((0.63, 0.34), (0.31, 0.595), (0.155, 0.07)),  # BT.601, 525 lines
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),  # BT.2020
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),  # Display P3
}
_SRGB_POINTS: Points = (*_PRIMARIES[1], _D65)
_HDR_WHITE = 203 / 10_000  # of PQ's maximum: what BT.2408 shows as white
_CURVE_POINTS = 1024
_BRADFORD: Matrix = ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))


def _srgb(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def _pq(value: float) -> float:
    root = value ** (1 / 78.84375)
    light = (max(root - 0.8359375, 0.0) / (18.8515625 - 18.6875 * root)) ** (1 / 0.1593017578125)
    return float(min(light / _HDR_WHITE, 1.0))


def _hlg(value: float) -> float:
    light = value**2 / 3 if value <= 0.5 else (2.718281828 ** ((value - 0.55991073) / 0.17883277) + 0.28466892) / 12
    return min(light / 0.265, 1.0)  # 0.265: white by BT.2408, three quarters of the signal


# ITU-T H.273, table 3: transfer characteristics. BT.709's are shown like sRGB's, as browsers do.
_TRANSFERS: dict[int, Callable[[float], float]] = {
    **dict.fromkeys((1, 6, 13, 14, 15), _srgb),
    4: lambda value: value**2.2,
    5: lambda value: value**2.8,
    8: lambda value: value,
    16: _pq,
    18: _hlg,
}


def space_of_codes(primaries: int, transfer: int) -> ColourSpace | None:
    """Return the colour space of two codes of ITU-T H.273; None for sRGB, and for codes that are not supported."""
    found, to_light = _PRIMARIES.get(primaries), _TRANSFERS.get(transfer)
    if found is None or to_light is None or (primaries == 1 and to_light is _srgb):
        return None
    return ColourSpace(*found, _D65, to_light)


def space_of_png(colours: dict[bytes, bytes], *, has_profile: bool) -> ColourSpace | None:
    """Return the colour space that a PNG's chunks describe; None for sRGB, and if its ICC profile counts.

    As in browsers and in the standard: cICP before iCCP before sRGB before gAMA and cHRM.
    """
    codes = colours.get(b"cICP", b"")
    if len(codes) == 4 and codes[0] in _PRIMARIES and codes[1] in _TRANSFERS:
        return space_of_codes(codes[0], codes[1])
    if has_profile or b"sRGB" in colours:
        return None
    gamma = int.from_bytes(colours.get(b"gAMA", b"")[:4], "big") / 100_000
    points = _read_points(colours.get(b"cHRM", b""))
    if not 0.01 <= gamma <= 10 or abs(gamma * 2.2 - 1) < 0.05:  # within 5 %, as libpng: sRGB's own curve
        return None if points is None else ColourSpace(*points, _srgb)
    exponent = 1 / gamma
    return ColourSpace(*(points or _SRGB_POINTS), lambda value: value**exponent)


def _read_points(body: bytes) -> Points | None:
    """Return red, green, blue and white of cHRM; None if it has none, impossible ones, or those of sRGB."""
    if len(body) != 32:
        return None
    numbers = [number / 100_000 for number in struct.unpack(">8I", body)]
    white, red, green, blue = zip(numbers[::2], numbers[1::2], strict=True)
    points = (red, green, blue, white)
    if any(not (0 <= x < 1 and 0 < y < 1) for x, y in points):
        return None
    is_srgb = all(
        abs(a - b) < 0.002 for pair in zip(points, _SRGB_POINTS, strict=True) for a, b in zip(*pair, strict=True)
    )
    return None if is_srgb else points


def profile_of(space: ColourSpace) -> bytes | None:
    """Return an ICC profile (version 2.4, matrix and curve) of a colour space; None if its primaries span none."""
    white = _xyz(space.white)
    columns = _transpose(tuple(_xyz(point) for point in (space.red, space.green, space.blue)))
    inverse = _invert(columns)
    if inverse is None:
        return None
    scale = _multiply(inverse, white)
    adapt = _adaptation(white)
    if adapt is None:
        return None
    primaries = [
        _multiply(adapt, tuple(part * factor for part in _xyz(point)))
        for point, factor in zip((space.red, space.green, space.blue), scale, strict=True)
    ]
    steps = [space.to_light(index / (_CURVE_POINTS - 1)) for index in range(_CURVE_POINTS)]
    curve = struct.pack(f">4sII{_CURVE_POINTS}H", b"curv", 0, _CURVE_POINTS, *(round(65535 * step) for step in steps))
    bodies = [b"XYZ \0\0\0\0" + b"".join(map(_fixed, point)) for point in (*primaries, _D50)]
    table, data = b"", b""
    start = 132 + 12 * 7
    for name, body in zip((b"rXYZ", b"gXYZ", b"bXYZ", b"wtpt"), bodies, strict=True):
        table += struct.pack(">4sII", name, start + len(data), len(body))
        data += body
    for name in (b"rTRC", b"gTRC", b"bTRC"):
        table += struct.pack(">4sII", name, start + len(b"".join(bodies)), len(curve))
    data += curve
    head = struct.pack(
        ">I4sI4s4s4s12s4s28s", start + len(data), b"\0" * 4, 0x02400000, b"mntr", b"RGB ", b"XYZ ", b"", b"acsp", b""
    )
    return head + b"".join(map(_fixed, _D50)) + b"\0" * 48 + struct.pack(">I", 7) + table + data


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(max(-2.0, min(value, 2.0)) * 65536))


def _xyz(point: Point) -> tuple[float, ...]:
    x, y = point
    return x / y, 1.0, (1 - x - y) / y


def _multiply(matrix: Matrix, vector: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix)


def _transpose(rows: Matrix) -> Matrix:
    return tuple(zip(*rows, strict=True))


def _invert(matrix: Matrix) -> Matrix | None:
    """Return the inverse of a matrix of 3 x 3; None if it has none."""
    (a, b, c), (d, e, f), (g, h, i) = matrix
    determinant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    if abs(determinant) < 1e-6:
        return None
    rows = (
        (e * i - f * h, c * h - b * i, b * f - c * e),
        (f * g - d * i, a * i - c * g, c * d - a * f),
        (d * h - e * g, b * g - a * h, a * e - b * d),
    )
    return tuple(tuple(cell / determinant for cell in row) for row in rows)


def _adaptation(white: tuple[float, ...]) -> Matrix | None:
    """Return the matrix from colours under `white` to colours under D50 (Bradford, ICC.1:2022 annex E)."""
    inverse = _invert(_BRADFORD)
    source, target = _multiply(_BRADFORD, white), _multiply(_BRADFORD, _D50)
    if inverse is None or min(source) <= 0:
        return None
    scaled = tuple(tuple(cell * target[row] / source[row] for cell in _BRADFORD[row]) for row in range(3))
    return _transpose(tuple(_multiply(inverse, column) for column in _transpose(scaled)))


def is_grey_profile(icc: object) -> bool:
    """Whether the header of an ICC profile declares grey (ICC.1:2022, 7.2.6)."""
    return isinstance(icc, bytes) and icc[16:20] == b"GRAY"


def to_srgb(image: Image.Image, icc: object) -> Image.Image:
    """Convert to sRGB by an ICC profile; a malformed profile or one of another colour space is ignored."""
    if isinstance(icc, bytes) and icc:
        try:
            profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
            if not _is_srgb(profile):
                converted = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
                if converted is not None:
                    return converted
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            pass
    return image if image.mode == "RGB" else image.convert("RGB")  # which would copy it


def _is_srgb(profile: ImageCms.ImageCmsProfile) -> bool:
    try:
        return "sRGB" in ImageCms.getProfileDescription(profile)
    except ImageCms.PyCMSError:  # without a description
        return False
