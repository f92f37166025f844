"""A new password for who forgot theirs, by way of their mailbox."""

import contextlib
from dataclasses import replace

import structlog

from models import User
from models.accounts import MailToken
from models.database.connection import run_tx
from models.enum import MailPurpose
from services.accounts import mail_token
from services.accounts.credential import check_password, clean_email
from services.accounts.mail import MailService
from services.accounts.role import RoleService
from services.accounts.session import NewSession, SessionService
from services.core.error import NotFoundError, QuotaExceededError, RateLimitedError, UnavailableError
from services.core.rate_limit import RateLimits
from services.events import account_change
from services.events.account_change import AccountChange
from services.events.publisher import EventPublisher
from services.integrations.password_hashing import Passwords

log = structlog.get_logger(__name__)


class PasswordResetService:
    """Sends links to accounts' addresses, and takes them with a new password."""

    def __init__(
        self,
        mail: MailService,
        passwords: Passwords,
        sessions: SessionService,
        events: EventPublisher,
        rates: RateLimits,
        roles: RoleService,
    ) -> None:
        self._mail = mail
        self._passwords = passwords
        self._sessions = sessions
        self._events = events
        self._rates = rates
        self._roles = roles

    async def request(self, email: str, locale: str, *, client: str) -> None:
        """Send a link to the account with this address, if there is one; `client`: who asks, from where.

        Everything that depends on whether there is one comes after the answer, so that neither the answer nor its
        time tells. Nor does it tell that somebody asked too often, and that nothing is sent for it.

        Raises:
            InvalidInputError: this is no address.
            UnavailableError: there is no mail here.
        """
        self._mail.require()
        address = clean_email(email)
        with contextlib.suppress(RateLimitedError):
            await self._rates.password_reset(client)
            self._mail.in_background(self._send(address, locale))

    async def _send(self, email: str, locale: str) -> None:
        user = await User.get_or_none(email=email, deleted_at=None)
        if user is None:
            return
        try:
            token = await run_tx(self._issue, user)
        except QuotaExceededError:
            log.info("password_reset.enough", user=user.id)
            return
        if token is None:
            return
        try:
            await self._mail.send(MailPurpose.RESET, email, token, user.locale or locale)
        except UnavailableError:
            await mail_token.discard(token)
            raise

    @staticmethod
    async def _issue(user: User) -> str | None:
        # The lock serializes concurrent requests, so that the mails of the last hour are counted correctly.
        try:
            await account_change.lock_account(user.id)
        except NotFoundError:
            return None  # deleted meanwhile; nothing else changes an account's address
        return await mail_token.issue(user.id, user.email, MailPurpose.RESET)

    async def reset(self, token: str, password: str, *, client: str) -> NewSession:
        """Replace the password, end every sign-in, and sign in anew. API keys stay; the address is proven as well.

        Whoever guessed the old password too often, is not kept from using the new one. `client`: where from.

        Raises:
            InvalidInputError: the link does not work any more, or the password cannot be used.
            RateLimitedError: too many links were tried from there.
        """
        check_password(password, "password")
        await self._rates.link(client)
        row = await mail_token.find(token, MailPurpose.RESET)
        password_hash = await self._passwords.hash(password)
        account, session = await run_tx(self._reset, row, password_hash)
        await self._events.sign_ins_changed(row.user_id)
        await self._events.account_changed(account)
        await self._rates.forgive(row.email)
        return replace(session, user=await self._roles.apply_admin_emails(session.user))

    async def _reset(self, row: MailToken, password_hash: str) -> tuple[AccountChange, NewSession]:
        account = await account_change.bump_version(row.user_id)
        await mail_token.consume(row)
        same = User.filter(id=row.user_id, email=row.email, deleted_at=None)
        if not await same.update(password_hash=password_hash, email_verified=True, owner_proven=True):
            raise mail_token.dead_link()
        await mail_token.revoke_all(row.user_id)
        await self._sessions.end_all(row.user_id)
        return account, await self._sessions.open(await User.get(id=row.user_id))
