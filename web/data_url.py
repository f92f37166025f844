"""Data URLs in the variables of a JSON request: taken out of the text before it is parsed, so that the rest is small.

What a parser makes of 14 MiB of brackets has 400 MiB. Only the texts of pictures may be long.
"""

import secrets
from collections.abc import Callable
from typing import Any

from web.body import MAX_JSON_BYTES, TooLargeError

_START = b'"data:'
_MIN_BYTES = 1024  # of a text that is taken out
_MAX_PLACES = 100  # where one may begin
_TOLERANCE = 20  # a picture that is larger than its limit by one part of so many is read, to be refused at its field


def json_bytes(max_bytes: int) -> int:
    """Return the size up to which a JSON body with a picture of at most `max_bytes` is read."""
    return (max_bytes + max_bytes // _TOLERANCE) * 4 // 3 + MAX_JSON_BYTES


def parse_with_data_urls(data: bytes, parse: Callable[[bytes], Any]) -> Any:
    """Parse a large JSON body. `parse`: parses the rest, without the data URLs.

    Raises:
        TooLargeError: there is more than MAX_JSON_BYTES besides data URLs.
    """
    mark = secrets.token_hex(16)  # no client can write it
    rest, urls = _take_out(data, mark)
    if len(rest) > MAX_JSON_BYTES:
        raise TooLargeError(MAX_JSON_BYTES)
    found = parse(rest)
    if isinstance(found, dict):
        _put_back(found.get("variables"), urls)
    return found


def _take_out(data: bytes, mark: str) -> tuple[bytes, dict[str, str]]:
    """Return the JSON with a mark in the place of each long data URL, and the data URLs by their marks."""
    parts: list[bytes] = []
    urls: dict[str, str] = {}
    done = 0
    start = data.find(_START)
    for _ in range(_MAX_PLACES):
        if start < 0:
            break
        end = data.find(b'"', start + 1)
        is_text = end >= 0 and data[start - 1 : start] != b"\\"
        if is_text and end - start > _MIN_BYTES and (text := _unescaped(data[start + 1 : end])) is not None:
            name = f"{mark}-{len(urls)}"
            urls[name] = text
            parts += (data[done : start + 1], name.encode())
            done = end
        start = data.find(_START, max(start + 1, done))
    parts.append(data[done:])
    return b"".join(parts), urls


def _unescaped(text: bytes) -> str | None:
    """Return the text of a JSON string; None if it is more than base64, in which a slash may be escaped."""
    if b"\\" in text:
        text = text.replace(b"\\/", b"/")
    return text.decode() if text.isascii() and b"\\" not in text else None


def _put_back(variables: object, urls: dict[str, str]) -> None:
    """Replace the marks among the values of variables, without recursion: they may be nested deeply."""
    waiting = [variables]
    while waiting:
        found = waiting.pop()
        places: Any = found.items() if isinstance(found, dict) else enumerate(found) if isinstance(found, list) else ()
        for place, value in list(places):
            if isinstance(value, str) and value in urls:
                found[place] = urls[value]  # type: ignore[index]  # a dict or a list
            elif isinstance(value, dict | list):
                waiting.append(value)
