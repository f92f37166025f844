"""API keys, as their owner sees them."""

from datetime import datetime

import strawberry

import models
from schema.error import UserError
from schema.node import Node


@strawberry.type(description="A key with which a program signs in as its owner.")
class ApiKey(Node):
    name: str
    hint: str = strawberry.field(description="The last four characters; the key itself is shown once.")
    created_at: datetime
    last_used_at: datetime | None = strawberry.field(description="To the minute.")

    @classmethod
    def of(cls, row: models.ApiKey) -> "ApiKey":
        return cls(
            id=strawberry.ID(row.id),
            name=row.name,
            hint=row.hint,
            created_at=row.created_at,
            last_used_at=row.last_used_at,
        )


@strawberry.type
class ApiKeyPayload:
    api_key: ApiKey | None
    key: str | None = strawberry.field(description="For `Authorization: Bearer`; shown once.")
    errors: list[UserError]
