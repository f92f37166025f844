"""Builds the services of the gallery group."""

from dataclasses import dataclass

from services.core.chore import Chore, Lane, chore_for_each
from services.events.wiring import Events
from services.gallery.deletion import DeletionService
from services.gallery.favorite import FavoriteService
from services.gallery.gallery import GalleryService
from services.gallery.moderation import ModerationService
from services.gallery.original_retention import OriginalRetention
from services.gallery.share import ShareService
from services.gallery.share_preview import SharePreviews
from services.gallery.user_stats import StatsService
from services.integrations.wiring import Integrations


@dataclass(frozen=True)
class Gallery:
    """Services for finished generations: lists, search, favorites, shares, deletion, retention, moderation."""

    lists: GalleryService
    favorites: FavoriteService
    shares: ShareService
    deletion: DeletionService
    moderation: ModerationService
    originals: OriginalRetention
    stats: StatsService

    @property
    def chores(self) -> tuple[Chore, ...]:
        originals = self.originals
        return (chore_for_each("unused_original", Lane.CLEAN_UP, originals.find, originals.remove),)


def build_gallery(events: Events, integrations: Integrations, address: str, *, unused_photo_seconds: float) -> Gallery:
    """Build the group. `address`: PUBLIC_URL, with which share links start.

    `unused_photo_seconds`: how long a generation that ended before its provider call keeps its photo.
    """
    storage = integrations.storage
    previews = SharePreviews(storage, integrations.sanitizers.uploads)
    return Gallery(
        lists=GalleryService(),
        favorites=FavoriteService(events.publisher),
        shares=ShareService(storage, events.publisher, previews, address),
        deletion=DeletionService(events.publisher),
        moderation=ModerationService(events.publisher),
        originals=OriginalRetention(events.publisher, unused_photo_seconds),
        stats=StatsService(),
    )
