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
class _Present:
    """The account as it was read last."""

    user: models.User
    rights: Benefits


@dataclass(frozen=True)
class _News:
    """What is to be told next. `lines`: None where the ledger must be read; `rights`: whether they have changed."""

    present: _Present
    lines: list[models.CreditTransaction] | None
    rights: bool


async def credits_changed(info: Info, after: strawberry.ID | None = None) -> AsyncGenerator[CreditsChange, None]:
    """The present state, the lines since `after`, then each line in the order of commits, and each change of rights."""
    viewer, services = info.context.require_viewer(), info.context.services
    async with ChannelReader(info.context, account_channel(viewer.id)) as watch:
        news = _News(await _read(services, viewer.id), None, rights=False)
        credits, version = news.present.user.credits, news.present.user.version
        seen = news.present.user.ledger_sequence
        if after is not None:
            seen = (
                await services.billing.ledger.transaction(viewer.id, known_id(after, ids.TRANSACTION, "after"))
            ).sequence
        yield CreditsChange.of(credits, version, None, news.present.rights)
        while True:
            rights, lines = news.present.rights, news.lines
            is_page = True
            while is_page:
                if lines is None:
                    lines = await services.billing.ledger.since(viewer.id, seen)
                for line in lines:
                    seen = line.sequence
                    # A replayed line is old news: its own balance and version would tell the client to go back.
                    if line.account_version > version:
                        credits, version = line.balance, line.account_version
                    yield CreditsChange.of(credits, version, line, rights)
                is_page, had_lines, lines = len(lines) == MAX_SIZE, bool(lines), None
            # The newest line has shown the rights, too, unless they changed after it.
            if news.rights and (not had_lines or version < news.present.user.version):
                credits, version = news.present.user.credits, news.present.user.version
                yield CreditsChange.of(credits, version, None, rights)
            news = await _next(services, watch, news.present, seen)


async def _next(services: Services, watch: ChannelReader, present: _Present, seen: int) -> _News:
    """What the next message tells after line `seen`; after silence, or where it tells too little, what the rows say."""
    message = await watch.next()
    lines = decode_lines(message, seen) if message is not None else None
    told = decode_entitlements(message, present.user.version) if message is not None else None
    if lines is not None and told is False:
        return _News(present, lines, rights=False)
    fresh = await _read(services, present.user.id, None if told else present)
    newest = lines[-1].sequence if lines else seen
    is_all = fresh.user.ledger_sequence == newest  # else what was written meanwhile comes first
    return _News(fresh, (lines or []) if is_all else None, rights=bool(told) or fresh.rights != present.rights)


async def _read(services: Services, user_id: str, known: _Present | None = None) -> _Present:
    """The account as it is now. `known`: as it was, whose rights are good while nothing has moved the version."""
    user = await services.accounts.users.get(user_id)
    if known is not None and user.version == known.user.version and not known.rights.is_due(datetime.now(UTC)):
        return known
    return _Present(user, await benefits_of(user, services.billing.memberships))


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


async def credit_packages(info: Info) -> list[CreditPackage]:
    return [CreditPackage.of(row) for row in await info.context.services.billing.plans.packages()]


async def plans(info: Info) -> list[Plan]:
    return [Plan.of(row) for row in await info.context.services.billing.plans.plans()]
