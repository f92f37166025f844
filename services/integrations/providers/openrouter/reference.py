"""The reference image in a request: a data URL, never a link."""

import base64

from openai.types.chat import ChatCompletionContentPartImageParam

from services.integrations.providers.protocol import ReferencePhoto


def image_part(reference: ReferencePhoto) -> ChatCompletionContentPartImageParam:
    """Return the reference as both APIs take it: a part of a message's content, or one of `input_references`."""
    encoded = base64.b64encode(reference.data).decode("ascii")
    return {"type": "image_url", "image_url": {"url": f"data:{reference.content_type};base64,{encoded}"}}
