"""The gallery: an account's generations, filtered and paged."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from models import Generation
from models.enum import GenerationStatus, MediaKind
from services.page import Page, PageRequest, created_between, paginate
from services.text import slug_or_none_at_all


class GenerationOrder(StrEnum):
    """Which generations come first."""

    NEWEST = "NEWEST"
    OLDEST = "OLDEST"


@dataclass(frozen=True)
class GenerationFilter:
    """Which generations to show; what is None does not matter."""

    status: tuple[GenerationStatus, ...] | None = None
    media: MediaKind | None = None
    style_id: str | None = None
    collection: str | None = None  # slug
    batch_id: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


class GalleryService:
    """Lists."""

    async def by_ids(self, user_id: str, generation_ids: list[str]) -> dict[str, Generation]:
        """Those of these generations that are the account's own."""
        found = Generation.present().filter(id__in=generation_ids, user_id=user_id)
        return {generation.id: generation for generation in await found}

    async def generations(
        self, user_id: str, request: PageRequest[str], wanted: GenerationFilter, order: GenerationOrder
    ) -> Page[Generation, str]:
        """One page of an account's generations; ids sort by creation time, so the id is the key."""
        query = Generation.present().filter(user_id=user_id)
        if wanted.status is not None:
            query = query.filter(status__in=wanted.status)
        if wanted.media is not None:
            query = query.filter(media=wanted.media)
        if wanted.style_id is not None:
            query = query.filter(style_id=wanted.style_id)
        if wanted.collection is not None:
            query = query.filter(collection_slug=slug_or_none_at_all(wanted.collection))
        if wanted.batch_id is not None:
            query = query.filter(batch_id=wanted.batch_id)
        query = created_between(query, wanted.created_after, wanted.created_before)
        return await paginate(query, request, key="id", descending=order is GenerationOrder.NEWEST)
