"""Responses for the scripted OpenRouter: those of the real service, and everything that can go wrong."""

import base64
import io
import json
import zlib
from functools import lru_cache
from typing import Any

from PIL import Image

from tests.support.fakes.raw_server import Ending, Response, raw_head, raw_response

GENERATION_ID = "gen-1700000000-abcdefghij"
MODEL = "google/gemini-3.1-flash-image"
COST = 0.039  # US dollars
_KEEP_ALIVE = b": OPENROUTER PROCESSING\n\n"


# Good responses, each in one of the shapes that models use.


@lru_cache
def good_picture(width: int = 128, height: int = 128, tint: int = 0) -> bytes:
    """Return a PNG of a gradient; another `tint` (0 to 255) gives another image."""
    across = Image.linear_gradient("L").rotate(90).resize((width, height))
    down = Image.linear_gradient("L").resize((width, height))
    out = io.BytesIO()
    Image.merge("RGB", (across, down, Image.new("L", (width, height), tint))).save(out, "PNG")
    return out.getvalue()


def data_url(data: bytes, media_type: str = "image/png") -> str:
    """Return a base64 data URL of `data`."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"


def picture(png: bytes | None = None, model: str = MODEL) -> Response:
    """The documented shape: `message.images`."""
    return message(content="Here you are.", images=[_image_part(data_url(png or good_picture()))], model=model)


def sse_picture(partials: tuple[bytes, ...] = (), png: bytes | None = None) -> Response:
    """A stream: keep-alives, preview images, the image, usage, [DONE]."""
    deltas = [_delta(images=[_image_part(data_url(image))]) for image in (*partials, png or good_picture())]
    return sse(_delta(role="assistant", content=""), *deltas, _last_chunk())


def content_parts(png: bytes | None = None) -> Response:
    """`message.content` as a list of parts, one of which is the image."""
    return message(content=[{"type": "text", "text": "Look:"}, _image_part(data_url(png or good_picture()))])


def markdown(png: bytes | None = None) -> Response:
    """An image inside the text."""
    return message(content=f"Here it is: ![picture]({data_url(png or good_picture())}) Enjoy!")


def remote_url(url: str) -> Response:
    """An image as an https URL."""
    return message(content=[_image_part(url)])


def message(
    *,
    finish_reason: str = "stop",
    native_finish_reason: str = "STOP",
    cost: float | None = None,
    model: str = MODEL,
    **fields: object,
) -> Response:
    """A complete chat completion with one message."""
    choice = {"index": 0, "finish_reason": finish_reason, "native_finish_reason": native_finish_reason}
    choices = [{**choice, "message": {"role": "assistant", "refusal": None, **fields}}]
    whole = _completion(choices=choices, model=model)
    return json_200(whole if cost is None else {**whole, "usage": {**whole["usage"], "cost": cost}})


# Responses without an image.


def status(
    code: int,
    error_type: str | None = None,
    *,
    text: str = "",
    retry_after: str | None = None,
    metadata: dict[str, Any] | None = None,
) -> Response:
    """An HTTP error with OpenRouter's error body."""
    fields = {**(metadata or {}), **({"error_type": error_type} if error_type else {})}
    error = {"code": code, "message": text or f"Provider returned {code}", "metadata": fields}
    extra = {} if retry_after is None else {"Retry-After": retry_after}
    return raw_response(code, "application/json", _json({"error": error}), **extra)


def moderation(flagged: str = "flagged text") -> Response:
    """A 403 with the moderation's reasons; the same status as for a key without permission."""
    metadata = {"reasons": ["violence"], "flagged_input": flagged, "provider_name": "Google", "model_slug": MODEL}
    return status(403, text=f'Your input was flagged: "{flagged}"', metadata=metadata)


def refusal() -> Response:
    """A 200 in which the model refuses."""
    return message(content=None, refusal="I cannot make this picture.")


def text_only() -> Response:
    """A 200 with text instead of an image; it is charged like any other."""
    return message(content="I would paint a fox, in oil.")


def error_in_200(code: int | None = 502, error_type: str | None = None, text: str = "Upstream failed") -> Response:
    """An error object in a 200, which is sent when the model fails after it has started."""
    return json_200({"error": _error(code, error_type, text), "id": GENERATION_ID})


def sse_error(code: int | None = 502, error_type: str | None = None) -> Response:
    """An error object in the middle of a stream."""
    chunk = _delta(content="")
    chunk["choices"][0]["finish_reason"] = "error"
    return sse(_delta(content="I"), {**chunk, "error": _error(code, error_type, "Upstream failed")})


