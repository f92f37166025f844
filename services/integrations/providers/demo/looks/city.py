"""Drawn city scenes: futuristic towers at dusk, and a wet street full of neon."""

import math
import random

from PIL import Image, ImageFilter, ImageOps

from services.integrations.providers.demo.looks.canvas import Canvas
from services.integrations.providers.demo.looks.tone import Colour, mix

_NEON: tuple[Colour, ...] = ((255, 40, 150), (40, 226, 255), (255, 190, 60), (150, 80, 255), (90, 255, 170))


def future(canvas: Canvas, rng: random.Random) -> None:
    """Draw slim towers in three depths, lit windows, a ringed planet, traffic in the air."""
    top = rng.choice(((16, 18, 62), (30, 14, 70), (10, 34, 72)))
    canvas.wash(
        [
            (0, top),
            (0.4, mix(top, (150, 70, 190), 0.6)),
            (0.68, (255, 140, 140)),
            (0.85, (255, 206, 150)),
            (1, (120, 80, 150)),
        ]
    )
    for _ in range(120):
        canvas.disc(rng.random(), rng.random() ** 1.5 * 0.5, rng.uniform(0.0008, 0.0022), (255, 255, 255, 200))
    x, y = rng.choice((0.22, 0.76)), rng.uniform(0.2, 0.27)
    canvas.lamp(x, y, 0.38, (255, 190, 220), 0.7)
    canvas.disc(x, y, 0.13, (250, 190, 180))
    for band in range(4):
        canvas.oval(x, y - 0.055 + band * 0.036, 0.12 - abs(band - 1.5) * 0.02, 0.01, (226, 140, 160, 120))
    ring = [
        (
            x + (math.cos(a) * 0.22 - math.sin(a) * 0.012) * canvas.across,
            y + (math.sin(a) * 0.035 - math.cos(a) * 0.07) * canvas.down,
        )
        for a in (step * math.tau / 60 for step in range(-4, 35))
    ]
    canvas.line(ring, (255, 226, 206), 0.008)
    for depth in range(3):
        near = depth / 2
        colour = mix((196, 116, 170), (22, 22, 58), 0.25 + near * 0.72)
        count = 15 - depth * 3
        for place in range(count):
            middle = (place + rng.uniform(0.2, 0.8)) / count
            edge = abs(middle - 0.5) * 2
            tall = rng.uniform(0.16, 0.42) + edge * 0.14 - near * 0.08
            _skyscraper(
                canvas,
                rng,
                middle,
                0.9 - tall - 0.05 * (2 - depth),
                rng.uniform(0.02, 0.042) + near * 0.012,
                colour,
                near,
            )
        canvas.mist(0.45, 0.98, (255, 150, 170), 0.0, 0.42 - near * 0.28)
    canvas.wash([(0, (70, 46, 110)), (1, (16, 14, 42))], 0.9)
    for lane in range(-7, 8):
        canvas.line([(0.5 + lane * 0.02, 0.9), (0.5 + lane * 0.16, 1.0)], (90, 226, 255, 110), 0.003)
    for _ in range(26):
        _car(canvas, rng, rng.random(), rng.uniform(0.32, 0.82), rng.uniform(0.03, 0.1))


def future_front(canvas: Canvas, rng: random.Random) -> None:
    """Draw two dark towers at the edges with strips of light, and passing hovercars."""
    for side, way in ((0.0, 1), (1.0, -1)):
        top, wide = rng.uniform(0.16, 0.34), rng.uniform(0.06, 0.1)
        points = [
            (side, top),
            (side + way * wide * 0.5, top + 0.03),
            (side + way * wide, top + 0.16),
            (side + way * wide, 1),
            (side, 1),
        ]
        canvas.shape(points, (16, 16, 44))
        glow = rng.choice(_NEON[:2])
        for floor in range(14):
            y = top + 0.2 + floor * 0.058
            canvas.line([(side + way * 0.008, y), (side + way * (wide - 0.014), y)], (*glow, 230 - floor * 6), 0.005)
        canvas.lamp(side + way * wide, 0.6, 0.22, glow, 0.5)
    for _ in range(3):
        x, y, size = (
            rng.random(),
            rng.choice((rng.uniform(0.06, 0.22), rng.uniform(0.84, 0.94))),
            rng.uniform(0.02, 0.035),
        )
        canvas.lamp(x, y + size * 0.5, size * 2.6, (90, 226, 255), 0.8)
        canvas.oval(x, y, size, size * 0.3, (40, 40, 84))
        canvas.oval(x, y - size * 0.22 * canvas.down, size * 0.45, size * 0.24, (190, 240, 255))


def _skyscraper(
    canvas: Canvas, rng: random.Random, x: float, top: float, wide: float, colour: Colour, near: float
) -> None:
    half = wide * canvas.across
    crown = rng.randrange(3)
    if crown == 0:
        canvas.shape([(x - half, top), (x, top - wide * 2.2 * canvas.down), (x + half, top)], colour)
    elif crown == 1:
        canvas.oval(x, top, wide, wide * 0.9, colour)
    else:
        canvas.shape([(x - half, top), (x + half, top - wide * 1.6 * canvas.down), (x + half, top)], colour)
    canvas.line([(x, top), (x, top - wide * 3.4 * canvas.down)], colour, 0.004)
    canvas.box(x - half, top, x + half, 0.97, colour)
    canvas.box(x + half * 0.45, top, x + half, 0.97, mix(colour, (0, 0, 20), 0.3))
    lit = mix((255, 226, 170), (150, 236, 255), rng.random())
    for row in range(24):
        y = top + 0.02 + row * 0.028
        if y > 0.88:
            break
        for column in (-0.66, -0.3, 0.06):
            if rng.random() < 0.2 + near * 0.3:
                left = x + column * half
                canvas.box(left, y, left + half * 0.24, y + 0.013, (*lit, 235))


