"""Drawn scenes with trees: an enchanted forest at dusk and a spring of cherry blossoms."""

import math
import random

from services.integrations.providers.demo.looks.canvas import Canvas, Point, skyline
from services.integrations.providers.demo.looks.tone import Colour, mix


def forest(canvas: Canvas, rng: random.Random) -> None:
    """Trunks fading into green mist, shafts of light, glowing mushrooms."""
    hue = rng.choice(((40, 120, 104), (46, 126, 84), (52, 104, 128)))
    mist = mix(hue, (214, 255, 214), 0.55)
    canvas.wash([(0, mix(hue, (0, 10, 20), 0.72)), (0.4, hue), (0.66, mist), (1, mix(hue, (0, 20, 12), 0.7))])
    sun = rng.uniform(0.35, 0.65)
    canvas.lamp(sun, 0.4, 0.75, mix(mist, (255, 250, 200), 0.6), 0.95)
    for depth in range(4):
        near = depth / 3
        colour = mix(mix(mist, hue, 0.35), (6, 26, 26), near * 0.86)
        canvas.ridge(skyline(rng, 0.72 + near * 0.13, 0.02), colour)
        for place in range(11 - depth * 2):
            x = (place + rng.uniform(0.1, 0.9)) / (11 - depth * 2)
            _trunk(canvas, rng, x, 0.75 + near * 0.17, 0.010 + 0.017 * near + rng.random() * 0.008, colour)
        canvas.mist(0.35, 0.82 + near * 0.1, mist, 0.0, 0.34 - near * 0.2)
    for _ in range(5):
        top = sun + rng.uniform(-0.22, 0.22)
        slant = (top - sun) * 1.3 + rng.uniform(-0.04, 0.04)
        canvas.shape(
            [(top, 0), (top + 0.03, 0), (top + slant + 0.11, 0.86), (top + slant - 0.02, 0.86)], (255, 250, 205, 20)
        )
    for _ in range(260):  # the canopy, thickest in the corners
        x = rng.random()
        y = rng.random() ** 2 * (0.1 + 0.22 * abs(x - 0.5) * 2)
        leaf = mix(mix(hue, (8, 40, 26), rng.random()), (190, 240, 150), rng.random() ** 3 * 0.5)
        canvas.oval(x, y, rng.uniform(0.014, 0.045), rng.uniform(0.01, 0.03), (*leaf, 225))
    for _ in range(10):
        _mushroom(canvas, rng, rng.random(), rng.uniform(0.86, 0.97), rng.uniform(0.014, 0.03))


def forest_front(canvas: Canvas, rng: random.Random) -> None:
    """Dark ferns and trunks at the sides, fireflies everywhere."""
    for side, lean in ((0.0, 1), (1.0, -1)):
        _trunk(canvas, rng, side + lean * 0.01, 1.02, 0.055, (5, 20, 20))
        for _ in range(9):
            x = side + lean * rng.uniform(0.0, 0.24)
            _fern(canvas, x, 1.02, -math.pi / 2 + lean * rng.uniform(-0.3, 0.9), rng.uniform(0.14, 0.27))
    for _ in range(46):
        x, y, radius = rng.random(), rng.uniform(0.15, 0.97), rng.uniform(0.012, 0.035)
        canvas.lamp(x, y, radius, rng.choice(((255, 244, 140), (190, 255, 170), (150, 255, 230))))
        canvas.disc(x, y, radius * 0.13, (255, 255, 225))


def _trunk(canvas: Canvas, rng: random.Random, x: float, foot: float, girth: float, colour: Colour) -> None:
    wide = girth * canvas.across
    lean = rng.uniform(-0.05, 0.05)
    left, right = [], []
    for step in range(9):
        up = step / 8
        middle = x + lean * up + math.sin(up * 5 + x * 30) * wide * 0.35
        half = wide * (1.0 - 0.5 * up + 0.9 * max(0.0, 0.12 - up) * 8)
        left.append((middle - half, foot * (1 - up)))
        right.append((middle + half, foot * (1 - up)))
    canvas.shape([*left, *reversed(right)], colour)
    for _ in range(3 if girth < 0.05 else 0):
        up = rng.uniform(0.35, 0.8)
        start = (x + lean * up, foot * (1 - up))
        tip = canvas.near(*start, rng.choice((-0.5, math.pi + 0.5)) + rng.uniform(-0.3, 0.3), girth * 5)
        canvas.line([start, tip], colour, girth * 0.32)


def _fern(canvas: Canvas, x: float, y: float, angle: float, length: float) -> None:
    for step in range(16):
        share = step / 16
        stem = canvas.near(x, y, angle + share * 0.5, length * share)
        for turn in (-1.15, 1.15):
            tip = canvas.near(*stem, angle + share * 0.5 + turn, length * 0.27 * (1 - share))
            canvas.line([stem, tip], (6, 30, 24), 0.007 * (1.15 - share))


