"""Keyset pagination: a page is found by the key of its neighbour, so it costs the same at any depth."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any, Generic, TypeVar

from tortoise.models import Model
from tortoise.queryset import QuerySet

from models import ids
from models.database import replica
from models.database.keyset import After, Before
from services.core.error import InvalidInputError
from services.core.message import message

M = TypeVar("M", bound=Model)
R = TypeVar("R")  # a row: a model, or a row of fixed SQL
K = TypeVar("K")  # a column's value, or a tuple of several columns' values

DEFAULT_SIZE = 20  # items of a page where the client names no size
MAX_SIZE = 100  # items of a page, and IDs of one `nodes` field
_ID_SLACK = timedelta(minutes=10)  # far more than the time between generating an id and writing its row
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)  # the first and the last datetime


def check_size(size: int, field: str) -> None:
    """Raises InvalidInputError, with the argument's name, unless 1 to MAX_SIZE items are requested."""
    if not 1 <= size <= MAX_SIZE:
        raise InvalidInputError(message("Request 1 to {limit} at a time.", limit=MAX_SIZE), field=(field,))


@dataclass(slots=True)
class PageRequest(Generic[K]):
    """Relay's pagination arguments, with cursors decoded to keys."""

    first: int | None = None
    after: K | None = None
    last: int | None = None
    before: K | None = None

    def __post_init__(self) -> None:
        if self.first is not None:
            check_size(self.first, "first")
        if self.last is not None:
            check_size(self.last, "last")
        if self.first is not None and self.last is not None:
            raise InvalidInputError(message("Give either first or last, not both."), field=("last",))

    @property
    def size(self) -> int:
        """The number of requested rows."""
        return self.last or self.first or DEFAULT_SIZE

    def walks_down(self, *, descending: bool) -> bool:
        """Whether the rows are read from the greatest key to the least."""
        return descending != (self.last is not None)


@dataclass(slots=True)
class Page(Generic[R, K]):
    """A page of rows in the list's order. `count` queries the total only when called."""

    items: list[R]
    keys: list[K]
    has_next: bool
    has_previous: bool
    count: Callable[[], Awaitable[int]]


def created_between(
    query: QuerySet[M], after: datetime | None, before: datetime | None, *, prefix: str | None = None
) -> QuerySet[M]:
    """Filter `query` to rows created after the one time and before the other; None sets no bound.

    `prefix`: of the ids by which the list is ordered. They contain the time, so that the index is entered at the right
    position rather than scanned up to it.
    """
    for column, is_after, value in created_bounds(after, before, prefix=prefix):
        query = query.filter(**{f"{column}__{'gt' if is_after else 'lt'}": value})
    return query


def created_bounds(
    after: datetime | None, before: datetime | None, *, prefix: str | None = None
) -> list[tuple[str, bool, datetime | str]]:
    """Return the bounds of `created_between`: a column, whether its value is greater than the bound, and the bound."""
    found: list[tuple[str, bool, datetime | str]] = []
    if after is not None:
        found.append(("created_at", True, after))
        if prefix and after > _FIRST + _ID_SLACK:
            found.append(("id", True, ids.first_of(prefix, after - _ID_SLACK)))
    if before is not None:
        found.append(("created_at", False, before))
        if prefix and before < _LAST - _ID_SLACK:
            found.append(("id", False, ids.first_of(prefix, before + _ID_SLACK)))
    return found


def between_cursors(
    query: QuerySet[M], request: PageRequest[K], key: tuple[str, ...], *, descending: bool
) -> QuerySet[M]:
    """Filter `query`, in the order of `key`, to rows between the request's two cursors."""
    following, preceding = (Before, After) if descending else (After, Before)
    if request.after is not None:
        query = query.filter(following(key, key_values(request.after)))
    if request.before is not None:
        query = query.filter(preceding(key, key_values(request.before)))
    return query


def key_values(key: object) -> tuple[object, ...]:
    """Return the values of a key of one or of several columns."""
    return key if isinstance(key, tuple) else (key,)


async def paginate(
    query: QuerySet[M], request: PageRequest[K], *, key: str | tuple[str, ...], descending: bool
) -> Page[M, K]:
    """Return one page of `query` in the order of `key`, which must be unique in it; all columns in one direction."""
    columns = (key,) if isinstance(key, str) else key
    sign = "-" if request.walks_down(descending=descending) else ""
    wanted = between_cursors(query, request, columns, descending=descending)
    # One more row than requested shows whether there is a further page in that direction.
    found = await wanted.order_by(*(sign + column for column in columns)).limit(request.size + 1)
    return page_of(found, request, columns, query.count)


def replica_page(read: Callable[[], Awaitable[Page[R, K]]], account_id: str | None = None) -> Awaitable[Page[R, K]]:
    """Return the page that `read` returns, and later its total, from the read replica if that suffices.

    `account_id`: whose list it is; None: a list that may be out of date by a few seconds.
    """
    return _replica_page(read, account_id) if replica.has_reader() else read()


async def _replica_page(read: Callable[[], Awaitable[Page[R, K]]], account_id: str | None) -> Page[R, K]:
    page = await replica.read(read, account_id)
    return replace(page, count=lambda: replica.read(page.count, account_id))


def page_of(
    found: list[R], request: PageRequest[K], columns: tuple[str, ...], count: Callable[[], Awaitable[int]]
) -> Page[R, K]:
    """Return the page of the rows `found`, in the order read: more than requested if there is a further page."""
    backwards = request.last is not None
    more, items = len(found) > request.size, found[: request.size]
    if backwards:
        items.reverse()
    key_of: Callable[[R], Any] = attrgetter(*columns)  # of one column: its value; else a tuple
    return Page(
        items=items,
        keys=[*map(key_of, items)],
        has_next=request.before is not None if backwards else more,
        has_previous=more if backwards else request.after is not None,
        count=count,
    )
