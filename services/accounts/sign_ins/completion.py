"""Completion of a guest account: it gets an address and a password, and keeps what it has."""

from dataclasses import dataclass

import structlog

from models import User
from models.database.connection import run_tx
from models.enum import MailPurpose
from services.accounts import mail_token
from services.accounts.credential import EmailAddress
from services.accounts.mail import MailService
from services.billing.mailbox_identity import mailbox
from services.billing.signup_bonus import SignupBonusService
from services.core.error import ConflictError, NotFoundError, QuotaExceededError, RateLimitedError, UnavailableError
from services.core.message import message
from services.core.rate_limit import RateLimits
from services.events import account_change
from services.events.account_change import AccountChange

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Completion:
    """What a sign-up gives a guest account besides its address."""

    guest_id: str
    password_hash: str
    name: str | None
    locale: str | None
    referrer_id: str | None

    async def complete(self, address: EmailAddress, bonuses: SignupBonusService) -> tuple[User, AccountChange]:
        """Complete the account, in a transaction; it gets what the sign-up bonus exceeds the guests' by.

        Raises:
            ConflictError: it is complete already.
            IntegrityError: another account has the address.
        """
        account = await self._apply(email=address.key, mail_address=address.text, is_guest=False)
        account = await bonuses.grant(account, address.key, verified=False)
        return await User.get(id=self.guest_id), account

    async def mail_link(self, address: EmailAddress, mail: MailService, rates: RateLimits, locale: str) -> None:
        """Mail a link that completes the account, after the response, which has revealed no refusal.

        Guests are made at will, so the mailbox is limited beside the account.

        Raises:
            UnavailableError: the mail was not sent.
        """
        try:
            await rates.hit_verification(mailbox(address.key))
            token = await run_tx(self.prepare, address)
        except RateLimitedError:
            return  # logged where it was refused
        except (ConflictError, NotFoundError, QuotaExceededError) as refusal:
            log.info("guest_completion.refused", user=self.guest_id, code=refusal.code)
            return
        try:
            await mail.send(MailPurpose.CHANGE, address.mailbox, token, locale)
        except UnavailableError:
            await mail_token.discard(token)
            raise

    async def prepare(self, address: EmailAddress) -> str:
        """Give the account all but its address, in a transaction; the link with the returned token completes it.

        Raises:
            ConflictError: it is complete already.
            NotFoundError: it was deleted.
            QuotaExceededError: too many links were sent within the hour.
        """
        await self._apply()
        guest = await User.get(id=self.guest_id)
        return await mail_token.issue(self.guest_id, guest.email, MailPurpose.CHANGE, address.text)

    async def _apply(self, **more: object) -> AccountChange:
        account = await account_change.bump_version(self.guest_id)
        before = await User.get(id=self.guest_id)
        if not before.is_guest:
            raise ConflictError(message("This account is complete already."))
        await User.filter(id=self.guest_id).update(
            password_hash=self.password_hash,
            name=self.name or before.name,
            locale=self.locale or before.locale,
            referred_by_id=self.referrer_id,
            **more,
        )
        return account
