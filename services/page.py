"""Keyset pagination: a page is found by the key of its neighbour, so it costs the same at any depth."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from tortoise.models import Model
from tortoise.queryset import QuerySet

from services.error import InvalidInputError
from services.message import message

M = TypeVar("M", bound=Model)
K = TypeVar("K", int, str)

DEFAULT_SIZE = 20
MAX_SIZE = 100


@dataclass(frozen=True)
class PageRequest(Generic[K]):
    """Relay's arguments, cursors already decoded to keys."""

    first: int | None = None
    after: K | None = None
    last: int | None = None
    before: K | None = None

    def __post_init__(self) -> None:
        for name, size in (("first", self.first), ("last", self.last)):
            if size is not None and not 1 <= size <= MAX_SIZE:
                raise InvalidInputError(message("Ask for 1 to {limit} at a time.", limit=MAX_SIZE), field=(name,))
        if self.first is not None and self.last is not None:
            raise InvalidInputError(message("Give either first or last, not both."), field=("last",))


@dataclass(frozen=True)
class Page(Generic[M, K]):
    """Some rows in the order of the list, and what lies around them. `count` asks only when called."""

    items: list[M]
    keys: list[K]
    has_next: bool
    has_previous: bool
    count: Callable[[], Awaitable[int]]


def created_between(query: QuerySet[M], after: datetime | None, before: datetime | None) -> QuerySet[M]:
    """Of `query`, what was made after the one moment and before the other; None sets no bound."""
    if after is not None:
        query = query.filter(created_at__gt=after)
    if before is not None:
        query = query.filter(created_at__lt=before)
    return query


async def paginate(query: QuerySet[M], request: PageRequest[K], *, key: str, descending: bool) -> Page[M, K]:
    """One page of `query` in the order of `key`, which must be unique within it."""
    total = query
    beyond, within = ("lt", "gt") if descending else ("gt", "lt")
    if request.after is not None:
        query = query.filter(**{f"{key}__{beyond}": request.after})
    if request.before is not None:
        query = query.filter(**{f"{key}__{within}": request.before})
    backwards = request.last is not None
    size = request.last if request.last is not None else request.first or DEFAULT_SIZE
    # One row more than asked for tells whether there are more in that direction.
    found = await query.order_by(("-" if descending != backwards else "") + key).limit(size + 1)
    more, items = len(found) > size, found[:size]
    if backwards:
        items.reverse()
    return Page(
        items=items,
        keys=[getattr(item, key) for item in items],
        has_next=request.before is not None if backwards else more,
        has_previous=more if backwards else request.after is not None,
        count=total.count,
    )
