"""Drawn hero looks: a panel of an old comic, a still of an animated film."""

import math

from PIL import Image, ImageChops, ImageDraw, ImageOps

from services.integrations.providers.demo.looks.canvas import Canvas
from services.integrations.providers.demo.looks.drawing import Drawing
from services.integrations.providers.demo.looks.light import Stops, gradient
from services.integrations.providers.demo.looks.power import aura, backdrop, behind, costume, particles, power_colour
from services.integrations.providers.demo.looks.smooth import cel, ink, outline, smooth
from services.integrations.providers.demo.looks.subject import subject_mask
from services.integrations.providers.demo.looks.texture import dots
from services.integrations.providers.demo.looks.tone import (
    apply_curve,
    contrast,
    flat,
    grade,
    mix,
    saturate,
    scale_mask,
)


def classic(drawing: Drawing, photo: Image.Image) -> Image.Image:
    """A panel of an old comic: rays, printed dots, primary colours, black ink, a white margin."""
    mask = subject_mask(photo)
    warm, cool = drawing.rng.choice(
        (((255, 214, 40), (226, 40, 44)), ((255, 226, 80), (30, 110, 210)), ((255, 140, 40), (40, 60, 170)))
    )
    rays = _wedges(
        drawing, [(0, warm), (1, mix(warm, (255, 255, 255), 0.3))], [(0, cool), (1, mix(cool, warm, 0.25))], 18
    )
    place = backdrop(drawing)
    if place is not None:  # printed over the rays in their own colours
        plate = apply_curve(ImageOps.autocontrast(place.convert("L"), cutoff=2), lambda value: 0.58 + 0.42 * value)
        rays = ImageChops.multiply(rays, Image.merge("RGB", (plate, plate, plate)))
    cell = max(5, drawing.unit // 110)
    halo = dots(ImageChops.invert(scale_mask(outline(mask, drawing.unit // 9), 0.75)), cell * 2)
    rays = Image.composite(rays, Image.blend(rays, flat(rays, (255, 250, 225)), 0.85), halo)
    dressed = costume(photo, mask, drawing.variables)
    colours = cel(saturate(smooth(contrast(dressed, 5.0), drawing.unit // 90, 500), 2.1), 4, 14)
    grey = smooth(photo, drawing.unit // 140, 150).convert("L")
    shade = dots(apply_curve(grey, lambda value: 0.16 + value * 1.15), cell)
    colours = Image.composite(colours, ImageChops.multiply(colours, flat(colours, (150, 120, 170))), shade)
    panel = Image.composite(flat(rays, (20, 16, 24)), rays, outline(mask, max(2, drawing.unit // 110)))
    panel = Image.composite(colours, panel, mask)
    lines = ink(grey, drawing.unit / 260, 1.25)
    blacks = apply_curve(grey, lambda value: (value - 0.13) * 9)
    lines = Image.composite(ImageChops.multiply(lines, blacks), flat(panel, (255, 255, 255)).convert("L"), mask)
    panel = ImageChops.multiply(panel, Image.merge("RGB", (lines, lines, lines)))
    panel = aura(panel, mask, drawing.variables, drawing.unit, 0.6)
    return _margin(grade(panel, (26, 18, 34), (255, 248, 222), 0.1), drawing)


def _wedges(drawing: Drawing, one: Stops, other: Stops, count: int) -> Image.Image:
    """Draw rays of two gradients around a point a little above the middle."""
    canvas = Canvas(drawing.width, drawing.height)
    canvas.wash([(0, (0, 0, 0)), (1, (0, 0, 0))])
    turn = drawing.rng.random()
    for ray in range(count):
        angle = (ray + turn) * math.tau / count
        sides = [canvas.near(0.5, 0.45, angle + bend, 9.0) for bend in (0, math.pi / count)]
        canvas.shape([(0.5, 0.45), *sides], (255, 255, 255))
    mask = canvas.finish().convert("L")
    size = (drawing.width, drawing.height)
    return Image.composite(gradient(size, one), gradient(size, other), mask)


def _margin(panel: Image.Image, drawing: Drawing) -> Image.Image:
    pen = ImageDraw.Draw(panel)
    paper, line = max(3, drawing.unit // 34), max(2, drawing.unit // 150)
    pen.rectangle((0, 0, drawing.width - 1, drawing.height - 1), outline=(255, 252, 240), width=paper)
    box = (paper, paper, drawing.width - 1 - paper, drawing.height - 1 - paper)
    if box[2] > box[0] and box[3] > box[1]:
        pen.rectangle(box, outline=(20, 16, 24), width=line)
    return panel


def anime(drawing: Drawing, photo: Image.Image) -> Image.Image:
    """An animated still: clean cel shading, fine lines, a bright sky, lines of speed running inwards."""
    mask = subject_mask(photo)
    skies: tuple[Stops, ...] = (
        [(0, (52, 116, 232)), (0.55, (120, 206, 250)), (1, (236, 250, 255))],
        [(0, (90, 70, 220)), (0.5, (250, 130, 190)), (1, (255, 224, 170))],
        [(0, (16, 150, 200)), (0.5, (110, 230, 220)), (1, (250, 255, 220))],
    )
    sky = behind(drawing, gradient(photo.size, drawing.rng.choice(skies)), 0.7)
    dressed = costume(photo, mask, drawing.variables)
    even = smooth(smooth(dressed, drawing.unit // 50, 500), drawing.unit // 120, 250)
    shaded = cel(even.convert("L"), 4, 16)
    painted = Image.blend(even, ImageChops.soft_light(even, Image.merge("RGB", (shaded, shaded, shaded))), 0.9)
    painted = apply_curve(saturate(cel(painted, 9, 8), 1.65), lambda value: 0.06 + 0.98 * value**0.82)
    grey = smooth(photo, drawing.unit // 200, 120).convert("L")
    lines = apply_curve(ink(grey, drawing.unit / 520, 1.1), lambda value: 0.25 + 0.75 * value)
    painted = ImageChops.multiply(painted, Image.merge("RGB", (lines, lines, apply_curve(lines, lambda v: v**0.8))))
    canvas = Canvas(drawing.width, drawing.height)
    canvas.place(sky, Image.new("L", sky.size, 255))
    canvas.lamp(0.5, 0.4, 0.7, (255, 255, 255), 0.8)
    for _ in range(120):
        angle, start = drawing.rng.random() * math.tau, drawing.rng.uniform(0.4, 0.62)
        bend = drawing.rng.uniform(0.002, 0.014)
        sides = [canvas.near(0.5, 0.45, angle + turn, 3.0) for turn in (-bend, bend)]
        canvas.shape([canvas.near(0.5, 0.45, angle, start), *sides], (255, 255, 255, 190))
    card = canvas.finish()
    card = Image.composite(flat(card, (255, 255, 255)), card, outline(mask, max(2, drawing.unit // 120)))
    card = Image.composite(painted, card, mask)
    card = aura(card, mask, drawing.variables, drawing.unit, 0.8)
    return particles(card, drawing, power_colour(drawing.variables) or (255, 255, 255), 16, stars=True)
