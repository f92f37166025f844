"""GraphQL types of what signs in to an account: sessions, second factors and API keys."""

from datetime import datetime

import strawberry

import models
from schema.runtime.context import Info
from schema.runtime.enum import ApiKeyScope
from schema.runtime.node import Node
from schema.runtime.payload import Payload
from schema.runtime.user_error import UserError


@strawberry.type(description="A key that authenticates a program as its owner.")
class ApiKey(Node):
    name: str
    hint: str = strawberry.field(description="The last four characters; the whole key is returned only once.")
    created_at: datetime
    last_used_at: datetime | None = strawberry.field(description="Accurate to the minute; null: never used.")
    scope: ApiKeyScope
    expires_at: datetime | None = strawberry.field(description="When the key stops working; null: never.")
    monthly_credits: int | None = strawberry.field(
        description="The most credits that the key spends in a calendar month (UTC); null: any number."
    )

    @strawberry.field(
        description="The credits that the key has spent in this calendar month (UTC), without those that were refunded."
    )
    async def spent_this_month(self, info: Info) -> int:
        return await info.context.spent_by_key.load(self.id) or 0

    @classmethod
    def of(cls, row: models.ApiKey) -> "ApiKey":
        return cls(
            id=strawberry.ID(row.id),
            name=row.name,
            hint=row.hint,
            created_at=row.created_at,
            last_used_at=row.last_used_at,
            scope=row.scope,
            expires_at=row.expires_at,
            monthly_credits=row.monthly_credits,
        )


@strawberry.type(description="One session of an account, from its sign-in until it ends.")
class Session:
    id: strawberry.ID
    device: str | None = strawberry.field(description='Such as "Firefox on Windows"; null: unknown.')
    place: str | None = strawberry.field(
        description="The address or network of the sign-in; null: unknown, or not kept by this deployment."
    )
    is_current: bool = strawberry.field(description="Whether this request uses it.")
    created_at: datetime = strawberry.field(description="The time of the sign-in.")
    last_seen_at: datetime = strawberry.field(description="Accurate to five minutes.")
    expires_at: datetime = strawberry.field(description="When it ends unless it is used before.")
    second_factor_at: datetime | None = strawberry.field(
        description="When it proved the account's second factor; null: it has not."
    )

    @classmethod
    def of(cls, row: models.Session, current_hash: str | None) -> "Session":
        return cls(
            id=strawberry.ID(row.id),
            device=row.device,
            place=row.place,
            is_current=row.token_hash == current_hash,
            created_at=row.created_at,
            last_seen_at=row.last_seen_at or row.created_at,
            expires_at=row.expires_at,
            second_factor_at=row.second_factor_at,
        )


@strawberry.type(description="The second factor of an admin's account: the codes of an authenticator app.")
class SecondFactor:
    user_id: strawberry.Private[str]
    since: datetime
    is_proved: bool = strawberry.field(
        description="Whether this session has proved it, as admin fields and changes of the sign-in require."
    )

    @strawberry.field(description="The recovery codes that are left; each works once in place of the app.")
    async def recovery_codes_left(self, info: Info) -> int:
        return await info.context.recovery_codes_by_user.load(self.user_id) or 0


@strawberry.input(description="Omitted fields stay unchanged.")
class UpdateApiKeyInput:
    id: strawberry.ID
    name: str | None = strawberry.UNSET
    scope: ApiKeyScope | None = strawberry.field(default=strawberry.UNSET, description="Null: unchanged.")
    expires_at: datetime | None = strawberry.field(default=strawberry.UNSET, description="Null: never.")
    monthly_credits: int | None = strawberry.field(default=strawberry.UNSET, description="Null: any number.")


@strawberry.type
class ApiKeyPayload(Payload):
    api_key: ApiKey | None = None
    key: str | None = strawberry.field(
        default=None, description="For the `Authorization: Bearer` header; returned only once, by createApiKey."
    )
    errors: list[UserError] = strawberry.field(default_factory=list)
