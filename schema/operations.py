"""Operations as admins see them: maintenance, analytics and the ledger check."""

import strawberry

from schema.runtime.context import Info
from schema.runtime.payload import Payload
from schema.runtime.user_error import UserError
from services.operations import analytics, analytics_report, ledger_check
from services.operations.maintenance import MaintenanceState


@strawberry.type(
    description="Asked anew each time, and only what is selected; UNAVAILABLE where it takes too long beside the work. "
    "The audit of every hour and `main.py verify` look at much more."
)
class LedgerCheck:
    @strawberry.field(description="Accounts, those that are gone included.")
    async def users_checked(self, info: Info) -> int:
        return await info.context.services.operations.ledger_check.users_checked()

    @strawberry.field(
        description=f"Accounts whose balance is not their ledger's sum; {ledger_check.MAX_MISMATCHES} at most."
    )
    async def mismatches(self, info: Info) -> list[strawberry.ID]:
        return [strawberry.ID(id) for id in await info.context.services.operations.ledger_check.mismatches()]

    @strawberry.field(description="Generations that should have ended long ago.")
    async def stuck_generations(self, info: Info) -> int:
        return await info.context.services.operations.ledger_check.stuck_generations()

    @strawberry.field(description="Stored objects that no row knows, and files that nothing shows.")
    async def orphan_files(self, info: Info) -> int:
        return await info.context.services.operations.ledger_check.orphan_files()


@strawberry.type(description="What is switched off for the whole deployment.")
class Maintenance:
    read_only: bool = strawberry.field(description="Every change by people is refused with UNAVAILABLE.")
    providers_off: list[str] = strawberry.field(
        description="Orders are refused with UNAVAILABLE, and what waits goes on waiting."
    )
    daily_spend_cap: float | None = strawberry.field(
        description="US dollars paid to providers in one UTC day, after which orders are refused with UNAVAILABLE."
    )
    spent_today: float = strawberry.field(description="US dollars, since midnight UTC.")

    @classmethod
    def of(cls, state: MaintenanceState) -> "Maintenance":
        return cls(
            read_only=state.read_only,
            providers_off=list(state.providers_off),
            daily_spend_cap=state.daily_spend_cap,
            spent_today=state.spent_today,
        )


@strawberry.input(description="What is left out stays as it is.")
class MaintenanceInput:
    read_only: bool | None = strawberry.UNSET
    providers_off: list[str] | None = strawberry.field(
        default=strawberry.UNSET, description="All that shall be off, by name; an empty list switches all on."
    )
    daily_spend_cap: float | None = strawberry.field(default=strawberry.UNSET, description="Null: no cap.")


@strawberry.type
class MaintenancePayload(Payload):
    maintenance: Maintenance | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type(description="Generations that have something in common.")
class MetricBucket:
    key: str
    count: int
    failed: int
    credits: int = strawberry.field(description="That they cost, without those that were refunded.")

    @classmethod
    def of(cls, bucket: analytics_report.Bucket) -> "MetricBucket":
        return cls(key=bucket.key, count=bucket.count, failed=bucket.failed, credits=bucket.credits)


@strawberry.type(description="How the passes of one plan were bought and used.")
class PlanMetric:
    plan: str = strawberry.field(description="Its slug.")
    passes_sold: int = strawberry.field(description="In the window.")
    passes_expired: int = strawberry.field(description="In the window, those that were not taken back.")
    average_images: float | None = strawberry.field(description="Per expired pass.")
    average_videos: float | None = strawberry.field(description="Per expired pass.")

    @classmethod
    def of(cls, sales: analytics_report.PlanSales) -> "PlanMetric":
        return cls(
            plan=sales.plan,
            passes_sold=sales.sold,
            passes_expired=sales.expired,
            average_images=sales.average_images,
            average_videos=sales.average_videos,
        )


@strawberry.type(
    description="The figures of a window: its beginning belongs to it, its end does not. What is selected is computed, "
    "and nothing else. Generations are those ordered in the window, deleted ones included."
)
class Metrics:
    window: strawberry.Private[analytics.AnalyticsWindow]

    @strawberry.field(description="Ordered.")
    async def generations(self) -> int:
        return (await self.window.outcomes).generations

    @strawberry.field(description="Of those, by now.")
    async def completed(self) -> int:
        return (await self.window.outcomes).completed

    @strawberry.field(description="Of those, by now.")
    async def failed(self) -> int:
        return (await self.window.outcomes).failed

    @strawberry.field(description="Of those, by now.")
    async def canceled(self) -> int:
        return (await self.window.outcomes).canceled

    @strawberry.field(description="Completed of completed and failed, 0 to 1; null when nothing ended.")
    async def success_rate(self) -> float | None:
        return (await self.window.outcomes).success_rate

    @strawberry.field(description="From the order to the picture, to the hundredth; null without a picture.")
    async def average_seconds(self) -> float | None:
        return (await self.window.durations).average

    @strawberry.field(description="Half of the pictures came within so many seconds.")
    async def p50_seconds(self) -> float | None:
        return (await self.window.durations).p50

    @strawberry.field(description="95 of 100 pictures came within so many seconds.")
    async def p95_seconds(self) -> float | None:
        return (await self.window.durations).p95

    @strawberry.field(description="Taken by deductions in the window.")
    async def credits_spent(self) -> int:
        return (await self.window.ledger).spent

    @strawberry.field(description="Given back by refunds of generations in the window.")
    async def credits_refunded(self) -> int:
        return (await self.window.ledger).refunded

    @strawberry.field(description="Bought as packages or granted by paid months in the window.")
    async def credits_purchased(self) -> int:
        return (await self.window.ledger).purchased

    @strawberry.field(description="US dollars, as the providers reported them.")
    async def provider_cost(self) -> float:
        return (await self.window.outcomes).provider_cost

    @strawberry.field(description="Accounts that ordered.")
    async def active_users(self) -> int:
        return (await self.window.users).active

    @strawberry.field(description="Of those, with an order at least 24 hours after the account's first one.")
    async def returning_users(self) -> int:
        return (await self.window.users).returning

    @strawberry.field(description="Generations that wait right now, whatever the window.")
    async def queue_depth(self) -> int:
        return await self.window.queue_depth()

    @strawberry.field(
        description=f"`collection/style`, the {analytics.MAX_BUCKETS} with most generations first;"
        " `own`: people's own styles."
    )
    async def by_style(self) -> list[MetricBucket]:
        return [MetricBucket.of(bucket) for bucket in (await self.window.outcomes).by_style]

    @strawberry.field(description="By the hour of the day in UTC, `00` to `23`: popular hours.")
    async def by_hour(self) -> list[MetricBucket]:
        return [MetricBucket.of(bucket) for bucket in await self.window.by_hour]

    @strawberry.field(description="Those whose provider was called, most generations first.")
    async def by_provider(self) -> list[MetricBucket]:
        return [MetricBucket.of(bucket) for bucket in (await self.window.outcomes).by_provider]

    @strawberry.field(description="Failed ones by their ErrorCode, the most frequent first.")
    async def by_error(self) -> list[MetricBucket]:
        return [MetricBucket.of(bucket) for bucket in (await self.window.outcomes).by_error]

    @strawberry.field(description="Passes that were sold or expired.")
    async def by_plan(self) -> list[PlanMetric]:
        return [PlanMetric.of(sales) for sales in await self.window.plans]
