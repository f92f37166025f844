"""Builds the services of the gallery group."""

from dataclasses import dataclass

from services.events.wiring import Events
from services.gallery.deletion import DeletionService
from services.gallery.favorite import FavoriteService
from services.gallery.gallery import GalleryService
from services.gallery.moderation import ModerationService
from services.gallery.share import ShareService
from services.gallery.user_stats import StatsService
from services.integrations.storage.protocol import Storage


@dataclass(frozen=True)
class Gallery:
    """Services for finished generations: lists, search, favorites, shares, deletion, moderation, statistics."""

    lists: GalleryService
    favorites: FavoriteService
    shares: ShareService
    deletion: DeletionService
    moderation: ModerationService
    stats: StatsService


def build_gallery(events: Events, storage: Storage, *, address: str) -> Gallery:
    """Build the group. `address`: PUBLIC_URL, with which share links start."""
    return Gallery(
        lists=GalleryService(),
        favorites=FavoriteService(events.publisher),
        shares=ShareService(storage, events.publisher, address),
        deletion=DeletionService(events.publisher),
        moderation=ModerationService(events.publisher),
        stats=StatsService(),
    )
