"""Resolvers of billing: plans, adjustments, grants, and the credits subscription."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime

import strawberry

import models
from models import ids
from resolvers.subscription import ChannelReader
from schema.accounts import User, UserPayload
from schema.admin import AdjustCreditsInput, AdjustCreditsPayload
from schema.billing import CreditPackage, CreditsChange, CreditTransaction, Plan
from schema.runtime.context import Info
from schema.runtime.input import given
from schema.runtime.node import known_id
from services.billing.admin_adjustment import AdjustmentRequest
from services.billing.admin_grant import PassRequest
from services.billing.benefits import Benefits, benefits_of
from services.billing.granted_plan import PlanRequest
from services.core.pagination import MAX_SIZE
from services.events.payload import account_channel, decode_entitlements, decode_lines
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


@dataclass(frozen=True)
class _Snapshot:
    """The account as it was last read."""

    user: models.User
    benefits: Benefits


@dataclass(frozen=True)
class _Update:
    """What to send next. `lines`: None where the ledger must be read; `benefits_changed`: since the update before."""

    snapshot: _Snapshot
    lines: list[models.CreditTransaction] | None
    benefits_changed: bool


async def credits_changed(info: Info, after: strawberry.ID | None = None) -> AsyncGenerator[CreditsChange, None]:
    """Yield the present state, the lines since `after`, then each new line and each change of benefits."""
    viewer, services = info.context.require_viewer(), info.context.services
    async with ChannelReader(info.context, account_channel(viewer.id)) as reader:
        update = _Update(await _read(services, viewer.id), None, benefits_changed=False)
        credits, version = update.snapshot.user.credits, update.snapshot.user.version
        seen = update.snapshot.user.ledger_sequence
        if after is not None:
            line_id = known_id(after, ids.TRANSACTION, "after")
            seen = (await services.billing.ledger.transaction(viewer.id, line_id)).sequence
        yield CreditsChange.of(credits, version, None, update.snapshot.benefits)
        while True:
            benefits, lines = update.snapshot.benefits, update.lines
            has_more = True
            while has_more:
                if lines is None:
                    lines = await services.billing.ledger.since(viewer.id, seen)
                for line in lines:
                    seen = line.sequence
                    # A replayed line has an older balance and version, which would set the client back.
                    if line.account_version > version:
                        credits, version = line.balance, line.account_version
                    yield CreditsChange.of(credits, version, line, benefits)
                has_more, had_lines, lines = len(lines) == MAX_SIZE, bool(lines), None
            # The newest line has carried the benefits, unless they changed after it.
            if update.benefits_changed and (not had_lines or version < update.snapshot.user.version):
                credits, version = update.snapshot.user.credits, update.snapshot.user.version
                yield CreditsChange.of(credits, version, None, benefits)
            update = await _next_update(services, reader, update.snapshot, seen)


async def _next_update(services: Services, reader: ChannelReader, known: _Snapshot, seen: int) -> _Update:
    """Return the next message's changes after line `seen`; read the rows on a timeout, or if they are incomplete."""
    message = await reader.receive_message()
    lines = decode_lines(message, seen) if message is not None else None
    changed = decode_entitlements(message, known.user.version) if message is not None else None
    if lines is not None and changed is False:
        return _Update(known, lines, benefits_changed=False)
    fresh = await _read(services, known.user.id, None if changed else known)
    newest = lines[-1].sequence if lines else seen
    is_complete = fresh.user.ledger_sequence == newest  # else lines that were written since come first
    return _Update(
        fresh,
        (lines or []) if is_complete else None,
        benefits_changed=bool(changed) or fresh.benefits != known.benefits,
    )


async def _read(services: Services, user_id: str, known: _Snapshot | None = None) -> _Snapshot:
    """Read the account; `known`, read before, is returned while its version is current and its benefits are not due."""
    user = await services.accounts.users.get(user_id)
    if known is not None and user.version == known.user.version and not known.benefits.is_due(datetime.now(UTC)):
        return known
    return _Snapshot(user, await benefits_of(user, services.billing.memberships))


async def admin_set_membership(info: Info, user_id: strawberry.ID, is_member: bool) -> UserPayload:
    admin, grants = info.context.require_viewer(), info.context.services.billing.admin_grants
    user = await grants.set_membership(admin, known_id(user_id, ids.USER, "userId"), is_member=is_member)
    return UserPayload(user=User.of(user))


async def admin_grant_pass(
    info: Info, user_id: strawberry.ID, plan: str, hours: int | None = None, idempotency_key: str | None = None
) -> UserPayload:
    admin, grants = info.context.require_viewer(), info.context.services.billing.admin_grants
    request = PassRequest(known_id(user_id, ids.USER, "userId"), plan, hours, idempotency_key)
    user = await grants.grant_pass(admin, request)
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
