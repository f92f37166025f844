"""Proofs of a second factor by a code, which is used up in the transaction of what it allows."""

from models import AuditEntry, User
from models.enum import AdminAction, Role
from services.accounts.mail import MailService, Notice
from services.accounts.second_factor.code import FactorCodes, MatchingCode
from services.core.error import InvalidInputError, UnavailableError
from services.core.message import message
from services.events import account_change, audit_log
from services.events.account_change import AccountChange
from services.events.publisher import EventPublisher

FactorChange = tuple[AccountChange, AuditEntry]


class FactorProofs:
    """Takes codes of accounts: `match`, then `spend` in the transaction, then `spent` after its commit."""

    def __init__(self, codes: FactorCodes, mail: MailService, events: EventPublisher) -> None:
        self._codes = codes
        self._mail = mail
        self._events = events

    async def match(self, user: User, code: str) -> MatchingCode:
        """Return what `spend` uses up. Raises InvalidInputError without a second factor, and as FactorCodes.match."""
        if user.second_factor_since is None:
            raise InvalidInputError(message("This account has no second factor."), field=("code",))
        return await self._codes.match(user, code)

    async def spend(self, code: MatchingCode) -> FactorChange | None:
        """Use a code up, and record it if it is a recovery code. Raises InvalidInputError if it was used before."""
        if not code.is_recovery:
            await account_change.lock_account(code.user_id)
            await self._codes.use(code)
            return None
        account = await account_change.bump_version(code.user_id)
        await self._codes.use(code)
        return account, await record(code.user_id, AdminAction.USE_RECOVERY_CODE)

    async def spent(self, user: User, change: FactorChange | None, locale: str) -> None:
        """Publish the use of a code. `locale`: the language of the request."""
        await self._codes.accept(user.id)
        if change is not None:
            await self._events.admin_action(*change)
            self.notify(Notice.RECOVERY_CODE_USED, user, locale)

    def notify(self, notice: Notice, user: User, locale: str) -> None:
        """Mail a notice to the account's address, if it has one, after the response."""
        if not (self._mail.is_enabled and user.has_address):
            return
        try:
            self._mail.in_background(self._mail.notify(notice, user.mailbox, user.locale or locale))
        except UnavailableError:
            return  # the change is committed


async def record(user_id: str, action: AdminAction, **detail: str) -> AuditEntry:
    """Write the audit entry of a user's own factor; one who is no admin any more is named as its target only."""
    is_admin = await User.filter(id=user_id).exclude(role=Role.USER).exists()
    return await audit_log.record(user_id if is_admin else None, action, user_id, **detail)
