"""Request bodies: counted while they stream, parsed without trust."""

import json
from collections.abc import Mapping
from typing import Any

from cross_web import HTTPException
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException as FormError
from starlette.requests import Request
from starlette.types import Message, Receive

from services.core.message import message

MAX_JSON_BYTES = 100 * 1024
MULTIPART_OVERHEAD_BYTES = 64 * 1024  # operations, map and boundaries around the files
_MAX_FILES = 10
_MAX_FIELDS = 10
# A browser may send a form anywhere without asking; none of these headers, though, so a form from elsewhere has none.
_PREFLIGHT_HEADERS = (
    "authorization",
    "apollo-require-preflight",
    "graphql-require-preflight",
    "x-requested-by",
    "x-graphql-yoga-csrf",
)

TOO_LARGE = message("The request is too large.")


class TooLargeError(HTTPException):
    """More bytes than anybody needs."""

    def __init__(self) -> None:
        super().__init__(413, TOO_LARGE.text)


def limited(receive: Receive, headers: Mapping[str, str], max_bytes: int) -> Receive:
    """`receive`, ending with TooLargeError as soon as more than `max_bytes` are announced or have come."""
    announced = headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced[:12]) > max_bytes:
        raise TooLargeError
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        event = await receive()
        if event["type"] == "http.request":
            seen += len(event.get("body", b""))
            if seen > max_bytes:
                raise TooLargeError
        return event

    return counted


def decode_json(data: str | bytes) -> object:
    """Parse JSON. Whatever is wrong with it raises json.JSONDecodeError, which every caller expects."""
    try:
        return json.loads(data, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):  # UnicodeDecodeError and numbers of too many digits are ValueErrors
        raise json.JSONDecodeError("not JSON", "", 0) from None


def _refuse_constant(name: str) -> object:
    raise ValueError(name)  # NaN and Infinity are not JSON


async def read_multipart(request: Request) -> object:
    """The operations of a GraphQL multipart request, files put where its map says."""
    if not any(name in request.headers for name in _PREFLIGHT_HEADERS):
        raise HTTPException(400, "A multipart request needs an Authorization or a GraphQL-Require-Preflight header.")
    try:
        form = await request.form(max_files=_MAX_FILES, max_fields=_MAX_FIELDS, max_part_size=MAX_JSON_BYTES)
    except (FormError, ValueError):
        raise HTTPException(400, "Unable to parse the multipart body") from None
    operations, files_map = _part(form, "operations"), _part(form, "map")
    if not isinstance(operations, dict) or not isinstance(files_map, dict):
        raise HTTPException(400, "`operations` and `map` must be JSON objects.")
    for name, paths in files_map.items():
        file = form.get(name)
        if not isinstance(file, UploadFile):
            raise HTTPException(400, "File(s) missing in form data")
        if not isinstance(paths, list) or len(paths) != 1 or not isinstance(paths[0], str):
            raise HTTPException(400, "Each file in `map` belongs in exactly one place.")
        _put(operations, paths[0].split("."), file)
    return operations


def _part(form: FormData, name: str) -> object:
    value = form.get(name)
    if not isinstance(value, str):
        raise HTTPException(400, f"`{name}` is missing in the form data.")
    try:
        return decode_json(value)
    except json.JSONDecodeError:
        raise HTTPException(400, f"Unable to parse `{name}` as JSON") from None


def _put(operations: Any, path: list[str], file: UploadFile) -> None:
    """Replace the null that the path leads to; the specification puts one there."""
    target = operations
    for step in path[:-1]:
        target = _step(target, step)
    last = path[-1]
    if len(path) < 2 or path[0] != "variables" or _step(target, last) is not None:
        raise HTTPException(400, "A path in `map` must lead to a null among the variables.")
    target[int(last) if isinstance(target, list) else last] = file


def _step(target: Any, step: str) -> Any:
    try:
        if isinstance(target, list):
            return target[int(step) if step.isdecimal() else -len(target) - 1]
        if isinstance(target, dict):
            return target[step]
    except (KeyError, IndexError, ValueError):
        pass
    raise HTTPException(400, "A path in `map` leads nowhere.")
