"""What a client has already, and which part it wants: conditional and range requests (RFC 9110, 13 and 14)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class ByteRange:
    """Some bytes of something, both ends included."""

    first: int
    last: int

    @property
    def size(self) -> int:
        return self.last - self.first + 1


class RangeNotSatisfiableError(Exception):
    """The range begins behind the end; the answer is 416."""


def etag_matches(if_none_match: str, etag: str) -> bool:
    """Whether a client's copy is this one (13.1.2; compared weakly)."""
    known = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return "*" in known or etag in known


def requested_range(headers: Mapping[str, str], etag: str, size: int) -> ByteRange | None:
    """The one part that is asked for; None for everything, which is also the answer to several parts and to nonsense.

    Raises:
        UnsatisfiableError
    """
    found = _RANGE.fullmatch(headers.get("range", "").strip())
    if found is None or headers.get("if-range", etag) != etag:
        return None
    first, last = found.groups()
    if not first and not last:
        return None
    if not first:  # the last so many
        part = ByteRange(max(size - int(last), 0), size - 1)
    else:
        part = ByteRange(int(first), min(int(last), size - 1) if last else size - 1)
        if last and int(last) < int(first):
            return None
    if part.first >= size:
        raise RangeNotSatisfiableError
    return part
