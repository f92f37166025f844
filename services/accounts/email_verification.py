"""Verification of e-mail addresses by mailed links."""

from models import ApiKey, User
from models.accounts import MailToken
from models.database.connection import run_tx
from models.enum import MailPurpose
from services.accounts import mail_token
from services.accounts.sign_ins.mailed_link import MailedLinks
from services.billing.mailbox_identity import mailbox
from services.core.error import (
    GuestError,
    NotFoundError,
    QuotaExceededError,
    RateLimitedError,
    UnavailableError,
    UnverifiedEmailError,
)
from services.core.message import message
from services.events import account_change
from services.events.account_change import AccountChange


class VerificationService:
    """Sends verification links, accepts them, and refuses what needs a verified address."""

    def __init__(self, links: MailedLinks) -> None:
        self._mail = links.mail
        self._sessions = links.sessions
        self._events = links.events
        self._rates = links.rates
        self._referrals = links.referrals
        self._bonuses = links.bonuses
        self._roles = links.roles

    def require(self, user: User) -> None:
        """Check that the address is verified; without mail, no address can be, and none needs to be.

        Raises:
            UnverifiedEmailError: it is not.
            GuestError: the account has none.
        """
        if user.is_guest:
            raise GuestError
        if self._mail.is_enabled and not user.email_verified:
            raise UnverifiedEmailError

    async def request(self, user: User, locale: str) -> bool:
        """Send a link to the account's address; False if it is verified already.

        Raises:
            QuotaExceededError: too many were sent within the hour.
            RateLimitedError: too many were sent to the mailbox, for other accounts with other spellings of its address.
            UnavailableError: mail is not configured, or was not sent.
            GuestError: the account has no address.
        """
        if user.is_guest:
            raise GuestError
        self._mail.require()
        if not user.has_address:
            raise NotFoundError(text=message("This account has no e-mail address yet. Set one first."))
        token = await run_tx(self._issue, user.id, user.email)
        if token is None:
            return False
        try:
            await self._rates.hit_verification(mailbox(user.email))
            await self._mail.send(MailPurpose.VERIFY, user.mailbox, token, user.locale or locale)
        except (RateLimitedError, UnavailableError):
            await mail_token.discard(token)
            raise
        return True

    @staticmethod
    async def _issue(user_id: str, email: str) -> str | None:
        # The lock serializes concurrent requests, so that the mails of the last hour are counted correctly.
        await account_change.lock_account(user_id)
        if (await User.get(id=user_id)).email_verified:
            return None
        return await mail_token.issue(user_id, email, MailPurpose.VERIFY)

    def request_in_background(self, user: User, locale: str) -> None:
        """Send a new account its first link without delaying the response; never raises."""
        if self._mail.is_enabled:
            try:
                self._mail.in_background(self.request_quietly(user, locale))
            except UnavailableError:
                return

    async def request_quietly(self, user: User, locale: str) -> None:
        """Send a new account its first link. Raises UnavailableError if it failed."""
        try:
            await self.request(user, locale)
        except (QuotaExceededError, RateLimitedError, NotFoundError):
            return  # enough links were sent to the account or the mailbox, or the account is deleted

    async def verify(self, token: str, *, client: str, signed_in: User | None, session: str | None) -> User:
        """Mark the address that a link was sent to as verified and return its account.

        All sessions and API keys that the account had before end, because someone else may have signed up with the
        address. `client`: the client's address. `signed_in`: the account of the request's session, if any, and
        `session` the token of that session, which stays; only if it is the account of the link is it proven that the
        same human knows the password and reads the mail (`owner_proven`).

        Raises:
            InvalidInputError: the link is invalid or expired.
            RateLimitedError: the client tried too many links.
        """
        await self._rates.hit_email_link(client)
        row = await mail_token.find(token, MailPurpose.VERIFY)
        is_owner = signed_in is not None and signed_in.id == row.user_id
        account = await run_tx(self._verify, row, session if is_owner else None, is_owner=is_owner)
        await self._events.sign_ins_changed(row.user_id)
        await self._events.account_changed(account)
        await self._referrals.settle(row.user_id)
        return await self._roles.apply_admin_emails(await User.get(id=row.user_id))

    async def _verify(self, row: MailToken, session: str | None, *, is_owner: bool) -> AccountChange:
        account = await account_change.bump_version(row.user_id)
        await mail_token.consume(row)
        unchanged = User.filter(id=row.user_id, email=row.email, deleted_at=None)
        if await unchanged.filter(email_verified=False).update(email_verified=True):
            await self._sessions.end_all(row.user_id, but=session)
            await ApiKey.filter(user_id=row.user_id).delete()
            account = await self._bonuses.grant(account, row.email, verified=True)
        elif not await unchanged.exists():
            raise mail_token.invalid_link()
        if is_owner:
            await unchanged.update(owner_proven=True)
        return account