def _mushroom(canvas: Canvas, rng: random.Random, x: float, y: float, radius: float) -> None:
    shine = rng.choice(((90, 230, 255), (255, 150, 220), (255, 214, 120)))
    canvas.lamp(x, y - radius * canvas.down, radius * 4, shine, 0.75)
    canvas.oval(x, y, radius * 0.22, radius * 0.8, (236, 240, 220))
    top = y - radius * 0.7 * canvas.down
    dome: list[Point] = [canvas.near(x, top, math.pi + math.pi * step / 12, radius) for step in range(13)]
    canvas.shape(dome, mix(shine, (255, 255, 255), 0.25))


def cherry(canvas: Canvas, rng: random.Random) -> None:
    """A pale sky, a snowy cone across the lake, pink trees along the shore."""
    sky = rng.choice(((150, 205, 240), (178, 202, 244), (160, 216, 228)))
    canvas.wash([(0, sky), (0.42, (252, 226, 236)), (0.62, (255, 242, 232))], 0, 0.66)
    canvas.lamp(rng.uniform(0.2, 0.8), 0.22, 0.6, (255, 246, 224), 0.9)
    peak = rng.uniform(0.36, 0.64)
    canvas.shape([(peak - 0.5, 0.63), (peak - 0.05, 0.2), (peak + 0.05, 0.2), (peak + 0.5, 0.63)], (140, 158, 204))
    snow = [(peak - 0.185, 0.33), (peak - 0.05, 0.2), (peak + 0.05, 0.2), (peak + 0.185, 0.33)]
    teeth = [(peak + 0.185 - 0.37 * step / 8, 0.33 + (0.05 if step % 2 else -0.015)) for step in range(1, 8)]
    canvas.shape([*snow, *teeth], (250, 248, 252))
    canvas.mist(0.36, 0.64, (255, 234, 238), 0.0, 0.75)
    canvas.ridge(skyline(rng, 0.6, 0.02), (198, 164, 198), 0.66)
    canvas.wash(
        [(0, (240, 214, 228)), (0.4, mix(sky, (255, 255, 255), 0.25)), (1, mix(sky, (110, 160, 190), 0.6))], 0.64
    )
    for _ in range(70):
        x, y = rng.random(), rng.uniform(0.66, 1)
        length = rng.uniform(0.02, 0.09) * (y - 0.5)
        canvas.line([(x, y), (x + length, y)], (255, 250, 252, 90), 0.003)
    for place in range(9):
        x = (place + rng.uniform(0.2, 0.8)) / 9
        high = 0.05 + 0.1 * abs(x - 0.5) * 2
        canvas.box(x - 0.005 * canvas.across, 0.6, x + 0.005 * canvas.across, 0.67, (110, 70, 72))
        _blossoms(canvas, rng, x, 0.62 - high * 0.4, high, 60)


def cherry_front(canvas: Canvas, rng: random.Random) -> None:
    """Branches in bloom from both upper corners, petals on the wind."""
    for side, lean in ((0.0, 1), (1.0, -1)):
        for root, angle in ((0.02, 0.34), (0.3, -0.12)):
            x, y = side - lean * 0.03, root
            heading = angle if lean > 0 else math.pi - angle
            for step in range(7):
                tip = canvas.near(x, y, heading, 0.062)
                canvas.line([(x, y), tip], (92, 58, 58), 0.018 - step * 0.0022)
                twig = canvas.near(*tip, heading + rng.choice((-1.0, 1.0)), 0.05)
                canvas.line([tip, twig], (104, 66, 64), 0.005)
                for place in (tip, twig):
                    for _ in range(3):
                        _flower(canvas, rng, *canvas.near(*place, rng.random() * 7, rng.random() * 0.04))
                (x, y), heading = tip, heading + rng.uniform(-0.22, 0.3) * lean
    for _ in range(75):
        x, y, turn, long = rng.random(), rng.random(), rng.random() * 7, rng.uniform(0.007, 0.018)
        sides = [
            canvas.near(x, y, turn + bend, long * reach) for bend, reach in ((0, 1), (1.3, 0.5), (3.1, 0.9), (5, 0.5))
        ]
        canvas.shape(sides, (*mix((255, 158, 190), (255, 240, 245), rng.random()), 230))


def _blossoms(canvas: Canvas, rng: random.Random, x: float, y: float, radius: float, count: int) -> None:
    for _ in range(count):
        spot = canvas.near(x, y, rng.random() * 7, radius * math.sqrt(rng.random()))
        colour = mix((240, 130, 170), (255, 236, 242), rng.random())
        canvas.disc(*spot, rng.uniform(0.006, 0.017), (*colour, 220))


def _flower(canvas: Canvas, rng: random.Random, x: float, y: float) -> None:
    radius, turn = rng.uniform(0.011, 0.019), rng.random() * 7
    colour = mix((255, 150, 186), (255, 232, 240), rng.random())
    for petal in range(5):
        canvas.disc(*canvas.near(x, y, turn + petal * math.tau / 5, radius), radius * 0.78, colour)
    canvas.disc(x, y, radius * 0.42, (214, 70, 120))
    canvas.disc(x, y, radius * 0.2, (255, 226, 150))
