"""Passes, and what they allow in each of their hours."""

from datetime import datetime

import strawberry

from schema.context import Info
from schema.plan import Plan
from services.billing import passes


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
