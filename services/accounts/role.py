"""Roles: set by super admins, by the operator, or by the setting ADMIN_EMAILS."""

from collections.abc import Iterable

import structlog

from models import AuditEntry, User
from models.database.connection import run_tx
from models.enum import AdminAction, Role
from services.accounts.credential import find_user, parse_email
from services.billing.mailbox_identity import mailbox_identity
from services.core.error import ConflictError, ForbiddenError, NotFoundError
from services.core.message import message
from services.core.text import clean_optional_reason
from services.events import account_change, audit_log
from services.events.account_change import AccountChange
from services.events.publisher import EventPublisher

_RoleChange = tuple[AccountChange, AuditEntry]

_PROVEN_OWNER = {"email_verified": True, "owner_proven": True}

log = structlog.get_logger(__name__)


class RoleService:
    """Sets roles and records each change in the audit log.

    `admin_emails`: keys of the addresses whose accounts become ADMIN once it is proven that the same human knows the
    password and reads the mail. This happens only once per account, so that a role that was revoked stays revoked,
    and never again for an address that an account had and replaced. `secret`: keys the hash of such an address.
    """

    def __init__(self, events: EventPublisher, admin_emails: Iterable[str], secret: str) -> None:
        self._events = events
        self._admin_emails = frozenset(admin_emails)
        self._secret = secret.encode()

    async def set(self, actor: User, user_id: str, role: Role, reason: str | None = None) -> User:
        """Set an account's role, effective from its next operation on. Setting the current role changes nothing.

        Users cannot change their own role, and the actor must still be a super admin when the change is written: so at
        least one super admin always remains.

        Raises:
            ConflictError: it is the actor's own account, or a guest, which is deleted in time and cannot sign in again.
            ForbiddenError: the actor is no longer a super admin.
            InvalidInputError: the reason is invalid.
            NotFoundError: the account does not exist or was deleted.
        """
        clean = clean_optional_reason(reason)
        if user_id == actor.id:
            raise ConflictError(message("You cannot change your own role; ask another super admin."), field=("userId",))
        await self._publish(await run_tx(self._set, actor.id, user_id, role, clean))
        return await User.get(id=user_id)

    @staticmethod
    async def _set(actor_id: str, user_id: str, role: Role, reason: str | None) -> _RoleChange | None:
        # Lock both rows, always in the same order: two super admins who demote each other are serialized.
        for account_id in sorted((actor_id, user_id)):
            try:
                await account_change.lock_account(account_id, field=("userId",))
            except NotFoundError:
                if account_id == actor_id:
                    raise ForbiddenError from None
                raise
        if (await User.get(id=actor_id)).role is not Role.SUPER_ADMIN:
            raise ForbiddenError
        return await _change(actor_id, user_id, role, reason)

    async def set_by_operator(self, email: str, role: Role) -> User:
        """Raise an account's role from the command line; needs no verified address and never lowers a role.

        Raises:
            InvalidInputError: the address is malformed.
            NotFoundError: no account has it.
        """
        user = await find_user(parse_email(email))
        if user is None:
            raise NotFoundError
        if user.role is Role.USER or role is Role.SUPER_ADMIN:
            await self._publish(await run_tx(self._set_by_operator, user.id, role))
        return await User.get(id=user.id)

    @staticmethod
    async def _set_by_operator(user_id: str, role: Role) -> _RoleChange | None:
        await account_change.lock_account(user_id)
        return await _change(None, user_id, role)

    async def apply_admin_emails(self, user: User) -> User:
        """Make an account ADMIN if ADMIN_EMAILS lists it, the first time that its address and owner are proven.

        A verified address alone is not enough: an attacker could sign up with it, its owner open the link in the mail,
        and the attacker's password would then open an admin account.
        """
        if user.email not in self._admin_emails or not (user.email_verified and user.owner_proven):
            return user
        if user.role is not Role.USER:
            return user
        change = await run_tx(self._apply_admin_emails, user)
        if change is None:
            return user
        await self._publish(change)
        log.info("role.admin_email_applied", user=user.id)
        return await User.get(id=user.id)

    async def _apply_admin_emails(self, user: User) -> _RoleChange | None:
        await account_change.lock_account(user.id)
        unchanged = User.filter(id=user.id, email=user.email, **_PROVEN_OWNER, suspended_at__isnull=True)
        if not await unchanged.exists() or await AuditEntry.exists(target=user.id, action=AdminAction.SET_ROLE):
            return None
        used = {entry.detail.get("address") for entry in await AuditEntry.filter(action=AdminAction.CHANGE_EMAIL)}
        if mailbox_identity(self._secret, user.email) in used:
            return None
        return await _change(None, user.id, Role.ADMIN)

    async def keep_used_admin_email(self, before: User) -> None:
        """Record, in the transaction that replaces an account's address, that ADMIN_EMAILS has used it up.

        Otherwise its owner could appoint one admin after the other: sign up with it, and then replace it.
        """
        if before.email in self._admin_emails:
            address = mailbox_identity(self._secret, before.email)
            await audit_log.record(None, AdminAction.CHANGE_EMAIL, before.id, address=address)

    async def apply_admin_emails_to_all(self) -> None:
        """Apply ADMIN_EMAILS to accounts that were proven before the setting listed them; runs at every start."""
        for user in await User.filter(email__in=self._admin_emails, **_PROVEN_OWNER, role=Role.USER):
            await self.apply_admin_emails(user)

    async def _publish(self, change: _RoleChange | None) -> None:
        if change is not None:
            await self._events.sign_ins_changed(change[0].user_id)
            await self._events.admin_action(*change)


async def _change(actor_id: str | None, user_id: str, role: Role, reason: str | None = None) -> _RoleChange | None:
    """Write the role and its audit entry, the account being locked; None if the account has the role already.

    Raises:
        ConflictError: a guest would become an admin.
    """
    user = await User.get(id=user_id)
    before = user.role
    if before is role:
        return None
    if user.is_guest and role is not Role.USER:
        raise ConflictError(message("A guest cannot be an admin; it has to sign up first."), field=("userId",))
    account = await account_change.bump_version(user_id)
    await User.filter(id=user_id).update(role=role)
    entry = await audit_log.record(
        actor_id, AdminAction.SET_ROLE, user_id, role=role.value, before=before.value, reason=reason
    )
    return account, entry
