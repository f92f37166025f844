"""The request to OpenRouter: one chat completion that responds with an image."""

import base64
import math
from typing import TypedDict

from openai.types.chat import ChatCompletionContentPartParam, ChatCompletionMessageParam

from models.enum import Quality
from services.integrations.providers.protocol import ImageRequest

# Sources: OpenRouter's image generation guide; 1:1 is 1024 x 1024 pixels at "1K", 21:9 is 1536 x 672.
ASPECT_RATIOS = ("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9")
IMAGE_SIZES = {Quality.STANDARD: "1K", Quality.HD: "2K", Quality.ULTRA: "4K"}


class ImageConfig(TypedDict):
    """Shape and size of the image."""

    aspect_ratio: str
    image_size: str


class ImageFields(TypedDict):
    """OpenRouter's additional fields of a chat completion; the SDK does not know them."""

    modalities: list[str]
    image_config: ImageConfig


def messages(request: ImageRequest) -> list[ChatCompletionMessageParam]:
    """Return one message for each earlier prompt, then the prompt with the reference as a data URL, never as a link.

    All have the role `user`, even if the reference is an image of the model. Sent back as the assistant's message
    (`images` in OpenRouter's ChatAssistantMessage), Gemini 3 refuses it without the signature of the thoughts that
    led to it: "Image part is missing a thought_signature" (ai.google.dev/gemini-api/docs/thought-signatures;
    vercel/ai#10462), and assistant text as well (googleapis/js-genai#1116). Such signatures are valid for one model
    at one endpoint only, while a result may be refined at any time.
    """
    parts: list[ChatCompletionContentPartParam] = [{"type": "text", "text": request.prompt}]
    if request.reference is not None:
        encoded = base64.b64encode(request.reference.data).decode("ascii")
        parts.append(
            {"type": "image_url", "image_url": {"url": f"data:{request.reference.content_type};base64,{encoded}"}}
        )
    earlier: list[ChatCompletionMessageParam] = [
        {"role": "user", "content": [{"type": "text", "text": prompt}]} for prompt in request.earlier_prompts
    ]
    return [*earlier, {"role": "user", "content": parts}]


def image_fields(request: ImageRequest) -> ImageFields:
    """Return modalities, shape and size of the requested image."""
    return {
        "modalities": ["image", "text"],
        "image_config": {"aspect_ratio": _aspect_ratio(request), "image_size": IMAGE_SIZES[request.quality]},
    }


def _aspect_ratio(request: ImageRequest) -> str:
    wanted = _parse_ratio(request.aspect_ratio)
    if wanted is None and request.reference is not None:
        wanted = _parse_ratio(f"{request.reference.width}:{request.reference.height}")
    return closest_aspect_ratio(wanted or 1.0)


def closest_aspect_ratio(wanted: float) -> str:
    """Return the supported ratio nearest to `wanted` (width / height) by factor: 2:1 is as far from 1 as 1:2."""

    def distance(ratio: str) -> float:
        return abs(math.log((_parse_ratio(ratio) or 1.0) / wanted))

    return min(ASPECT_RATIOS, key=distance)


def _parse_ratio(ratio: str | None) -> float | None:
    """Return width / height of a ratio such as "3:2"; None if it is not two positive integers."""
    width, _, height = (ratio or "").partition(":")
    if not (width.isdecimal() and height.isdecimal() and len(width) < 7 and len(height) < 7):
        return None
    return int(width) / int(height) if int(width) and int(height) else None
