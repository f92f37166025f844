"""Light: gradients, round glows, vignettes, sparkles and flares, painted in place or returned as masks."""

import math
from collections.abc import Sequence

from PIL import Image, ImageChops, ImageDraw

from services.integrations.providers.demo.looks.tone import Colour, mix

Stops = Sequence[tuple[float, Colour]]  # position 0..1 and colour, in order

_EDGE = 179  # what Pillow's radial gradient reaches at the end of its radius; 255 is its corner


def _falloff(power: float) -> Image.Image:
    table = [round(255 * max(0.0, 1 - value / _EDGE) ** power) for value in range(256)]
    return Image.radial_gradient("L").point(table)


_SOFT = _falloff(2.0)  # a lamp: bright middle, long tail
_EVEN = _falloff(0.8)  # a spotlight's pool


def gradient(size: tuple[int, int], stops: Stops) -> Image.Image:
    """Return a vertical gradient through all stops."""
    strip = Image.new("RGB", (1, 256))
    for row in range(256):
        strip.putpixel((0, row), colour_at(stops, row / 255))
    return strip.resize(size, Image.Resampling.BILINEAR)


def colour_at(stops: Stops, place: float) -> Colour:
    """Return the colour of a gradient at 0..1."""
    before = stops[0]
    for stop in stops:
        if stop[0] >= place:
            span = stop[0] - before[0]
            return mix(before[1], stop[1], (place - before[0]) / span if span else 1.0)
        before = stop
    return before[1]


def ramp(size: tuple[int, int], top: int, bottom: int) -> Image.Image:
    """Return a mask that changes from one brightness at the top to another at the bottom."""
    strip = Image.new("L", (1, 256))
    for row in range(256):
        strip.putpixel((0, row), round(top + (bottom - top) * row / 255))
    return strip.resize(size, Image.Resampling.BILINEAR)


def glow(picture: Image.Image, x: float, y: float, radius: float, colour: Colour, strength: float = 1.0) -> None:
    """Add a round light of `radius` pixels around a point, in place."""
    box = (round(x - radius), round(y - radius), round(x + radius), round(y + radius))
    side_x, side_y = box[2] - box[0], box[3] - box[1]
    left, top = max(0, box[0]), max(0, box[1])
    right, bottom = min(picture.width, box[2]), min(picture.height, box[3])
    if right <= left or bottom <= top:
        return
    scale_x, scale_y = _SOFT.width / side_x, _SOFT.height / side_y
    part = (
        (left - box[0]) * scale_x,
        (top - box[1]) * scale_y,
        (right - box[0]) * scale_x,
        (bottom - box[1]) * scale_y,
    )
    mask = _SOFT.resize((right - left, bottom - top), Image.Resampling.BILINEAR, box=part)
    if strength != 1.0:
        mask = mask.point([min(255, round(value * strength)) for value in range(256)])
    under = picture.crop((left, top, right, bottom))
    lit = ImageChops.screen(under, Image.new("RGB", under.size, colour))
    picture.paste(lit, (left, top), mask)


def pool(size: tuple[int, int], stretch: float = 1.0) -> Image.Image:
    """Return a mask, bright in the middle and dark at the corners; `stretch` above 1 leaves more of it bright."""
    mask = _EVEN.resize(size, Image.Resampling.BILINEAR)
    return mask.point([min(255, round(value * stretch)) for value in range(256)])


def vignette(picture: Image.Image, strength: float, colour: Colour = (0, 0, 0)) -> Image.Image:
    """Fade the corners to `colour`; `strength`: 0..1."""
    table = [round(255 * (1 - strength * (value / 255) ** 2.4)) for value in range(256)]
    mask = Image.radial_gradient("L").resize(picture.size, Image.Resampling.BICUBIC).point(table)
    return Image.composite(picture, Image.new("RGB", picture.size, colour), mask)


def sparkle(pen: ImageDraw.ImageDraw, x: float, y: float, radius: float, colour: Colour, turn: float = 0.0) -> None:
    """Draw a four-pointed star of `radius` pixels."""
    points = []
    for corner in range(8):
        reach = radius if corner % 2 == 0 else radius * 0.16
        angle = turn + corner * math.pi / 4
        points.append((x + math.sin(angle) * reach, y - math.cos(angle) * reach))
    pen.polygon(points, fill=colour)


def flare(picture: Image.Image, x: float, y: float, colour: Colour, strength: float) -> None:
    """Draw the streak and ghosts of a wide-screen lens flare, in place; `x`, `y` in pixels."""
    unit = min(picture.size)
    thickness = max(2, unit // 26)
    streak = _SOFT.resize((round(picture.width * 1.8), thickness), Image.Resampling.BILINEAR)
    streak = streak.point([round(value * strength) for value in range(256)])
    whole = Image.new("L", picture.size)
    whole.paste(streak, (round(x - streak.width / 2), round(y - thickness / 2)))
    picture.paste(ImageChops.screen(picture, Image.new("RGB", picture.size, colour)), (0, 0), whole)
    glow(picture, x, y, unit * 0.3, mix(colour, (255, 255, 255), 0.4), strength)
    for share, radius in ((0.45, 0.05), (0.9, 0.03), (1.3, 0.08), (1.65, 0.045)):
        ghost_x = x + (picture.width / 2 - x) * share * 1.2
        ghost_y = y + (picture.height / 2 - y) * share * 1.2
        glow(picture, ghost_x, ghost_y, unit * radius, colour, strength * 0.35)
