"""What writes that remove something answer."""

import strawberry

from schema.error import UserError


@strawberry.type
class DeletedPayload:
    deleted_ids: list[strawberry.ID]
    errors: list[UserError]
