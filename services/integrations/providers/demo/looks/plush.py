"""Plush toy looks: a furry figure in a studio, a toy sticker with thick outlines."""

import math

from PIL import Image, ImageChops, ImageFilter

from models.enum import Size
from services.integrations.providers.demo.looks.canvas import Canvas
from services.integrations.providers.demo.looks.drawing import Drawing, crop_to
from services.integrations.providers.demo.looks.light import glow, gradient, pool, vignette
from services.integrations.providers.demo.looks.smooth import cel, ink, outline, shifted, smooth
from services.integrations.providers.demo.looks.subject import subject_mask
from services.integrations.providers.demo.looks.texture import fur, grain
from services.integrations.providers.demo.looks.tone import (
    Colour,
    apply_curve,
    contrast,
    flat,
    grade,
    mix,
    saturate,
    scale_mask,
    screen_tint,
)

_SHARES = {Size.SMALL: 0.64, Size.MEDIUM: 0.82, Size.LARGE: 0.98}  # of the drawing

_BRIGHTS: tuple[tuple[Colour, Colour], ...] = (
    ((255, 206, 64), (255, 226, 130)),
    ((74, 200, 226), (130, 224, 240)),
    ((255, 122, 138), (255, 166, 172)),
    ((134, 206, 92), (178, 228, 136)),
    ((166, 130, 240), (196, 172, 250)),
)


def _figure(drawing: Drawing, photo: Image.Image, share: float) -> tuple[Image.Image, Image.Image]:
    """The photo and its subject's mask, scaled by `share` and standing on the bottom edge."""
    mask = subject_mask(photo)
    size = (max(1, round(drawing.width * share)), max(1, round(drawing.height * share)))
    at = (round((drawing.width - size[0]) / 2), drawing.height - size[1])
    body = Image.new("RGB", (drawing.width, drawing.height), (128, 110, 100))
    body.paste(crop_to(photo, *size), at)
    place = Image.new("L", body.size, 0)
    place.paste(mask.resize(size, Image.Resampling.BICUBIC), at)
    return body, place


def realistic(drawing: Drawing, photo: Image.Image) -> Image.Image:
    """The subject as a furry toy under a warm studio lamp."""
    body, mask = _figure(drawing, photo, _SHARES[drawing.size])
    wall = drawing.rng.choice(((228, 168, 108), (214, 150, 122), (196, 168, 120), (160, 172, 150)))
    studio = gradient(
        body.size,
        [
            (0, mix(wall, (90, 40, 20), 0.3)),
            (0.55, wall),
            (0.72, mix(wall, (255, 240, 220), 0.45)),
            (1, mix(wall, (90, 50, 30), 0.25)),
        ],
    )
    for _ in range(12):  # lamps out of focus
        x, y = drawing.rng.random() * drawing.width, drawing.rng.random() * drawing.height * 0.6
        glow(studio, x, y, drawing.unit * drawing.rng.uniform(0.05, 0.15), (255, 214, 150), 0.5)
    shadow = shifted(mask, round(drawing.unit * 0.035), round(drawing.unit * 0.02))
    shadow = shadow.filter(ImageFilter.GaussianBlur(drawing.unit * 0.04))
    studio = Image.composite(Image.new("RGB", body.size, mix(wall, (20, 8, 0), 0.8)), studio, scale_mask(shadow, 0.6))
    warm = grade(saturate(smooth(body, drawing.unit // 120, 200), 1.3), (46, 24, 20), (255, 236, 206), 0.2)
    rounded = mask.filter(ImageFilter.GaussianBlur(drawing.unit * 0.03))
    lit = Image.composite(
        warm,
        apply_curve(warm, lambda value: value * 0.5),
        rounded.point([max(0, min(255, (v - 90) * 2)) for v in range(256)]),
    )
    coat = fur(
        Image.composite(lit, studio, mask),
        lit,
        mask,
        drawing.rng,
        drawing.unit * 0.0125,
        max(2.5, drawing.unit * 0.0034),
    )
    # Facial features would be lost in the fur: blend some of the photo's brightness on top.
    features = Image.blend(coat, ImageChops.soft_light(coat, contrast(lit, 5.0)), 0.75)
    features = Image.blend(features, lit, 0.2)
    toy = Image.composite(features, coat, mask)
    lamp = scale_mask(ImageChops.multiply(pool(toy.size), mask), 0.22)
    return vignette(screen_tint(toy, (255, 220, 160), lamp), 0.7, (60, 28, 12))


def cartoon(drawing: Drawing, photo: Image.Image) -> Image.Image:
    """A sticker: flat colours, fat outlines, a white border, dots behind."""
    body, mask = _figure(drawing, photo, _SHARES[drawing.size] * 0.97)
    ground, spot = drawing.rng.choice(_BRIGHTS)
    canvas = Canvas(drawing.width, drawing.height)
    canvas.wash([(0, ground), (1, ground)])
    step_x, step_y = 0.11 * canvas.across, 0.11 * canvas.down
    for row in range(math.ceil(1 / step_y) + 1):
        for column in range(math.ceil(1 / step_x) + 2):
            canvas.disc((column - row % 2 / 2) * step_x, row * step_y, 0.026, spot)
    painted = cel(saturate(smooth(smooth(body, drawing.unit // 60, 400), drawing.unit // 110, 300), 1.85), 5)
    painted = apply_curve(painted, lambda value: value**0.85)
    lines = ink(smooth(body, drawing.unit // 150, 200).convert("L"), drawing.unit / 330, 0.85)
    drawn = ImageChops.multiply(painted, Image.merge("RGB", (lines, lines, lines)))
    card = canvas.finish()
    fat = max(2, drawing.unit // 70)
    clean = mask.filter(ImageFilter.GaussianBlur(drawing.unit * 0.008)).point(
        [max(0, min(255, (v - 108) * 6)) for v in range(256)]
    )
    border = outline(clean, fat * 4)
    drop = shifted(border, fat, fat)
    card = Image.composite(flat(card, mix(ground, (40, 20, 60), 0.45)), card, drop)
    card = Image.composite(flat(card, (255, 255, 255)), card, border)
    seam = ImageChops.subtract(outline(clean, round(fat * 2.9)), outline(clean, round(fat * 2.4)))
    card = Image.composite(
        flat(card, mix(ground, (40, 20, 60), 0.4)), card, ImageChops.multiply(seam, _checks(card, fat * 2))
    )
    card = Image.composite(flat(card, (30, 22, 40)), card, outline(clean, round(fat * 1.3)))
    card = Image.composite(drawn, card, clean)
    return grain(card, drawing.rng, 0.02)


def _checks(picture: Image.Image, side: int) -> Image.Image:
    """Return a chessboard mask, which cuts any line into stitches."""
    few = (picture.width // side + 2, picture.height // side + 2)
    board = Image.frombytes("L", few, bytes(255 * ((x + y) % 2) for y in range(few[1]) for x in range(few[0])))
    large = board.resize((few[0] * side, few[1] * side), Image.Resampling.NEAREST)
    return large.crop((0, 0, *picture.size))
