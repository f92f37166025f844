"""Grants: memberships and passes that an admin gives, beside those that are paid for."""

from dataclasses import dataclass
from datetime import UTC, datetime

from tortoise.exceptions import IntegrityError

from models import AuditEntry, User
from models.database.connection import run_tx
from models.enum import AdminAction, PlanKind
from services.billing import passes
from services.billing.plan import PlanService
from services.core import idempotency
from services.core.error import InvalidInputError
from services.core.idempotency import UsedKeyError
from services.core.message import message
from services.core.text import slug_or_empty
from services.events import account_change, audit_log
from services.events.account_change import AccountChange
from services.events.publisher import EventPublisher

OPERATION = "adminGrantPass"
LONGEST = 8760  # hours of one pass: a year

_Done = tuple[AccountChange, AuditEntry]


@dataclass(frozen=True)
class PassRequest:
    """`plan`: its slug; `hours`: how long it lasts, None for as long as it is sold."""

    user_id: str
    plan: str
    hours: int | None = None
    idempotency_key: str | None = None


class AdminGrantService:
    """Gives accounts what others pay for."""

    def __init__(self, plans: PlanService, events: EventPublisher) -> None:
        self._plans = plans
        self._events = events

    async def set_membership(self, admin: User, user_id: str, *, is_member: bool) -> User:
        """Make a member of an account, or take that back; a plan that it pays for goes on as it is.

        What is so already is left alone.

        Raises:
            NotFoundError: there is no such account, or it is gone.
        """
        await self._tell(await run_tx(self._set_membership, admin.id, user_id, is_member))
        return await User.get(id=user_id)

    @staticmethod
    async def _set_membership(admin_id: str, user_id: str, is_member: bool) -> _Done | None:
        await account_change.lock_account(user_id, field=("userId",))
        changed = await User.filter(id=user_id, is_member=not is_member).update(
            is_member=is_member, member_since=datetime.now(UTC) if is_member else None
        )
        if not changed:
            return None  # the account's version moves only with a change
        act = await audit_log.record(admin_id, AdminAction.SET_MEMBERSHIP, user_id, isMember=is_member)
        return (await account_change.bump_version(user_id)).with_entitlements(), act

    async def grant_pass(self, admin: User, request: PassRequest) -> User:
        """Give an account a pass: it starts when the account's last one ends, else at once.

        The same key of the same admin with the same input grants nothing again.

        Raises:
            InvalidInputError: there is no such pass, of the hours, or of the key.
            NotFoundError: there is no such account, or it is gone.
            ConflictError: the key came with another input before.
        """
        try:
            done = await run_tx(self._grant_pass, admin.id, request, idempotency.fingerprint(request))
        except (IntegrityError, UsedKeyError):  # at the same moment, for another account
            raise idempotency.key_conflict() from None
        await self._tell(done)
        return await User.get(id=request.user_id)

    async def _grant_pass(self, admin_id: str, request: PassRequest, fingerprint: str) -> _Done | None:
        user_id, key = request.user_id, request.idempotency_key
        await account_change.lock_account(user_id, field=("userId",))
        if key is not None and await idempotency.find_result(admin_id, OPERATION, key, fingerprint) is not None:
            return None
        plan = await self._plans.plan(slug_or_empty(request.plan))
        if plan is None or plan.kind is not PlanKind.PASS:
            raise InvalidInputError(message("There is no such pass."), field=("plan",))
        if request.hours is not None and not 1 <= request.hours <= LONGEST:
            text = message("A pass lasts 1 to {limit} hours.", limit=LONGEST)
            raise InvalidInputError(text, field=("hours",))
        hours = plan.duration_hours if request.hours is None else request.hours
        act = await audit_log.record(admin_id, AdminAction.GRANT_PASS, user_id, plan=plan.slug, hours=hours)
        if key is not None:
            await idempotency.store_result(admin_id, OPERATION, key, fingerprint, act.id)
        return await passes.grant(user_id, plan, f"admin:{act.id}", hours), act

    async def _tell(self, done: _Done | None) -> None:
        if done is not None:
            await self._events.acted(*done)
