"""Drawn scenes with a wide sky: mountains at sunrise, a starry night, a magic castle."""

import math
import random

from services.integrations.providers.demo.looks.canvas import Canvas, skyline
from services.integrations.providers.demo.looks.tone import Colour, mix


def mountain(canvas: Canvas, rng: random.Random) -> None:
    """Draw ridges in morning haze, snow on the farthest one, the sun between them."""
    top = rng.choice(((58, 72, 140), (76, 66, 148), (48, 88, 150)))
    canvas.wash(
        [(0, top), (0.3, (226, 130, 138)), (0.5, (255, 190, 112)), (0.62, (255, 232, 170)), (1, (255, 236, 190))]
    )
    sun, height = rng.uniform(0.32, 0.68), rng.uniform(0.4, 0.46)
    canvas.lamp(sun, height, 0.85, (255, 206, 120))
    for ray in range(18):
        angle = ray * math.tau / 18 + rng.uniform(-0.06, 0.06)
        sides = [canvas.near(sun, height, angle + bend, 1.3) for bend in (-0.04, 0.04)]
        canvas.shape([(sun, height), *sides], (255, 240, 190, 26))
    canvas.disc(sun, height, 0.075, (255, 250, 226))
    for _ in range(7):
        x, y, long = rng.random(), rng.uniform(0.08, 0.34), rng.uniform(0.08, 0.22)
        canvas.oval(x, y, long, 0.008, (255, 206, 190, 130))
        canvas.oval(x + 0.05, y + 0.012, long * 0.6, 0.006, (255, 226, 206, 130))
    far = skyline(rng, 0.46, 0.17, 0.5)
    canvas.ridge(far, (168, 128, 160))
    peaks = sorted(range(6, 123), key=lambda step: far[step])[:46]
    for step in peaks:  # snow at the highest parts of the ridge
        x, y = step / 128, far[step]
        canvas.shape(
            [
                (x - 0.006, far[step - 1]),
                (x, y),
                (x + 0.009, far[step + 1]),
                (x + rng.uniform(-0.006, 0.008), y + rng.uniform(0.02, 0.05)),
            ],
            (255, 238, 230),
        )
    colours = ((146, 100, 146), (108, 76, 128), (70, 56, 104), (38, 38, 76))
    for depth, colour in enumerate(colours):
        canvas.mist(0.46 + depth * 0.09, 0.62 + depth * 0.1, (255, 206, 160), 0.0, 0.5 - depth * 0.1)
        canvas.ridge(skyline(rng, 0.63 + depth * 0.09, 0.055 - depth * 0.006, 0.52), colour)


def mountain_front(canvas: Canvas, rng: random.Random) -> None:
    """Draw firs at both sides and along the bottom, a few birds against the light."""
    for _ in range(30):
        x = rng.random()
        tall = 0.08 + 0.24 * (abs(x - 0.5) * 2) ** 2 * rng.uniform(0.7, 1.2)
        _fir(canvas, rng, x, 1.02, tall, (18, 22, 48))
    for _ in range(6):
        x, y, size = rng.uniform(0.1, 0.9), rng.uniform(0.1, 0.36), rng.uniform(0.01, 0.018)
        canvas.line([(x - size, y - size * 0.5), (x, y), (x + size, y - size * 0.6)], (60, 40, 76), 0.004)


def _fir(canvas: Canvas, rng: random.Random, x: float, foot: float, tall: float, colour: Colour) -> None:
    wide = tall * 0.26 * canvas.unit / canvas.width * (canvas.height / canvas.unit)
    for tier in range(7):
        share = tier / 7
        y = foot - tall * (1 - share)
        half = wide * (0.16 + share) * rng.uniform(0.85, 1.1)
        canvas.shape([(x, y - tall * 0.06), (x - half, y + tall * 0.17), (x + half, y + tall * 0.17)], colour)


