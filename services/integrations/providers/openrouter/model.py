"""What models at OpenRouter take and make: sizes, aspect ratios, the bytes of a reference and of a request."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from models.enum import Quality
from services.integrations.providers.protocol import ImageRequest

_BASE_BYTES = 4096  # of a request's JSON without its texts and its picture
_BYTES_PER_CHARACTER = 6  # of a text at most: "\\u0000"
_DATA_URL_BYTES = len("data:image/jpeg;base64,")


# Source: OpenRouter's image generation guide; 1:1 is 1024 x 1024 pixels at "1K", 21:9 is 1536 x 672.
ASPECT_RATIOS = ("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9")


@dataclass(frozen=True)
class ModelLimits:
    """Limits of one model, in bytes.

    Google states them for Gemini's image models: 7 MB for a picture (Vertex AI, "Image understanding"), and 20 MB for
    a request with everything in it (Gemini API, "Passing inline image data"). Other models take no less.
    """

    reference: int | None = 7_000_000  # of the picture itself; None: only the request is limited
    request: int | None = 20_000_000  # of the JSON, in which Base64 makes the picture a third larger; None: any


@dataclass(frozen=True)
class ModelCapabilities:
    """What one model takes and makes; the defaults are those of a model that nothing is known of."""

    limits: ModelLimits = ModelLimits()
    api: Literal["chat", "images", "videos"] = "chat"
    qualities: tuple[Quality, ...] = tuple(Quality)
    aspect_ratios: tuple[str, ...] = ASPECT_RATIOS
    image_only: bool = False  # must not be asked for text beside the image
    streams_previews: bool = False


def max_reference_bytes(request: ImageRequest, limits: ModelLimits) -> int | None:
    """Return how many bytes the reference of this request may have; None: any number."""
    allowed = [limits.reference] if limits.reference is not None else []
    if limits.request is not None:
        characters = sum(map(len, (request.prompt, *request.earlier_prompts)))
        free = limits.request - _BASE_BYTES - _DATA_URL_BYTES - _BYTES_PER_CHARACTER * characters
        allowed.append(max(free // 4 * 3, 0))
    return min(allowed, default=None)


def capabilities_of(model: str, known: Mapping[str, ModelCapabilities]) -> ModelCapabilities:
    """Return what a model can do; a variant such as ":free" can do what its model can."""
    return known.get(model) or known.get(model.partition(":")[0]) or ModelCapabilities()
