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


_REORDER_SECONDS = 0.25  # an early message waits for its predecessor; they are milliseconds apart


async def gallery_changed(info: Info) -> AsyncGenerator[GalleryChange, None]:
    """Yield a SNAPSHOT of the present version, then every change in version order."""
    viewer = info.context.require_viewer()
    async with aclosing(_steps(info)) as steps:
        async for version, changes in steps:
            for change in await _gallery_changes(info, viewer.id, version, changes):
                yield change


async def favorite_changed(info: Info) -> AsyncGenerator[GalleryChange, None]:
    """Yield a SNAPSHOT, then every favorite that is added, removed or deleted."""
    viewer = info.context.require_viewer()
    async with aclosing(_steps(info)) as steps:
        async for version, changes in steps:
            favorites = None if changes is None else tuple(change for change in changes if change.favorite)
            for change in await _gallery_changes(info, viewer.id, version, favorites):
                yield change


async def _steps(info: Info) -> AsyncGenerator[Step, None]:
    """Yield every version of the account with its changes; missed versions become one step without changes."""
    viewer, services = info.context.require_viewer(), info.context.services
    now = asyncio.get_running_loop().time
    async with ChannelReader(info.context, account_channel(viewer.id)) as reader:
        buffer = VersionBuffer((await services.accounts.users.get(viewer.id)).version)
        yield buffer.version, None
        reorder_until = 0.0
        while True:
            had_gap = buffer.has_gap
            remaining = reorder_until - now() if had_gap else None
            event = await reader.receive(remaining) if remaining is None or remaining > 0 else None
            steps = buffer.add(event) if isinstance(event, dict) else None
            if steps is None:
                version = (await services.accounts.users.get(viewer.id)).version
                # A timeout means that nothing has changed only without a gap and with the version already sent.
                is_unchanged = event is None and not had_gap and version <= buffer.version
                steps = [] if is_unchanged else buffer.resync(version)
            for step in steps:
                yield step
            if buffer.has_gap and (steps or not had_gap):
                reorder_until = now() + _REORDER_SECONDS


async def _gallery_changes(
    info: Info, user_id: str, version: int, changes: tuple[GenerationChange, ...] | None
) -> list[GalleryChange]:
    """Return one step for the client, with the present state of its generations, read by one statement.

    `user_id`: the subscriber's, because another operation on the same socket may have signed in another user since.
    """
    if changes is None:
        return [GalleryChange(kind=ChangeKind.SNAPSHOT, version=version, generation_id=None, generation=None)]
    info.context.require_viewer()  # signing out on the same socket ends the stream at once
    gallery = info.context.services.gallery.lists
    generation_ids = [change.generation_id for change in changes if change.kind is not ChangeKind.DELETED]
    found = await gallery.by_ids(user_id, generation_ids) if generation_ids else {}
    result = []
    for change in changes:
        row = found.get(change.generation_id)
        result.append(
            GalleryChange(
                # Created or changed, and deleted since; the message of its deletion is still to come.
                kind=change.kind if row else ChangeKind.DELETED,
                version=version,
                generation_id=strawberry.ID(change.generation_id),
                generation=Generation.of(row) if row else None,
            )
        )
    return result


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


async def admin_delete_generation(info: Info, id: strawberry.ID, reason: str) -> DeletedPayload:
    viewer, known = info.context.require_viewer(), known_id(id, ids.GENERATION)
    await info.context.services.gallery.moderation.delete(viewer, known, reason)
    return DeletedPayload(deleted_ids=[strawberry.ID(known)])


async def shared_generation(info: Info, slug: str) -> SharedGeneration | None:
    shared = await info.context.services.gallery.shares.find(slug)
    return SharedGeneration.of(shared) if shared else None
