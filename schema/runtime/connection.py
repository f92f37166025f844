"""Relay connections: generic types, cursors, and the arguments that select a page."""

import base64
import binascii
from collections.abc import Callable
from operator import itemgetter
from typing import Any, Generic, Self, TypeVar, cast

import strawberry

from models import ids
from schema.runtime import loaded
from schema.runtime.node import SourceClasses
from services.core.error import InvalidInputError
from services.core.message import message
from services.core.pagination import Page, PageRequest, R

K = TypeVar("K")
T = TypeVar("T")
_URL_SAFE = bytes.maketrans(b"+/", b"-_")  # as base64.urlsafe_b64encode


class EdgeSource(tuple[str, Any]):
    """The source of an Edge: a cursor and a node, in an object that costs a third of a dataclass."""

    __slots__ = ()
    cursor = property(itemgetter(0))
    node = property(itemgetter(1))


class PagePosition:
    """The source of a PageInfo: cursors are encoded where they are selected."""

    __slots__ = ("_order", "_page")

    def __init__(self, page: Page[Any, Any], order: str) -> None:
        self._page, self._order = page, order

    @property
    def has_next_page(self) -> bool:
        return self._page.has_next

    @property
    def has_previous_page(self) -> bool:
        return self._page.has_previous

    @property
    def start_cursor(self) -> str | None:
        return encode_cursor(self._page.keys[0], self._order) if self._page.keys else None

    @property
    def end_cursor(self) -> str | None:
        return encode_cursor(self._page.keys[-1], self._order) if self._page.keys else None


@strawberry.type(description="The position of a page within its list.")
class PageInfo:
    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None

    is_type_of = SourceClasses(PagePosition)


@strawberry.type
class Edge(Generic[T]):
    cursor: str
    node: T
    is_type_of = SourceClasses(EdgeSource)


@strawberry.type(name="Connection")
class UncountedConnection(Generic[T]):
    """A page of a list that offers no count."""

    page: strawberry.Private[Page[Any, Any]]
    order: strawberry.Private[str]
    nodes: list[T]

    @strawberry.field
    def edges(self) -> list[Edge[T]]:
        cursors = encode_cursors(self.page.keys, self.order)
        return cast("list[Edge[T]]", [*map(EdgeSource, zip(cursors, self.nodes, strict=True))])

    @strawberry.field
    def page_info(self) -> PageInfo:
        return cast(PageInfo, PagePosition(self.page, self.order))

    @classmethod
    def of(cls, page: Page[R, Any], node_of: Callable[[R], T], order: str = "") -> Self:
        """Return the page with each row as the node that `node_of` makes of it.

        `order`: part of each cursor where the list has several orders.
        """
        return cls(page=page, order=order, nodes=[*map(node_of, page.items)])


@strawberry.type(name="Connection")
class Connection(UncountedConnection[T]):
    """A page of a list that counts all its items on request."""

    @strawberry.field(description="The number of items in the whole list; counted only when selected.")
    async def total_count(self) -> int:
        loaded.count_statement()
        return await self.page.count()


def encode_cursor(key: object, order: str = "") -> str:
    """Return an opaque cursor for a row's key; `order` is part of it where the list has several orders."""
    text = key
    if not isinstance(text, str):
        parts = key if isinstance(key, tuple) else (key,)
        text = " ".join([str(int(part) if isinstance(part, bool) else part) for part in parts])
    encoded = binascii.b2a_base64(f"{order} {text}".encode() if order else text.encode(), newline=False)
    return encoded.translate(_URL_SAFE).decode("ascii")


def encode_cursors(keys: list[Any], order: str = "") -> list[str]:
    """Return the cursors of several rows."""
    if not order or set(map(type, keys)) != {str}:
        return [encode_cursor(key, order) for key in keys]
    encode, prefix = binascii.b2a_base64, f"{order} "  # as `encode_cursor`, without a call for each
    return [encode((prefix + key).encode(), newline=False).translate(_URL_SAFE).decode("ascii") for key in keys]


def _decode(cursor: str, argument: str, read: Callable[[str], K], order: str, prefix: str | None) -> K:
    try:
        text = base64.urlsafe_b64decode(cursor[:100].encode()).decode("ascii")
        key = read(text.removeprefix(order).lstrip())
        # Only keys that this server can have encoded: the driver fails on numbers past 64 bits and on NUL.
        if _is_valid(key, prefix) and encode_cursor(key, order) == cursor:
            return key
    except (ValueError, binascii.Error):
        pass
    raise InvalidInputError(message("This is not a cursor of this list."), field=(argument,))


def _is_valid(key: object, prefix: str | None) -> bool:
    match key:
        case bool():
            return True
        case int():
            return 0 <= key < 2**31
        case str():
            return ids.is_id(key, prefix)
        case tuple():
            return all(_is_valid(part, prefix) for part in key)
    return False


def page_request(
    read: Callable[[str], K],
    first: int | None,
    after: str | None,
    last: int | None,
    before: str | None,
    order: str = "",
    *,
    prefix: str | None,
) -> PageRequest[K]:
    """Return the arguments of a list field with decoded cursors.

    `read` makes a key of its text, or raises ValueError. `prefix`: of the IDs in the list's keys; None: they have none.

    Raises:
        InvalidInputError: a size outside 1 to 100, both `first` and `last`, or a cursor of another list or order.
        TooMuchLoadedError: the operation has read too many pages.
    """
    request = PageRequest(
        first,
        None if after is None else _decode(after, "after", read, order, prefix),
        last,
        None if before is None else _decode(before, "before", read, order, prefix),
    )
    loaded.count_page(request.size)
    return request