def _car(canvas: Canvas, rng: random.Random, x: float, y: float, long: float) -> None:
    colour = rng.choice(((255, 96, 120), (120, 236, 255), (255, 236, 170)))
    for step in range(6):
        canvas.line([(x + long * step / 6, y), (x + long * (step + 1) / 6, y)], (*colour, 30 + step * 32), 0.003)
    canvas.lamp(x + long, y, 0.016, colour)


def street(canvas: Canvas, rng: random.Random) -> None:
    """Draw house fronts that lead to a bright vanishing point, and neon signs, mirrored on wet ground."""
    canvas.wash([(0, (10, 6, 30)), (0.45, (50, 20, 84)), (0.62, (150, 40, 130)), (1, (20, 8, 40))])
    canvas.lamp(0.5, 0.56, 0.55, rng.choice(((255, 80, 190), (80, 190, 255), (255, 130, 110))), 0.95)
    for depth in range(6):
        near = (depth / 5) ** 1.5
        reach = 0.05 + 0.37 * near
        top = 0.42 - 0.5 * near + rng.uniform(-0.05, 0.05)
        colour = mix((150, 52, 140), (14, 10, 34), 0.12 + 0.88 * near)
        for way in (-1, 1):
            outer, inner = 0.5 + way * (reach + 0.16 + near * 0.1), 0.5 + way * reach
            left, right = min(outer, inner), max(outer, inner)
            canvas.box(left, top, right, 0.69, colour)
            for _ in range(5 + depth * 5):
                x, y = rng.uniform(left, right), rng.uniform(max(0.02, top + 0.02), 0.55)
                size = 0.006 + near * 0.012
                canvas.box(
                    x,
                    y,
                    x + size,
                    y + size * 1.3,
                    (*rng.choice(((255, 214, 140), (130, 220, 255), (255, 130, 190))), rng.randint(70, 190)),
                )
            for _ in range(2):
                x = inner + way * rng.uniform(0.0, 0.05 + near * 0.04)
                _sign(canvas, rng, x, rng.uniform(0.16, 0.42), 0.03 + 0.05 * near)
    for wire in range(4):
        y = 0.06 + wire * 0.07
        sag = [(step / 20, y + 0.05 * math.sin(math.pi * step / 20) + wire * 0.01) for step in range(21)]
        canvas.line(sag, (8, 4, 20), 0.0025)
    _mirror(canvas, 0.68)


def _mirror(canvas: Canvas, level: float) -> None:
    """Draw wet asphalt below `level` that mirrors the picture above it."""
    line = round(level * canvas.height)
    tall = canvas.height - line
    above = canvas.image.crop((0, line - tall, canvas.width, line))
    small = ImageOps.flip(above).resize((max(1, canvas.width // 4), max(1, tall // 16)), Image.Resampling.BOX)
    wet = small.filter(ImageFilter.GaussianBlur(2)).resize(above.size, Image.Resampling.BICUBIC)
    canvas.image.paste(Image.blend(wet, Image.new("RGB", wet.size, (14, 6, 34)), 0.35), (0, line))


def street_front(canvas: Canvas, rng: random.Random) -> None:
    """Draw two large signs at the sides, a lantern, and rain."""
    for x in (rng.uniform(0.04, 0.09), rng.uniform(0.91, 0.96)):
        _sign(canvas, rng, x, rng.uniform(0.2, 0.34), 0.115)
    for x in (0.16, 0.84):
        y = rng.uniform(0.1, 0.16)
        canvas.line([(x, 0), (x, y)], (20, 8, 20), 0.003)
        canvas.lamp(x, y, 0.16, (255, 80, 60), 0.9)
        canvas.oval(x, y, 0.034, 0.042, (255, 96, 62))
        canvas.oval(x, y, 0.014, 0.042, (255, 190, 120))
    for _ in range(260):
        x, y, long = rng.random(), rng.random(), rng.uniform(0.02, 0.06)
        canvas.line([(x, y), (x - long * 0.14, y + long)], (196, 224, 255, rng.randint(40, 120)), 0.0018)


def _sign(canvas: Canvas, rng: random.Random, x: float, y: float, size: float) -> None:
    """Draw a neon sign with strokes that only resemble writing."""
    colour = rng.choice(_NEON)
    half, tall = size * 0.36 * canvas.across, size * rng.uniform(0.9, 1.5) * canvas.down
    canvas.lamp(x, y, size * 2.3, colour, 0.85)
    canvas.box(x - half, y - tall, x + half, y + tall, (16, 6, 30, 235))
    corners = [
        (x - half, y - tall),
        (x + half, y - tall),
        (x + half, y + tall),
        (x - half, y + tall),
        (x - half, y - tall),
    ]
    canvas.line(corners, colour, size * 0.07)
    bright = mix(colour, (255, 255, 255), 0.6)
    for row in range(3):
        middle = y - tall * 0.62 + row * tall * 0.62
        for _ in range(4):
            start = (x + rng.uniform(-0.62, 0.62) * half, middle + rng.uniform(-0.22, 0.22) * tall)
            end = (
                (start[0], middle + rng.uniform(-0.22, 0.22) * tall)
                if rng.random() < 0.5
                else (x + rng.uniform(-0.62, 0.62) * half, start[1])
            )
            canvas.line([start, end], bright, size * 0.06)
