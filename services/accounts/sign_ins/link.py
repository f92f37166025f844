"""Sign-in by a mailed link, without a password."""

import contextlib
from dataclasses import replace
from typing import NamedTuple

import structlog
from tortoise.exceptions import IntegrityError

from models import User
from models.accounts import MailToken
from models.database.connection import run_tx
from models.enum import MailPurpose
from services.accounts import mail_token
from services.accounts.credential import EmailAddress, find_user, parse_email
from services.accounts.session import NewSession
from services.accounts.sign_ins import owner_proof
from services.accounts.sign_ins.mailed_link import MailedLinks
from services.accounts.sign_ins.origin import SignInOrigin
from services.billing.mailbox_identity import mailbox
from services.core import locale
from services.core.error import ConflictError, NotFoundError, QuotaExceededError, RateLimitedError, UnavailableError
from services.core.message import message
from services.events import account_change
from services.events.account_change import AccountChange

log = structlog.get_logger(__name__)


class _Opened(NamedTuple):
    """What a link did: `account` is None if it changed nothing but the session."""

    session: NewSession
    account: AccountChange | None = None
    has_removed: bool = False  # access of an owner who was not proven


class SignInLinkService:
    """Mails links, and signs in the client that opens one: it reads the mail of the account."""

    def __init__(self, links: MailedLinks) -> None:
        self._mail = links.mail
        self._sessions = links.sessions
        self._events = links.events
        self._rates = links.rates
        self._referrals = links.referrals
        self._bonuses = links.bonuses
        self._roles = links.roles

    async def request(self, email: str, locale: str, *, client: str, guest: User | None = None) -> None:
        """Mail a link to the account with this address, if it exists and may sign in.

        `guest`: the guest account that is signed in. Where no account has the address, the link completes it: it gets
        the address, and keeps its pictures and its credits. `client`: the client's address.

        All work that depends on the account happens after the response, so that neither the response nor its time
        reveals whether the account exists. The response does not reveal rate limits either; then no mail is sent.

        Raises:
            InvalidInputError: the address is malformed.
            UnavailableError: mail is not configured.
        """
        self._mail.require()
        address = parse_email(email)
        with contextlib.suppress(RateLimitedError):
            await self._rates.hit_sign_in_link(client, mailbox(address.key))

            async def send() -> None:
                user = await find_user(address)
                if user is None and guest is not None:
                    await self._send(guest, locale, address)
                elif user is not None and user.may_sign_in and not user.is_guest:
                    await self._send(user, locale)

            self._mail.in_background(send())

    async def _send(self, user: User, locale: str, completed_by: EmailAddress | None = None) -> None:
        """Mail a link to an account, or to the address that completes this guest."""
        mailbox = completed_by.mailbox if completed_by else user.mailbox
        try:
            token = await run_tx(self._issue, user, completed_by)
        except QuotaExceededError:
            log.info("sign_in_link.quota_exceeded", user=user.id)
            return
        except NotFoundError:
            return  # the account was deleted since
        try:
            await self._mail.send(
                MailPurpose.SIGN_IN, mailbox, token, user.locale or locale, at_sign_up=completed_by is not None
            )
        except UnavailableError:
            await mail_token.discard(token)
            raise

    @staticmethod
    async def _issue(user: User, completed_by: EmailAddress | None) -> str:
        # The lock serializes concurrent requests, so that the mails of the last hour are counted correctly.
        await account_change.lock_account(user.id)
        new_address = completed_by.text if completed_by else None
        return await mail_token.issue(user.id, user.email, MailPurpose.SIGN_IN, new_address)

    async def sign_in(
        self,
        token: str,
        *,
        client: str,
        origin: SignInOrigin,
        session: str | None = None,
        request_locale: str = locale.DEFAULT,
    ) -> NewSession:
        """Open a session by the token of a link, which works once.

        It also verifies the address. If the owner was not proven before, someone else may have signed up with it: all
        that opens the account ends, and the reader of the address gets a mail that says so. The link that a guest had
        mailed completes its account, and ends its sessions but `session`, the one of this request: the address may be
        someone else's, who then has the account alone. `client`: the client's address. `request_locale`: of the mail,
        if the account has no language.

        Raises:
            ConflictError: another account has the address of a guest by now.
            InvalidInputError: the link is invalid or expired, or the account has changed its address since.
            RateLimitedError: the client tried too many links.
            SuspendedError: the account is suspended.
        """
        await self._rates.hit_email_link(client)
        row = await mail_token.find(token, MailPurpose.SIGN_IN)
        try:
            opened = await run_tx(self._sign_in, row, origin, session)
        except IntegrityError:  # a concurrent request took the address
            raise self._address_in_use() from None
        if opened.account is not None:
            await self._events.sign_ins_changed(row.user_id)
            await self._events.account_changed(opened.account)
            await self._referrals.settle(row.user_id)
        user = await User.get(id=row.user_id)
        if opened.has_removed:
            owner_proof.notify_in_background(self._mail, user, request_locale)
        await self._rates.reset_sign_in_failures(user.email)
        return replace(opened.session, user=await self._roles.apply_admin_emails(user))

    @staticmethod
    def _address_in_use() -> ConflictError:
        return ConflictError(message("There is an account with this e-mail address."), field=("token",))

    async def _sign_in(self, row: MailToken, origin: SignInOrigin, session: str | None) -> _Opened:
        try:
            await account_change.lock_account(row.user_id)
        except NotFoundError:
            raise mail_token.invalid_link() from None
        await mail_token.consume(row)
        user = await User.get(id=row.user_id)
        if user.email != row.email:
            raise mail_token.invalid_link()
        account, has_removed = None, False
        if row.new_address is not None:
            account = await self._complete(user, parse_email(row.new_address), session)
        elif not user.owner_proven:
            account, has_removed = await self._take_over(user)
        if account is not None:
            user = await User.get(id=row.user_id)
        return _Opened(await self._sessions.open(user, origin), account, has_removed)

    async def _complete(self, guest: User, address: EmailAddress, session: str | None) -> AccountChange:
        """Give a guest the address that it had a link mailed to."""
        if not guest.is_guest:
            raise mail_token.invalid_link()
        if await find_user(address) is not None:
            raise self._address_in_use()
        account = await account_change.bump_version(guest.id)
        await User.filter(id=guest.id).update(
            email=address.key, mail_address=address.text, is_guest=False, email_verified=True, owner_proven=True
        )
        await self._sessions.end_all(guest.id, but=session)
        await mail_token.revoke_all(guest.id)
        return await self._bonuses.grant(account, address.key, verified=True)

    async def _take_over(self, user: User) -> tuple[AccountChange, bool]:
        """Give an account whose owner is not proven to the reader of its address alone; return if that removed any.

        A verified address proves no owner: its reader may have opened the link of an account that is someone else's.
        """
        account = await account_change.bump_version(user.id)
        # An empty hash matches no password: the account then has none, until one is set by a mailed link.
        await User.filter(id=user.id).update(email_verified=True, owner_proven=True, password_hash="")
        await self._sessions.end_all(user.id)
        has_removed = await owner_proof.remove_unproven_access(user.id) or bool(user.password_hash)
        await mail_token.revoke_all(user.id)
        return await self._bonuses.grant(account, user.email, verified=True), has_removed
