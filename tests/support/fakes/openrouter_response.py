"""Answers for the scripted OpenRouter: what the real one says, and everything that can go wrong with it."""

import base64
import io
import json
import zlib
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

from PIL import Image

GENERATION_ID = "gen-1700000000-abcdefghij"
MODEL = "google/gemini-2.5-flash-image"
COST = 0.039  # US dollars
_SILENCE = b": OPENROUTER PROCESSING\n\n"


class Ending(StrEnum):
    """What happens to the connection when everything is written."""

    CLOSE = "CLOSE"
    RESET = "RESET"  # TCP RST: what is not read yet is lost
    SILENCE = "SILENCE"  # stays open until the client leaves


@dataclass(frozen=True)
class Response:
    """Bytes for the wire, HTTP head included."""

    wire: bytes = b""
    repeat: bytes = b""  # then this, again and again, until the client leaves
    gap: float = 0.0  # seconds between repetitions
    ending: Ending = Ending.CLOSE


# Good answers, each in one of the shapes that models use.


@lru_cache
def good_picture(width: int = 128, height: int = 128, tint: int = 0) -> bytes:
    """A PNG of a gradient; another `tint` (0 to 255) makes another picture."""
    across = Image.linear_gradient("L").rotate(90).resize((width, height))
    down = Image.linear_gradient("L").resize((width, height))
    out = io.BytesIO()
    Image.merge("RGB", (across, down, Image.new("L", (width, height), tint))).save(out, "PNG")
    return out.getvalue()


def data_url(data: bytes, media_type: str = "image/png") -> str:
    """A data URL of `data` in base64."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"


def picture(png: bytes | None = None) -> Response:
    """The documented shape: `message.images`."""
    return message(content="Here you are.", images=[_image_part(data_url(png or good_picture()))])


def sse_picture(partials: tuple[bytes, ...] = (), png: bytes | None = None) -> Response:
    """A stream: signs of life, early pictures, the picture, usage, [DONE]."""
    deltas = [_delta(images=[_image_part(data_url(image))]) for image in (*partials, png or good_picture())]
    return sse(_delta(role="assistant", content=""), *deltas, _last_chunk())


def content_parts(png: bytes | None = None) -> Response:
    """`message.content` as a list of parts, the picture among them."""
    return message(content=[{"type": "text", "text": "Look:"}, _image_part(data_url(png or good_picture()))])


def markdown(png: bytes | None = None) -> Response:
    """A picture inside the text."""
    return message(content=f"Here it is: ![picture]({data_url(png or good_picture())}) Enjoy!")


def remote_url(url: str) -> Response:
    """A picture that is somewhere else."""
    return message(content=[_image_part(url)])


def message(*, finish_reason: str = "stop", native_finish_reason: str = "STOP", **fields: object) -> Response:
    """A whole chat completion around one message."""
    choice = {"index": 0, "finish_reason": finish_reason, "native_finish_reason": native_finish_reason}
    return json_200(_completion(choices=[{**choice, "message": {"role": "assistant", "refusal": None, **fields}}]))


# Answers without a picture.


def status(
    code: int,
    error_type: str | None = None,
    *,
    text: str = "",
    retry_after: str | None = None,
    metadata: dict[str, Any] | None = None,
) -> Response:
    """An HTTP error with the body that OpenRouter gives it."""
    fields = {**(metadata or {}), **({"error_type": error_type} if error_type else {})}
    error = {"code": code, "message": text or f"Provider returned {code}", "metadata": fields}
    extra = {} if retry_after is None else {"Retry-After": retry_after}
    return _response(code, "application/json", _json({"error": error}), **extra)


def moderation(flagged: str = "flagged text") -> Response:
    """403 with moderation's reasons; the same status as for a key without permission."""
    metadata = {"reasons": ["violence"], "flagged_input": flagged, "provider_name": "Google", "model_slug": MODEL}
    return status(403, text=f'Your input was flagged: "{flagged}"', metadata=metadata)


