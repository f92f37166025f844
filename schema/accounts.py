"""Accounts as the API shows them: users, sessions, API keys, verification, statistics, export and deletion."""

from datetime import datetime
from typing import Self

import strawberry

import models
from models import ids
from schema.billing import CreditTransaction, Membership, Pass, TransactionFilter
from schema.generations import Generation, GenerationFilter, generation_key
from schema.runtime.connection import Connection, page_request
from schema.runtime.context import Info
from schema.runtime.enum import GenerationOrder, Role
from schema.runtime.node import Node, known_id
from schema.runtime.payload import Payload
from schema.runtime.user_error import UserError
from services.billing import ledger
from services.billing.entitlement import is_member
from services.core.error import NotFoundError
from services.gallery import gallery
from services.gallery.user_stats import Stats


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
class ApiKeyPayload(Payload):
    api_key: ApiKey | None = None
    key: str | None = strawberry.field(default=None, description="For `Authorization: Bearer`; shown once.")
    errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type(description="What an account has made and spent; deleted generations are not counted.")
class UserStats:
    total_generations: int = strawberry.field(description="Completed.")
    failed_generations: int
    favorites: int
    credits_spent: int = strawberry.field(description="Deductions less refunds, deleted generations included.")
    last_generation_at: datetime | None

    @classmethod
    def of(cls, stats: Stats) -> Self:
        return cls(
            total_generations=stats.total_generations,
            failed_generations=stats.failed_generations,
            favorites=stats.favorites,
            credits_spent=stats.credits_spent,
            last_generation_at=stats.last_generation_at,
        )


@strawberry.type(description="An account.")
class User(Node):
    row: strawberry.Private[models.User]
    email: str | None = strawberry.field(description="The owner and admins.")
    email_verified: bool
    name: str | None
    image: str | None = strawberry.field(description="From an identity provider; accounts made here have none.")
    role: Role
    locale: str | None = strawberry.field(description="Null until chosen.")
    suspended_at: datetime | None = strawberry.field(description="By an admin; such an account is signed in nowhere.")
    credits: int
    is_member: bool = strawberry.field(description="An active subscription, or granted by an admin.")
    version: int = strawberry.field(
        description="Grows by one with every committed change of balance, entitlement, profile, or a generation's "
        "existence or status; stages and progress move Generation.version only."
    )
    created_at: datetime

    @strawberry.field(description="How many pictures one request may ask for.")
    async def max_batch(self, info: Info) -> int:
        return (await info.context.services.billing.entitlements.of(self.row)).max_batch

    @strawberry.field(description="The active monthly plan.")
    async def membership(self, info: Info) -> Membership | None:
        standing = await info.context.membership_by_user.load(self.row)
        return Membership.of(standing) if standing else None

    @strawberry.field(description="Whoever signs up with it and pays for an order brings both of you a bonus.")
    async def referral_code(self, info: Info) -> str:
        return await info.context.services.billing.referrals.code_of(self.row)

    @strawberry.field(name="pass", description="The active time-boxed pass; one that follows it is not active yet.")
    async def active_pass(self, info: Info) -> Pass | None:
        found = await info.context.pass_by_user.load(self.row.id)
        return Pass.of(found) if found else None

    @strawberry.field
    async def stats(self, info: Info) -> UserStats:
        return UserStats.of(await info.context.stats_by_user.load(self.row.id))

    @strawberry.field
    async def generation(self, info: Info, id: strawberry.ID) -> Generation | None:
        try:
            known = known_id(id, ids.GENERATION)
            return Generation.of(await info.context.services.generations.requests.get(self.row.id, known))
        except NotFoundError:
            return None

    @strawberry.field(description="Neither first nor last: 20; outside 1 to 100: INVALID_INPUT.")
    async def generations(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        filter: GenerationFilter | None = None,
        order_by: GenerationOrder | None = gallery.GenerationOrder.NEWEST,
    ) -> Connection[Generation]:
        order = order_by or gallery.GenerationOrder.NEWEST
        page = await info.context.services.gallery.lists.generations(
            self.row.id,
            page_request(generation_key(order), first, after, last, before, order),
            filter.wanted() if filter else gallery.GenerationFilter(),
            order,
        )
        return Connection.of(page, Generation.of, order)

    @strawberry.field(description="The ledger, newest first.")
    async def transactions(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        filter: TransactionFilter | None = None,
    ) -> Connection[CreditTransaction]:
        page = await info.context.services.billing.ledger.transactions(
            self.row.id,
            page_request(int, first, after, last, before),
            filter.wanted() if filter else ledger.TransactionFilter(),
        )
        return Connection.of(page, CreditTransaction.of)

    @strawberry.field(
        description="Where a paying member manages the plan; their own sign-in only, null otherwise. Ask for it when "
        "it is needed: it is made anew each time, and whoever has it needs no password."
    )
    async def billing_portal_url(self, info: Info) -> str | None:
        viewer = info.context.viewer
        if viewer is None or viewer.id != self.row.id or info.context.uses_api_key:
            return None
        return await info.context.services.payments.checkouts.portal_url(self.row)

    @strawberry.field(description="Newest first.")
    async def api_keys(self, info: Info) -> list[ApiKey]:
        return [ApiKey.of(row) for row in await info.context.api_keys_by_user.load(self.row.id)]

    @classmethod
    def of(cls, row: models.User) -> "User":
        return cls(
            id=strawberry.ID(row.id),
            row=row,
            email=row.email if row.deleted_at is None else None,
            email_verified=row.email_verified,
            name=row.name,
            image=None,
            role=row.role,
            locale=row.locale,
            suspended_at=row.suspended_at,
            credits=row.credits,
            is_member=is_member(row),
            version=row.version,
            created_at=row.created_at,
        )


@strawberry.input
class SignUpInput:
    email: str
    password: str
    name: str | None = strawberry.UNSET
    locale: str | None = strawberry.UNSET
    referral_code: str | None = strawberry.field(
        default=strawberry.UNSET, description="Of whoever brought the new account; an unknown one: INVALID_INPUT."
    )


@strawberry.input
class SignInInput:
    email: str
    password: str
    cookie: bool | None = strawberry.field(
        default=False, description="Keep the sign-in in an HttpOnly cookie; `token` is null then."
    )


@strawberry.input(description="What is left out stays as it is.")
class UpdateProfileInput:
    name: str | None = strawberry.UNSET
    locale: str | None = strawberry.UNSET


@strawberry.input
class ChangePasswordInput:
    current: str
    new: str


@strawberry.type
class SessionPayload(Payload):
    token: str | None = strawberry.field(default=None, description="For `Authorization: Bearer`; shown once.")
    expires_at: datetime | None = None
    user: User | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type
class SignOutPayload:
    sessions_ended: int


@strawberry.type
class UserPayload(Payload):
    user: User | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.input
class DeleteAccountInput:
    password: str | None = strawberry.field(
        default=strawberry.UNSET, description="Not asked of an account that has none."
    )
    confirm_email: str = strawberry.field(description="The account's own address.")


@strawberry.type(description="A zip of everything in an account: data.json, and the pictures.")
class DataExport:
    url: str | None = strawberry.field(
        description="Null while it is being made. It may end before `expiresAt`; ask again."
    )
    expires_at: datetime | None = strawberry.field(description="When the file is removed.")


@strawberry.type
class DataExportPayload(Payload):
    data_export: DataExport | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type
class SentPayload(Payload):
    sent: bool = False
    errors: list[UserError] = strawberry.field(default_factory=list)
