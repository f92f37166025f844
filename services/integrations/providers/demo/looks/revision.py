"""Variations and refinements of a finished image; its look is not applied a second time."""

from collections.abc import Callable

from PIL import Image, ImageOps

from services.integrations.providers.demo.looks.drawing import Drawing
from services.integrations.providers.demo.looks.light import glow, vignette
from services.integrations.providers.demo.looks.tone import (
    Colour,
    apply_curve,
    contrast,
    grade,
    mix,
    read_colours,
    saturate,
)

# Colours of shadows and lights at one time of day each.
_HOURS: tuple[tuple[Colour, Colour], ...] = (
    ((46, 22, 66), (255, 190, 128)),  # dusk
    ((14, 44, 82), (236, 246, 255)),  # a clear morning
    ((58, 30, 12), (255, 226, 150)),  # late sun
    ((10, 52, 50), (224, 255, 226)),  # under trees
    ((62, 14, 44), (255, 214, 226)),  # first light
)
_WARM, _COLD, _NIGHT = _HOURS[2], _HOURS[1], ((4, 8, 34), (168, 190, 240))


def vary(drawing: Drawing, picture: Image.Image) -> Image.Image:
    """Draw a variation: another crop of the same subject, at another time of day, lit from another side."""
    rng = drawing.rng
    share = rng.uniform(0.78, 0.9)  # of each side; a tighter crop would cut faces
    left, top = rng.uniform(0, 1 - share), rng.uniform(0, 1 - share)
    width, height = picture.size
    box = (left * width, top * height, (left + share) * width, (top + share) * height)
    framed = picture.resize(picture.size, Image.Resampling.LANCZOS, box=box)
    if rng.random() < 0.5:
        framed = ImageOps.mirror(framed)
    shadow, light = rng.choice(_HOURS)
    framed = saturate(grade(framed, shadow, light, rng.uniform(0.28, 0.4)), 1.35)
    glow(framed, rng.choice((0.05, 0.95)) * width, rng.uniform(0.0, 0.35) * height, 0.7 * drawing.unit, light, 0.4)
    return vignette(framed, 0.3)


def refine(drawing: Drawing, picture: Image.Image) -> Image.Image:
    """Draw a refinement: the changes of light or colour that the prompt names, else a general enhancement."""
    words = drawing.prompt.lower()
    changed = False
    for names, change in _CHANGES:
        if any(name in words for name in names):
            picture, changed = change(picture), True
    colours = read_colours(words)
    if changed or not colours:
        return picture if changed else contrast(saturate(grade(picture, *drawing.rng.choice(_HOURS), 0.3), 1.3), 5)
    shadow = mix(colours[0], (0, 0, 0), 0.75)
    light = mix(colours[-1] if len(colours) > 1 else colours[0], (255, 255, 255), 0.45)
    return saturate(grade(picture, shadow, light, 0.6), 1.3)


def _grey(picture: Image.Image) -> Image.Image:
    return contrast(picture.convert("L").convert("RGB"), 5)


def _warm(picture: Image.Image) -> Image.Image:
    return saturate(grade(picture, *_WARM, 0.45), 1.2)


def _cold(picture: Image.Image) -> Image.Image:
    return grade(picture, *_COLD, 0.5)


def _bright(picture: Image.Image) -> Image.Image:
    return apply_curve(picture, lambda value: value**0.6)


def _dark(picture: Image.Image) -> Image.Image:
    return vignette(apply_curve(picture, lambda value: value**1.7), 0.5)


def _night(picture: Image.Image) -> Image.Image:
    return vignette(apply_curve(grade(picture, *_NIGHT, 0.75), lambda value: value**1.4), 0.6)


_CHANGES: tuple[tuple[tuple[str, ...], Callable[[Image.Image], Image.Image]], ...] = (
    (("black and white", "monochrome", "黑白"), _grey),
    (("warm", "sunset", "暖", "日落"), _warm),
    (("cold", "cool", "winter", "冷", "冬"), _cold),
    (("bright", "lighter", "亮"), _bright),
    (("darker", "dim", "暗"), _dark),
    (("night", "moon", "夜", "月"), _night),
)
