"""The payload of mutations that delete objects."""

from typing import TYPE_CHECKING, Annotated

import strawberry

from schema.runtime.payload import Payload
from schema.runtime.user_error import UserError
from schema.user_loader import payload_viewer

if TYPE_CHECKING:
    from schema.accounts import User


@strawberry.type
class DeletedPayload(Payload):
    deleted_ids: list[strawberry.ID] = strawberry.field(default_factory=list)
    viewer: Annotated["User", strawberry.lazy("schema.accounts")] | None = strawberry.field(
        resolver=payload_viewer, description="The viewer as the deletion left it; null: signed out by it."
    )
    errors: list[UserError] = strawberry.field(default_factory=list)
