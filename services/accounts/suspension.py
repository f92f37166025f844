"""Suspension: an admin blocks all access to an account, whose data is kept."""

from datetime import UTC, datetime

from models import AuditEntry, User
from models.database.connection import run_tx
from models.enum import AdminAction, Role
from services.accounts import mail_token
from services.accounts.session import SessionService
from services.core.error import ConflictError, ForbiddenError
from services.core.message import message
from services.core.text import clean_reason
from services.events import account_change, audit_log
from services.events.account_change import AccountChange
from services.events.publisher import EventPublisher

_FIELD = ("userId",)
_Suspension = tuple[AccountChange, AuditEntry]


class SuspensionService:
    """Suspends and reinstates accounts.

    Sessions and mailed links end in the same transaction, permanently; API keys are kept, but refused during the
    suspension. Submitted generations are completed, because they are paid for.
    """

    def __init__(self, sessions: SessionService, events: EventPublisher) -> None:
        self._sessions = sessions
        self._events = events

    async def set(self, admin: User, user_id: str, reason: str, *, suspended: bool) -> User:
        """Suspend or reinstate an account. Has no effect if it is in that state already.

        Raises:
            InvalidInputError: the reason is invalid.
            ConflictError: it is the admin's own account.
            ForbiddenError: it is a super admin's account, and the admin is not a super admin.
            NotFoundError: the account does not exist or was deleted.
        """
        clean = clean_reason(reason)
        if user_id == admin.id:
            raise ConflictError(message("You cannot suspend your own account."), field=_FIELD)
        change = await run_tx(self._set, admin, user_id, clean, suspended)
        if change is not None:
            await self._events.sign_ins_changed(user_id)
            await self._events.admin_action(*change)
        return await User.get(id=user_id)

    async def _set(self, admin: User, user_id: str, reason: str, suspended: bool) -> _Suspension | None:
        await account_change.lock_account(user_id, field=_FIELD)
        user = await User.get(id=user_id)
        if user.role is Role.SUPER_ADMIN and admin.role is not Role.SUPER_ADMIN:
            raise ForbiddenError(field=_FIELD)
        if (user.suspended_at is not None) is suspended:
            return None
        account = await account_change.bump_version(user_id)
        await User.filter(id=user_id).update(suspended_at=datetime.now(UTC) if suspended else None)
        ended = 0
        if suspended:
            ended = await self._sessions.end_all(user_id)
            await mail_token.revoke_all(user_id)  # one to a new address may have been requested by an intruder
        entry = await audit_log.record(
            admin.id, AdminAction.SET_SUSPENDED, user_id, suspended=suspended, reason=reason, sessionsEnded=ended
        )
        return account, entry
