"""Conditional and range requests (RFC 9110, sections 13 and 14)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_ENDS = re.compile(r"(\d{0,18})-(\d{0,18})", re.ASCII)


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
    parts = [part.strip(" \t") for part in _ranges(text).split(",")]
    return any(parts) and all(map(_ends, filter(None, parts)))


def _ranges(text: str) -> str:
    """Return what a Range header says behind `bytes=`; nothing if it has another unit."""
    unit, _, ranges = text.strip().partition("=")
    return ranges if unit.lower() == "bytes" else ""


def _ends(part: str) -> tuple[str, str] | None:
    """Return the digits of a range's ends, of which one may be empty; None if it is not valid."""
    match = _ENDS.fullmatch(part)
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    return None if first and last and int(last) < int(first) else (first, last)


def requested_range(headers: Mapping[str, str], etag: str, size: int) -> ByteRange | None:
    """Return the requested range; None, for the whole, also if there are several ranges or an invalid one.

    Raises:
        RangeNotSatisfiableError: the range starts after the end.
    """
    ends = _ends(_ranges(headers.get("range", "")))
    if ends is None or headers.get("if-range", etag) != etag:
        return None
    first, last = ends
    if not first:  # a suffix: the last bytes
        part = ByteRange(max(size - int(last), 0), size - 1)
    else:
        part = ByteRange(int(first), min(int(last), size - 1) if last else size - 1)
    if part.first >= size:
        raise RangeNotSatisfiableError
    return part
