"""Lists of generations, filtered and paged: one account's, or all for admins."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from tortoise.queryset import QuerySet

from models import Generation, ids
from models.enum import GenerationStatus, MediaKind
from services.core.pagination import Page, PageRequest, created_between, paginate
from services.core.text import slug_or_empty
from services.gallery.search import search_page, search_words


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
    search: str | None = None  # every word must occur in the prompt, a title of the style or the id
    created_after: datetime | None = None
    created_before: datetime | None = None


class GalleryService:
    """Loads and lists generations."""

    async def by_ids(self, user_id: str, generation_ids: list[str]) -> dict[str, Generation]:
        """Return the given generations that belong to the user."""
        found = Generation.present().filter(id__in=generation_ids, user_id=user_id)
        return {generation.id: generation for generation in await found}

    async def all_by_ids(self, generation_ids: list[str]) -> dict[str, Generation]:
        """Return the given generations that exist, of any account, for admins."""
        return {generation.id: generation for generation in await Generation.present().filter(id__in=generation_ids)}

    async def generations(
        self, user_id: str, request: PageRequest[GenerationKey], wanted: GenerationFilter, order: GenerationOrder
    ) -> Page[Generation, GenerationKey]:
        """Return a page of the user's generations; the cursors of `request` must belong to `order`.

        Raises:
            InvalidInputError: the search is too long or contains invalid characters.
        """
        return await self._page(Generation.present().filter(user_id=user_id), request, wanted, order)

    async def all_generations(
        self, request: PageRequest[GenerationKey], wanted: GenerationFilter
    ) -> Page[Generation, GenerationKey]:
        """Return a page of all accounts' generations, newest first, for admins.

        Raises:
            InvalidInputError: the search is too long or contains invalid characters.
        """
        return await self._page(Generation.present(), request, wanted, GenerationOrder.NEWEST)

    @staticmethod
    async def _page(
        query: QuerySet[Generation],
        request: PageRequest[GenerationKey],
        wanted: GenerationFilter,
        order: GenerationOrder,
    ) -> Page[Generation, GenerationKey]:
        if wanted.status is not None:
            query = query.filter(status__in=wanted.status)
        if wanted.media is not None:
            query = query.filter(media=wanted.media)
        if wanted.is_favorite is not None:
            query = query.filter(is_favorite=wanted.is_favorite)
        if wanted.style_id is not None:
            query = query.filter(style_id=wanted.style_id)
        if wanted.collection is not None:
            query = query.filter(collection_slug=slug_or_empty(wanted.collection))
        if wanted.batch_id is not None:
            query = query.filter(batch_id=wanted.batch_id)
        query = created_between(query, wanted.created_after, wanted.created_before, prefix=ids.GENERATION)
        key = ("is_favorite", "id") if order is GenerationOrder.FAVORITES_FIRST else ("id",)
        descending = order is not GenerationOrder.OLDEST
        words = search_words(wanted.search)
        if words:
            return await search_page(query, words, request, key, descending=descending)
        return await paginate(query, request, key=key, descending=descending)