def refusal() -> Response:
    """A 200 in which the model declines."""
    return message(content=None, refusal="I cannot make this picture.")


def text_only() -> Response:
    """A 200 with words where a picture was asked for; paid for like any other."""
    return message(content="I would paint a fox, in oil.")


def error_in_200(code: int | None = 502, error_type: str | None = None, text: str = "Upstream failed") -> Response:
    """What comes when the model had started before it failed."""
    return json_200({"error": _error(code, error_type, text), "id": GENERATION_ID})


def sse_error(code: int | None = 502, error_type: str | None = None) -> Response:
    """The same, in the middle of a stream."""
    chunk = _delta(content="")
    chunk["choices"][0]["finish_reason"] = "error"
    return sse(_delta(content="I"), {**chunk, "error": _error(code, error_type, "Upstream failed")})


def html_200() -> Response:
    """A gateway's page."""
    return _response(200, "text/html", b"<!doctype html><title>Checking your browser</title>")


def empty_200() -> Response:
    """Nothing at all."""
    return _response(200, "application/json", b"")


def not_an_image() -> Response:
    """A data URL whose base64 is none."""
    return message(images=[_image_part("data:image/png;base64,@@@ not base64 @@@")])


def redirect(to: str) -> Response:
    """A 307, which would repeat the call with its key somewhere else."""
    return _response(307, "text/plain", b"", Location=to)


# Answers that the wire spoils.


def truncated(whole: Response | None = None, keep: float = 0.5) -> Response:
    """The first part of an answer (`keep` of its bytes, 0 to 1), then the connection ends."""
    wire = (whole or picture()).wire
    return Response(wire[: int(len(wire) * keep)])


def sse_cut(png: bytes | None = None) -> Response:
    """A stream whose HTTP is whole and whose end is missing: no finish reason, usage or [DONE]."""
    return sse(_delta(images=[_image_part(data_url(png or good_picture()))]), done=False)


def reset() -> Response:
    """The request arrives, the connection dies."""
    return Response(ending=Ending.RESET)


def hang() -> Response:
    """Not even a status."""
    return Response(ending=Ending.SILENCE)


def drip(gap: float = 0.02) -> Response:
    """A stream of signs of life, one every `gap` seconds, that never says anything."""
    return Response(_head(200, "text/event-stream"), repeat=_SILENCE, gap=gap)


def huge(code: int = 200) -> Response:
    """A body without an end, as fast as it is read."""
    return Response(_head(code, "application/json") + b'{"choices":[{"message":{"content":"', repeat=b"A" * 65536)


def gzip_bomb(megabytes: int = 64) -> Response:
    """That much JSON white space, compressed about a thousand times."""
    packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)  # + 16: with gzip's head
    body = b"".join(packer.compress(b" " * 2**20) for _ in range(megabytes)) + packer.flush()
    return _response(200, "application/json", body, **{"Content-Encoding": "gzip"})


# How they are put on the wire.


def json_200(body: object) -> Response:
    """Any JSON with status 200."""
    return _response(200, "application/json", _json(body))


def sse(*chunks: object, done: bool = True) -> Response:
    """A stream of JSON chunks; `done`: with [DONE] after them."""
    events = [_SILENCE, *(b"data: " + _json(chunk) + b"\n\n" for chunk in chunks), b"data: [DONE]\n\n" if done else b""]
    chunked = b"".join(b"%x\r\n%b\r\n" % (len(event), event) for event in events if event)
    return Response(_head(200, "text/event-stream", **{"Transfer-Encoding": "chunked"}) + chunked + b"0\r\n\r\n")


def _response(code: int, content_type: str, body: bytes, **headers: str) -> Response:
    return Response(_head(code, content_type, **{"Content-Length": str(len(body))}, **headers) + body)


def _head(code: int, content_type: str, **headers: str) -> bytes:
    fields = {"Content-Type": content_type, "Connection": "close", **headers}
    lines = [f"HTTP/1.1 {code} Scripted", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    return "\r\n".join(lines).encode("ascii")


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
