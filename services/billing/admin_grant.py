"""Grants: memberships and passes that an admin gives to accounts without payment."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from models import AuditEntry, User
from models.database.connection import run_tx
from models.enum import AdminAction, PlanKind
from services.billing import passes
from services.billing.plan import PlanService
from services.core import idempotency
from services.core.error import InvalidInputError, NotFoundError
from services.core.idempotency import IdempotencyTicket
from services.core.message import message
from services.core.text import clean_optional_reason, slug_or_empty
from services.events import account_change, audit_log
from services.events.account_change import AccountChange
from services.events.publisher import EventPublisher

OPERATION = "adminGrantPass"
MAX_HOURS = 8760  # of one pass: a year

_Change = tuple[AccountChange, AuditEntry]


@dataclass(frozen=True)
class PassRequest:
    """`plan`: its slug; `hours`: how long the pass lasts, None for the plan's own duration."""

    user_id: str
    plan: str
    hours: int | None = None
    idempotency_key: str | None = None


class AdminGrantService:
    """Grants memberships and passes on an admin's decision."""

    def __init__(self, plans: PlanService, events: EventPublisher) -> None:
        self._plans = plans
        self._events = events

    async def set_membership(self, admin: User, user_id: str, reason: str | None = None, *, is_member: bool) -> User:
        """Grant an account membership, or revoke the grant; a paid plan is not affected.

        Changes nothing if the account is in that state already.

        Raises:
            InvalidInputError: the reason is invalid.
            NotFoundError: there is no such account, or it was deleted.
        """
        clean = clean_optional_reason(reason)
        change = await run_tx(self._set_membership, admin.id, user_id, clean, is_member)
        if change is not None:
            await self._events.admin_action(*change)
        return await User.get(id=user_id)

    @staticmethod
    async def _set_membership(admin_id: str, user_id: str, reason: str | None, is_member: bool) -> _Change | None:
        await account_change.lock_account(user_id, field=("userId",))
        changed = await User.filter(id=user_id, is_member=not is_member).update(
            is_member=is_member, member_since=datetime.now(UTC) if is_member else None
        )
        if not changed:
            return None  # the account's version increases only with a change
        entry = await audit_log.record(admin_id, AdminAction.SET_MEMBERSHIP, user_id, isMember=is_member, reason=reason)
        return (await account_change.bump_version(user_id)).with_entitlements(), entry

    async def grant_pass(self, admin: User, request: PassRequest, reason: str | None = None) -> User:
        """Grant an account a pass. It starts when the account's last pass ends, else at once.

        The same key of the same admin with the same input, whatever the reason, grants nothing again.

        Raises:
            InvalidInputError: there is no such pass, or the hours, the reason or the key are invalid.
            NotFoundError: there is no such account, or it was deleted.
            ConflictError: the key was used with another input.
        """
        ticket = IdempotencyTicket.of(OPERATION, request)
        grant = partial(self._grant_pass, admin.id, request, clean_optional_reason(reason), ticket)
        return await idempotency.run_once(admin.id, ticket, partial(_replay, request.user_id), grant)

    async def _grant_pass(
        self, admin_id: str, request: PassRequest, reason: str | None, ticket: IdempotencyTicket
    ) -> User:
        await self._events.admin_action(*await run_tx(self._write_pass, admin_id, request, reason, ticket))
        return await User.get(id=request.user_id)

    async def _write_pass(
        self, admin_id: str, request: PassRequest, reason: str | None, ticket: IdempotencyTicket
    ) -> _Change:
        user_id = request.user_id
        await account_change.lock_account(user_id, field=("userId",))
        plan = await self._plans.plan(slug_or_empty(request.plan))
        if plan is None or plan.kind is not PlanKind.PASS:
            raise InvalidInputError(message("There is no such pass."), field=("plan",))
        if request.hours is not None and not 1 <= request.hours <= MAX_HOURS:
            text = message("A pass lasts 1 to {limit} hours.", limit=MAX_HOURS)
            raise InvalidInputError(text, field=("hours",))
        hours = plan.duration_hours if request.hours is None else request.hours
        entry = await audit_log.record(
            admin_id, AdminAction.GRANT_PASS, user_id, plan=plan.slug, hours=hours, reason=reason
        )
        await idempotency.store_result(admin_id, ticket, entry.id)
        return await passes.grant(user_id, plan, f"admin:{entry.id}", hours), entry


async def _replay(user_id: str, _entry_id: str) -> User:
    user = await User.get_or_none(id=user_id, deleted_at=None)
    if user is None:
        raise NotFoundError(("userId",))
    return user
