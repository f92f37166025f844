"""Lists of generations, filtered and paged: one account's, or all for admins."""

from collections.abc import Awaitable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from operator import attrgetter
from typing import Any, NamedTuple, TypeAlias

from models import ids
from models.enum import GenerationStatus, MediaKind
from models.generation_row import GenerationRow
from services.core.pagination import Page, PageRequest, created_bounds, page_of, replica_page
from services.core.text import slug_or_empty
from services.gallery.generation_query import NONE_DELETED, GenerationQuery
from services.gallery.search import search, search_words


class GenerationOrder(StrEnum):
    """The order of a list of generations."""

    NEWEST = "NEWEST"
    OLDEST = "OLDEST"
    FAVORITES_FIRST = "FAVORITES_FIRST"


class FavoriteKey(NamedTuple):
    """A cursor in the order FAVORITES_FIRST: favorites, newest first, then the rest, newest first."""

    is_favorite: bool
    id: str


GenerationKey: TypeAlias = str | FavoriteKey  # the id alone in the other orders: ids sort by creation time


@dataclass(frozen=True)
class GenerationFilter:
    """Conditions for a list of generations; None means any."""

    status: tuple[GenerationStatus, ...] | None = None
    media: MediaKind | None = None
    is_favorite: bool | None = None
    style_id: str | None = None
    collection: str | None = None  # slug
    batch_id: str | None = None
    parent_id: str | None = None
    search: str | None = None  # every word must occur in the prompt, a title of the style or the id
    created_after: datetime | None = None
    created_before: datetime | None = None

    @property
    def is_of_few(self) -> bool:
        """Whether it is for the few rows of one batch, or of one parent, which have an index of their own."""
        return self.batch_id is not None or self.parent_id is not None


class GalleryService:
    """Loads and lists generations.

    `attributes` of each method: what the caller reads of each generation (see models.generation_row.selection); None:
    everything. `wanted`: None: all generations.
    """

    async def find(
        self, user_id: str, generation_id: str, attributes: frozenset[str] | None = None
    ) -> GenerationRow | None:
        """Return the user's generation; None if it does not exist or belongs to another user."""
        found = NONE_DELETED.equal("id", generation_id).equal("user_id", user_id)
        return next(iter(await found.all(attributes)), None)

    async def by_ids(
        self, user_id: str, generation_ids: list[str], attributes: frozenset[str] | None = None
    ) -> dict[str, GenerationRow]:
        """Return the given generations that belong to the user."""
        found = NONE_DELETED.among("id", generation_ids).equal("user_id", user_id)
        return {generation.id: generation for generation in await found.all(attributes)}

    async def all_by_ids(
        self, generation_ids: list[str], attributes: frozenset[str] | None = None
    ) -> dict[str, GenerationRow]:
        """Return the given generations that exist, of any account, for admins."""
        found = NONE_DELETED.among("id", generation_ids)
        return {generation.id: generation for generation in await found.all(attributes)}

    async def by_batches(
        self, user_id: str | None, batch_ids: list[str], attributes: frozenset[str] | None = None
    ) -> dict[str, list[GenerationRow]]:
        """Return the given batches that belong to the user, None: of any account, in the order of their requests."""
        query = NONE_DELETED.among("batch_id", batch_ids)
        if user_id is not None:
            query = query.of_account(user_id, indexed=False)
        found: dict[str, list[GenerationRow]] = {}
        for row in sorted(await query.all(attributes), key=attrgetter("id")):
            found.setdefault(row.batch_id, []).append(row)
        return found

    async def children(
        self,
        user_id: str,
        generation_id: str,
        request: PageRequest[GenerationKey],
        attributes: frozenset[str] | None = None,
    ) -> Page[GenerationRow, GenerationKey]:
        """Return a page of the user's generations that repeat or refine this one, newest first."""
        wanted = GenerationFilter(parent_id=generation_id)
        return await self.generations(user_id, request, wanted, GenerationOrder.NEWEST, attributes)

    def generations(
        self,
        user_id: str,
        request: PageRequest[GenerationKey],
        wanted: GenerationFilter | None,
        order: GenerationOrder,
        attributes: frozenset[str] | None = None,
    ) -> Awaitable[Page[GenerationRow, GenerationKey]]:
        """Return a page of the user's generations; the cursors of `request` must belong to `order`.

        Raises:
            InvalidInputError: the search is too long or contains invalid characters.
        """
        query = NONE_DELETED.of_account(user_id, indexed=wanted is None or not wanted.is_of_few)
        return replica_page(lambda: _page(query, request, wanted, order, attributes, of_account=True), user_id)

    async def all_generations(
        self,
        request: PageRequest[GenerationKey],
        wanted: GenerationFilter | None,
        attributes: frozenset[str] | None = None,
    ) -> Page[GenerationRow, GenerationKey]:
        """Return a page of all accounts' generations, newest first, for admins.

        Raises:
            InvalidInputError: the search is too long or contains invalid characters.
        """
        newest = GenerationOrder.NEWEST
        return await replica_page(lambda: _page(NONE_DELETED, request, wanted, newest, attributes))


