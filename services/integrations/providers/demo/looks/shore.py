"""Drawn water scenes: a quiet beach, and the world under water."""

import math
import random

from services.integrations.providers.demo.looks.canvas import Canvas
from services.integrations.providers.demo.looks.tone import Colour, mix


def beach(canvas: Canvas, rng: random.Random) -> None:
    """Draw a low sun, a calm sea with a golden path, foam on the sand, one sail."""
    horizon = rng.uniform(0.44, 0.5)
    high = rng.choice(((64, 156, 214), (88, 140, 206), (52, 168, 196)))
    canvas.wash([(0, high), (0.55, (176, 220, 232)), (1, (255, 226, 186))], 0, horizon)
    sun = rng.uniform(0.3, 0.7)
    canvas.lamp(sun, horizon - 0.1, 0.6, (255, 232, 176))
    canvas.disc(sun, horizon - 0.1, 0.055, (255, 250, 228))
    for _ in range(5):
        _cloud(canvas, rng, rng.random(), rng.uniform(0.06, horizon * 0.6), rng.uniform(0.06, 0.13))
    canvas.wash([(0, (96, 190, 204)), (0.35, (36, 150, 180)), (1, (120, 222, 208))], horizon, 0.76)
    for _ in range(240):
        y = horizon + (0.74 - horizon) * rng.random() ** 1.6
        near = (y - horizon) / (0.74 - horizon)
        spread = 0.03 + near * 0.12
        x = rng.gauss(sun, spread) if rng.random() < 0.6 else rng.random()
        bright = (255, 246, 208, 200) if abs(x - sun) < spread else (226, 250, 250, 80)
        canvas.line([(x, y), (x + 0.008 + 0.03 * near, y)], bright, 0.0018 + 0.003 * near)
    boat = (sun + rng.choice((-0.24, 0.24))) % 1
    canvas.shape([(boat, horizon - 0.1), (boat, horizon - 0.01), (boat + 0.05, horizon - 0.01)], (255, 252, 244))
    canvas.shape(
        [(boat - 0.004, horizon - 0.08), (boat - 0.004, horizon - 0.01), (boat - 0.03, horizon - 0.01)], (240, 214, 190)
    )
    canvas.shape(
        [
            (boat - 0.036, horizon - 0.006),
            (boat + 0.056, horizon - 0.006),
            (boat + 0.03, horizon + 0.014),
            (boat - 0.02, horizon + 0.014),
        ],
        (150, 74, 52),
    )
    phase = rng.random() * 7
    waves = ((0.685, (190, 238, 230)), (0.7, (255, 255, 250)), (0.712, (214, 196, 150)), (0.73, (244, 222, 178)))
    for top, colour in waves:
        canvas.ridge(
            [top + 0.02 * math.sin(step / 64 * 9 + phase) + 0.008 * math.sin(step * 0.5) for step in range(65)], colour
        )
    canvas.mist(0.76, 1, (226, 184, 128), 0.0, 0.75)
    for _ in range(420):
        canvas.disc(rng.random(), rng.uniform(0.78, 1), rng.uniform(0.001, 0.0028), (168, 126, 84, 120))


def beach_front(canvas: Canvas, rng: random.Random) -> None:
    """Draw palm leaves from the upper corners, shells and a starfish below, gulls."""
    for x, y, first in ((-0.03, 0.02, 0.0), (1.03, -0.02, 1.7)):
        for leaf in range(5):
            _palm(canvas, x, y, first + leaf * 0.36, rng.uniform(0.36, 0.5))
    for _ in range(4):
        x, y, size = rng.uniform(0.15, 0.85), rng.uniform(0.08, 0.3), rng.uniform(0.014, 0.026)
        for way in (-1, 1):
            wing = [(x + way * t / 8 * size * 2, y - math.sin(t / 8 * 2.6) * size * 0.8) for t in range(9)]
            canvas.line(wing, (70, 82, 98), 0.004)
    x, y, turn = rng.uniform(0.1, 0.25), 0.93, rng.random()
    star = [canvas.near(x, y, turn + k * math.pi / 5, 0.05 if k % 2 == 0 else 0.02) for k in range(10)]
    canvas.shape(star, (236, 112, 74))
    x = rng.uniform(0.78, 0.9)
    for rib in range(7):
        tip = canvas.near(x, 0.95, math.pi + 0.35 + rib * 0.405, 0.045)
        canvas.line([(x, 0.95), tip], mix((255, 236, 224), (240, 170, 160), rib % 2), 0.016)


