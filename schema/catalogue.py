"""What an import of the catalogue came to."""

import strawberry

from schema.error import UserError


@strawberry.type
class CataloguePayload:
    created: int = strawberry.field(description="Collections and styles, as the next two.")
    updated: int
    unchanged: int
    errors: list[UserError] = strawberry.field(description="Everything that is wrong with it, up to a hundred.")
