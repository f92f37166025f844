"""GraphQL types of operations: maintenance, analytics and the ledger check."""

import strawberry

from schema.metric_series import AccountMetric, MetricPoint
from schema.runtime.context import Info
from schema.runtime.enum import MetricInterval
from schema.runtime.payload import Payload
from schema.runtime.user_error import UserError
from services.operations import analytics, analytics_report, ledger_check
from services.operations.maintenance import MaintenanceState


@strawberry.type(
    description="Consistency checks, run for each request and only where selected; UNAVAILABLE where a check takes too "
    "long. The hourly audit and `main.py verify` check more."
)
class LedgerCheck:
    @strawberry.field(description="Accounts, deleted ones included.")
    async def users_checked(self, info: Info) -> int:
        return await info.context.services.operations.ledger_check.users_checked()

    @strawberry.field(
        description=f"IDs of accounts whose balance is not the sum of their ledger; {ledger_check.MAX_MISMATCHES} at "
        f"most.",
    )
    async def mismatches(self, info: Info) -> list[strawberry.ID]:
        return [strawberry.ID(id) for id in await info.context.services.operations.ledger_check.mismatches()]

    @strawberry.field(description="Generations that should have reached a final status long ago.")
    async def stuck_generations(self, info: Info) -> int:
        return await info.context.services.operations.ledger_check.stuck_generations()

    @strawberry.field(description="Stored objects without a row, and files that no object refers to.")
    async def orphan_files(self, info: Info) -> int:
        return await info.context.services.operations.ledger_check.orphan_files()


@strawberry.type(description="The maintenance switches of the whole deployment.")
class Maintenance:
    read_only: bool = strawberry.field(description="Whether mutations of users are refused with UNAVAILABLE.")
    providers_off: list[str] = strawberry.field(
        description="Providers that are off: new requests are refused with UNAVAILABLE, and queued generations wait."
    )
    daily_spend_cap: float | None = strawberry.field(
        description="US dollars paid to providers in one UTC day, after which new requests are refused with "
        "UNAVAILABLE; null: no cap."
    )
    spent_today: float = strawberry.field(description="US dollars paid to providers since midnight UTC.")

    @strawberry.field(description="Those that `providersOff` may name.")
    def providers(self, info: Info) -> list[str]:
        return info.context.services.operations.maintenance.providers

    @classmethod
    def of(cls, state: MaintenanceState) -> "Maintenance":
        return cls(
            read_only=state.read_only,
            providers_off=list(state.providers_off),
            daily_spend_cap=state.daily_spend_cap,
            spent_today=state.spent_today,
        )


@strawberry.input
class ProviderSwitchInput:
    name: str
    is_off: bool


@strawberry.input(description="Omitted fields stay unchanged.")
class MaintenanceInput:
    read_only: bool | None = strawberry.UNSET
    providers_off: list[str] | None = strawberry.field(
        default=strawberry.UNSET, description="The names of all providers to switch off; an empty list switches all on."
    )
    provider: ProviderSwitchInput | None = strawberry.field(
        default=strawberry.UNSET, description="One provider to switch off or on; the others stay as they are."
    )
    daily_spend_cap: float | None = strawberry.field(
        default=strawberry.UNSET, description="US dollars in one UTC day; null: no cap."
    )


@strawberry.type
class MaintenancePayload(Payload):
    maintenance: Maintenance | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type(description="Generations grouped by one property.")
class MetricBucket:
    key: str
    count: int
    failed: int
    credits: int = strawberry.field(description="Charged for them, refunded generations excluded.")

    @classmethod
    def of(cls, bucket: analytics_report.Bucket) -> "MetricBucket":
        return cls(key=bucket.key, count=bucket.count, failed=bucket.failed, credits=bucket.credits)


