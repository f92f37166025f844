"""What models at OpenRouter take: the size of a reference picture, and of a whole request."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.integrations.providers.protocol import ImageRequest

_BASE_BYTES = 4096  # of a request's JSON without its texts and its picture
_BYTES_PER_CHARACTER = 6  # of a text at most: "\\u0000"
_DATA_URL_BYTES = len("data:image/jpeg;base64,")


@dataclass(frozen=True)
class ModelLimits:
    """Limits of one model, in bytes.

    Google states them for Gemini's image models: 7 MB for a picture (Vertex AI, "Image understanding"), and 20 MB for
    a request with everything in it (Gemini API, "Passing inline image data"). Other models take no less.
    """

    reference: int | None = 7_000_000  # of the picture itself; None: only the request is limited
    request: int | None = 20_000_000  # of the JSON, in which Base64 makes the picture a third larger; None: any


def max_reference_bytes(request: ImageRequest, limits: ModelLimits) -> int | None:
    """Return how many bytes the reference of this request may have; None: any number."""
    allowed = [limits.reference] if limits.reference is not None else []
    if limits.request is not None:
        characters = sum(map(len, (request.prompt, *request.earlier_prompts)))
        free = limits.request - _BASE_BYTES - _DATA_URL_BYTES - _BYTES_PER_CHARACTER * characters
        allowed.append(max(free // 4 * 3, 0))
    return min(allowed, default=None)


def limits_of(model: str, known: Mapping[str, ModelLimits]) -> ModelLimits:
    """Return the limits of a model; a variant such as ":free" has those of its model."""
    return known.get(model) or known.get(model.partition(":")[0]) or ModelLimits()
