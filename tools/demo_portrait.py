"""The portrait that the demo sends if it is given no photo, drawn with Pillow."""

import io
import math

from PIL import Image, ImageDraw, ImageFilter

WIDTH, HEIGHT = 768, 960  # pixels
_SCALE = 3  # drawn larger and scaled down, for smooth edges

_WALL, _WALL_LIGHT = (236, 196, 150), (252, 228, 190)
_SKIN, _SHADE, _BLUSH = (241, 194, 160), (222, 166, 130), (240, 166, 142)
_HAIR, _HAIR_LIGHT = (120, 52, 34), (160, 78, 48)
_COAT, _COAT_DARK, _SCARF, _STRIPE = (46, 88, 112), (36, 70, 92), (226, 168, 52), (246, 214, 132)
_INK, _WHITE, _IRIS, _LIPS = (48, 34, 32), (255, 250, 244), (70, 122, 96), (186, 78, 76)


class _Pen:
    """Draws shapes by centre and radii, in pixels of the final image."""

    def __init__(self, image: Image.Image) -> None:
        self._draw = ImageDraw.Draw(image)

    @staticmethod
    def _box(x: float, y: float, rx: float, ry: float) -> tuple[float, float, float, float]:
        return ((x - rx) * _SCALE, (y - ry) * _SCALE, (x + rx) * _SCALE, (y + ry) * _SCALE)

    def oval(self, x: float, y: float, rx: float, ry: float, colour: tuple[int, int, int]) -> None:
        self._draw.ellipse(self._box(x, y, rx, ry), fill=colour)

    def arc(
        self, x: float, y: float, rx: float, ry: float, turn: tuple[int, int], colour: tuple[int, int, int], width: int
    ) -> None:
        self._draw.arc(self._box(x, y, rx, ry), *turn, fill=colour, width=width * _SCALE)

    def shape(self, points: list[tuple[float, float]], colour: tuple[int, int, int]) -> None:
        self._draw.polygon([(x * _SCALE, y * _SCALE) for x, y in points], fill=colour)


def draw_portrait() -> bytes:
    """Return a JPEG of a person with red hair, round glasses and a yellow scarf in front of a sunlit wall."""
    image = Image.new("RGB", (WIDTH * _SCALE, HEIGHT * _SCALE), _WALL)
    _Pen(image).oval(250, 260, 330, 330, _WALL_LIGHT)  # the light of a window on the wall
    image = image.filter(ImageFilter.GaussianBlur(70 * _SCALE))
    pen = _Pen(image)
    _body(pen)
    _head(pen)
    _face(pen)
    data = io.BytesIO()
    image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS).save(data, "JPEG", quality=92)
    return data.getvalue()


def _body(pen: _Pen) -> None:
    pen.oval(384, 1010, 330, 290, _COAT)
    pen.shape([(384, 1000), (300, 730), (384, 760)], _COAT_DARK)
    pen.shape([(384, 1000), (468, 730), (384, 760)], _COAT_DARK)
    for y in (850, 905):
        pen.oval(384, y, 9, 9, _STRIPE)


def _head(pen: _Pen) -> None:
    pen.oval(384, 178, 92, 84, _HAIR)  # a bun
    pen.arc(384, 178, 66, 58, (200, 320), _HAIR_LIGHT, 7)
    pen.oval(384, 388, 226, 246, _HAIR)
    pen.shape([(322, 560), (446, 560), (456, 740), (312, 740)], _SHADE)  # the neck
    pen.oval(384, 712, 168, 66, _SCARF)
    pen.arc(384, 680, 140, 60, (30, 150), _STRIPE, 8)
    pen.shape([(430, 730), (516, 720), (540, 905), (462, 918)], _SCARF)
    for y in (800, 840, 880):
        left, right = 430 + 32 * (y - 730) / 188, 516 + 24 * (y - 720) / 185
        pen.shape([(left, y + 6), (right, y - 6), (right + 2, y + 8), (left + 2, y + 20)], _STRIPE)
    for x in (198, 570):
        pen.oval(x, 440, 34, 48, _SKIN)
        pen.oval(x, 508, 11, 11, _STRIPE)  # earrings
    pen.oval(384, 424, 184, 222, _SKIN)


def _face(pen: _Pen) -> None:
    for side in (-1, 1):
        x = 384 + side * 78
        pen.oval(384 + side * 112, 516, 40, 26, _BLUSH)
        pen.oval(x, 430, 40, 34, _WHITE)
        pen.oval(x + 4, 432, 23, 25, _IRIS)
        pen.oval(x + 4, 432, 13, 14, _INK)
        pen.oval(x + 11, 423, 6, 6, _WHITE)
        pen.arc(x, 436, 42, 40, (200, 340), _INK, 7)
        pen.arc(x, 372, 50, 26, (205, 335), _HAIR, 12)
        pen.arc(x, 434, 66, 62, (0, 360), _INK, 6)  # the glasses
        for number in range(5):
            angle = number * 2.4
            pen.oval(x + side * 26 + 24 * math.cos(angle), 512 + 12 * math.sin(angle), 3, 3, _SHADE)  # freckles
    pen.arc(384, 432, 16, 16, (180, 360), _INK, 6)
    pen.arc(384, 492, 24, 20, (20, 160), _SHADE, 8)
    pen.arc(384, 540, 66, 46, (20, 160), _LIPS, 11)
    pen.arc(384, 600, 30, 14, (30, 150), _SHADE, 5)
    # The fringe, in locks that fall to both sides of a parting.
    for number in range(7):
        pen.oval(232 + number * 20, 292 - number * 14, 62, 44, _HAIR if number % 2 else _HAIR_LIGHT)
    for number in range(5):
        pen.oval(548 - number * 24, 300 - number * 18, 56, 52, _HAIR_LIGHT if number % 2 else _HAIR)
