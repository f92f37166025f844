"""Resolvers of billing: plans, adjustments, grants, and the credits subscription."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from functools import partial

import strawberry

from models import ids
from schema.accounts import User, UserPayload
from schema.admin import AdjustCreditsInput, AdjustCreditsPayload
from schema.billing import CreditPackage, CreditsChange, CreditTransaction, Plan
from schema.runtime.context import Context, Info
from schema.runtime.feed import follow
from schema.runtime.input import given
from schema.runtime.node import known_id
from services.billing.admin_adjustment import AdjustmentRequest
from services.billing.admin_grant import PassRequest
from services.billing.credits_topic import CreditsTopic, CreditsUpdate
from services.billing.granted_plan import PlanRequest
from services.core.pagination import MAX_SIZE
from services.events.topic import Item
from services.services import Services


async def admin_adjust_credits(info: Info, input: AdjustCreditsInput) -> AdjustCreditsPayload:
    admin = info.context.require_viewer()
    request = AdjustmentRequest(
        user_id=known_id(input.user_id, ids.USER, "userId"),
        amount=input.amount,
        reason=input.reason,
        idempotency_key=given(input.idempotency_key, None),
    )
    done = await info.context.services.billing.admin_adjustments.adjust(admin, request)
    return AdjustCreditsPayload(user=User.of(done.user), transaction=CreditTransaction.of(done.line))


async def credits_changed(info: Info, after: strawberry.ID | None = None) -> AsyncGenerator[CreditsChange, None]:
    """Yield the present state, the lines since `after`, then each new line and each change of benefits."""
    viewer, services = info.context.require_viewer(), info.context.services
    make = partial(CreditsTopic, viewer.id, services.billing.ledger, services.billing.memberships)
    join = services.events.topics.join((CreditsTopic, viewer.id), make)
    async with follow(info.context, join, _update) as feed:
        async for change in feed.events(_opening(services, feed.topic, viewer.id, after)):
            yield change


async def _opening(
    services: Services, topic: CreditsTopic, user_id: str, after: strawberry.ID | None
) -> AsyncGenerator[Item[CreditsUpdate], None]:
    """Yield the present state, and the lines since `after`."""
    async with services.events.topics.opening:
        position, state = await topic.open()
    seen = None
    if after is not None:
        seen = (await services.billing.ledger.transaction(user_id, known_id(after, ids.TRANSACTION, "after"))).sequence
    yield Item(position, state)
    while seen is not None:
        lines = await services.billing.ledger.since(user_id, seen)
        for line in lines:
            # A replayed line has an older balance and version, which would set the client back.
            if line.account_version > state.version:
                state = replace(state, credits=line.balance, version=line.account_version)
            position = max(position, (line.sequence, line.account_version, position[-1]))
            yield Item(position, replace(state, line=line))
        seen = lines[-1].sequence if len(lines) == MAX_SIZE else None


def _update(update: CreditsUpdate, _: Context) -> list[CreditsChange]:
    return [CreditsChange.of(update)]


async def admin_set_membership(
    info: Info, user_id: strawberry.ID, is_member: bool, reason: str | None = None
) -> UserPayload:
    admin, grants = info.context.require_viewer(), info.context.services.billing.admin_grants
    user = await grants.set_membership(admin, known_id(user_id, ids.USER, "userId"), reason, is_member=is_member)
    return UserPayload(user=User.of(user))


async def admin_grant_pass(
    info: Info,
    user_id: strawberry.ID,
    plan: str,
    hours: int | None = None,
    idempotency_key: str | None = None,
    reason: str | None = None,
) -> UserPayload:
    admin, grants = info.context.require_viewer(), info.context.services.billing.admin_grants
    request = PassRequest(known_id(user_id, ids.USER, "userId"), plan, hours, idempotency_key)
    user = await grants.grant_pass(admin, request, reason)
    return UserPayload(user=User.of(user))


async def admin_grant_plan(
    info: Info,
    user_id: strawberry.ID,
    plan: str,
    reason: str,
    months: int | None = None,
    idempotency_key: str | None = None,
) -> UserPayload:
    admin, granted = info.context.require_viewer(), info.context.services.billing.granted_plans
    request = PlanRequest(known_id(user_id, ids.USER, "userId"), plan, reason, months, idempotency_key)
    return UserPayload(user=User.of(await granted.grant(admin, request)))


async def admin_end_plan(info: Info, user_id: strawberry.ID, reason: str) -> UserPayload:
    admin, granted = info.context.require_viewer(), info.context.services.billing.granted_plans
    return UserPayload(user=User.of(await granted.end(admin, known_id(user_id, ids.USER, "userId"), reason)))


async def credit_packages(info: Info) -> list[CreditPackage]:
    return [CreditPackage.of(row) for row in await info.context.services.billing.plans.packages()]


async def plans(info: Info) -> list[Plan]:
    return [Plan.of(row) for row in await info.context.services.billing.plans.plans()]