def _cloud(canvas: Canvas, rng: random.Random, x: float, y: float, radius: float) -> None:
    for _ in range(7):
        shift, high = rng.uniform(-1, 1), rng.uniform(0.3, 0.6)
        canvas.oval(x + shift * radius * canvas.across, y, radius * 0.6, radius * 0.22 * high, (255, 255, 255, 105))


def _palm(canvas: Canvas, x: float, y: float, angle: float, length: float) -> None:
    spine = [canvas.near(x, y, angle + share * 0.42 / 12, length * share / 12) for share in range(13)]
    for step, joint in enumerate(spine):
        share = step / 12
        reach = length * 0.34 * (1.08 - share) * min(1.0, 0.35 + share * 2)
        for turn in (-0.75, 0.75):
            tip = canvas.near(*joint, angle + share * 0.42 + turn, reach)
            side = canvas.near(*joint, angle, length * 0.07)
            canvas.shape([joint, side, tip], mix((18, 84, 62), (70, 140, 74), share))
    canvas.line(spine, (120, 150, 80), 0.006)


def underwater(canvas: Canvas, rng: random.Random) -> None:
    """Draw light through the surface, shoals of fish, coral on the sea floor."""
    deep = rng.choice(((4, 40, 92), (6, 48, 84), (20, 36, 98)))
    canvas.wash([(0, (140, 236, 236)), (0.18, (44, 176, 206)), (0.6, mix(deep, (30, 130, 190), 0.5)), (1, deep)])
    for _ in range(9):
        top = rng.uniform(-0.1, 1.0)
        slant, wide = rng.uniform(-0.02, 0.26), rng.uniform(0.02, 0.07)
        canvas.shape(
            [(top, 0), (top + wide, 0), (top + wide * 2.4 + slant, 0.82), (top + slant, 0.82)], (220, 255, 250, 22)
        )
    for _ in range(60):  # the ripples of the surface seen from below
        x, y = rng.random(), rng.random() ** 2 * 0.12
        wave = [(x + t * 0.012, y + math.sin(t + x * 40) * 0.004) for t in range(6)]
        canvas.line(wave, (255, 255, 255, 110), 0.003)
    for depth, colour in ((0.8, mix(deep, (60, 150, 190), 0.45)), (0.88, mix(deep, (0, 10, 40), 0.25))):
        phase = rng.random() * 7
        canvas.ridge(
            [depth + 0.03 * math.sin(step / 5 + phase) + 0.015 * math.sin(step / 1.7) for step in range(65)], colour
        )
    for _ in range(3):
        _shoal(canvas, rng, rng.uniform(0.12, 0.88), rng.uniform(0.2, 0.62))
    for _ in range(12):
        _coral(canvas, rng, rng.random(), rng.uniform(0.9, 0.99))
    _jelly(canvas, rng, rng.choice((0.16, 0.84)), rng.uniform(0.2, 0.36))