def html_200() -> Response:
    """An HTML page of a gateway."""
    return raw_response(200, "text/html", b"<!doctype html><title>Checking your browser</title>")


def empty_200() -> Response:
    """A 200 with an empty body."""
    return raw_response(200, "application/json", b"")


def not_an_image() -> Response:
    """A data URL with invalid base64."""
    return message(images=[_image_part("data:image/png;base64,@@@ not base64 @@@")])


def redirect(to: str) -> Response:
    """A 307, which would resend the call and its key to another host."""
    return raw_response(307, "text/plain", b"", Location=to)


# Responses broken by the connection.


def truncated(whole: Response | None = None, keep: float = 0.5) -> Response:
    """The first part of a response (`keep` of its bytes, 0 to 1), then the connection is closed."""
    wire = (whole or picture()).wire
    return Response(wire[: int(len(wire) * keep)])


def sse_cut(png: bytes | None = None) -> Response:
    """A stream with complete HTTP framing but no end: no finish reason, usage or [DONE]."""
    return sse(_delta(images=[_image_part(data_url(png or good_picture()))]), done=False)


def reset() -> Response:
    """The connection is reset after the request."""
    return Response(ending=Ending.RESET)


def hang() -> Response:
    """No response at all."""
    return Response(ending=Ending.SILENCE)


def drip(gap: float = 0.02) -> Response:
    """A stream of keep-alives only, one every `gap` seconds, without an end."""
    return Response(raw_head(200, "text/event-stream"), repeat=_KEEP_ALIVE, gap=gap)


def huge(code: int = 200) -> Response:
    """An endless body, sent as fast as it is read."""
    return Response(raw_head(code, "application/json") + b'{"choices":[{"message":{"content":"', repeat=b"A" * 65536)


def announced(length: int) -> Response:
    """A body of `length` bytes by its head, which the server goes on sending."""
    head = raw_head(200, "application/json", **{"Content-Length": str(length)})
    return Response(head + b'{"choices":[{"message":{"content":"', repeat=b"A" * 65536)


def gzip_bomb(megabytes: int = 80) -> Response:
    """`megabytes` of JSON white space, compressed by a factor of about a thousand."""
    packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)  # + 16: with gzip's head
    body = b"".join(packer.compress(b" " * 2**20) for _ in range(megabytes)) + packer.flush()
    return raw_response(200, "application/json", body, **{"Content-Encoding": "gzip"})


# Encoding.


def json_200(body: object, **headers: str) -> Response:
    """Any JSON with status 200."""
    return json_response(200, body, **headers)


def json_response(code: int, body: object, **headers: str) -> Response:
    """Any JSON with any status."""
    return raw_response(code, "application/json", _json(body), **headers)


def content(data: bytes, content_type: str) -> Response:
    """Bytes of any type with status 200."""
    return raw_response(200, content_type, data)


def sse(*chunks: object, done: bool = True) -> Response:
    """A stream of JSON chunks; `done`: followed by [DONE]."""
    events = [
        _KEEP_ALIVE,
        *(b"data: " + _json(chunk) + b"\n\n" for chunk in chunks),
        b"data: [DONE]\n\n" if done else b"",
    ]
    chunked = b"".join(b"%x\r\n%b\r\n" % (len(event), event) for event in events if event)
    return Response(raw_head(200, "text/event-stream", **{"Transfer-Encoding": "chunked"}) + chunked + b"0\r\n\r\n")


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _image_part(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def _error(code: int | None, error_type: str | None, text: str) -> dict[str, Any]:
    metadata = {"error_type": error_type} if error_type else {}
    return {**({} if code is None else {"code": code}), "message": text, "metadata": metadata}


def _completion(**fields: object) -> dict[str, Any]:
    usage = {"prompt_tokens": 20, "completion_tokens": 1290, "total_tokens": 1310, "cost": COST, "is_byok": False}
    whole = {"id": GENERATION_ID, "object": "chat.completion", "created": 1700000000, "model": MODEL}
    return {**whole, "provider": "Google", "usage": usage, **fields}


def _delta(**delta: object) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": None, "native_finish_reason": None}
    return {"id": GENERATION_ID, "object": "chat.completion.chunk", "model": MODEL, "choices": [choice]}


def _last_chunk() -> dict[str, Any]:
    choice = {"index": 0, "delta": {"content": ""}, "finish_reason": "stop", "native_finish_reason": "STOP"}
    return _completion(object="chat.completion.chunk", choices=[choice])