@strawberry.type(description="Sales and use of the passes of one plan.")
class PlanMetric:
    plan: str = strawberry.field(description="The plan's slug.")
    passes_sold: int = strawberry.field(description="In the window.")
    passes_expired: int = strawberry.field(description="In the window, revoked passes excluded.")
    average_images: float | None = strawberry.field(description="Per expired pass; null: none expired.")
    average_videos: float | None = strawberry.field(description="Per expired pass; null: none expired.")

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
    description="Statistics of a time window, start inclusive and end exclusive; only selected fields are computed. "
    "Generations are those requested in the window, deleted ones included."
)
class Metrics:
    window: strawberry.Private[analytics.AnalyticsWindow]

    @strawberry.field(description="Requested.")
    async def generations(self) -> int:
        return (await self.window.outcomes).generations

    @strawberry.field(description="Of those, by their present status.")
    async def completed(self) -> int:
        return (await self.window.outcomes).completed

    @strawberry.field(description="Of those, by their present status.")
    async def failed(self) -> int:
        return (await self.window.outcomes).failed

    @strawberry.field(description="Of those, by their present status.")
    async def canceled(self) -> int:
        return (await self.window.outcomes).canceled

    @strawberry.field(
        description="Completed generations as a share of completed and failed ones, 0 to 1; null: none of either."
    )
    async def success_rate(self) -> float | None:
        return (await self.window.outcomes).success_rate

    @strawberry.field(
        description="Seconds from request to completion, to the hundredth, of what was made; null: none completed."
    )
    async def average_seconds(self) -> float | None:
        return (await self.window.durations).average

    @strawberry.field(description="The median of seconds from request to completion; null: none completed.")
    async def p50_seconds(self) -> float | None:
        return (await self.window.durations).p50

    @strawberry.field(description="The 95th percentile of seconds from request to completion; null: none completed.")
    async def p95_seconds(self) -> float | None:
        return (await self.window.durations).p95

    @strawberry.field(description="Charged by deductions in the window.")
    async def credits_spent(self) -> int:
        return (await self.window.ledger).spent

    @strawberry.field(description="Returned by refunds of generations in the window.")
    async def credits_refunded(self) -> int:
        return (await self.window.ledger).refunded

    @strawberry.field(description="Bought in packages or granted by monthly plans in the window.")
    async def credits_purchased(self) -> int:
        return (await self.window.ledger).purchased

    @strawberry.field(description="US dollars as reported by the providers, or as expected where no answer said it.")
    async def provider_cost(self) -> float:
        return (await self.window.outcomes).provider_cost

    @strawberry.field(description="Accounts that requested a generation.")
    async def active_users(self) -> int:
        return (await self.window.users).active

    @strawberry.field(description="Of those, accounts with a request at least 24 hours after their first one.")
    async def returning_users(self) -> int:
        return (await self.window.users).returning

    @strawberry.field(description="Generations queued now, regardless of the window.")
    async def queue_depth(self) -> int:
        return await self.window.queue_depth()

    @strawberry.field(
        description=f"`collection/style`, the {analytics.MAX_BUCKETS} with most generations first;"
        " `own`: custom styles."
    )
    async def by_style(self) -> list[MetricBucket]:
        return [MetricBucket.of(bucket) for bucket in (await self.window.outcomes).by_style]

    @strawberry.field(description="By hour of the day in UTC, `00` to `23`.")
    async def by_hour(self) -> list[MetricBucket]:
        return [MetricBucket.of(bucket) for bucket in await self.window.by_hour]

    @strawberry.field(description="Generations whose provider was called, by provider, the most generations first.")
    async def by_provider(self) -> list[MetricBucket]:
        return [MetricBucket.of(bucket) for bucket in (await self.window.outcomes).by_provider]

    @strawberry.field(description="Failed generations by ErrorCode, the most frequent first.")
    async def by_error(self) -> list[MetricBucket]:
        return [MetricBucket.of(bucket) for bucket in (await self.window.outcomes).by_error]

    @strawberry.field(description="Passes sold or expired in the window, by plan.")
    async def by_plan(self) -> list[PlanMetric]:
        return [PlanMetric.of(sales) for sales in await self.window.plans]

    @strawberry.field(
        description="The window in intervals, in their order, also those without generations: the first and the last "
        f"may be cut by the window. INVALID_INPUT where there are more than {analytics.MAX_POINTS}."
    )
    async def series(self, interval: MetricInterval) -> list[MetricPoint]:
        return [MetricPoint.of(point) for point in await self.window.series(interval)]

    @strawberry.field(description=f"The {analytics.MAX_BUCKETS} accounts with most generations, these first.")
    async def by_account(self) -> list[AccountMetric]:
        return [AccountMetric.of(use) for use in await self.window.by_account]
