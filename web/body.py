"""Request bodies: size limits with this API's own error messages, and strict JSON.

Starlette's `max_body_size` replaces the response with a plain text of its own. It is used where the client is a program
(/webhooks/polar); `limited` where a user reads the error: in GraphQL's form, in their language, or on a page.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson
from cross_web import HTTPException
from starlette.types import Message, Receive

from models.enum import ErrorCode
from services.core.error import Refusal
from services.core.message import message
from web.content_length import content_length

MAX_JSON_BYTES = 100 * 1024  # of a GraphQL request

_UTF_8_BOM = b"\xef\xbb\xbf"
_STATUS = {
    ErrorCode.UNAUTHENTICATED: 401,
    ErrorCode.FORBIDDEN: 403,
    ErrorCode.RATE_LIMITED: 429,
    ErrorCode.UNAVAILABLE: 503,
}


class TooLargeError(HTTPException):
    """The body exceeds its limit of `max_bytes`. None: the client has announced it itself."""

    def __init__(self, max_bytes: int | None = None) -> None:
        self.message = message("The request is too large.")
        if max_bytes is not None:
            self.message = message("The request is too large: it can have up to {size}.", size=_size_of(max_bytes))
        super().__init__(413, self.message.text.format(**self.message.values))


class RefusedRequestError(HTTPException):
    """A refusal before the body is read.

    `as_operation`: every operation would be refused for this reason, with status 200 under application/json.
    """

    def __init__(self, refusal: Refusal, *, as_operation: bool = False) -> None:
        super().__init__(_STATUS[refusal.code], refusal.message.text)
        self.refusal = refusal
        self.as_operation = as_operation


def limited(
    receive: Receive, headers: Mapping[str, str], max_bytes: int, admit: Callable[[], Awaitable[int]] | None = None
) -> Receive:
    """Wrap `receive` to raise TooLargeError once more than `max_bytes` have arrived.

    `admit`: awaited before more than `max_bytes` are read; returns the larger limit, or raises.

    Raises:
        TooLargeError: more are announced in Content-Length, and there is no `admit`.
    """
    announced = content_length(headers.get("content-length")) or 0
    if announced > max_bytes and admit is None:
        raise TooLargeError(max_bytes)
    received, limit, is_admitted = 0, max_bytes, admit is None

    async def check(size: int) -> None:
        nonlocal limit, is_admitted
        if size > limit and admit is not None and not is_admitted:
            is_admitted = True
            limit = await admit()
        if size > limit:
            raise TooLargeError(limit)

    async def receive_counted() -> Message:
        nonlocal received
        await check(announced)
        event = await receive()
        if event["type"] == "http.request":
            received += len(event.get("body", b""))
            await check(received)
        return event

    return receive_counted


def decode_json(data: str | bytes) -> object:
    """Parse JSON, without NaN and Infinity.

    Raises:
        json.JSONDecodeError: for every kind of invalid text, because all callers expect this class.
    """
    try:
        found: object = orjson.loads(data)
        is_same = not _has_float(found)  # orjson reads integers past 64 bits as floats, too
    except (orjson.JSONDecodeError, RecursionError):
        is_same = False  # Python also reads UTF-16, and lone surrogates
    return found if is_same else _decode(data)


def _has_float(found: Any) -> bool:
    kind = found.__class__
    if kind is dict:
        found = found.values()
    elif kind is not list:
        return kind is float
    for inner in found:
        kind = inner.__class__
        if kind is float or ((kind is dict or kind is list) and inner and _has_float(inner)):
            return True
    return False


def _decode(data: str | bytes) -> object:
    try:
        if isinstance(data, bytes) and not data.startswith(_UTF_8_BOM):
            return _DECODER.decode(data.decode(json.detect_encoding(data), "surrogatepass"))
        return json.loads(data, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):  # UnicodeDecodeError and integers with too many digits are ValueErrors
        raise json.JSONDecodeError("not JSON", "", 0) from None


def _size_of(count: int) -> str:
    """Return a number of bytes for people."""
    return f"{count / 2**20:.3g} MiB" if count >= 2**20 else f"{count / 2**10:.3g} KiB"


def _refuse_constant(name: str) -> object:
    raise ValueError(name)


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)  # json.loads makes one for each text
