"""Memberships, as their owners see them."""

from datetime import datetime

import strawberry

from schema.plan import Plan
from services.billing.membership import Standing


@strawberry.type(description="What makes an account a member.")
class Membership:
    plan: Plan | None = strawberry.field(description="Null when an admin granted it.")
    started_at: datetime
    renews_at: datetime | None
    ends_at: datetime | None = strawberry.field(description="Canceled, but still running.")

    @classmethod
    def of(cls, standing: Standing) -> "Membership":
        return cls(
            plan=Plan.of(standing.plan) if standing.plan else None,
            started_at=standing.started_at,
            renews_at=standing.renews_at,
            ends_at=standing.ends_at,
        )
