"""Granted plans: an admin opens a monthly plan for an account, which runs like a subscription without payment."""

import calendar
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from models import AuditEntry, Membership, User
from models.billing import GRANTED
from models.database.connection import run_tx
from models.enum import AdminAction, MembershipStatus, PlanKind
from services.billing import membership
from services.billing.membership import MembershipService
from services.billing.plan import PlanService
from services.core import idempotency
from services.core.error import ConflictError, InvalidInputError, NotFoundError
from services.core.idempotency import IdempotencyTicket
from services.core.message import message
from services.core.text import clean_reason, slug_or_empty
from services.events import account_change, audit_log
from services.events.account_change import AccountChange
from services.events.publisher import EventPublisher

OPERATION = "adminGrantPlan"
MAX_MONTHS = 120


class _NothingDueError(Exception):
    """Rolls back a renewal that another worker has done."""


_Change = tuple[AccountChange, AuditEntry]


@dataclass(frozen=True)
class PlanRequest:
    """`plan`: its slug. `months`: after which it ends, None if it runs until an admin ends it."""

    user_id: str
    plan: str
    reason: str
    months: int | None = None
    idempotency_key: str | None = None


class GrantedPlanService:
    """Grants, renews and ends plans. A month's credits are granted when it begins, as for a paid month."""

    def __init__(
        self,
        plans: PlanService,
        memberships: MembershipService,
        events: EventPublisher,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._plans = plans
        self._memberships = memberships
        self._events = events
        self._now = now

    async def grant(self, admin: User, request: PlanRequest) -> User:
        """Open a monthly plan, of those on request too, and grant its first month.

        The same key of the same admin with the same input grants nothing again.

        Raises:
            ConflictError: a plan of the account is running, paid or granted; or the key was used with another input.
            InvalidInputError: there is no such plan, or the months, the reason or the key are invalid.
            NotFoundError: there is no such account, or it was deleted.
        """
        reason = clean_reason(request.reason)
        if request.months is not None and not 1 <= request.months <= MAX_MONTHS:
            text = message("A granted plan lasts 1 to {limit} months.", limit=MAX_MONTHS)
            raise InvalidInputError(text, field=("months",))
        ticket = IdempotencyTicket.of(OPERATION, request)
        return await idempotency.run_once(
            admin.id, ticket, partial(_replay, request.user_id), partial(self._grant, admin.id, request, reason, ticket)
        )

    async def _grant(self, admin_id: str, request: PlanRequest, reason: str, ticket: IdempotencyTicket) -> User:
        await self._events.admin_action(*await run_tx(self._write, admin_id, request, reason, ticket))
        return await User.get(id=request.user_id)

    async def _write(self, admin_id: str, request: PlanRequest, reason: str, ticket: IdempotencyTicket) -> _Change:
        user_id = request.user_id
        account = await account_change.bump_version(user_id, field=("userId",))
        plan = await self._plans.plan(slug_or_empty(request.plan))
        if plan is None or plan.kind is not PlanKind.SUBSCRIPTION:
            raise InvalidInputError(message("There is no such monthly plan."), field=("plan",))
        running = await self._memberships.running(user_id)
        if any(not row.is_granted for row in running):
            text = message("This account pays for a plan, which has to end first.")
            raise ConflictError(text, field=("userId",))
        if running:
            raise ConflictError(message("This account has a granted plan: end it first."), field=("userId",))
        entry = await audit_log.record(
            admin_id, AdminAction.GRANT_PLAN, user_id, plan=plan.slug, months=request.months, reason=reason
        )
        await idempotency.store_result(admin_id, ticket, entry.id)
        now = self._now()
        row = await Membership.create(
            user_id=user_id,
            plan_id=plan.id,
            subscription_id=f"{GRANTED}{entry.id}",
            status=MembershipStatus.ACTIVE,
            started_at=now,
            renews_at=_after_months(now, 1),
            ends_at=_after_months(now, request.months) if request.months else None,
            told_at=now,
        )
        account = await membership.grant_month(user_id, plan, _reference(row, 0), None, None, account=account)
        await self._memberships.settle(user_id)
        return account.with_entitlements(), entry

    async def end(self, admin: User, user_id: str, reason: str) -> User:
        """End an account's granted plan now; credits that were granted stay. Has no effect if none is running.

        Raises:
            ConflictError: the account pays for its plan: that ends at the payment provider.
            InvalidInputError: the reason is invalid.
            NotFoundError: there is no such account, or it was deleted.
        """
        change = await run_tx(self._end, admin.id, user_id, clean_reason(reason))
        if change is not None:
            await self._events.admin_action(*change)
        return await User.get(id=user_id)

    async def _end(self, admin_id: str, user_id: str, reason: str) -> _Change | None:
        await account_change.lock_account(user_id, field=("userId",))
        running = await self._memberships.running(user_id)
        granted = [row for row in running if row.is_granted]
        if not granted:
            if running:
                text = message("This account pays for its plan: it ends at the payment provider.")
                raise ConflictError(text, field=("userId",))
            return None
        await Membership.filter(id__in=[row.id for row in granted]).update(
            status=MembershipStatus.ENDED, ends_at=self._now()
        )
        plans = [row.plan.slug for row in granted]
        entry = await audit_log.record(admin_id, AdminAction.END_PLAN, user_id, plan=", ".join(plans), reason=reason)
        await self._memberships.settle(user_id)
        return (await account_change.bump_version(user_id)).with_entitlements(), entry

    async def due(self, limit: int) -> list[str]:
        """Return granted plans whose month has ended."""
        found = Membership.filter(
            subscription_id__startswith=GRANTED, status=MembershipStatus.ACTIVE, renews_at__lte=self._now()
        )
        return [id for (id,) in await found.order_by("renews_at").limit(limit).values_list("id")]

    async def renew(self, membership_id: str) -> bool:
        """Begin the next month of a granted plan, or end the plan where it was granted until then. Returns True."""
        row = await Membership.get(id=membership_id)
        try:
            await self._events.account_changed(await run_tx(self._renew, row.user_id, membership_id))
        except _NothingDueError:
            pass
        except NotFoundError:  # the account was deleted
            await Membership.filter(id=membership_id).update(status=MembershipStatus.ENDED, ends_at=self._now())
        return True

    async def _renew(self, user_id: str, membership_id: str) -> AccountChange:
        account = await account_change.bump_version(user_id)
        row = await Membership.get(id=membership_id).select_related("plan")
        if row.status is not MembershipStatus.ACTIVE or row.renews_at is None or row.renews_at > self._now():
            raise _NothingDueError
        if row.ends_at is not None and row.renews_at >= row.ends_at:
            row.status = MembershipStatus.ENDED
        else:
            month = _months_between(row.started_at, row.renews_at)
            others = Membership.filter(user_id=user_id).exclude(id=row.id).exclude(status=MembershipStatus.ENDED)
            account = await membership.grant_month(
                user_id,
                row.plan,
                _reference(row, month),
                None,
                None,
                account=account,
                begins_month=not await others.exists(),  # whose credits are not this plan's to end
            )
            row.renews_at = _after_months(row.started_at, month + 1)
        await row.save(update_fields=["status", "renews_at", "updated_at"])
        await self._memberships.settle(user_id)
        return account.with_entitlements()


def _reference(row: Membership, month: int) -> str:
    return f"plan:{row.id}:{month}"


def _after_months(start: datetime, months: int) -> datetime:
    """Return the same day of a later month, or its last day."""
    years, month = divmod(start.month - 1 + months, 12)
    year = start.year + years
    return start.replace(year=year, month=month + 1, day=min(start.day, calendar.monthrange(year, month + 1)[1]))


def _months_between(start: datetime, end: datetime) -> int:
    return (end.year - start.year) * 12 + end.month - start.month


async def _replay(user_id: str, _entry_id: str) -> User:
    user = await User.get_or_none(id=user_id, deleted_at=None)
    if user is None:
        raise NotFoundError(("userId",))
    return user
