"""Resolvers of the gallery: favorites, deletion, shares, and the gallery subscription."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import strawberry

from models import ids
from resolvers.subscription import ChannelReader
from schema.gallery import GalleryChange, SharedGeneration
from schema.generations import Generation, GenerationPayload
from schema.runtime.context import Info
from schema.runtime.node import known_id
from schema.runtime.payload import DeletedPayload
from schema.runtime.user_error import user_errors
from services.core.error import NotFoundError, RefusalGroup
from services.events.account_change import ChangeKind, GenerationChange
from services.events.payload import account_channel
from services.events.version_buffer import Step, VersionBuffer


async def delete_generations(info: Info, ids: list[strawberry.ID]) -> DeletedPayload:
    viewer = info.context.require_viewer()
    done = await info.context.services.gallery.deletion.delete(viewer.id, [str(id) for id in ids])
    missing = [NotFoundError(field=("ids", str(place))) for place in done.missing]
    return DeletedPayload(
        deleted_ids=[strawberry.ID(id) for id in done.deleted],
        errors=user_errors(RefusalGroup(missing), info.context),
    )


async def set_favorite(info: Info, id: strawberry.ID, is_favorite: bool) -> GenerationPayload:
    viewer, favorites = info.context.require_viewer(), info.context.services.gallery.favorites
    row = await favorites.set(viewer.id, known_id(id, ids.GENERATION), is_favorite=is_favorite)
    return GenerationPayload(generation=Generation.of(row))


_PATIENCE = 0.25  # seconds that a message which comes early waits for the one before it; they are milliseconds apart


async def gallery_changed(info: Info) -> AsyncGenerator[GalleryChange, None]:
    """A SNAPSHOT of the present version, then every change in the order of versions."""
    viewer = info.context.require_viewer()
    async with aclosing(_steps(info)) as steps:
        async for version, changes in steps:
            for event in await _told(info, viewer.id, version, changes):
                yield event


async def favorite_changed(info: Info) -> AsyncGenerator[GalleryChange, None]:
    """The same for the favorites: marks that were set or cleared, and favorites that were deleted."""
    viewer = info.context.require_viewer()
    async with aclosing(_steps(info)) as steps:
        async for version, changes in steps:
            favorites = None if changes is None else tuple(change for change in changes if change.favorite)
            for event in await _told(info, viewer.id, version, favorites):
                yield event


async def _steps(info: Info) -> AsyncGenerator[Step, None]:
    """Every version of the account with what it changed; versions that may have been missed become one to read."""
    viewer, services = info.context.require_viewer(), info.context.services
    now = asyncio.get_running_loop().time
    async with ChannelReader(info.context, account_channel(viewer.id)) as watch:
        feed = VersionBuffer((await services.accounts.users.get(viewer.id)).version)
        yield feed.version, None
        patient_until = 0.0
        while True:
            was_waiting = feed.has_gap
            left = patient_until - now() if was_waiting else None
            news = await watch.hear(left) if left is None or left > 0 else None
            steps = feed.add(news) if isinstance(news, dict) else None
            if steps is None:
                version = (await services.accounts.users.get(viewer.id)).version
                # Silence is only silence where nothing waits and the account stands as it was told.
                is_quiet = news is None and not was_waiting and version <= feed.version
                steps = [] if is_quiet else feed.resync(version)
            for step in steps:
                yield step
            if feed.has_gap and (steps or not was_waiting):
                patient_until = now() + _PATIENCE


async def _told(
    info: Info, user_id: str, version: int, changes: tuple[GenerationChange, ...] | None
) -> list[GalleryChange]:
    """One step as the client gets it: the generations as they are now, read together.

    `user_id`: of who subscribed. Another operation on the same socket may have signed somebody else in since, to whom
    none of these belongs.
    """
    if changes is None:
        return [GalleryChange(kind=ChangeKind.SNAPSHOT, version=version, generation_id=None, generation=None)]
    info.context.require_viewer()  # signing out on the same socket ends the stream at once
    gallery = info.context.services.gallery.lists
    wanted = [change.generation_id for change in changes if change.kind is not ChangeKind.DELETED]
    found = await gallery.by_ids(user_id, wanted) if wanted else {}
    told = []
    for change in changes:
        row = found.get(change.generation_id)
        told.append(
            GalleryChange(
                # What was made and has been deleted since is gone; its own message is still to come.
                kind=change.kind if row else ChangeKind.DELETED,
                version=version,
                generation_id=strawberry.ID(change.generation_id),
                generation=Generation.of(row) if row else None,
            )
        )
    return told


async def share_generation(info: Info, id: strawberry.ID, slug: str | None = None) -> GenerationPayload:
    viewer = info.context.require_viewer()
    row = await info.context.services.gallery.shares.share(viewer.id, known_id(id, ids.GENERATION), slug)
    return GenerationPayload(generation=Generation.of(row))


async def unshare_generation(info: Info, id: strawberry.ID) -> GenerationPayload:
    viewer = info.context.require_viewer()
    row = await info.context.services.gallery.shares.unshare(viewer.id, known_id(id, ids.GENERATION))
    return GenerationPayload(generation=Generation.of(row))


async def shared_generation(info: Info, slug: str) -> SharedGeneration | None:
    shared = await info.context.services.gallery.shares.find(slug)
    return SharedGeneration.of(shared) if shared else None
