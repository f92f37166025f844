"""Request bodies: size limits with this API's own error messages, and strict JSON.

Starlette's `max_body_size` replaces the response with a plain text of its own. It is used where the client is a program
(/webhooks/polar); `limited` where a user reads the error: in GraphQL's form, in their language, or on a page.
"""

import json
from collections.abc import Mapping
from typing import Any

import orjson
from cross_web import HTTPException
from starlette.types import Message, Receive

from models.enum import ErrorCode
from services.core.error import Refusal
from services.core.message import message

MAX_JSON_BYTES = 100 * 1024  # of a GraphQL request

TOO_LARGE = message("The request is too large.")
_UTF_8_BOM = b"\xef\xbb\xbf"
_STATUS = {ErrorCode.UNAUTHENTICATED: 401, ErrorCode.RATE_LIMITED: 429, ErrorCode.UNAVAILABLE: 503}


class TooLargeError(HTTPException):
    """The body exceeds its limit."""

    def __init__(self) -> None:
        super().__init__(413, TOO_LARGE.text)


class RefusedRequestError(HTTPException):
    """A refusal before the body is read.

    `as_operation`: every operation would be refused for this reason, with status 200 under application/json.
    """

    def __init__(self, refusal: Refusal, *, as_operation: bool = False) -> None:
        super().__init__(_STATUS[refusal.code], refusal.message.text)
        self.refusal = refusal
        self.as_operation = as_operation


def limited(receive: Receive, headers: Mapping[str, str], max_bytes: int) -> Receive:
    """Wrap `receive` to raise TooLargeError once more than `max_bytes` have arrived.

    Raises:
        TooLargeError: more are announced in Content-Length.
    """
    announced = headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced[:12]) > max_bytes:
        raise TooLargeError
    received = 0

    async def receive_counted() -> Message:
        nonlocal received
        event = await receive()
        if event["type"] == "http.request":
            received += len(event.get("body", b""))
            if received > max_bytes:
                raise TooLargeError
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


def _refuse_constant(name: str) -> object:
    raise ValueError(name)


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)  # json.loads makes one for each text
