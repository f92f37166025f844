"""Resolvers of the gallery: favorites, deletion, shares, and the gallery subscription."""

from collections.abc import AsyncGenerator
from functools import partial

import strawberry

from models import ids
from schema.deleted_payload import DeletedPayload
from schema.gallery import GalleryChange, SharedGeneration
from schema.generations import Generation, GenerationPayload
from schema.runtime.context import Context, Info
from schema.runtime.feed import follow
from schema.runtime.node import known_id
from schema.runtime.user_error import user_errors
from services.core.error import RefusalGroup
from services.events.account_change import ChangeKind
from services.gallery.gallery_topic import GalleryStep, GalleryTopic


async def delete_generations(info: Info, ids: list[strawberry.ID]) -> DeletedPayload:
    viewer = info.context.require_viewer()
    done = await info.context.services.gallery.deletion.delete(viewer.id, [str(id) for id in ids])
    return DeletedPayload(
        deleted_ids=[strawberry.ID(id) for id in done.found],
        errors=user_errors(RefusalGroup(done.refusals), info.context),
    )


async def set_favorite(info: Info, id: strawberry.ID, is_favorite: bool) -> GenerationPayload:
    viewer, favorites = info.context.require_viewer(), info.context.services.gallery.favorites
    row = await favorites.set(viewer.id, known_id(id, ids.GENERATION), is_favorite=is_favorite)
    return GenerationPayload(generation=Generation.of(row))


async def gallery_changed(info: Info, after: int | None = None) -> AsyncGenerator[GalleryChange, None]:
    """Yield a SNAPSHOT of the present version, or the changes since `after`, then every change in version order."""
    async for change in _changes(info, after, only_favorites=False):
        yield change


async def favorite_changed(info: Info, after: int | None = None) -> AsyncGenerator[GalleryChange, None]:
    """Yield a SNAPSHOT, or what came since `after`, then every favorite that is added, removed or deleted."""
    async for change in _changes(info, after, only_favorites=True):
        yield change


async def _changes(info: Info, after: int | None, *, only_favorites: bool) -> AsyncGenerator[GalleryChange, None]:
    viewer, services = info.context.require_viewer(), info.context.services
    topics = services.events.topics
    missed = services.events.missed
    make = partial(GalleryTopic, viewer.id, services.gallery.lists, missed, only_favorites=only_favorites)
    async with follow(info.context, topics.join((GalleryTopic, viewer.id, only_favorites), make), _step) as feed:
        async with topics.opening:
            feed.position = await feed.topic.open()
        opening = await feed.topic.opening(feed.position, after)
        async for change in feed.events(opening):
            yield change


def _step(step: GalleryStep, _: Context) -> list[GalleryChange]:
    """Return one version's changes for the client."""
    if step.changes is None:
        return [GalleryChange(kind=ChangeKind.SNAPSHOT, version=step.version, generation_id=None, generation=None)]
    return [
        GalleryChange(
            # Created or changed, and deleted since; the message of its deletion is still to come.
            kind=change.kind if row else ChangeKind.DELETED,
            version=step.version,
            generation_id=strawberry.ID(change.generation_id),
            generation=Generation.of(row) if row else None,
        )
        for change, row in step.changes
    ]


async def share_generation(info: Info, id: strawberry.ID, slug: str | None = None) -> GenerationPayload:
    viewer = info.context.require_viewer()
    row = await info.context.services.gallery.shares.share(viewer.id, known_id(id, ids.GENERATION), slug)
    return GenerationPayload(generation=Generation.of(row))


async def unshare_generation(info: Info, id: strawberry.ID) -> GenerationPayload:
    viewer = info.context.require_viewer()
    row = await info.context.services.gallery.shares.unshare(viewer.id, known_id(id, ids.GENERATION))
    return GenerationPayload(generation=Generation.of(row))


async def admin_unshare_generation(info: Info, id: strawberry.ID, reason: str) -> GenerationPayload:
    viewer, moderation = info.context.require_viewer(), info.context.services.gallery.moderation
    row = await moderation.unshare(viewer, known_id(id, ids.GENERATION), reason)
    return GenerationPayload(generation=Generation.of(row))


async def admin_delete_generation(
    info: Info, id: strawberry.ID, reason: str, every_use: bool | None = False
) -> DeletedPayload:
    viewer, known = info.context.require_viewer(), known_id(id, ids.GENERATION)
    moderation = info.context.services.gallery.moderation
    deleted = await moderation.delete(viewer, known, reason, every_use=bool(every_use))
    return DeletedPayload(deleted_ids=[strawberry.ID(one) for one in deleted])


async def shared_generation(info: Info, slug: str) -> SharedGeneration | None:
    shared = await info.context.services.gallery.shares.find(slug)
    return SharedGeneration.of(shared) if shared else None
