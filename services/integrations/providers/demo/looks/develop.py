"""Previews that develop like a photographic print: shadows first, then detail, colour last."""

import io
import random

from PIL import Image, ImageFilter

from services.integrations.providers.demo.looks.texture import clouds, grain
from services.integrations.providers.demo.looks.tone import apply_curve, flat, saturate

STEPS = (0.3, 0.5, 0.7, 0.9)  # progress of each preview
_SIDE = 512  # pixels, the long side of a preview
_PAPER = (240, 232, 216)
_QUALITY = 80


def previews(picture: Image.Image, rng: random.Random) -> list[bytes]:
    """Return one small JPEG for each of STEPS."""
    small = picture.copy()
    small.thumbnail((_SIDE, _SIDE), Image.Resampling.BOX)
    patches = clouds(small.size, rng, 4)  # the developer does not reach all of the paper at once
    return [_encode(_tray(small, patches, rng, step)) for step in STEPS]


def _tray(small: Image.Image, patches: Image.Image, rng: random.Random, step: float) -> Image.Image:
    early = 1 - step
    soft = small.filter(ImageFilter.GaussianBlur(early**1.4 * max(small.size) / 42))
    soft = saturate(soft, max(0.0, step * 1.5 - 0.4))
    # Density: dark parts of the picture come up at once, light parts only near the end.
    reached = apply_curve(soft.convert("L"), lambda value: step**0.7 * (1.2 - 0.85 * early * value))
    uneven = apply_curve(patches, lambda value: 1 - early * 0.9 * (1 - value))
    density = Image.composite(reached, Image.new("L", small.size, 0), uneven)
    return grain(Image.composite(soft, flat(soft, _PAPER), density), rng, 0.22 * early)


def _encode(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()
