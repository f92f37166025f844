"""A canvas that is drawn at twice its size, so that every shape has smooth edges.

Positions are shares of the width and of the height (0..1); radii and line widths are shares of the short side.
"""

import math
import random
from collections.abc import Sequence

from PIL import Image, ImageDraw

from services.integrations.providers.demo.looks.light import Stops, glow, gradient, ramp, sparkle
from services.integrations.providers.demo.looks.tone import Colour

Ink = tuple[int, int, int] | tuple[int, int, int, int]  # the fourth number is opacity, 0..255
Point = tuple[float, float]

_FINER = 2


class Canvas:
    """A picture that is drawn from back to front."""

    def __init__(self, width: int, height: int) -> None:
        self.image = Image.new("RGB", (width * _FINER, height * _FINER))
        self.pen = ImageDraw.Draw(self.image, "RGBA")
        self.width, self.height = self.image.size
        self.unit = min(self.image.size)
        self.across = self.unit / self.width  # one short side, as a share of the width
        self.down = self.unit / self.height

    def finish(self) -> Image.Image:
        """Return the picture at its real size."""
        return self.image.reduce(_FINER)

    def place(self, picture: Image.Image, mask: Image.Image) -> None:
        """Paste a picture of the real size over the whole canvas, where `mask` is bright."""
        large = picture.resize(self.image.size, Image.Resampling.BICUBIC)
        self.image.paste(large, (0, 0), mask.resize(self.image.size, Image.Resampling.BILINEAR))

    def wash(self, stops: Stops, top: float = 0.0, bottom: float = 1.0) -> None:
        """Fill from `top` to `bottom` with a vertical gradient."""
        first, last = round(top * self.height), round(bottom * self.height)
        if last > first:
            self.image.paste(gradient((self.width, last - first), stops), (0, first))

    def mist(self, top: float, bottom: float, colour: Colour, clear: float, thick: float) -> None:
        """Draw mist whose opacity rises from `clear` at the top to `thick` at the bottom (0..1)."""
        first, last = round(top * self.height), round(bottom * self.height)
        if last > first:
            veil = ramp((self.width, last - first), round(255 * clear), round(255 * thick))
            self.image.paste(Image.new("RGB", veil.size, colour), (0, first), veil)

    def shape(self, points: Sequence[Point], colour: Ink) -> None:
        """Draw a filled polygon."""
        self.pen.polygon([(x * self.width, y * self.height) for x, y in points], fill=colour)

    def box(self, left: float, top: float, right: float, bottom: float, colour: Ink) -> None:
        """Draw a filled rectangle."""
        if right > left and bottom > top:
            self.pen.rectangle(
                (left * self.width, top * self.height, right * self.width, bottom * self.height), fill=colour
            )

    def oval(self, x: float, y: float, radius_x: float, radius_y: float, colour: Ink) -> None:
        """Draw a filled ellipse; both radii in short sides."""
        rx, ry = radius_x * self.unit, radius_y * self.unit
        x, y = x * self.width, y * self.height
        self.pen.ellipse((x - rx, y - ry, x + rx, y + ry), fill=colour)

    def disc(self, x: float, y: float, radius: float, colour: Ink) -> None:
        """Draw a filled circle."""
        self.oval(x, y, radius, radius, colour)

    def ring(self, x: float, y: float, radius: float, colour: Ink, thickness: float) -> None:
        """Draw an unfilled circle."""
        r = radius * self.unit
        x, y = x * self.width, y * self.height
        self.pen.ellipse((x - r, y - r, x + r, y + r), outline=colour, width=max(1, round(thickness * self.unit)))

    def arc(self, x: float, y: float, radius: float, start: float, end: float, colour: Ink, thickness: float) -> None:
        """Draw a part of a circle, from `start` to `end` degrees clockwise from three o'clock."""
        r = radius * self.unit
        x, y = x * self.width, y * self.height
        width = max(1, round(thickness * self.unit))
        self.pen.arc((x - r, y - r, x + r, y + r), start, end, fill=colour, width=width)

    def line(self, points: Sequence[Point], colour: Ink, thickness: float) -> None:
        """Draw a line through all points."""
        places = [(x * self.width, y * self.height) for x, y in points]
        self.pen.line(places, fill=colour, width=max(1, round(thickness * self.unit)), joint="curve")

    def lamp(self, x: float, y: float, radius: float, colour: Colour, strength: float = 1.0) -> None:
        """Add a round light around a point."""
        glow(self.image, x * self.width, y * self.height, radius * self.unit, colour, strength)

    def star(self, x: float, y: float, radius: float, colour: Colour, turn: float = 0.0) -> None:
        """Draw a four-pointed sparkle."""
        sparkle(self.pen, x * self.width, y * self.height, radius * self.unit, colour, turn)

    def near(self, x: float, y: float, angle: float, distance: float) -> Point:
        """Return the point `distance` short sides from another, `angle` in radians clockwise from three o'clock."""
        return x + math.cos(angle) * distance * self.across, y + math.sin(angle) * distance * self.down

    def ridge(self, line: Sequence[float], colour: Ink, floor: float = 1.0) -> None:
        """Fill the area between a skyline (heights 0..1 at even steps) and `floor`."""
        last = len(line) - 1
        self.shape([(0.0, floor), *((step / last, y) for step, y in enumerate(line)), (1.0, floor)], colour)


def skyline(rng: random.Random, height: float, swing: float, roughness: float = 0.55) -> list[float]:
    """Return 129 heights around `height` by midpoint displacement: `swing` first, times `roughness` at each step."""
    line = [0.0] * 129
    line[0], line[-1] = rng.uniform(-swing, swing), rng.uniform(-swing, swing)
    step = 128
    while step > 1:
        half = step // 2
        for place in range(half, 128, step):
            line[place] = (line[place - half] + line[place + half]) / 2 + rng.uniform(-swing, swing)
        step, swing = half, swing * roughness
    return [height + value for value in line]
