"""GraphQL types of charts: statistics by time, and by account."""

from datetime import datetime

import strawberry

from schema.accounts import User
from schema.runtime.context import Info
from schema.user_loader import load_user
from services.operations import analytics_report


@strawberry.type(description="Generations requested in one interval.")
class MetricPoint:
    start: datetime
    generations: int
    completed: int
    failed: int
    canceled: int
    credits: int = strawberry.field(description="Charged for them, refunded generations excluded.")
    provider_cost: float = strawberry.field(
        description="US dollars as reported by the providers, or as expected where no answer said it."
    )
    active_users: int = strawberry.field(description="Accounts that requested one.")

    @classmethod
    def of(cls, point: analytics_report.Point) -> "MetricPoint":
        return cls(
            start=point.start,
            generations=point.generations,
            completed=point.completed,
            failed=point.failed,
            canceled=point.canceled,
            credits=point.credits,
            provider_cost=point.provider_cost,
            active_users=point.active_users,
        )


@strawberry.type(description="Generations of one account.")
class AccountMetric:
    user_id: strawberry.Private[str]
    count: int
    completed: int
    failed: int
    credits: int = strawberry.field(description="Charged for them, refunded generations excluded.")
    provider_cost: float = strawberry.field(
        description="US dollars as reported by the providers, or as expected where no answer said it."
    )

    @strawberry.field
    async def user(self, info: Info) -> User:
        return await load_user(info, self.user_id)

    @classmethod
    def of(cls, use: analytics_report.AccountUse) -> "AccountMetric":
        return cls(
            user_id=use.user_id,
            count=use.count,
            completed=use.completed,
            failed=use.failed,
            credits=use.credits,
            provider_cost=use.provider_cost,
        )
