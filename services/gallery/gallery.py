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
from services.core.error import InvalidInputError
from services.core.message import message
from services.core.pagination import Page, PageRequest, created_bounds, key_values, page_of, replica_page
from services.core.text import slug_or_empty
from services.gallery.generation_query import ALBUM_ENTRIES, NONE_DELETED, TAG_ENTRIES, GenerationQuery, chain_of
from services.gallery.search import search, search_words

MAX_TAGS = 5  # of a filter


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
    is_shared: bool | None = None
    style_id: str | None = None
    collection: str | None = None  # slug
    batch_id: str | None = None
    parent_id: str | None = None
    album_id: str | None = None
    tag_ids: tuple[str, ...] = ()  # all of them
    search: str | None = None  # every word must occur in the prompt, a title of the style or the id
    created_after: datetime | None = None
    created_before: datetime | None = None

    def __post_init__(self) -> None:
        if len(self.tag_ids) > MAX_TAGS:
            text = message("Filter by at most {count} tags.", count=MAX_TAGS)
            raise InvalidInputError(text, field=("filter", "tagIds"))

    @property
    def is_of_few(self) -> bool:
        """Whether it is for the few rows of one batch, or of one parent, which have an index of their own."""
        return self.batch_id is not None or self.parent_id is not None

    @property
    def is_of_list(self) -> bool:
        """Whether it is for the rows of an album or of a tag, which have indexes of their own."""
        return self.album_id is not None or bool(self.tag_ids)


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

    def chain(
        self,
        user_id: str,
        generation_id: str,
        request: PageRequest[str],
        attributes: frozenset[str] | None = None,
    ) -> Awaitable[Page[GenerationRow, str]]:
        """Return a page of what the user's generation was made from, itself, and what followed, as `chain_of`."""
        return replica_page(lambda: _page_of_chain(user_id, generation_id, request, attributes), user_id)

    async def in_album(
        self,
        user_id: str,
        album_id: str,
        request: PageRequest[GenerationKey],
        wanted: GenerationFilter,
        order: GenerationOrder,
        attributes: frozenset[str] | None = None,
    ) -> Page[GenerationRow, GenerationKey]:
        """Return a page of the user's generations in one album; of none if `wanted` is for another one.

        Raises:
            InvalidInputError: as `generations`.
        """
        other = wanted.album_id if wanted.album_id != album_id else None
        within = replace(wanted, album_id=album_id if other is None else "")
        return await self.generations(user_id, request, within, order, attributes)

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
        has_other_index = wanted is not None and (wanted.is_of_few or wanted.is_of_list)
        query = NONE_DELETED.of_account(user_id, indexed=not has_other_index)
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
        query, first = _first_column(query, wanted, is_ordered=of_account and cursor == ("id",))
        query = _filtered(query, first.others if first else wanted)
        if first is not None:
            key = (first.column, *cursor)
            after, before = (
                (first.value, *key_values(one)) if one is not None else None for one in (request.after, request.before)
            )
            reading = PageRequest(request.first, after, request.last, before)
        if words := search_words(wanted.search):
            found, count = await search(query, words, reading, key, attributes, descending=descending)
            return page_of(found, request, cursor, count)
    ahead, down = query.between_cursors(reading, key, descending=descending), request.walks_down(descending=descending)
    # One more row than requested shows whether there is a further page in that direction.
    found = await ahead.page(attributes, key, request.size + 1, down=down, is_indexed=wanted is None)
    return page_of(found, request, cursor, query.total)


async def _page_of_chain(
    user_id: str, generation_id: str, request: PageRequest[str], attributes: frozenset[str] | None
) -> Page[GenerationRow, str]:
    steps = await chain_of(user_id, generation_id)
    after, before = request.after or "", request.before
    between = [id for id in steps if id > after and (before is None or id < before)]
    wanted = (between[::-1] if request.last is not None else between)[: request.size + 1]
    found = await NONE_DELETED.among("id", wanted).equal("user_id", user_id).all(attributes)
    by_id = {row.id: row for row in found}

    async def count() -> int:
        return len(steps)

    return page_of([by_id[id] for id in wanted if id in by_id], request, ("id",), count)


class _First(NamedTuple):
    """The column that an order begins with, its value in all rows that are wanted, and the other conditions."""

    column: str
    value: object
    others: GenerationFilter


def _first_column(
    query: GenerationQuery, wanted: GenerationFilter, *, is_ordered: bool
) -> tuple[GenerationQuery, _First | None]:
    """Return the query that begins with the column whose index has only rows that are wanted, if there is one.

    It is the one with the rarest value, as a rule. `is_ordered`: whether the indexes of an account have the order.
    """
    if wanted.is_of_few:
        return query, None
    if wanted.album_id is not None:
        first = _First(ALBUM_ENTRIES.column, wanted.album_id, replace(wanted, album_id=None))
        return query.within(ALBUM_ENTRIES, wanted.album_id), first
    if wanted.tag_ids:
        tag, *others = wanted.tag_ids
        return query.within(TAG_ENTRIES, tag), _First(TAG_ENTRIES.column, tag, replace(wanted, tag_ids=tuple(others)))
    first_of_account = _first_of_account(wanted) if is_ordered else None
    if first_of_account is None:
        return query, None
    return query.begins_with(first_of_account.column, first_of_account.value), first_of_account


def _first_of_account(wanted: GenerationFilter) -> _First | None:
    if wanted.style_id is not None:
        return _First("style_id", wanted.style_id, replace(wanted, style_id=None))
    if wanted.is_favorite:
        return _First("is_favorite", True, replace(wanted, is_favorite=None))
    if wanted.status is not None and len(set(wanted.status)) == 1:
        return _First("status", wanted.status[0].value, replace(wanted, status=None))
    if wanted.collection is not None:
        return _First("collection_slug", slug_or_empty(wanted.collection), replace(wanted, collection=None))
    return None


def _filtered(query: GenerationQuery, wanted: GenerationFilter) -> GenerationQuery:
    if wanted.status is not None:
        query = query.of_status({status.value for status in wanted.status})
    if wanted.media is not None:
        query = query.equal("media", wanted.media.value)
    if wanted.is_favorite is not None:
        query = query.equal("is_favorite", wanted.is_favorite)
    if wanted.is_shared is not None:
        query = query.where(f'"generations"."share_slug" IS {"NOT " if wanted.is_shared else ""}NULL')
    if wanted.style_id is not None:
        query = query.equal("style_id", wanted.style_id)
    if wanted.collection is not None:
        query = query.equal("collection_slug", slug_or_empty(wanted.collection))
    if wanted.batch_id is not None:
        query = query.equal("batch_id", wanted.batch_id)
    if wanted.parent_id is not None:
        query = query.equal("parent_id", wanted.parent_id)
    if wanted.album_id is not None:
        query = query.also_within(ALBUM_ENTRIES, wanted.album_id)
    for tag_id in wanted.tag_ids:
        query = query.also_within(TAG_ENTRIES, tag_id)
    for column, is_after, bound in created_bounds(wanted.created_after, wanted.created_before, prefix=ids.GENERATION):
        query = query.where(f"{query.name(column)} {'>' if is_after else '<'} {{}}", bound)
    return query