async def _page(
    query: GenerationQuery,
    request: PageRequest[GenerationKey],
    wanted: GenerationFilter | None,
    order: GenerationOrder,
    attributes: frozenset[str] | None,
    *,
    of_account: bool = False,
) -> Page[GenerationRow, GenerationKey]:
    cursor = ("is_favorite", "id") if order is GenerationOrder.FAVORITES_FIRST else ("id",)
    descending = order is not GenerationOrder.OLDEST
    if attributes is not None and len(cursor) > 1:
        attributes |= frozenset(cursor)
    key: tuple[str, ...] = cursor
    reading: PageRequest[Any] = request
    if wanted is not None:
        first = _first_column(wanted) if of_account and cursor == ("id",) else None
        query = _filtered(query, first[2] if first else wanted)
        if first is not None:
            column, value, _ = first
            query, key = query.begins_with(column, value), (column, "id")
            after, before = ((value, one) if one is not None else None for one in (request.after, request.before))
            reading = PageRequest(request.first, after, request.last, before)
        if words := search_words(wanted.search):
            found, count = await search(query, words, reading, key, attributes, descending=descending)
            return page_of(found, request, cursor, count)
    ahead, down = query.between_cursors(reading, key, descending=descending), request.walks_down(descending=descending)
    # One more row than requested shows whether there is a further page in that direction.
    found = await ahead.page(attributes, key, request.size + 1, down=down, is_indexed=wanted is None)
    return page_of(found, request, cursor, query.total)


def _first_column(wanted: GenerationFilter) -> tuple[str, object, GenerationFilter] | None:
    """Return the column whose index has only rows that are wanted, its value, and the other conditions.

    It is the one with the rarest value, as a rule.
    """
    if wanted.is_of_few:
        return None
    if wanted.style_id is not None:
        return "style_id", wanted.style_id, replace(wanted, style_id=None)
    if wanted.is_favorite:
        return "is_favorite", True, replace(wanted, is_favorite=None)
    if wanted.status is not None and len(set(wanted.status)) == 1:
        return "status", wanted.status[0].value, replace(wanted, status=None)
    if wanted.collection is not None:
        return "collection_slug", slug_or_empty(wanted.collection), replace(wanted, collection=None)
    return None


def _filtered(query: GenerationQuery, wanted: GenerationFilter) -> GenerationQuery:
    if wanted.status is not None:
        query = query.among("status", [status.value for status in wanted.status])
    if wanted.media is not None:
        query = query.equal("media", wanted.media.value)
    if wanted.is_favorite is not None:
        query = query.equal("is_favorite", wanted.is_favorite)
    if wanted.style_id is not None:
        query = query.equal("style_id", wanted.style_id)
    if wanted.collection is not None:
        query = query.equal("collection_slug", slug_or_empty(wanted.collection))
    if wanted.batch_id is not None:
        query = query.equal("batch_id", wanted.batch_id)
    if wanted.parent_id is not None:
        query = query.equal("parent_id", wanted.parent_id)
    for column, is_after, bound in created_bounds(wanted.created_after, wanted.created_before, prefix=ids.GENERATION):
        query = query.where(f'"generations"."{column}" {">" if is_after else "<"} {{}}', bound)
    return query
