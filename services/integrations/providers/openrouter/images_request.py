"""The request to `/images`, OpenRouter's API for images alone."""

from typing import Any

from services.integrations.providers.openrouter.model import ModelCapabilities
from services.integrations.providers.openrouter.picture_shape import picture_shape
from services.integrations.providers.openrouter.reference import image_part
from services.integrations.providers.protocol import ImageRequest

PATH = "/images"


def body(model: str, request: ImageRequest, capabilities: ModelCapabilities) -> dict[str, Any]:
    """Return the JSON of the request.

    There is one prompt and no conversation: of a refinement only the last one is sent, which says what to change in
    the image that shows the effect of the earlier ones. `stream` gets previews where the model has them; other models
    ignore it and respond with one JSON body. `size` and `n` are left out: pixels would override the ratio, and some
    models refuse more than one image.
    """
    references = [] if request.reference is None else [image_part(request.reference)]
    return {
        "model": model,
        "prompt": request.prompt,
        "stream": True,
        **picture_shape(request, capabilities, resolution="resolution"),
        **({"input_references": references} if references else {}),
    }
