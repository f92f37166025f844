"""GraphQL types of billing: the ledger, packages, plans, passes and memberships."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry.scalars import JSON

import models
from schema.generations import Generation
from schema.runtime.context import Info
from schema.runtime.enum import PlanKind, Quality, TransactionStatus, TransactionType
from schema.runtime.input import given
from schema.runtime.node import Node
from schema.user_loader import load_user, present_user
from services.billing import ledger, ledger_description, passes
from services.billing.credits_topic import CreditsUpdate
from services.billing.membership import CurrentMembership
from services.billing.referral import ReferralCounts

if TYPE_CHECKING:
    from schema.accounts import User


@strawberry.type(description="A number of credits for sale.")
class CreditPackage(Node):
    slug: str
    credits: int
    price: int = strawberry.field(description="In the currency's minor units.")
    currency: str = strawberry.field(description="ISO 4217, in lower case.")
    credits_expire_days: int | None = strawberry.field(description="Days after which the credits expire; null: never.")

    @classmethod
    def of(cls, row: models.CreditPackage) -> "CreditPackage":
        return cls(
            id=strawberry.ID(row.id),
            slug=row.slug,
            credits=row.credits,
            price=row.price,
            currency=row.currency,
            credits_expire_days=row.credits_expire_days,
        )


@strawberry.type(description="A monthly plan or a pass for sale.")
class Plan(Node):
    row: strawberry.Private[models.Plan]
    slug: str
    kind: PlanKind
    price: int | None = strawberry.field(description="In the currency's minor units; null: sold on request only.")
    currency: str | None = strawberry.field(description="ISO 4217, in lower case.")
    credits_per_month: int | None = strawberry.field(description="Null for a pass, and for a plan that grants none.")
    credits_expire_days: int | None = strawberry.field(
        description="Days after which a month's credits expire; null: never, or it grants none."
    )
    rollover: int | None = strawberry.field(
        description="The most unused credits that the next month keeps; the others expire when it begins. Null: each "
        "month's credits expire by themselves."
    )
    duration_hours: int | None = strawberry.field(description="Hours that a pass lasts; null for a monthly plan.")
    images_per_hour: int | None = strawberry.field(description="Null for a monthly plan.")
    videos_per_hour: int | None = strawberry.field(description="Null for a monthly plan.")
    quality: Quality | None = strawberry.field(description="The highest that a pass pays for; null: any.")
    collections: list[str] | None = strawberry.field(
        description="Slugs of the collections that a pass pays for; null: all."
    )
    priority: bool = strawberry.field(description="Whether generations precede those without priority in the queue.")
    unlimited: bool = strawberry.field(description="Whether every generation is included, without credits.")
    api_access: bool
    max_batch: int = strawberry.field(description="The most generations that one request may create.")

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
            credits_expire_days=row.credits_expire_days,
            rollover=row.rollover,
            duration_hours=row.duration_hours,
            images_per_hour=row.images_per_hour,
            videos_per_hour=row.videos_per_hour,
            quality=row.quality,
            collections=row.collections,
            priority=row.priority,
            unlimited=row.unlimited,
            api_access=row.api_access,
            max_batch=row.max_batch,
        )


@strawberry.type(description="How many images or videos a pass includes in its current hour.")
class Allowance:
    per_hour: int
    used: int = strawberry.field(description="In the current hour.")
    remaining: int = strawberry.field(description="In the current hour.")
    resets_at: datetime = strawberry.field(description="When the next hour of the pass begins.")
    used_in_total: int = strawberry.field(description="In all hours of the pass.")

    @classmethod
    def of(cls, found: passes.Allowance) -> "Allowance":
        return cls(
            per_hour=found.per_hour,
            used=found.used,
            remaining=found.remaining,
            resets_at=found.resets_at,
            used_in_total=found.used_in_total,
        )


@strawberry.type(description="A purchase with hourly allowances for a limited time; its hours count from `startedAt`.")
class Pass:
    plan_id: strawberry.Private[str]
    started_at: datetime
    expires_at: datetime
    images: Allowance
    videos: Allowance
    quality: Quality | None = strawberry.field(description="The highest that it pays for; null: any.")
    collections: list[str] | None = strawberry.field(
        description="Slugs of the collections that it pays for; null: all."
    )

    @strawberry.field(description="The plan as sold today; `images` and `videos` are those at the time of purchase.")
    async def plan(self, info: Info) -> Plan:
        found = await info.context.plan_by_id.load(self.plan_id)
        if found is None:
            raise LookupError(f"{self.plan_id} does not exist")  # a foreign key forbids it
        return Plan.of(found)

    @classmethod
    def of(cls, found: passes.ActivePass) -> "Pass":
        return cls(
            plan_id=found.plan_id,
            started_at=found.started_at,
            expires_at=found.expires_at,
            images=Allowance.of(found.images),
            videos=Allowance.of(found.videos),
            quality=found.quality,
            collections=list(found.collections) if found.collections is not None else None,
        )


@strawberry.type(description="A pass that is paid for and has not begun yet.")
class FollowingPass:
    plan_id: strawberry.Private[str]
    starts_at: datetime = strawberry.field(description="When the passes before it end; earlier if one is refunded.")
    expires_at: datetime
    images_per_hour: int
    videos_per_hour: int

    @strawberry.field(description="The plan as sold today; the allowances are those at the time of purchase.")
    async def plan(self, info: Info) -> Plan:
        found = await info.context.plan_by_id.load(self.plan_id)
        if found is None:
            raise LookupError(f"{self.plan_id} does not exist")  # a foreign key forbids it
        return Plan.of(found)

    @classmethod
    def all_of(cls, found: list[passes.FollowingPass] | None) -> "list[FollowingPass]":
        return [cls(**vars(one)) for one in found or ()]


@strawberry.type(description="The accounts that signed up with an account's referral code.")
class Referrals:
    signed_up: int = strawberry.field(description="Those that still exist.")
    rewarded: int = strawberry.field(description="Those that brought the bonus.")

    @classmethod
    def of(cls, found: ReferralCounts | None) -> "Referrals":
        return cls(signed_up=found.signed_up, rewarded=found.rewarded) if found else cls(signed_up=0, rewarded=0)


@strawberry.type(description="The membership of an account.")
class Membership:
    plan: Plan | None = strawberry.field(description="Null: granted by an admin.")
    started_at: datetime
    renews_at: datetime | None = strawberry.field(description="Null: it does not renew.")
    ends_at: datetime | None = strawberry.field(
        description="When a membership ends that was canceled, or granted until then; null: it does not."
    )
    is_granted: bool = strawberry.field(description="Whether an admin granted it, so that nothing is paid for it.")

    @classmethod
    def of(cls, standing: CurrentMembership) -> "Membership":
        return cls(
            plan=Plan.of(standing.plan) if standing.plan else None,
            started_at=standing.started_at,
            renews_at=standing.renews_at,
            ends_at=standing.ends_at,
            is_granted=standing.is_granted,
        )


@strawberry.type(description="Credits of an account that expire together.")
class ExpiringCredits:
    credits: int = strawberry.field(description="What is left of them.")
    expires_at: datetime

    @classmethod
    def of(cls, grants: Iterable[models.CreditGrant]) -> "list[ExpiringCredits]":
        """Return what is left by time of expiry, soonest first."""
        credits: dict[datetime, int] = {}
        for grant in grants:
            credits[grant.expires_at] = credits.get(grant.expires_at, 0) + grant.remaining
        return [cls(credits=number, expires_at=moment) for moment, number in sorted(credits.items())]


@strawberry.type(description="A line of the ledger; it never changes.")
class CreditTransaction(Node):
    row: strawberry.Private[models.CreditTransaction]
    sequence: int = strawberry.field(description="Numbers the account's lines from 1 in commit order, without gaps.")
    type: TransactionType
    status: TransactionStatus
    amount: int = strawberry.field(description="Credits; negative: taken from the account.")
    balance: int = strawberry.field(description="Credits after this line.")
    metadata: JSON | None
    price: int | None = strawberry.field(
        description="Paid for a purchase or a month, in the currency's minor units; null for other lines."
    )
    currency: str | None = strawberry.field(description="ISO 4217, in lower case.")
    created_at: datetime

    @strawberry.field(description="When the credits that this line gave expire; null: never, or it took some.")
    def expires_at(self) -> datetime | None:
        return ledger.expires_at(self.row)

    @strawberry.field(description="In the viewer's language.")
    def description(self, info: Info) -> str:
        return info.context.translate(ledger_description.describe(self.row))

    @strawberry.field
    async def user(self, info: Info) -> Annotated["User", strawberry.lazy("schema.accounts")]:
        return await load_user(info, self.row.user_id)

    @strawberry.field(description="The generation that was charged or refunded; null: none, or deleted.")
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


@strawberry.input(description="Which lines to return; omitted fields match every line.")
class TransactionFilter:
    type: list[TransactionType] | None = strawberry.UNSET
    created_after: datetime | None = strawberry.UNSET
    created_before: datetime | None = strawberry.UNSET

    def criteria(self) -> ledger.TransactionFilter:
        """Return the filter for the service."""
        types: list[TransactionType] | None = given(self.type, None)
        return ledger.TransactionFilter(
            types=tuple(types) if types is not None else None,
            created_after=given(self.created_after, None),
            created_before=given(self.created_before, None),
        )


@strawberry.type(description="A change of an account's credits, pass or membership, or their present state.")
class CreditsChange:
    user_id: strawberry.Private[str]
    credits: int
    version: int = strawberry.field(description="The account's version.")
    transaction: CreditTransaction | None = strawberry.field(
        description="Null in the first message, and where only an entitlement changed."
    )
    pass_: Pass | None = strawberry.field(
        name="pass",
        description="The active pass; its start, its end and every use or return of an allowance is a change. Null: "
        "none.",
    )
    membership: Membership | None = strawberry.field(
        description="The active membership; its start, change and end are published. Null: none."
    )

    @strawberry.field(description="The account in its present state, which may be newer than this change.")
    async def user(self, info: Info) -> Annotated["User", strawberry.lazy("schema.accounts")]:
        return await present_user(info, self.user_id)

    @classmethod
    def of(cls, update: CreditsUpdate) -> "CreditsChange":
        line, benefits = update.line, update.benefits
        return cls(
            user_id=update.user_id,
            credits=update.credits,
            version=update.version,
            transaction=CreditTransaction.of(line) if line else None,
            pass_=Pass.of(benefits.pass_) if benefits.pass_ else None,
            membership=Membership.of(benefits.membership) if benefits.membership else None,
        )
