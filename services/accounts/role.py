"""Roles: who is an admin, and who says who is one."""

from collections.abc import Iterable

import structlog

from models import AuditEntry, User
from models.database.connection import run_tx
from models.enum import AdminAction, Role
from services.accounts.credential import clean_email
from services.core.error import ConflictError, ForbiddenError, NotFoundError
from services.core.message import message
from services.events import account_change, audit_log
from services.events.account_change import AccountChange
from services.events.publisher import EventPublisher

_Done = tuple[AccountChange, AuditEntry]

_PROVEN = {"email_verified": True, "owner_proven": True}

log = structlog.get_logger(__name__)


class RoleService:
    """Gives and takes roles, each change with its line in the audit log.

    `admin_emails`: addresses, as they are kept, whose accounts become ADMIN as soon as it is proven that whoever knows
    the password reads their mail; once only, so that whoever took the role away again has the last word.
    """

    def __init__(self, events: EventPublisher, admin_emails: Iterable[str]) -> None:
        self._events = events
        self._admin_emails = frozenset(admin_emails)

    async def set(self, actor: User, user_id: str, role: Role) -> User:
        """Give an account a role; having it already changes nothing. It counts from the account's next operation on.

        Nobody changes their own, and whoever changes another's is a super admin still when it is written: so one super
        admin is always left.

        Raises:
            ConflictError: it is the actor's own.
            ForbiddenError: the actor has stopped being a super admin meanwhile.
            NotFoundError: there is no such account, or it is gone.
        """
        if user_id == actor.id:
            raise ConflictError(message("Nobody changes their own role; another super admin does."), field=("userId",))
        await self._tell(await run_tx(self._set, actor.id, user_id, role))
        return await User.get(id=user_id)

    @staticmethod
    async def _set(actor_id: str, user_id: str, role: Role) -> _Done | None:
        # Both rows, in one order everywhere: two super admins who demote each other come one after the other.
        for held in sorted((actor_id, user_id)):
            try:
                await account_change.lock_account(held, field=("userId",))
            except NotFoundError:
                if held == actor_id:
                    raise ForbiddenError from None
                raise
        if (await User.get(id=actor_id)).role is not Role.SUPER_ADMIN:
            raise ForbiddenError
        return await _change(actor_id, user_id, role)

    async def set_by_operator(self, email: str, role: Role) -> User:
        """Give a role by the operator's word, which needs no proof of the address; nobody's role is made smaller.

        Raises:
            InvalidInputError: this is no address.
            NotFoundError: nobody has it.
        """
        user = await User.get_or_none(email=clean_email(email))
        if user is None:
            raise NotFoundError
        if user.role is Role.USER or role is Role.SUPER_ADMIN:
            await self._tell(await run_tx(self._set_by_operator, user.id, role))
        return await User.get(id=user.id)

    @staticmethod
    async def _set_by_operator(user_id: str, role: Role) -> _Done | None:
        await account_change.lock_account(user_id)
        return await _change(None, user_id, role)

    async def apply_admin_emails(self, user: User) -> User:
        """Make an account ADMIN that the settings name, the first time it is seen with a proven address and owner.

        A proven address alone would not do: a stranger signs up with it, its owner opens the link that comes, and the
        stranger's password opens an admin's account.
        """
        if user.email not in self._admin_emails or not (user.email_verified and user.owner_proven):
            return user
        if user.role is not Role.USER:
            return user
        done = await run_tx(self._apply_admin_emails, user)
        if done is None:
            return user
        await self._tell(done)
        log.info("role.honoured", user=user.id)
        return await User.get(id=user.id)

    @staticmethod
    async def _apply_admin_emails(user: User) -> _Done | None:
        await account_change.lock_account(user.id)
        same = User.filter(id=user.id, email=user.email, **_PROVEN, suspended_at__isnull=True)
        if not await same.exists() or await AuditEntry.exists(target=user.id, action=AdminAction.SET_ROLE):
            return None
        return await _change(None, user.id, Role.ADMIN)

    async def apply_admin_emails_to_all(self) -> None:
        """The same for everybody who was proven before the settings named them; at every start."""
        for user in await User.filter(email__in=self._admin_emails, **_PROVEN, role=Role.USER):
            await self.apply_admin_emails(user)

    async def _tell(self, done: _Done | None) -> None:
        if done is not None:
            await self._events.sign_ins_changed(done[0].user_id)
            await self._events.admin_action(*done)


async def _change(actor_id: str | None, user_id: str, role: Role) -> _Done | None:
    """Write the role and the line about it, the account's row being taken; None where it has the role already."""
    before = (await User.get(id=user_id)).role
    if before is role:
        return None
    account = await account_change.bump_version(user_id)
    await User.filter(id=user_id).update(role=role)
    act = await audit_log.record(actor_id, AdminAction.SET_ROLE, user_id, role=role.value, before=before.value)
    return account, act
