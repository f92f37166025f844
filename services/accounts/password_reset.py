"""Password reset by a mailed link."""

import contextlib
from dataclasses import replace

import structlog

from models import User
from models.accounts import MailToken
from models.database.connection import run_tx
from models.enum import MailPurpose
from services.accounts import mail_token
from services.accounts.credential import check_password, clean_email
from services.accounts.password_check import PasswordChecks
from services.accounts.session import NewSession
from services.accounts.sign_ins import owner_proof
from services.accounts.sign_ins.mailed_link import MailedLinks
from services.accounts.sign_ins.origin import UNKNOWN_ORIGIN, SignInOrigin
from services.core import locale
from services.core.error import NotFoundError, QuotaExceededError, RateLimitedError, UnavailableError
from services.events import account_change
from services.events.account_change import AccountChange

log = structlog.get_logger(__name__)


class PasswordResetService:
    """Sends password reset links and sets the new password."""

    def __init__(self, links: MailedLinks, passwords: PasswordChecks) -> None:
        self._passwords = passwords
        self._mail = links.mail
        self._sessions = links.sessions
        self._events = links.events
        self._rates = links.rates
        self._bonuses = links.bonuses
        self._roles = links.roles

    async def request(self, email: str, locale: str, *, client: str) -> None:
        """Send a link to the account with this address, if it exists; `client`: the client's address.

        All work that depends on the account happens after the response, so that neither the response nor its time
        reveals whether the account exists. The response does not reveal rate limits either; then no mail is sent.

        Raises:
            InvalidInputError: the address is malformed.
            UnavailableError: mail is not configured.
        """
        self._mail.require()
        address = clean_email(email)
        with contextlib.suppress(RateLimitedError):
            await self._rates.hit_password_reset(client)
            self._mail.in_background(self._send(address, locale))

    async def _send(self, email: str, locale: str) -> None:
        user = await User.get_or_none(email=email, deleted_at=None, is_guest=False)
        if user is not None:
            await self._send_to(user, locale)

    async def send_at_sign_up(self, user: User, locale: str) -> None:
        """Send a link to the owner of an address with which someone signs up, though it has an account.

        Raises:
            UnavailableError: the mail was not sent.
        """
        await self._send_to(user, locale, at_sign_up=True)

    async def _send_to(self, user: User, locale: str, *, at_sign_up: bool = False) -> None:
        try:
            token = await run_tx(self._issue, user)
        except QuotaExceededError:
            log.info("password_reset.quota_exceeded", user=user.id)
            return
        if token is None:
            return
        try:
            await self._mail.send(MailPurpose.RESET, user.mailbox, token, user.locale or locale, at_sign_up=at_sign_up)
        except UnavailableError:
            await mail_token.discard(token)
            raise

    @staticmethod
    async def _issue(user: User) -> str | None:
        # The lock serializes concurrent requests, so that the mails of the last hour are counted correctly.
        try:
            await account_change.lock_account(user.id)
        except NotFoundError:
            return None  # the account was deleted since; nothing else changes its address
        return await mail_token.issue(user.id, user.email, MailPurpose.RESET)

    async def reset(
        self,
        token: str,
        password: str,
        *,
        client: str,
        origin: SignInOrigin = UNKNOWN_ORIGIN,
        request_locale: str = locale.DEFAULT,
    ) -> NewSession:
        """Replace the password, end all sessions and open a new one; the address becomes verified.

        API keys, webhook endpoints and identities stay if the account's owner was proven before. Otherwise they are
        removed, as someone else may have made them, and the owner gets a mail that says so. Failed sign-ins with the
        old password no longer count against the account. `client`: the client's address. `request_locale`: of that
        mail, if the account has no language.

        Raises:
            InvalidInputError: the link is invalid or expired, or the password is invalid.
            RateLimitedError: the client tried too many links.
        """
        check_password(password, "password")
        await self._rates.hit_email_link(client)
        row = await mail_token.find(token, MailPurpose.RESET)
        password_hash = await self._passwords.hash(password, client=client)
        account, session, has_removed = await run_tx(self._reset, row, password_hash, origin)
        await self._events.sign_ins_changed(row.user_id)
        await self._events.account_changed(account)
        if has_removed:
            owner_proof.notify_in_background(self._mail, session.user, request_locale)
        await self._rates.reset_sign_in_failures(row.email)
        return replace(session, user=await self._roles.apply_admin_emails(session.user))

    async def _reset(
        self, row: MailToken, password_hash: str, origin: SignInOrigin
    ) -> tuple[AccountChange, NewSession, bool]:
        account = await account_change.bump_version(row.user_id)
        await mail_token.consume(row)
        unchanged = User.filter(id=row.user_id, email=row.email, deleted_at=None)
        is_first_proof = await unchanged.filter(owner_proven=False).exists()
        has_removed = is_first_proof and await owner_proof.remove_unproven_access(row.user_id)
        if not await unchanged.update(password_hash=password_hash, email_verified=True, owner_proven=True):
            raise mail_token.invalid_link()
        await mail_token.revoke_all(row.user_id)
        await self._sessions.end_all(row.user_id)
        account = await self._bonuses.grant(account, row.email, verified=True)
        return account, await self._sessions.open(await User.get(id=row.user_id), origin), has_removed
