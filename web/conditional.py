"""Conditional and range requests (RFC 9110, sections 13 and 14)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII | re.IGNORECASE)
_PART = re.compile(r"(\d{0,18})-(\d{0,18})", re.ASCII)


@dataclass(frozen=True)
class ByteRange:
    """A range of bytes; both ends are inclusive."""

    first: int
    last: int

    @property
    def size(self) -> int:
        return self.last - self.first + 1


class RangeNotSatisfiableError(Exception):
    """The range starts after the end; the response is 416."""


def etag_matches(if_none_match: str, etag: str) -> bool:
    """Return whether If-None-Match contains `etag` (13.1.2; weak comparison)."""
    known = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return "*" in known or etag in known


def is_range_understood(text: str) -> bool:
    """Return whether a Range header has valid ranges of bytes; any other is to be ignored (14.2)."""
    unit, _, ranges = text.strip().partition("=")
    parts = [part.strip(" \t") for part in ranges.split(",")]
    return unit.lower() == "bytes" and any(parts) and all(map(_is_range, filter(None, parts)))


def _is_range(part: str) -> bool:
    match = _PART.fullmatch(part)
    if match is None or match.groups() == ("", ""):
        return False
    first, last = match.groups()
    return not (first and last) or int(first) <= int(last)


def requested_range(headers: Mapping[str, str], etag: str, size: int) -> ByteRange | None:
    """Return the requested range; None, for the whole, also if there are several ranges or an invalid one.

    Raises:
        RangeNotSatisfiableError: the range starts after the end.
    """
    match = _RANGE.fullmatch(headers.get("range", "").strip())
    if match is None or headers.get("if-range", etag) != etag:
        return None
    first, last = match.groups()
    if not first and not last:
        return None
    if not first:  # a suffix: the last bytes
        part = ByteRange(max(size - int(last), 0), size - 1)
    else:
        part = ByteRange(int(first), min(int(last), size - 1) if last else size - 1)
        if last and int(last) < int(first):
            return None
    if part.first >= size:
        raise RangeNotSatisfiableError
    return part