def underwater_front(canvas: Canvas, rng: random.Random) -> None:
    """Draw weed at both sides, rising bubbles, two bright fish close by."""
    for _ in range(16):
        side = rng.choice((rng.uniform(-0.01, 0.16), rng.uniform(0.84, 1.01)))
        tall, phase, wide = rng.uniform(0.2, 0.5), rng.random() * 7, rng.uniform(0.007, 0.014)
        blade = [(side + math.sin(phase + t * 0.5) * 0.018, 1.02 - tall * t / 14) for t in range(15)]
        left = [(x - wide * canvas.across * (1 - t / 15), y) for t, (x, y) in enumerate(blade)]
        right = [(x + wide * canvas.across * (1 - t / 15), y) for t, (x, y) in enumerate(blade)]
        canvas.shape([*left, *reversed(right)], mix((8, 84, 78), (56, 168, 96), rng.random()))
    for _ in range(46):
        x, y, radius = rng.random(), rng.random(), rng.uniform(0.004, 0.018)
        canvas.disc(x, y, radius, (210, 250, 255, 34))
        canvas.ring(x, y, radius, (228, 252, 255, 190), 0.002)
        canvas.disc(*canvas.near(x, y, 3.9, radius * 0.5), radius * 0.2, (255, 255, 255))
    for x, way in ((rng.uniform(0.08, 0.2), 1), (rng.uniform(0.8, 0.92), -1)):
        _fish(
            canvas, x, rng.uniform(0.62, 0.82), 0.045, rng.choice(((255, 150, 40), (255, 214, 60), (255, 96, 120))), way
        )


def _shoal(canvas: Canvas, rng: random.Random, x: float, y: float) -> None:
    colour, way = mix((150, 226, 240), (255, 214, 130), rng.random()), rng.choice((-1, 1))
    for _ in range(16):
        _fish(canvas, x + rng.gauss(0, 0.07), y + rng.gauss(0, 0.035), rng.uniform(0.008, 0.016), colour, way)


def _fish(canvas: Canvas, x: float, y: float, size: float, colour: Colour, way: int) -> None:
    tail = x - way * size * 0.9 * canvas.across
    fin = tail - way * size * 0.8 * canvas.across
    canvas.shape(
        [(tail, y), (fin, y - size * 0.6 * canvas.down), (fin, y + size * 0.6 * canvas.down)],
        mix(colour, (0, 0, 40), 0.2),
    )
    canvas.oval(x, y, size, size * 0.55, colour)
    canvas.oval(x, y, size * 0.16, size * 0.52, (255, 255, 255, 200))
    canvas.disc(x + way * size * 0.6 * canvas.across, y - size * 0.1 * canvas.down, size * 0.13, (10, 20, 40))


def _coral(canvas: Canvas, rng: random.Random, x: float, y: float) -> None:
    colour = rng.choice(((255, 112, 120), (255, 160, 90), (236, 110, 190), (160, 120, 240), (255, 206, 110)))
    branches = [(x, y, -math.pi / 2, rng.uniform(0.035, 0.06), 0.017)]
    while branches:
        left, top, angle, length, thick = branches.pop()
        tip = canvas.near(left, top, angle, length)
        canvas.line([(left, top), tip], colour, thick)
        canvas.disc(*tip, thick * 0.55, mix(colour, (255, 255, 255), 0.3))
        if length > 0.018:
            branches += [(*tip, angle + turn, length * 0.76, thick * 0.72) for turn in (-0.5, 0.45)]


def _jelly(canvas: Canvas, rng: random.Random, x: float, y: float) -> None:
    colour = rng.choice(((255, 170, 230), (190, 170, 255), (160, 240, 255)))
    canvas.lamp(x, y, 0.2, colour, 0.7)
    for arm in range(7):
        start = x + (arm - 3) * 0.017 * canvas.across
        trail = [(start + math.sin(t * 0.8 + arm) * 0.008, y + t * 0.016 * canvas.down) for t in range(12)]
        canvas.line(trail, (*colour, 170), 0.004)
    dome = [canvas.near(x, y, math.pi + math.pi * step / 16, 0.065) for step in range(17)]
    canvas.shape(dome, (*mix(colour, (255, 255, 255), 0.35), 220))
