"""Suspension: an account that an admin has locked is signed in nowhere, and keeps everything it has."""

from datetime import UTC, datetime

from models import AuditEntry, User
from models.database.connection import run_tx
from models.enum import AdminAction, Role
from services.accounts.session import SessionService
from services.core.error import ConflictError, ForbiddenError
from services.core.message import message
from services.core.text import clean_reason
from services.events import account_change, audit_log
from services.events.account_change import AccountChange
from services.events.publisher import EventPublisher

_FIELD = ("userId",)
_Done = tuple[AccountChange, AuditEntry]


class SuspensionService:
    """Locks accounts and opens them again.

    Sign-ins end for good, in the same transaction; API keys stay, and are refused for as long as it lasts. What the
    account has ordered is made: it is paid for.
    """

    def __init__(self, sessions: SessionService, events: EventPublisher) -> None:
        self._sessions = sessions
        self._events = events

    async def set(self, admin: User, user_id: str, reason: str, *, suspended: bool) -> User:
        """Suspend an account, or end that; what is so already is left alone.

        Raises:
            InvalidInputError: of the reason.
            ConflictError: it is the admin's own.
            ForbiddenError: it is a super admin's, and the admin is none.
            NotFoundError: there is no such account, or it is gone.
        """
        words = clean_reason(reason)
        if user_id == admin.id:
            raise ConflictError(message("Nobody suspends their own account."), field=_FIELD)
        done = await run_tx(self._set, admin, user_id, words, suspended)
        if done is not None:
            await self._events.sign_ins_changed(user_id)
            await self._events.admin_action(*done)
        return await User.get(id=user_id)

    async def _set(self, admin: User, user_id: str, reason: str, suspended: bool) -> _Done | None:
        await account_change.lock_account(user_id, field=_FIELD)
        user = await User.get(id=user_id)
        if user.role is Role.SUPER_ADMIN and admin.role is not Role.SUPER_ADMIN:
            raise ForbiddenError(field=_FIELD)
        if (user.suspended_at is not None) is suspended:
            return None
        account = await account_change.bump_version(user_id)
        await User.filter(id=user_id).update(suspended_at=datetime.now(UTC) if suspended else None)
        ended = await self._sessions.end_all(user_id) if suspended else 0
        act = await audit_log.record(
            admin.id, AdminAction.SET_SUSPENDED, user_id, suspended=suspended, reason=reason, sessionsEnded=ended
        )
        return account, act
