"""Billing as the API shows it: the ledger, packages, plans, passes and memberships."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry.scalars import JSON

import models
from schema.generations import Generation
from schema.runtime.context import Info
from schema.runtime.enum import PlanKind, TransactionStatus, TransactionType
from schema.runtime.input import given
from schema.runtime.node import Node
from schema.user_loader import load_user
from services.billing import ledger, ledger_description, passes
from services.billing.benefits import Benefits
from services.billing.membership import CurrentMembership

if TYPE_CHECKING:
    from schema.accounts import User


@strawberry.type(description="A number of credits at a price.")
class CreditPackage(Node):
    slug: str
    credits: int
    price: int = strawberry.field(description="In the currency's minor units.")
    currency: str = strawberry.field(description="ISO 4217, in lower case.")

    @classmethod
    def of(cls, row: models.CreditPackage) -> "CreditPackage":
        return cls(id=strawberry.ID(row.id), slug=row.slug, credits=row.credits, price=row.price, currency=row.currency)


@strawberry.type(description="A monthly plan, or a pass.")
class Plan(Node):
    row: strawberry.Private[models.Plan]
    slug: str
    kind: PlanKind
    price: int | None = strawberry.field(description="In the currency's minor units. Null: on request.")
    currency: str | None = strawberry.field(description="ISO 4217, in lower case.")
    credits_per_month: int | None
    duration_hours: int | None = strawberry.field(description="Of a pass.")
    images_per_hour: int | None
    videos_per_hour: int | None
    priority: bool = strawberry.field(description="Jumps the queue.")
    unlimited: bool = strawberry.field(description="Pays for every picture.")
    api_access: bool
    max_batch: int = strawberry.field(description="Pictures of one request.")

    @strawberry.field
    def title(self, info: Info) -> str:
        return info.context.localize(self.row.title)

    @classmethod
    def of(cls, row: models.Plan) -> "Plan":
        return cls(
            id=strawberry.ID(row.id),
            row=row,
            slug=row.slug,
            kind=row.kind,
            price=row.price,
            currency=row.currency,
            credits_per_month=row.credits_per_month,
            duration_hours=row.duration_hours,
            images_per_hour=row.images_per_hour,
            videos_per_hour=row.videos_per_hour,
            priority=row.priority,
            unlimited=row.unlimited,
            api_access=row.api_access,
            max_batch=row.max_batch,
        )


@strawberry.type(description="How much of one medium a pass gives in its present hour.")
class Allowance:
    per_hour: int
    used: int = strawberry.field(description="In the present hour.")
    remaining: int = strawberry.field(description="In the present hour.")
    resets_at: datetime = strawberry.field(description="When the next hour of the pass begins.")
    used_in_total: int = strawberry.field(description="In all its hours.")

    @classmethod
    def of(cls, found: passes.Allowance) -> "Allowance":
        return cls(
            per_hour=found.per_hour,
            used=found.used,
            remaining=found.remaining,
            resets_at=found.resets_at,
            used_in_total=found.used_in_total,
        )


@strawberry.type(description="A time-boxed purchase with hourly allowances; its hours run from `startedAt`.")
class Pass:
    plan_id: strawberry.Private[str]
    started_at: datetime
    expires_at: datetime
    images: Allowance
    videos: Allowance

    @strawberry.field(description="As it is sold today; `images` and `videos` are as they were when this was bought.")
    async def plan(self, info: Info) -> Plan:
        found = await info.context.plan_by_id.load(self.plan_id)
        if found is None:
            raise LookupError(f"{self.plan_id} is gone")  # the table forbids it
        return Plan.of(found)

    @classmethod
    def of(cls, found: passes.ActivePass) -> "Pass":
        return cls(
            plan_id=found.plan_id,
            started_at=found.started_at,
            expires_at=found.expires_at,
            images=Allowance.of(found.images),
            videos=Allowance.of(found.videos),
        )


@strawberry.type(description="What makes an account a member.")
class Membership:
    plan: Plan | None = strawberry.field(description="Null when an admin granted it.")
    started_at: datetime
    renews_at: datetime | None
    ends_at: datetime | None = strawberry.field(description="Canceled, but still running.")

    @classmethod
    def of(cls, standing: CurrentMembership) -> "Membership":
        return cls(
            plan=Plan.of(standing.plan) if standing.plan else None,
            started_at=standing.started_at,
            renews_at=standing.renews_at,
            ends_at=standing.ends_at,
        )


@strawberry.type(description="One line of the ledger; it never changes.")
class CreditTransaction(Node):
    row: strawberry.Private[models.CreditTransaction]
    sequence: int = strawberry.field(description="Per account, without gaps, in the order of commits.")
    type: TransactionType
    status: TransactionStatus
    amount: int = strawberry.field(description="Credits, negative when they leave.")
    balance: int = strawberry.field(description="Credits after this line.")
    metadata: JSON | None
    price: int | None = strawberry.field(description="What was paid for a purchase or a month, in minor units.")
    currency: str | None = strawberry.field(description="ISO 4217, in lower case.")
    created_at: datetime

    @strawberry.field(description="In the caller's language.")
    def description(self, info: Info) -> str:
        return info.context.translate(ledger_description.describe(self.row))

    @strawberry.field
    async def user(self, info: Info) -> Annotated["User", strawberry.lazy("schema.accounts")]:
        return await load_user(info, self.row.user_id)

    @strawberry.field(description="What was paid for or refunded; null when it is gone.")
    async def generation(self, info: Info) -> Generation | None:
        if self.row.generation_id is None:
            return None
        found = await info.context.generation_by_id.load(self.row.generation_id)
        return Generation.of(found) if found else None

    @classmethod
    def of(cls, row: models.CreditTransaction) -> "CreditTransaction":
        return cls(
            id=strawberry.ID(row.id),
            row=row,
            sequence=row.sequence,
            type=row.type,
            status=row.status,
            amount=row.amount,
            balance=row.balance,
            metadata=JSON(row.metadata) if row.metadata is not None else None,
            price=row.price,
            currency=row.currency,
            created_at=row.created_at,
        )


@strawberry.input(description="Which lines to show; what is left out does not matter.")
class TransactionFilter:
    type: list[TransactionType] | None = strawberry.UNSET
    created_after: datetime | None = strawberry.UNSET
    created_before: datetime | None = strawberry.UNSET

    def wanted(self) -> ledger.TransactionFilter:
        """What the service is asked for."""
        types: list[TransactionType] | None = given(self.type, None)
        return ledger.TransactionFilter(
            types=tuple(types) if types is not None else None,
            created_after=given(self.created_after, None),
            created_before=given(self.created_before, None),
        )


@strawberry.type(description="A change of an account's credits, pass or membership, or its present state.")
class CreditsChange:
    credits: int
    version: int = strawberry.field(description="The account's.")
    transaction: CreditTransaction | None = strawberry.field(
        description="Null on the opening message, and when only an entitlement changed."
    )
    pass_: Pass | None = strawberry.field(
        name="pass", description="Told whenever an allowance is used or given back, or a pass starts or ends."
    )
    membership: Membership | None = strawberry.field(description="Told whenever it starts, changes or ends.")

    @classmethod
    def of(cls, credits: int, version: int, line: models.CreditTransaction | None, rights: Benefits) -> "CreditsChange":
        return cls(
            credits=credits,
            version=version,
            transaction=CreditTransaction.of(line) if line else None,
            pass_=Pass.of(rights.pass_) if rights.pass_ else None,
            membership=Membership.of(rights.membership) if rights.membership else None,
        )
