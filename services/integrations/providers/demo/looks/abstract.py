"""An abstract drawing: bands of colour that flow across a plain background."""

import math
import random

from services.integrations.providers.demo.looks.canvas import Canvas
from services.integrations.providers.demo.looks.tone import Colour, mix

_PALETTES: tuple[tuple[Colour, ...], ...] = (
    ((18, 24, 64), (70, 60, 170), (220, 90, 150), (255, 170, 110), (255, 236, 200)),
    ((8, 46, 58), (20, 120, 120), (110, 200, 160), (250, 214, 120), (255, 244, 220)),
    ((44, 16, 60), (150, 40, 110), (236, 90, 90), (255, 184, 90), (255, 240, 214)),
    ((16, 34, 74), (40, 110, 190), (120, 200, 230), (250, 190, 200), (255, 244, 240)),
)


def ribbons(canvas: Canvas, rng: random.Random) -> None:
    """Draw layers of slow waves with one large disc behind them."""
    palette = rng.choice(_PALETTES)
    canvas.wash([(0, palette[4]), (0.5, mix(palette[3], palette[4], 0.4)), (1, palette[2])])
    x, y = rng.uniform(0.3, 0.7), rng.uniform(0.26, 0.4)
    canvas.lamp(x, y, 0.6, palette[4])
    canvas.disc(x, y, rng.uniform(0.14, 0.22), mix(palette[3], palette[2], 0.3))
    for layer in range(9):
        share = layer / 8
        place = share * (len(palette) - 1)
        low = min(len(palette) - 2, int(place))
        colour = mix(palette[len(palette) - 1 - low], palette[len(palette) - 2 - low], place - low)
        first, second = rng.random() * 7, rng.random() * 7
        swing = rng.uniform(0.03, 0.085)
        level = 0.34 + share * 0.56
        line = [
            level + swing * math.sin(step / 96 * 5.2 + first) + swing * 0.45 * math.sin(step / 96 * 11 + second)
            for step in range(97)
        ]
        canvas.ridge([value + 0.012 for value in line], (*mix(colour, (0, 0, 0), 0.45), 60))
        canvas.ridge(line, (*colour, 236))
        canvas.line([(step / 96, value) for step, value in enumerate(line)], (255, 255, 255, 70), 0.003)


def ribbons_front(canvas: Canvas, rng: random.Random) -> None:
    """Draw thin rings and dust in the air."""
    for _ in range(5):
        canvas.ring(rng.random(), rng.random(), rng.uniform(0.03, 0.12), (255, 255, 255, 110), 0.003)
    for _ in range(70):
        canvas.disc(rng.random(), rng.random(), rng.uniform(0.0015, 0.006), (255, 255, 255, 140))
