"""The drawing that a look makes: its size, its random generator and the request's parameters."""

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from PIL import Image

from models.enum import Size

WORKING_SIDE = 1024  # pixels on the long side while drawing; larger pictures are enlarged at the end
WIDEST = 8.0  # width / height; more extreme ratios are cropped, because nothing can be composed on them

# The free prompt's template quotes the user's text: only that is searched for scenes and painting styles. The
# template also mentions the two quotation marks themselves, which is not a quotation.
_QUOTED = re.compile(r"“(?! and ”)(.+)”", re.DOTALL)
_RATIO = re.compile(r"(\d{1,4}(?:\.\d{1,3})?):(\d{1,4}(?:\.\d{1,3})?)")


@dataclass(frozen=True)
class Drawing:
    """One image to draw. `rng` is seeded, and the only source of randomness that a look may use."""

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


def user_words(prompt: str) -> str:
    """Return the user's text within a prompt; the whole prompt if nothing is quoted."""
    found = _QUOTED.search(prompt)
    return prompt if found is None else found[1]


def read_ratio(text: str | None) -> float | None:
    """Parse a ratio such as "3:2" as width / height, limited to 1:8 to 8:1; None if it is invalid."""
    found = _RATIO.fullmatch(text.strip()) if text else None
    if found is None:
        return None
    width, height = float(found[1]), float(found[2])
    if width == 0 or height == 0:
        return None
    return clamp_ratio(width / height)


def clamp_ratio(ratio: float) -> float:
    """Limit a ratio to 1:8 to 8:1."""
    return max(1 / WIDEST, min(WIDEST, ratio))


def fit_side(ratio: float, long_side: int) -> tuple[int, int]:
    """Return width and height in pixels for this ratio and long side."""
    if ratio >= 1:
        return long_side, max(1, round(long_side / ratio))
    return max(1, round(long_side * ratio)), long_side


def crop_to(photo: Image.Image, width: int, height: int) -> Image.Image:
    """Crop the largest part of `photo` with this ratio, a little above the middle, where faces are."""
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
