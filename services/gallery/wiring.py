"""Builds the services of the gallery group."""

from dataclasses import dataclass

from services.core.chore import Chore, Lane, chore_for_each
from services.core.wiring import Core
from services.events.wiring import Events
from services.gallery.album import AlbumService
from services.gallery.archive import ArchiveLimits, ArchiveService
from services.gallery.deletion import DeletionService
from services.gallery.favorite import FavoriteService
from services.gallery.gallery import GalleryService
from services.gallery.moderation import ModerationService
from services.gallery.original_retention import OriginalRetention
from services.gallery.share import ShareService
from services.gallery.share_preview import SharePreviews
from services.gallery.tag import TagService
from services.gallery.user_stats import StatsService
from services.generations.wiring import Generations
from services.integrations.wiring import Integrations


@dataclass(frozen=True)
class GalleryOptions:
    """Settings of the gallery group.

    `unused_photo_seconds`: how long a generation that ended before its provider call keeps its photo.
    """

    unused_photo_seconds: float
    archives: ArchiveLimits


@dataclass(frozen=True)
class Gallery:
    """Services for finished generations: lists, favorites, albums, tags, archives, shares, deletion."""

    lists: GalleryService
    favorites: FavoriteService
    albums: AlbumService
    tags: TagService
    shares: ShareService
    deletion: DeletionService
    moderation: ModerationService
    originals: OriginalRetention
    stats: StatsService
    archives: ArchiveService

    @property
    def chores(self) -> tuple[Chore, ...]:
        originals = self.originals
        unused = chore_for_each("unused_original", Lane.CLEAN_UP, originals.find, originals.remove)
        return (unused, *self.archives.chores)


def build_gallery(
    core: Core,
    events: Events,
    integrations: Integrations,
    generations: Generations,
    address: str,
    options: GalleryOptions,
) -> Gallery:
    """Build the group. `address`: PUBLIC_URL, with which links of shares and archives start."""
    storage, costs = integrations.storage, generations.expected_costs
    previews = SharePreviews(storage, integrations.sanitizers.uploads)
    lists = GalleryService()
    return Gallery(
        lists=lists,
        favorites=FavoriteService(events.publisher),
        albums=AlbumService(events.publisher),
        tags=TagService(events.publisher),
        shares=ShareService(storage, events.publisher, previews, address),
        deletion=DeletionService(events.publisher, costs),
        moderation=ModerationService(events.publisher, costs),
        originals=OriginalRetention(events.publisher, options.unused_photo_seconds),
        stats=StatsService(),
        archives=ArchiveService(storage, lists, core.rates, address, options.archives),
    )
