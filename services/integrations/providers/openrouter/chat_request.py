"""The request to `/chat/completions`: one chat completion that responds with an image."""

from typing import Any

from openai.types.chat import ChatCompletionContentPartParam, ChatCompletionMessageParam

from services.integrations.providers.openrouter.model import ModelCapabilities
from services.integrations.providers.openrouter.picture_shape import picture_shape
from services.integrations.providers.openrouter.reference import image_part
from services.integrations.providers.protocol import ImageRequest

PATH = "/chat/completions"


def body(model: str, request: ImageRequest, capabilities: ModelCapabilities) -> dict[str, Any]:
    """Return the JSON of the request; `modalities` and `image_config` are OpenRouter's additions to the API."""
    return {
        "model": model,
        "messages": messages(request),
        "stream": True,
        "modalities": ["image"] if capabilities.image_only else ["image", "text"],
        "image_config": picture_shape(request, capabilities, resolution="image_size"),
    }


def messages(request: ImageRequest) -> list[ChatCompletionMessageParam]:
    """Return one message for each earlier prompt, then the prompt with the reference.

    All have the role `user`, even if the reference is an image of the model. Sent back as the assistant's message
    (`images` in OpenRouter's ChatAssistantMessage), Gemini 3 refuses it without the signature of the thoughts that
    led to it: "Image part is missing a thought_signature" (ai.google.dev/gemini-api/docs/thought-signatures;
    vercel/ai#10462), and assistant text as well (googleapis/js-genai#1116). Such signatures are valid for one model
    at one endpoint only, while a result may be refined at any time.
    """
    parts: list[ChatCompletionContentPartParam] = [{"type": "text", "text": request.prompt}]
    if request.reference is not None:
        parts.append(image_part(request.reference))
    earlier: list[ChatCompletionMessageParam] = [
        {"role": "user", "content": [{"type": "text", "text": prompt}]} for prompt in request.earlier_prompts
    ]
    return [*earlier, {"role": "user", "content": parts}]
