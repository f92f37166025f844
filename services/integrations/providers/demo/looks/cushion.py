"""The plush toy look of felt: the subject sewn onto a plump pastel cushion with ears."""

import math
from collections.abc import Callable

from PIL import Image, ImageChops, ImageFilter

from models.enum import Size
from services.integrations.providers.demo.looks.canvas import Canvas, Point
from services.integrations.providers.demo.looks.drawing import Drawing
from services.integrations.providers.demo.looks.smooth import outline, shifted, smooth
from services.integrations.providers.demo.looks.subject import subject_mask
from services.integrations.providers.demo.looks.texture import fibres
from services.integrations.providers.demo.looks.tone import Colour, apply_curve, flat, grade, mix, saturate, scale_mask

_SHARES = {Size.SMALL: 0.58, Size.MEDIUM: 0.76, Size.LARGE: 0.9}  # of the drawing

_PASTELS: tuple[tuple[Colour, Colour, Colour], ...] = (  # ground above, ground below, felt
    ((255, 214, 226), (255, 238, 222), (255, 178, 200)),
    ((214, 226, 255), (244, 226, 255), (196, 180, 246)),
    ((206, 242, 226), (250, 248, 214), (150, 218, 196)),
    ((255, 230, 200), (255, 214, 220), (255, 192, 150)),
    ((204, 236, 252), (255, 230, 240), (148, 204, 240)),
)


def cute(drawing: Drawing, photo: Image.Image) -> Image.Image:
    """The subject in pastel felt, sewn on a cushion, stitched all around."""
    above, below, felt = drawing.rng.choice(_PASTELS)
    half = _SHARES[drawing.size] / 2
    middle = 0.54 - 0.02 * half
    hem = 0.08 * half
    canvas = Canvas(drawing.width, drawing.height)
    rim = _rounded(middle, half, half)
    field = _rounded(middle, half - hem * canvas.across, half - hem * canvas.down)
    canvas.wash([(0, above), (1, below)])
    _pattern(canvas, 0.13, drawing.rng.random(), mix(above, (255, 255, 255), 0.62), lambda x, y: True)
    for _ in range(26):
        canvas.star(drawing.rng.random(), drawing.rng.random(), drawing.rng.uniform(0.012, 0.034), (255, 255, 255))
    for layer in range(12):  # a soft shadow
        grown = half * (1.06 - layer * 0.008)
        canvas.shape(_rounded(middle + 0.03, grown, grown), (*mix(felt, (90, 40, 80), 0.6), 11))
    _ears(canvas, middle - half, half * 2, felt)
    canvas.shape(rim, felt)
    canvas.shape(field, mix(felt, (255, 252, 246), 0.72))
    _pattern(
        canvas,
        0.1,
        drawing.rng.random(),
        mix(felt, (255, 255, 255), 0.45),
        lambda x, y: ((x - 0.5) / half) ** 4 + ((y - middle) / half) ** 4 < 0.6,
    )
    toy = _applique(canvas.finish(), drawing, photo, (half * 2, middle), _mask(drawing, field), felt)
    toy = _felted(toy, drawing, _mask(drawing, rim))
    thread = Canvas(drawing.width, drawing.height)
    seam = _rounded(middle, half - hem / 2 * canvas.across, half - hem / 2 * canvas.down)
    _stitches(thread, seam)
    return _lay(toy, (255, 252, 248), thread.finish().convert("L"))


