"""Shape and size of an image in OpenRouter's terms: aspect ratios and resolutions that a model knows."""

import math
from collections.abc import Sequence

from models.enum import Quality
from services.integrations.providers.openrouter.model import ASPECT_RATIOS, ModelCapabilities
from services.integrations.providers.protocol import ImageRequest

_RESOLUTIONS = {Quality.STANDARD: "1K", Quality.HD: "2K", Quality.ULTRA: "4K"}


def picture_shape(request: ImageRequest, model: ModelCapabilities, *, resolution: str) -> dict[str, str]:
    """Return `aspect_ratio` and, by the API's name `resolution`, the size, as far as the model knows them."""
    shape: dict[str, str] = {}
    if model.aspect_ratios:
        shape["aspect_ratio"] = _aspect_ratio(request, model.aspect_ratios)
    if len(model.qualities) > 1:  # a model with one size refuses or ignores the parameter
        shape[resolution] = _RESOLUTIONS[request.quality]
    return shape


def _aspect_ratio(request: ImageRequest, supported: Sequence[str]) -> str:
    """Return the supported ratio that is nearest to the requested one, else to the reference's, else to a square."""
    wanted = _parse_ratio(request.aspect_ratio)
    if wanted is None and request.reference is not None:
        wanted = _parse_ratio(f"{request.reference.width}:{request.reference.height}")
    return closest_aspect_ratio(wanted or 1.0, supported)


def closest_aspect_ratio(wanted: float, supported: Sequence[str] = ASPECT_RATIOS) -> str:
    """Return the supported ratio nearest to `wanted` (width / height) by factor: 2:1 is as far from 1 as 1:2."""

    def distance(ratio: str) -> float:
        return abs(math.log((_parse_ratio(ratio) or 1.0) / wanted))

    return min(supported, key=distance)


def _parse_ratio(ratio: str | None) -> float | None:
    """Return width / height of a ratio such as "3:2"; None if it is not two positive integers."""
    width, _, height = (ratio or "").partition(":")
    if not (width.isdecimal() and height.isdecimal() and len(width) < 7 and len(height) < 7):
        return None
    return int(width) / int(height) if int(width) and int(height) else None
