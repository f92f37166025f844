"""GraphQL types of the gallery: changes and shared generations."""

from datetime import datetime

import strawberry

from models.catalogue import Localised
from schema.generations import Generation
from schema.media import MediaFile
from schema.runtime.context import Info
from schema.runtime.enum import ChangeKind
from services.gallery.share import SharedPicture


@strawberry.type(description="A change of an account's generations.")
class GalleryChange:
    kind: ChangeKind
    version: int = strawberry.field(description="The account's version.")
    generation_id: strawberry.ID | None
    generation: Generation | None = strawberry.field(
        description="In its present state; null where `kind` is DELETED or SNAPSHOT."
    )


@strawberry.type(description="The public view of a shared generation.")
class SharedGeneration:
    titles: strawberry.Private[Localised]
    id: strawberry.ID = strawberry.field(
        description="Of the share: another one where the generation is shared under another slug. Not a TypeID, and "
        "`node` does not find it."
    )
    slug: str
    url: str = strawberry.field(description="The public page.")
    result: MediaFile = strawberry.field(description="Its URLs are valid while the generation is shared.")
    created_at: datetime
    shared_by: str | None = strawberry.field(description="The owner's name; null: none given.")

    @strawberry.field(description="The style's title in the viewer's language; null for a custom style.")
    def title(self, info: Info) -> str | None:
        return info.context.localize(self.titles) or None

    @classmethod
    def of(cls, shared: SharedPicture) -> "SharedGeneration":
        return cls(
            titles=shared.title,
            id=strawberry.ID(f"shared_{shared.links.slug}"),
            slug=shared.links.slug,
            url=shared.links.page,
            result=MediaFile.of(shared.file, shared=shared.links),
            created_at=shared.created_at,
            shared_by=shared.shared_by,
        )
