"""GraphQL types of albums and tags, of changes of several generations, and of their archives."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Self

import strawberry

import models
from models import ids
from models.generation_row import all_final
from schema.generations import Generation, GenerationFilter, generation_key
from schema.runtime.attribute import attributes_of
from schema.runtime.connection import Connection, page_request
from schema.runtime.context import Info
from schema.runtime.enum import GenerationOrder
from schema.runtime.input import changed
from schema.runtime.node import Node
from schema.runtime.payload import Payload
from schema.runtime.user_error import UserError, user_errors
from schema.user_loader import payload_viewer
from services.core.error import RefusalGroup
from services.core.unset import UNSET
from services.gallery import gallery
from services.gallery.album import AlbumChange, AlbumKey
from services.gallery.archive import NewArchive
from services.gallery.selection import Chosen

if TYPE_CHECKING:
    from schema.accounts import User


@strawberry.type(description="A named list that its owner fills with generations.")
class Album(Node):
    row: strawberry.Private[models.Album]
    name: str
    position: int = strawberry.field(description="In the account's list of albums, from 0.")
    count: int = strawberry.field(description="The number of generations in it.")
    created_at: datetime
    updated_at: datetime = strawberry.field(description="When it, or what is in it, was last changed.")

    @strawberry.field(description="The newest generation in it; null: it is empty.")
    async def cover(self, info: Info) -> Generation | None:
        newest = await info.context.cover_by_album.load(self.row.id)
        found = await info.context.generation_by_id.load(newest) if newest else None
        return Generation.of(found) if found else None

    @strawberry.field(description="The generations in it, as `User.generations`.")
    async def generations(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        filter: GenerationFilter | None = None,
        order_by: GenerationOrder | None = gallery.GenerationOrder.NEWEST,
    ) -> Connection[Generation]:
        order = order_by or gallery.GenerationOrder.NEWEST
        page = await info.context.services.gallery.lists.in_album(
            self.row.user_id,
            self.row.id,
            page_request(generation_key(order), first, after, last, before, order, prefix=ids.GENERATION),
            filter.criteria() if filter else gallery.GenerationFilter(),
            order,
            attributes_of(info),
        )
        info.context.shows_unfinished |= not all_final(page.items)
        return Connection(page=page, order=order, nodes=Generation.all_of(page.items))

    @classmethod
    def of(cls, row: models.Album) -> "Album":
        return cls(
            id=strawberry.ID(row.id),
            row=row,
            name=row.name,
            position=row.position,
            count=row.size,
            created_at=row.created_at,
            updated_at=row.updated_at,
        )


@strawberry.type(description="A word that the account's generations are marked with. It goes with the last of them.")
class Tag(Node):
    name: str = strawberry.field(description="Unique in the account, whatever its case.")
    count: int = strawberry.field(description="The number of generations that have it.")

    @classmethod
    def of(cls, row: models.Tag) -> "Tag":
        return cls(id=strawberry.ID(row.id), name=row.name, count=row.size)


def album_key(text: str) -> AlbumKey:
    """Return the key of a cursor of the list of albums. Raises ValueError."""
    position, _, id = text.partition(" ")
    return int(position), id


@strawberry.input(description="Only the given fields are changed; null changes nothing.")
class UpdateAlbumInput:
    name: str | None = strawberry.UNSET
    position: int | None = strawberry.field(
        default=strawberry.UNSET, description="In the list, from 0; the others make room. Larger ones: the last."
    )

    def change(self) -> AlbumChange:
        """Return what the service sets."""
        return AlbumChange(
            name=UNSET if self.name is None else changed(self.name),
            position=UNSET if self.position is None else changed(self.position),
        )


@strawberry.type
class AlbumPayload(Payload):
    album: Album | None = None
    viewer: Annotated["User", strawberry.lazy("schema.accounts")] | None = strawberry.field(
        resolver=payload_viewer, description="The viewer as the change left it."
    )
    errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type
class TagPayload(Payload):
    tag: Tag | None = None
    viewer: Annotated["User", strawberry.lazy("schema.accounts")] | None = strawberry.field(
        resolver=payload_viewer, description="The viewer as the change left it."
    )
    errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type
class ChangedGenerationsPayload(Payload):
    found: strawberry.Private[tuple[str, ...]] = ()
    album: Album | None = strawberry.field(default=None, description="That was changed; null: none.")
    viewer: Annotated["User", strawberry.lazy("schema.accounts")] | None = strawberry.field(
        resolver=payload_viewer, description="The viewer as the change left it."
    )
    errors: list[UserError] = strawberry.field(default_factory=list)

    @strawberry.field(description="Those of the request that exist, in its order, as the change left them.")
    async def generations(self, info: Info) -> list[Generation]:
        found = await info.context.generation_by_id.load_many(list(self.found))
        return Generation.all_of([row for row in found if row is not None])

    @classmethod
    def of(cls, info: Info, chosen: Chosen, album: models.Album | None = None) -> Self:
        return cls(
            found=chosen.found,
            album=Album.of(album) if album else None,
            errors=user_errors(RefusalGroup(chosen.refusals), info.context),
        )


@strawberry.type(description="Several results as one zip, to be downloaded by a link that needs no sign-in.")
class Archive:
    url: str = strawberry.field(description="It works until `expiresAt`, and until the account requests another one.")
    expires_at: datetime
    count: int = strawberry.field(description="The number of results in it.")
    byte_size: float = strawberry.field(description="Of all results, a whole number.")


@strawberry.type
class ArchivePayload(Payload):
    archive: Archive | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)

    @classmethod
    def of(cls, info: Info, made: NewArchive) -> Self:
        row = made.row
        archive = Archive(
            url=made.url, expires_at=row.expires_at, count=len(row.generation_ids), byte_size=row.byte_size
        )
        return cls(archive=archive, errors=user_errors(RefusalGroup(made.refusals), info.context))
