"""Colour and tone: curves, grades, tints, and colour names."""

import math
import re
from collections.abc import Callable
from itertools import pairwise

from PIL import Image, ImageChops, ImageColor, ImageEnhance, ImageOps

Colour = tuple[int, int, int]

_HEX_OR_WORD = re.compile(r"#(?:[0-9a-f]{6}|[0-9a-f]{3})\b|[a-z]+|[\u4e00-\u9fff]")
_NAMES = {  # colour names in addition to those of CSS
    "emerald": "mediumseagreen",
    "graphite": "darkslategray",
    "bronze": "peru",
    "scarlet": "orangered",
    "红": "crimson",
    "橙": "orange",
    "黄": "gold",
    "金": "gold",
    "绿": "seagreen",
    "青": "darkcyan",
    "蓝": "royalblue",
    "紫": "purple",
    "粉": "hotpink",
    "黑": "black",
    "白": "white",
    "银": "silver",
}


def read_colours(text: str) -> list[Colour]:
    """Return the colours named in a text, in order: "#aa0000", "royal blue and silver", "红与金"."""
    words = _HEX_OR_WORD.findall(text.lower())
    colours: list[Colour] = []
    skip = False
    for word, following in pairwise([*words, ""]):
        if skip:
            skip = False
        elif word + following in ImageColor.colormap:  # "royal blue" before "blue"
            colours.append(_rgb(word + following))
            skip = following != ""
        elif word.startswith("#") or word in ImageColor.colormap:
            colours.append(_rgb(word))
        elif word in _NAMES:
            colours.append(_rgb(_NAMES[word]))
    return colours


def _rgb(name: str) -> Colour:
    red, green, blue, *_ = ImageColor.getrgb(name)
    return red, green, blue


def mix(one: Colour, other: Colour, share: float) -> Colour:
    """Mix `one` towards `other` by `share`, 0 to 1."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def curve(shape: Callable[[float], float]) -> list[int]:
    """Return the lookup table of one band for a function from 0..1 to 0..1."""
    return [max(0, min(255, round(255 * shape(value / 255)))) for value in range(256)]


def apply_curve(picture: Image.Image, shape: Callable[[float], float]) -> Image.Image:
    """Apply one curve to every band of `picture`."""
    return picture.point(curve(shape) * len(picture.getbands()))


def contrast(picture: Image.Image, steepness: float, middle: float = 0.5) -> Image.Image:
    """Apply an S-curve around `middle`: 4 is gentle, 10 is close to black and white."""
    low = 1 / (1 + math.exp(steepness * middle))
    high = 1 / (1 + math.exp(-steepness * (1 - middle)))
    return apply_curve(picture, lambda value: (1 / (1 + math.exp(-steepness * (value - middle))) - low) / (high - low))


def saturate(picture: Image.Image, factor: float) -> Image.Image:
    """Change the saturation: more colour above 1, less below."""
    return ImageEnhance.Color(picture).enhance(factor)


def grade(picture: Image.Image, shadow: Colour, light: Colour, strength: float) -> Image.Image:
    """Tint shadows with one colour and lights with another, by `amount` 0 to 1, mostly preserving brightness."""
    tinted = ImageOps.colorize(picture.convert("L"), shadow, light, mid=mix(shadow, light, 0.5))
    return Image.blend(picture, tinted, strength)


def dye(picture: Image.Image, cloth: Colour, trim: Colour, mask: Image.Image) -> Image.Image:
    """Dye cloth where `mask` is bright: folds stay, middle tones become `cloth`, highlights `trim`."""
    dark = mix(cloth, (0, 0, 0), 0.9)
    grey = ImageOps.autocontrast(picture.convert("L"), cutoff=1)
    dyed = ImageOps.colorize(grey, dark, mix(trim, (255, 255, 255), 0.45), mid=mix(cloth, (70, 70, 76), 0.2))
    return Image.composite(dyed, picture, mask)


def scale_mask(mask: Image.Image, factor: float) -> Image.Image:
    """Scale a mask: weaker below 1, stronger above."""
    return mask.point([min(255, round(value * factor)) for value in range(256)])


def flat(picture: Image.Image, colour: Colour) -> Image.Image:
    """Return an image of one colour, as large as `picture`."""
    return Image.new("RGB", picture.size, colour)


def screen_tint(picture: Image.Image, colour: Colour, mask: Image.Image) -> Image.Image:
    """Add coloured light where `mask` is bright."""
    return Image.composite(ImageChops.screen(picture, flat(picture, colour)), picture, mask)
