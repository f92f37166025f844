"""Shared pictures, as anyone with the link sees them."""

from datetime import datetime

import strawberry

from models.style import Localised
from schema.context import Info
from schema.file import MediaFile
from services.gallery.share import Shared


@strawberry.type(description="What anyone with the link may see.")
class SharedGeneration:
    titles: strawberry.Private[Localised]
    result: MediaFile = strawberry.field(description="Its URLs live as long as the share.")
    created_at: datetime
    shared_by: str | None = strawberry.field(description="The owner's name, where they have given one.")

    @strawberry.field(description="The style's, in the caller's language; null where it is the owner's own.")
    def title(self, info: Info) -> str | None:
        return info.context.choose(self.titles) or None

    @classmethod
    def of(cls, shared: Shared) -> "SharedGeneration":
        return cls(
            titles=shared.title,
            result=MediaFile.of(shared.file, shared=shared.links),
            created_at=shared.created_at,
            shared_by=shared.shared_by,
        )
