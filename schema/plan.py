"""What is sold for money: packages of credits, monthly plans and passes."""

import strawberry

import models
from schema.context import Info
from schema.enum import PlanKind
from schema.node import Node


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
        return info.context.choose(self.row.title)

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
