"""OpenRouter's `/images`: what the scripted server refuses, and the responses of the real service."""

import base64
from typing import Any

from tests.support.fakes.openrouter_response import GENERATION_ID, good_picture, json_200, sse, status
from tests.support.fakes.raw_server import Response

COST = 0.04  # US dollars
CREATED = 1_748_372_400
PATH = "/api/v1/images"
RESOLUTIONS = {"512", "1K", "2K", "4K"}
ASPECT_RATIOS = {
    "1:1", "1:2", "1:4", "1:8", "2:1", "2:3", "3:2", "3:4", "4:1", "4:3", "4:5", "5:4", "8:1", "9:16", "16:9",
    "9:19.5", "19.5:9", "9:20", "20:9", "9:21", "21:9", "auto",
}  # fmt: skip
_FIELDS = {
    "model", "prompt", "n", "resolution", "aspect_ratio", "size", "quality", "output_format", "background",
    "output_compression", "seed", "stream", "input_references", "provider",
}  # fmt: skip
_MAX_REFERENCES = 16


def refusal_of(body: dict[str, Any]) -> Response | None:
    """Return the 400 for a body that the API does not take."""
    problems = [f"unknown {name}" for name in body.keys() - _FIELDS]
    problems += [name for name in ("model", "prompt") if not (isinstance(body.get(name), str) and body[name])]
    if body.get("resolution", "1K") not in RESOLUTIONS:
        problems.append("resolution")
    if body.get("aspect_ratio", "auto") not in ASPECT_RATIOS:
        problems.append("aspect_ratio")
    references = body.get("input_references", [])
    if len(references) > _MAX_REFERENCES or any(part.keys() != {"type", "image_url"} for part in references):
        problems.append("input_references")
    return status(400, "invalid_request", text=f"Invalid {', '.join(problems)}") if problems else None


def images(*pictures: bytes, media_type: str | None = "image/png", cost: float | None = COST) -> Response:
    """The buffered answer, with the id in a header as every answer has it."""
    named = {"media_type": media_type} if media_type else {}
    data = [{"b64_json": _encoded(one), **named} for one in pictures or (good_picture(),)]
    body = {"created": CREATED, "data": data, **_usage(cost)}
    return json_200(body, **{"X-Generation-Id": GENERATION_ID})


def no_images() -> Response:
    """A buffered answer without an image."""
    return json_200({"created": CREATED, "data": [], **_usage(COST)})


def not_base64() -> Response:
    """A buffered answer whose image cannot be decoded."""
    return json_200({"created": CREATED, "data": [{"b64_json": "@@@ not base64 @@@"}], **_usage(COST)})


def streamed(
    *partials: bytes, picture: bytes | None = None, media_type: str | None = "image/png", cost: float | None = COST
) -> Response:
    """A stream: partial images, the completed one, [DONE]."""
    return sse(*map(partial, range(len(partials)), partials), completed(picture, media_type, cost))


def partial(index: int, picture: bytes) -> dict[str, Any]:
    """The event of one preview."""
    kind = "image_generation.partial_image"
    return {"type": kind, "partial_image_index": index, "b64_json": _encoded(picture)}


def text_chunk(text: str, phase: str = "content") -> dict[str, Any]:
    """The event of a piece of an image that is text."""
    return {"type": "image_generation.text_chunk", "phase": phase, "text": text}


def completed(
    picture: bytes | None = None, media_type: str | None = "image/png", cost: float | None = COST
) -> dict[str, Any]:
    """The event of the image; its media type and its usage may be missing."""
    event = {"type": "image_generation.completed", "b64_json": _encoded(picture or good_picture()), "created": CREATED}
    return {**event, **({"media_type": media_type} if media_type else {}), **_usage(cost)}


def error_event(text: str, code: str | None, kind: str | None = None) -> dict[str, Any]:
    """The event of an error after the stream has started; nothing is billed."""
    return {"type": "error", "error": {"message": text, "code": code, "type": kind, "param": None}}


def failed_stream(text: str, code: str | None, kind: str | None = None) -> Response:
    """A stream with a preview and then an error."""
    return sse(partial(0, good_picture()), error_event(text, code, kind))


def _usage(cost: float | None) -> dict[str, Any]:
    if cost is None:
        return {}
    counts = {"prompt_tokens": 0, "completion_tokens": 4175, "total_tokens": 4175}
    return {"usage": {**counts, "completion_tokens_details": {"image_tokens": 4175}, "cost": cost, "is_byok": False}}


def _encoded(picture: bytes) -> str:
    return base64.b64encode(picture).decode("ascii")
