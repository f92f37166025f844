"""GraphQL types of events: the audit log and admin activity."""

from datetime import datetime

import strawberry
from strawberry.scalars import JSON

import models
from models import ids
from schema.accounts import User
from schema.billing import CreditTransaction
from schema.catalogue import Style
from schema.generations import Generation
from schema.runtime.context import Info
from schema.runtime.enum import AdminActivityKind
from schema.runtime.input import given
from schema.runtime.node import Node
from schema.user_loader import load_user
from services.events.activity import Activity


@strawberry.input(description="Which entries to return; omitted fields match every entry.")
class AuditFilter:
    account: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET,
        description="Those about this account, its generations or its payments, also from when they were a guest's "
        "that was merged into it; of what it did itself as an admin, only what concerns it.",
    )

    def account_id(self) -> str | None:
        """Return the account for the service; an invalid ID matches nothing, where None would match everything."""
        account = given(self.account, None)
        return account if account is None or ids.is_id(account, ids.USER) else ""


@strawberry.type(description="An action of an admin, recorded in the same transaction.")
class AuditEntry(Node):
    row: strawberry.Private[models.AuditEntry]
    at: datetime
    action: str
    target: strawberry.ID | None = strawberry.field(
        description="The ID of the changed object; null: the whole deployment."
    )
    detail: JSON = strawberry.field(description="The request, its reason, and the state before.")

    @strawberry.field(description="The admin; null: the command line or the settings.")
    async def actor(self, info: Info) -> User | None:
        return await load_user(info, self.row.actor_id) if self.row.actor_id is not None else None

    @strawberry.field(
        description="The account that was changed, or that the changed generation or payment belongs to; null: none."
    )
    async def user(self, info: Info) -> User | None:
        target, owner = self.row.target, self.row.detail.get("user")
        user_id = target if target is not None and ids.is_id(target, ids.USER) else owner
        found = await info.context.user_by_id.load(user_id) if user_id is not None else None
        return User.of(found) if found else None

    @strawberry.field(description="The generation that was changed, in its present state; null: none, or deleted.")
    async def generation(self, info: Info) -> Generation | None:
        target = self.row.target
        loader = info.context.generation_by_id
        found = await loader.load(target) if target and ids.is_id(target, ids.GENERATION) else None
        return Generation.of(found) if found else None

    @strawberry.field(description="The style of the catalogue that was changed; null: none, or deleted.")
    async def style(self, info: Info) -> Style | None:
        target = self.row.target
        found = await info.context.style_by_id.load(target) if target and ids.is_id(target, ids.STYLE) else None
        return Style.of(found) if found and found.is_active else None

    @classmethod
    def of(cls, row: models.AuditEntry) -> "AuditEntry":
        return cls(
            id=strawberry.ID(row.id),
            row=row,
            at=row.created_at,
            action=row.action.value,
            target=strawberry.ID(row.target) if row.target is not None else None,
            detail=JSON(row.detail),
        )


@strawberry.type(description="An event in the deployment.")
class AdminActivity:
    activity: strawberry.Private[Activity]
    id: strawberry.ID = strawberry.field(description="A TypeID of this message; no other object has it.")
    at: datetime
    kind: AdminActivityKind
    message: str = strawberry.field(description="In the viewer's language.")

    @strawberry.field(description="The account concerned, or the admin who acted; null: none.")
    async def user(self, info: Info) -> User | None:
        found = await info.context.user_by_id.load(self.activity.user_id) if self.activity.user_id else None
        return User.of(found) if found else None

    @strawberry.field(description="The generation in its present state; null: none, or deleted.")
    async def generation(self, info: Info) -> Generation | None:
        generation_id = self.activity.generation_id
        found = await info.context.generation_by_id.load(generation_id) if generation_id else None
        return Generation.of(found) if found else None

    @strawberry.field(description="The ledger line; null: none was written.")
    async def transaction(self, info: Info) -> CreditTransaction | None:
        transaction_id = self.activity.transaction_id
        found = await info.context.transaction_by_id.load(transaction_id) if transaction_id else None
        return CreditTransaction.of(found) if found else None

    @classmethod
    def of(cls, activity: Activity, text: str) -> "AdminActivity":
        return cls(activity=activity, id=strawberry.ID(activity.id), at=activity.at, kind=activity.kind, message=text)
