"""Changes of the gallery, as streams tell them."""

import strawberry

from schema.enum import ChangeKind
from schema.generation import Generation


@strawberry.type(description="A change of an account's generations.")
class GalleryChange:
    kind: ChangeKind
    version: int = strawberry.field(description="The account's.")
    generation_id: strawberry.ID | None
    generation: Generation | None = strawberry.field(description="As it is now; null when DELETED or SNAPSHOT.")
