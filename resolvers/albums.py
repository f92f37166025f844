"""Resolvers of albums and tags, and of what is done with several generations."""

from collections.abc import Sequence

import strawberry

from models import ids as prefixes
from schema.albums import (
    Album,
    AlbumPayload,
    ArchivePayload,
    ChangedGenerationsPayload,
    Tag,
    TagPayload,
    UpdateAlbumInput,
)
from schema.deleted_payload import DeletedPayload
from schema.runtime.context import Info
from schema.runtime.node import known_id


async def create_album(info: Info, name: str) -> AlbumPayload:
    viewer = info.context.require_viewer()
    return AlbumPayload(album=Album.of(await info.context.services.gallery.albums.create(viewer.id, name)))


async def update_album(info: Info, id: strawberry.ID, input: UpdateAlbumInput) -> AlbumPayload:
    viewer, albums = info.context.require_viewer(), info.context.services.gallery.albums
    return AlbumPayload(album=Album.of(await albums.update(viewer.id, known_id(id, prefixes.ALBUM), input.change())))


async def delete_album(info: Info, id: strawberry.ID) -> DeletedPayload:
    viewer = info.context.require_viewer()
    await info.context.services.gallery.albums.delete(viewer.id, known_id(id, prefixes.ALBUM))
    return DeletedPayload(deleted_ids=[id])


async def add_to_album(info: Info, id: strawberry.ID, ids: list[strawberry.ID]) -> ChangedGenerationsPayload:
    viewer, albums = info.context.require_viewer(), info.context.services.gallery.albums
    album, chosen = await albums.add(viewer.id, known_id(id, prefixes.ALBUM), _texts(ids))
    return ChangedGenerationsPayload.of(info, chosen, album)


async def remove_from_album(info: Info, id: strawberry.ID, ids: list[strawberry.ID]) -> ChangedGenerationsPayload:
    viewer, albums = info.context.require_viewer(), info.context.services.gallery.albums
    album, chosen = await albums.remove(viewer.id, known_id(id, prefixes.ALBUM), _texts(ids))
    return ChangedGenerationsPayload.of(info, chosen, album)


async def set_tags(info: Info, ids: list[strawberry.ID], tags: list[str]) -> ChangedGenerationsPayload:
    viewer = info.context.require_viewer()
    chosen = await info.context.services.gallery.tags.replace(viewer.id, _texts(ids), tags)
    return ChangedGenerationsPayload.of(info, chosen)


async def add_tags(info: Info, ids: list[strawberry.ID], tags: list[str]) -> ChangedGenerationsPayload:
    viewer = info.context.require_viewer()
    chosen = await info.context.services.gallery.tags.add(viewer.id, _texts(ids), tags)
    return ChangedGenerationsPayload.of(info, chosen)


async def remove_tags(info: Info, ids: list[strawberry.ID], tags: list[str]) -> ChangedGenerationsPayload:
    viewer = info.context.require_viewer()
    chosen = await info.context.services.gallery.tags.remove(viewer.id, _texts(ids), tags)
    return ChangedGenerationsPayload.of(info, chosen)


async def rename_tag(info: Info, id: strawberry.ID, name: str) -> TagPayload:
    viewer, tags = info.context.require_viewer(), info.context.services.gallery.tags
    return TagPayload(tag=Tag.of(await tags.rename(viewer.id, known_id(id, prefixes.TAG), name)))


async def set_favorites(info: Info, ids: list[strawberry.ID], is_favorite: bool) -> ChangedGenerationsPayload:
    viewer = info.context.require_viewer()
    chosen = await info.context.services.gallery.favorites.set_many(viewer.id, _texts(ids), is_favorite=is_favorite)
    return ChangedGenerationsPayload.of(info, chosen)


async def create_archive(
    info: Info, ids: list[strawberry.ID] | None = None, album_id: strawberry.ID | None = None
) -> ArchivePayload:
    viewer, archives = info.context.require_viewer(), info.context.services.gallery.archives
    album = None if album_id is None else known_id(album_id, prefixes.ALBUM, "albumId")
    return ArchivePayload.of(info, await archives.create(viewer.id, None if ids is None else _texts(ids), album))


def _texts(ids: Sequence[strawberry.ID]) -> list[str]:
    return [str(id) for id in ids]
