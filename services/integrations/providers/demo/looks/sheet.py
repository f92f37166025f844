"""The sheet a look works on: its size, its photo, its dice and what the person asked for."""

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from PIL import Image

from models.enum import Size

WORKING_SIDE = 1024  # pixels on the long side while drawing; larger pictures are enlarged at the end
WIDEST = 8.0  # width to height; anything longer is cropped, because nothing can be composed on a thread

# The free prompt's template quotes the person: only their words shall be searched for places and painters. The
# template also names the two marks it quotes with, and those are no quotation.
_QUOTED = re.compile(r"“(?! and ”)(.+)”", re.DOTALL)
_RATIO = re.compile(r"(\d{1,4}(?:\.\d{1,3})?):(\d{1,4}(?:\.\d{1,3})?)")


@dataclass(frozen=True)
class Sheet:
    """One picture about to be made. `rng` is seeded, and the only source of chance a look may use."""

    width: int  # pixels
    height: int
    rng: random.Random
    size: Size = Size.MEDIUM
    prompt: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def unit(self) -> int:
        """The short side in pixels, the measure that radii and line widths are given in."""
        return min(self.width, self.height)


def own_words(prompt: str) -> str:
    """What the person said within a prompt; the whole prompt if nothing is quoted."""
    found = _QUOTED.search(prompt)
    return prompt if found is None else found[1]


def read_ratio(text: str | None) -> float | None:
    """Width to height from "3:2"; None if there is nothing to read. Held within 1:8 and 8:1."""
    found = _RATIO.fullmatch(text.strip()) if text else None
    if found is None:
        return None
    width, height = float(found[1]), float(found[2])
    if width == 0 or height == 0:
        return None
    return clamp_ratio(width / height)


def clamp_ratio(ratio: float) -> float:
    """The nearest ratio that can be composed on."""
    return max(1 / WIDEST, min(WIDEST, ratio))


def fit_side(ratio: float, long_side: int) -> tuple[int, int]:
    """Width and height in pixels of a picture with this ratio and long side."""
    if ratio >= 1:
        return long_side, max(1, round(long_side / ratio))
    return max(1, round(long_side * ratio)), long_side


def crop_to(photo: Image.Image, width: int, height: int) -> Image.Image:
    """The largest part of `photo` with the sheet's ratio, a little above the middle, where faces are."""
    ratio = width / height
    if photo.width / photo.height > ratio:
        span = photo.height * ratio
        left = (photo.width - span) / 2
        box = (left, 0.0, left + span, float(photo.height))
    else:
        span = photo.width / ratio
        top = (photo.height - span) * 0.4
        box = (0.0, top, float(photo.width), top + span)
    return photo.resize((width, height), Image.Resampling.LANCZOS, box=box)
