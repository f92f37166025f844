"""The gallery as the API shows it: changes and shared generations."""

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
    version: int = strawberry.field(description="The account's.")
    generation_id: strawberry.ID | None
    generation: Generation | None = strawberry.field(description="As it is now; null when DELETED or SNAPSHOT.")


@strawberry.type(description="What anyone with the link may see.")
class SharedGeneration:
    titles: strawberry.Private[Localised]
    result: MediaFile = strawberry.field(description="Its URLs live as long as the share.")
    created_at: datetime
    shared_by: str | None = strawberry.field(description="The owner's name, where they have given one.")

    @strawberry.field(description="The style's, in the caller's language; null where it is the owner's own.")
    def title(self, info: Info) -> str | None:
        return info.context.localize(self.titles) or None

    @classmethod
    def of(cls, shared: SharedPicture) -> "SharedGeneration":
        return cls(
            titles=shared.title,
            result=MediaFile.of(shared.file, shared=shared.links),
            created_at=shared.created_at,
            shared_by=shared.shared_by,
        )