def _applique(
    toy: Image.Image,
    drawing: Drawing,
    photo: Image.Image,
    place: tuple[float, float],
    window: Image.Image,
    felt: Colour,
) -> Image.Image:
    """Paste the cut-out subject with its shadow and a white felt edge."""
    share, middle = place
    size = (max(1, round(drawing.width * share * 0.96)), max(1, round(drawing.height * share * 0.96)))
    corner = (round((drawing.width - size[0]) / 2), round(drawing.height * middle - size[1] / 2))
    cut = Image.new("L", toy.size, 0)
    cut.paste(subject_mask(photo).resize(size, Image.Resampling.BICUBIC), corner)
    cut = cut.filter(ImageFilter.GaussianBlur(drawing.unit * 0.004))
    cloth = flat(photo, felt)
    cloth.paste(_pastel(photo, felt).resize(size, Image.Resampling.LANCZOS), corner)
    edge = outline(cut, max(3, round(drawing.unit * 0.017 * share)))
    below = shifted(edge, 0, max(1, drawing.unit // 110)).filter(ImageFilter.GaussianBlur(drawing.unit * 0.008))
    toy = _lay(toy, mix(felt, (90, 40, 80), 0.5), ImageChops.multiply(scale_mask(below, 0.6), window))
    toy = _lay(toy, (255, 253, 250), ImageChops.multiply(edge, window))
    return Image.composite(cloth, toy, ImageChops.multiply(cut, window))


def _lay(picture: Image.Image, colour: Colour, mask: Image.Image) -> Image.Image:
    return Image.composite(flat(picture, colour), picture, mask)


def _mask(drawing: Drawing, points: list[Point]) -> Image.Image:
    canvas = Canvas(drawing.width, drawing.height)
    canvas.shape(points, (255, 255, 255))
    return canvas.finish().convert("L")


def _pastel(photo: Image.Image, felt: Colour) -> Image.Image:
    soft = smooth(photo, max(photo.size) // 80, 700)
    light = apply_curve(saturate(soft, 1.55), lambda value: 0.16 + 0.84 * value**0.75)
    return grade(light, mix(felt, (96, 50, 110), 0.5), (255, 250, 244), 0.22)


def _felted(toy: Image.Image, drawing: Drawing, body: Image.Image) -> Image.Image:
    """Add a wool texture everywhere, and plump shading over the cushion."""
    wool = fibres(toy.size, drawing.rng)
    woolly = ImageChops.soft_light(toy, Image.merge("RGB", (wool, wool, wool)))
    woolly = Image.blend(woolly, ImageChops.overlay(toy, Image.merge("RGB", (wool, wool, wool))), 0.5)
    swell = body.filter(ImageFilter.GaussianBlur(drawing.unit * 0.05))
    lift = max(1, round(drawing.unit * 0.035))
    relief = ImageChops.subtract(shifted(swell, -lift, -lift), shifted(swell, lift, lift), 1.4, 128)
    plump = ImageChops.soft_light(woolly, Image.merge("RGB", (relief, relief, relief)))
    return Image.composite(plump, woolly, body)


def _ears(canvas: Canvas, top: float, share: float, felt: Colour) -> None:
    radius = 0.125 * share
    for side in (-1, 1):
        x = 0.5 + side * (share / 2 - 0.13 * share * canvas.across * 1.1)
        y = top + radius * 0.3 * canvas.down
        canvas.disc(x, y, radius * 1.06, mix(felt, (120, 50, 90), 0.3))
        canvas.disc(x, y, radius, felt)
        canvas.disc(x, y + radius * 0.1 * canvas.down, radius * 0.6, mix(felt, (255, 246, 240), 0.65))


def _rounded(middle: float, half_x: float, half_y: float) -> list[Point]:
    """Return the points of a superellipse, the shape of a cushion."""
    points = []
    for step in range(180):
        angle = math.tau * step / 180
        across, along = math.cos(angle), math.sin(angle)
        points.append(
            (
                0.5 + math.copysign(abs(across) ** 0.45, across) * half_x,
                middle + math.copysign(abs(along) ** 0.45, along) * half_y,
            )
        )
    return points


def _stitches(canvas: Canvas, path: list[Point]) -> None:
    """Draw white dashes along a path."""
    length, on = 0.0, True
    start = path[0]
    dash: list[Point] = [start]
    for point in [*path[1:], path[0]]:
        steps = max(1, round(math.dist(start, point) * 400))
        for step in range(1, steps + 1):
            share = step / steps
            dash.append((start[0] + (point[0] - start[0]) * share, start[1] + (point[1] - start[1]) * share))
            length += math.hypot((dash[-1][0] - dash[-2][0]) / canvas.across, (dash[-1][1] - dash[-2][1]) / canvas.down)
            if length > 0.02:
                if on:
                    canvas.line(dash, (255, 255, 255), 0.006)
                length, on, dash = 0.0, not on, [dash[-1]]
        start = point


def _pattern(canvas: Canvas, step: float, shift: float, colour: Colour, wanted: Callable[[float, float], bool]) -> None:
    """Draw hearts and dots in a loose grid, `step` short sides apart, at the places that are `wanted`."""
    step_x, step_y = step * canvas.across, step * canvas.down
    for row in range(math.ceil(1 / step_y) + 1):
        for column in range(math.ceil(1 / step_x) + 1):
            x = (column + shift + row % 2 / 2 - 0.5) * step_x
            y = (row + shift - 0.5) * step_y
            if not wanted(x, y):
                continue
            if (row + column) % 2:
                canvas.disc(x, y, step * 0.09, colour)
            else:
                _heart(canvas, x, y, step * 0.18, colour)


def _heart(canvas: Canvas, x: float, y: float, radius: float, colour: Colour) -> None:
    points = []
    for step in range(30):
        angle = math.tau * step / 30
        across = math.sin(angle) ** 3
        along = 0.81 * math.cos(angle) - 0.31 * math.cos(2 * angle) - 0.125 * math.cos(3 * angle)
        points.append((x + across * radius * canvas.across, y - along * radius * canvas.down))
    canvas.shape(points, colour)