def night(canvas: Canvas, rng: random.Random) -> None:
    """Draw a swirling sky in short strokes, stars with halos, a moon, a sleeping village."""
    deep = rng.choice(((12, 20, 66), (20, 16, 72), (8, 30, 70)))
    canvas.wash(
        [
            (0, mix(deep, (0, 0, 20), 0.4)),
            (0.5, mix(deep, (40, 84, 168), 0.55)),
            (0.8, (70, 118, 176)),
            (1, (30, 50, 90)),
        ]
    )
    for _ in range(520):  # the milky way, rising to the right
        along = rng.random()
        x, y = along, 0.62 - along * 0.55 + rng.gauss(0, 0.06)
        canvas.disc(x, y, rng.uniform(0.001, 0.003), (235, 236, 255, rng.randint(60, 220)))
    for step in range(9):
        canvas.lamp(step / 8, 0.62 - step / 8 * 0.55, 0.2, (90, 110, 190), 0.4)
    lights = [(rng.uniform(0.04, 0.96), rng.uniform(0.05, 0.55), rng.uniform(0.03, 0.075)) for _ in range(11)]
    moon = (rng.choice((0.16, 0.84)), rng.uniform(0.13, 0.2), 0.15)
    for x, y, radius in (*lights, moon):
        canvas.lamp(x, y, radius * 1.7, (255, 224, 130), 0.9)
        for ring in range(2, 6):
            for _ in range(7):
                start = rng.uniform(0, 360)
                colour = mix((255, 226, 130), (120, 170, 236), ring / 6)
                canvas.arc(x, y, radius * ring * 0.3, start, start + rng.uniform(16, 40), (*colour, 190), 0.0045)
        canvas.disc(x, y, radius * 0.2, (255, 248, 206))
    x, y, _ = moon
    canvas.disc(x, y, 0.06, (255, 238, 166))
    canvas.disc(*canvas.near(x, y, -0.6, 0.028), 0.049, mix(deep, (60, 96, 170), 0.6))
    for _ in range(230):
        canvas.disc(rng.random(), rng.uniform(0, 0.68), rng.uniform(0.0008, 0.0026), (255, 255, 244, 220))
    canvas.ridge(skyline(rng, 0.74, 0.05), (34, 52, 104))
    canvas.ridge(skyline(rng, 0.82, 0.025), (20, 32, 70))


def night_front(canvas: Canvas, rng: random.Random) -> None:
    """Draw roofs with lit windows along the bottom, a cypress at one side, a shooting star."""
    canvas.ridge(skyline(rng, 0.93, 0.012), (10, 16, 38))
    for place in range(12):
        x = (place + rng.uniform(0.1, 0.7)) / 12
        wide, tall = rng.uniform(0.03, 0.042) * canvas.across, rng.uniform(0.02, 0.04)
        canvas.box(x - wide, 0.95 - tall, x + wide, 1, (34, 46, 92))
        canvas.shape(
            [(x - wide * 1.2, 0.95 - tall), (x, 0.925 - tall * 1.5), (x + wide * 1.2, 0.95 - tall)], (26, 32, 66)
        )
        canvas.lamp(x, 0.955, 0.045, (255, 190, 90), 0.8)
        canvas.box(x - wide * 0.3, 0.945, x + wide * 0.3, 0.968, (255, 214, 120))
    side = rng.choice((0.075, 0.925))
    for flame in range(26):
        share = flame / 26
        wide = 0.055 * math.sin(math.pi * min(1, 0.16 + share * 0.84)) * canvas.across
        x, y = side + math.sin(share * 9) * 0.008, 1.02 - share * 0.6
        canvas.shape(
            [(x - wide, y), (x + rng.uniform(-0.6, 0.6) * wide, y - 0.13), (x + wide, y)],
            mix((8, 18, 30), (20, 48, 46), rng.random()),
        )
    x, y = rng.uniform(0.3, 0.6), rng.uniform(0.06, 0.16)
    for share in range(14):
        tail = [canvas.near(x, y, 2.6, 0.02 * share), canvas.near(x, y, 2.6, 0.02 * (share + 1))]
        canvas.line(tail, (255, 252, 226, 230 - share * 16), 0.005 - share * 0.0003)


