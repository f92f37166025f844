"""Change of an account's e-mail address, confirmed by a link that is mailed to the new one."""

import asyncio

from tortoise.exceptions import IntegrityError

from models import ApiKey, User
from models.accounts import MailToken
from models.database.connection import run_tx
from models.enum import MailPurpose
from services.accounts import mail_token
from services.accounts.credential import EmailAddress, find_user, parse_email
from services.accounts.mail import Notice
from services.accounts.password_check import DeviceProof, PasswordChecks
from services.accounts.sign_ins.mailed_link import MailedLinks
from services.billing.mailbox_identity import mailbox
from services.core.error import ConflictError, GuestError, InvalidInputError, UnavailableError
from services.core.message import message
from services.events import account_change
from services.events.account_change import AccountChange


class EmailChangeService:
    """Sends links to new addresses, and changes the address of an account when its link is opened."""

    def __init__(self, links: MailedLinks, passwords: PasswordChecks) -> None:
        self._passwords = passwords
        self._mail = links.mail
        self._sessions = links.sessions
        self._events = links.events
        self._rates = links.rates
        self._referrals = links.referrals
        self._bonuses = links.bonuses
        self._roles = links.roles

    async def request(
        self,
        user: User,
        email: str,
        password: str | None,
        *,
        session: str | None,
        client: str,
        proof: DeviceProof,
        locale: str,
    ) -> None:
        """Mail a link to a new address, and a notice to the present one; the address stays until the link is opened.

        Neither the response nor its time nor the notice reveals whether the new address has an account: that account
        then gets a mail that says so, instead of the link. `session`: the token of the request's session; within its
        first minutes it replaces the password. `client`: the client's address.

        Raises:
            InvalidInputError: the address is malformed or the account's, or the password is wrong or missing.
            QuotaExceededError: too many links were sent within the hour.
            RateLimitedError: there were too many requests, or too many wrong passwords for this account.
            UnavailableError: mail is not configured.
            GuestError: the account has no address to change.
        """
        if user.is_guest:  # a sign-up completes it
            raise GuestError
        self._mail.require()
        address = parse_email(email)
        if address.text == user.address:
            raise InvalidInputError(message("The account has this address already."), field=("email",))
        await self._authenticate(user, password, session, client, proof)
        await self._rates.hit_email_change(client, mailbox(address.key))
        token = await run_tx(self._issue, user, address)
        try:
            self._mail.in_background(self._send(user, address, token, user.locale or locale))
        except UnavailableError:
            await mail_token.discard(token)
            raise

    async def _authenticate(
        self, user: User, password: str | None, session: str | None, client: str, proof: DeviceProof
    ) -> None:
        if password is None:
            if not await self._sessions.is_recent(user.id, session):
                raise InvalidInputError(message("Please enter your password."), field=("password",))
        elif not await self._passwords.verify(user.email, user, password, client=client, proof=proof):
            raise self._wrong_password()

    @staticmethod
    def _wrong_password() -> InvalidInputError:
        return InvalidInputError(message("The password is wrong."), field=("password",))

    async def _issue(self, user: User, address: EmailAddress) -> str:
        # The lock serializes concurrent requests, so that the mails of the last hour are counted correctly.
        await account_change.lock_account(user.id)
        if not await User.exists(id=user.id, email=user.email, password_hash=user.password_hash):
            raise self._wrong_password()  # a concurrent request changed one of them, and ended this session
        # Issued also if the address has an account, so that the quota is the same; no mail then contains the token.
        return await mail_token.issue(user.id, user.email, MailPurpose.CHANGE, address.text)

    async def _send(self, user: User, address: EmailAddress, token: str, locale: str) -> None:
        # Both are sent even if one fails: the mailbox of the present address may not exist any more.
        results = await asyncio.gather(
            self._notify(Notice.CHANGE_REQUESTED, user, locale),
            self._send_to_new(user, address, token, locale),
            return_exceptions=True,
        )
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _send_to_new(self, user: User, address: EmailAddress, token: str, locale: str) -> None:
        holder = await find_user(address)
        if holder is not None and holder.id != user.id:
            await self._mail.notify(Notice.ADDRESS_IN_USE, holder.mailbox, holder.locale or locale)
            return
        # If this fails, the link counts nevertheless: a notice was sent, perhaps to someone who never signed up.
        await self._mail.send(MailPurpose.CHANGE, address.mailbox, token, locale)

    async def change(
        self, token: str, *, client: str, signed_in: User | None, session: str | None, locale: str
    ) -> User:
        """Change an account's address to the one that the link was mailed to, and return the account.

        The new address is verified. All other sessions and mailed links of the account end; API keys stay, unless the
        former address was never verified. `client`, `signed_in`, `session`: as for VerificationService.verify.
        Only if the link is opened in a session of its account is the owner proven to read the new address
        (`owner_proven`): anyone can have a link to their own account mailed to someone else.

        Raises:
            ConflictError: another account has the address by now.
            InvalidInputError: the link is invalid or expired, or the account has changed its address since.
            RateLimitedError: the client tried too many links.
        """
        await self._rates.hit_email_link(client)
        row = await mail_token.find(token, MailPurpose.CHANGE)
        is_owner = signed_in is not None and signed_in.id == row.user_id
        try:
            before, account = await run_tx(self._change, row, session if is_owner else None, is_owner=is_owner)
        except IntegrityError:  # a concurrent request took it
            raise self._address_in_use() from None
        await self._events.sign_ins_changed(row.user_id)
        await self._events.account_changed(account)
        user = await User.get(id=row.user_id)
        if user.email != before.email and not before.is_guest:
            self._notify_in_background(before, before.locale or locale)
        await self._referrals.settle(row.user_id)
        return await self._roles.apply_admin_emails(user)

    @staticmethod
    def _address_in_use() -> ConflictError:
        return ConflictError(message("There is an account with this e-mail address."), field=("token",))

    async def _change(self, row: MailToken, session: str | None, *, is_owner: bool) -> tuple[User, AccountChange]:
        account = await account_change.bump_version(row.user_id)
        await mail_token.consume(row)
        before = await User.get(id=row.user_id)
        if before.email != row.email or not before.may_sign_in:
            raise mail_token.invalid_link()
        address = parse_email(row.new_address or "")
        holder = await find_user(address)
        if holder is not None and holder.id != before.id:
            raise self._address_in_use()
        is_same = address.key == before.email  # only its spelling changes
        await User.filter(id=before.id).update(
            email=address.key,
            mail_address=address.text,
            email_verified=True,
            is_guest=False,
            owner_proven=is_owner or (is_same and before.owner_proven),
        )
        if not is_same:
            await self._roles.keep_used_admin_email(before)
        await mail_token.revoke_all(before.id)
        await self._sessions.end_all(before.id, but=session)
        if not before.email_verified:
            await ApiKey.filter(user_id=before.id).delete()
            account = await self._bonuses.grant(account, address.key, verified=True)
        return before, account

    def _notify_in_background(self, before: User, locale: str) -> None:
        try:
            self._mail.in_background(self._notify(Notice.CHANGED, before, locale))
        except UnavailableError:
            return  # the change is committed

    async def _notify(self, notice: Notice, user: User, locale: str) -> None:
        if user.has_address:
            await self._mail.notify(notice, user.mailbox, locale)
