"""What a diffusion model is asked for: the size in pixels, from an aspect ratio."""

import math
import re
from dataclasses import dataclass

_STEP = 64  # pixels; the latent image is an eighth as large, and halved three times
_LONGEST = 16 / 9  # width to height; a longer image repeats its subject
_RATIO = re.compile(r"([1-9]\d{0,4}):([1-9]\d{0,4})", re.ASCII)


@dataclass(frozen=True)
class PictureModel:
    """What a model takes. `side`: pixels of the square images that it was trained with."""

    side: int = 1024  # Stable Diffusion XL and later, and FLUX; Stable Diffusion 1 has 512
    reference_max_bytes: int | None = None  # None: any number


def size_of(aspect_ratio: str | None, side: int) -> tuple[int, int]:
    """Return width and height of about `side` x `side` pixels in all, whatever the aspect ratio ("3:2"; None: 1:1).

    Both are multiples of 64. The sizes that Stable Diffusion XL was trained with result: 16:9 is 1344 x 768.
    """
    found = _RATIO.fullmatch(aspect_ratio or "")
    ratio = int(found[1]) / int(found[2]) if found else 1.0
    root = math.sqrt(min(max(ratio, 1 / _LONGEST), _LONGEST))
    return _rounded(side * root), _rounded(side / root)


def _rounded(pixels: float) -> int:
    return max(round(pixels / _STEP), 1) * _STEP