def castle(canvas: Canvas, rng: random.Random) -> None:
    """Draw towers with pointed roofs on a rock above the clouds, under an aurora and a large moon."""
    sky = rng.choice(((64, 40, 130), (84, 36, 124), (44, 52, 140)))
    canvas.wash(
        [
            (0, mix(sky, (0, 0, 30), 0.4)),
            (0.4, sky),
            (0.66, (232, 130, 188)),
            (0.85, (255, 204, 190)),
            (1, (255, 226, 214)),
        ]
    )
    for band in range(3):
        phase, colour = rng.random() * 7, ((110, 255, 214), (170, 190, 255), (255, 170, 236))[band]
        for step in range(90):
            x = step / 89
            y = 0.16 + band * 0.07 + 0.05 * math.sin(x * 5 + phase)
            canvas.line([(x, y - 0.1), (x, y)], (*colour, 16), 0.014)
            canvas.line([(x, y - 0.05), (x, y)], (*colour, 22), 0.014)
    for _ in range(130):
        canvas.disc(rng.random(), rng.random() * 0.5, rng.uniform(0.001, 0.0028), (255, 250, 255, 210))
    moon = rng.choice((0.22, 0.78))
    canvas.lamp(moon, 0.27, 0.5, (255, 214, 240), 0.85)
    canvas.disc(moon, 0.27, 0.12, (255, 240, 232))
    for x, y, radius in ((-0.04, -0.03, 0.022), (0.03, 0.02, 0.03), (-0.02, 0.05, 0.014)):
        canvas.disc(moon + x * canvas.across, 0.27 + y * canvas.down, radius, (246, 220, 222))
    canvas.ridge(skyline(rng, 0.78, 0.03), (190, 116, 182))
    centre = 0.5
    rock = [
        (centre - 0.36, 1.0),
        (centre - 0.25, 0.79),
        (centre - 0.2, 0.75),
        (centre + 0.2, 0.75),
        (centre + 0.26, 0.8),
        (centre + 0.36, 1.0),
    ]
    canvas.shape(rock, (92, 58, 128))
    towers = (
        (-0.19, 0.52, 0.034),
        (0.19, 0.5, 0.034),
        (-0.1, 0.4, 0.04),
        (0.11, 0.43, 0.038),
        (0.0, 0.27, 0.05),
        (-0.25, 0.62, 0.026),
        (0.25, 0.6, 0.026),
    )
    canvas.box(centre - 0.22 * canvas.across, 0.6, centre + 0.22 * canvas.across, 0.78, (156, 116, 186))
    for place in range(12):
        x = centre + (-0.22 + place * 0.04) * canvas.across
        canvas.box(x, 0.582, x + 0.022 * canvas.across, 0.605, (156, 116, 186))
    for shift, top, wide in towers:
        _tower(canvas, rng, centre + shift * canvas.across, top, wide)
    gate = [canvas.near(centre, 0.72, math.pi + math.pi * step / 10, 0.035) for step in range(11)]
    canvas.shape(
        [*gate, (centre + 0.035 * canvas.across, 0.78), (centre - 0.035 * canvas.across, 0.78)], (255, 206, 120)
    )


def castle_front(canvas: Canvas, rng: random.Random) -> None:
    """Draw clouds along the bottom and up the sides, sparkles and fairy dust."""
    for _ in range(90):
        x = rng.random()
        y = 1.02 - rng.random() * (0.05 + 0.13 * (abs(x - 0.5) * 2) ** 2)
        canvas.oval(
            x,
            y,
            rng.uniform(0.03, 0.085),
            rng.uniform(0.02, 0.05),
            (*mix((255, 206, 232), (255, 250, 252), rng.random()), 150),
        )
    for _ in range(44):
        x, y, radius = rng.random(), rng.uniform(0.05, 0.92), rng.uniform(0.008, 0.026)
        colour = rng.choice(((255, 236, 170), (255, 190, 240), (190, 240, 255)))
        canvas.lamp(x, y, radius * 1.8, colour, 0.9)
        canvas.star(x, y, radius, mix(colour, (255, 255, 255), 0.6))


def _tower(canvas: Canvas, rng: random.Random, x: float, top: float, wide: float) -> None:
    half = wide * canvas.across
    canvas.box(x - half, top, x + half, 0.77, (176, 136, 204))
    canvas.box(x + half * 0.3, top, x + half, 0.77, (140, 100, 176))
    canvas.box(x - half * 1.2, top, x + half * 1.2, top + 0.02, (196, 158, 216))
    roof = rng.choice(((96, 70, 200), (214, 76, 140), (70, 100, 206)))
    peak = top - wide * 3.1 * canvas.down
    canvas.shape([(x - half * 1.45, top), (x, peak), (x + half * 1.45, top)], roof)
    canvas.shape([(x + half * 0.2, top), (x, peak), (x + half * 1.45, top)], mix(roof, (20, 0, 60), 0.3))
    canvas.line([(x, peak), (x, peak - wide * 0.8 * canvas.down)], (250, 230, 180), 0.003)
    flag = peak - wide * 0.8 * canvas.down
    canvas.shape(
        [(x, flag), (x + half * 1.1, flag + wide * 0.2 * canvas.down), (x, flag + wide * 0.42 * canvas.down)],
        (255, 190, 90),
    )
    for floor in range(2):
        y = top + 0.055 + floor * 0.085
        if y < 0.7:
            canvas.lamp(x, y, wide * 1.5, (255, 206, 120), 0.6)
            canvas.oval(x, y, wide * 0.24, wide * 0.42, (255, 226, 150))
