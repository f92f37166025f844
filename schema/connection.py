"""Relay's connections: cursors, page information, and the arguments that choose a page."""

import base64
import binascii
from typing import Any, TypeVar

import strawberry

from models import ids
from services.error import InvalidInputError
from services.message import message
from services.page import Page, PageRequest

K = TypeVar("K", int, str)


@strawberry.type(description="Where a page lies within its list.")
class PageInfo:
    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None

    @classmethod
    def of(cls, page: Page[Any, Any]) -> "PageInfo":
        return cls(
            has_next_page=page.has_next,
            has_previous_page=page.has_previous,
            start_cursor=encode_cursor(page.keys[0]) if page.keys else None,
            end_cursor=encode_cursor(page.keys[-1]) if page.keys else None,
        )


def encode_cursor(key: int | str) -> str:
    """An opaque cursor for a row's key."""
    return base64.urlsafe_b64encode(str(key).encode()).decode()


def _decode(cursor: str | None, argument: str, kind: type[K]) -> K | None:
    if cursor is None:
        return None
    try:
        key = kind(base64.urlsafe_b64decode(cursor[:100].encode()).decode("ascii"))
        # Only what we could have written ourselves: the driver would choke on numbers past 64 bits and on NUL.
        ours = 0 <= key < 2**31 if isinstance(key, int) else ids.is_id(key)
        if ours and encode_cursor(key) == cursor:
            return key
    except (ValueError, binascii.Error):
        pass
    raise InvalidInputError(message("This is not a cursor of this list."), field=(argument,))


def page_request(
    kind: type[K], first: int | None, after: str | None, last: int | None, before: str | None
) -> PageRequest[K]:
    """A list field's arguments, cursors decoded.

    Raises:
        InvalidInputError: a size outside 1 to 100, both directions at once, or a cursor that is none.
    """
    return PageRequest(first, _decode(after, "after", kind), last, _decode(before, "before", kind))
