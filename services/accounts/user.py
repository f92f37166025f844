"""Accounts: signing up and in, profile and password."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from tortoise.exceptions import IntegrityError

from models import User
from models.database.connection import run_tx
from services.accounts import mail_token
from services.accounts.credential import PASSWORD_MAX, check_password, clean_email
from services.accounts.email_verification import VerificationService
from services.accounts.role import RoleService
from services.accounts.session import NewSession, SessionService
from services.billing import ledger
from services.billing.referral import ReferralService
from services.core import locale
from services.core.error import ConflictError, InvalidInputError, NotFoundError
from services.core.message import message
from services.core.rate_limit import RateLimits
from services.core.text import clean_text
from services.core.unset import UNSET, Unset
from services.events import account_change
from services.events.account_change import AccountChange
from services.events.publisher import EventPublisher
from services.integrations.password_hashing import Passwords

NAME_MAX = 100

DEMO_EMAIL, DEMO_NAME = "demo@example.com", "演示用户"
DEMO_PASSWORD = "darkroom-demo"  # noqa: S105 - for everybody who tries a development server


def _clean_name(name: str | None) -> str | None:
    return clean_text(name, NAME_MAX, field=("name",))


def _clean_locale(wanted: str | None) -> str | None:
    if wanted is None:
        return None
    known = locale.match(wanted)
    if known is None:
        text = message("This language is not offered. Choose one of {locales}.", locales=", ".join(locale.SUPPORTED))
        raise InvalidInputError(text, field=("locale",))
    return known


@dataclass(frozen=True)
class ProfileChange:
    """What a user changes of the profile; UNSET: unchanged, None: removed."""

    name: str | Unset | None = UNSET
    locale: str | Unset | None = UNSET


class UserService:
    """Everything an account does with itself."""

    def __init__(
        self,
        passwords: Passwords,
        sessions: SessionService,
        events: EventPublisher,
        verification: VerificationService,
        rates: RateLimits,
        referrals: ReferralService,
        roles: RoleService,
        signup_credits: int,
    ) -> None:
        self._passwords = passwords
        self._sessions = sessions
        self._events = events
        self._verification = verification
        self._rates = rates
        self._referrals = referrals
        self._roles = roles
        self.signup_credits = signup_credits

    async def sign_up(
        self,
        email: str,
        password: str,
        name: str | None,
        wanted_locale: str | None,
        *,
        client: str,
        spoken: str = locale.DEFAULT,
        referral_code: str | None = None,
    ) -> NewSession:
        """Make an account, pay its sign-up bonus, sign it in, and mail a link that proves its address.

        `spoken` is the language that this is asked in, which nobody has chosen to keep; `client`, where from;
        `referral_code`, of whoever brought this account.

        Raises:
            InvalidInputError: email, password, name, locale or referral code cannot be used.
            RateLimitedError: too many accounts were asked for from there.
            ConflictError: the address has an account.
        """
        email = clean_email(email)
        check_password(password, "password")
        name, chosen = _clean_name(name), _clean_locale(wanted_locale)
        await self._rates.sign_up(client)
        if await User.filter(email=email).exists():
            raise self._taken()
        referrer_id = await self._referrals.referrer(referral_code, email) if referral_code else None
        password_hash = await self._passwords.hash(password)
        try:
            user, account = await run_tx(self._create, email, password_hash, name, chosen, referrer_id=referrer_id)
        except IntegrityError:  # somebody was faster
            raise self._taken() from None
        await self._events.signed_up(account)
        self._verification.welcome(user, spoken)
        return await self._sessions.open(user)

    @staticmethod
    def _taken() -> ConflictError:
        return ConflictError(message("There is an account with this e-mail address."), field=("email",))

    async def _create(
        self,
        email: str,
        password_hash: str,
        name: str | None,
        chosen: str | None,
        *,
        is_member: bool = False,
        referrer_id: str | None = None,
    ) -> tuple[User, AccountChange]:
        user = await User.create(
            email=email,
            password_hash=password_hash,
            name=name,
            locale=chosen,
            is_member=is_member,
            referred_by_id=referrer_id,
            member_since=datetime.now(UTC) if is_member else None,
        )
        account = await ledger.post(user.id, ledger.signup_bonus(user.id, self.signup_credits))
        user.credits, user.version = account.credits, account.version
        return user, account

    async def sign_in(self, email: str, password: str, *, client: str) -> NewSession:
        """Sign in. A wrong address and a wrong password answer alike, after the same time; `client`: where from.

        Raises:
            InvalidInputError: they do not belong together.
            RateLimitedError: there were too many wrong ones, for this address or from there.
            SuspendedError: they do, but an admin has suspended the account.
        """
        try:
            email, is_address = clean_email(email), True
        except InvalidInputError:
            is_address = False  # so nobody's
        await self._rates.before_sign_in(email, client)
        user = await User.get_or_none(email=email) if is_address else None
        if not await self._passwords.matches(user.password_hash if user else None, password[: PASSWORD_MAX + 1]):
            await self._rates.sign_in_failed(email, client)
            raise self._wrong()
        assert user is not None  # noqa: S101 - only an existing account's hash can match
        await self._rates.signed_in(email)
        session = await run_tx(self._open_if_unchanged, user)
        if session is None:  # the password was changed while it was being checked
            raise self._wrong()
        return replace(session, user=await self._roles.apply_admin_emails(session.user))

    @staticmethod
    def _wrong() -> InvalidInputError:
        return InvalidInputError(message("E-mail address or password is wrong."), field=("password",))

    async def _open_if_unchanged(self, user: User) -> NewSession | None:
        # A write takes the row, so that a change of password comes before or after, never between.
        same = User.filter(id=user.id, password_hash=user.password_hash)
        if not await same.update(password_hash=user.password_hash):
            return None
        return await self._sessions.open(await User.get(id=user.id))  # as it is now: it may just have been suspended

    async def update_profile(self, user: User, change: ProfileChange) -> User:
        """Change name or locale; what is UNSET stays.

        Raises:
            InvalidInputError: the name is too long, or the language is not offered.
        """
        columns: dict[str, str | None] = {}
        if change.name is not UNSET:
            columns["name"] = _clean_name(change.name)
        if change.locale is not UNSET:
            columns["locale"] = _clean_locale(change.locale)
        if columns:
            await self._events.account_changed(await run_tx(self._change, user.id, columns))
        return await self.get(user.id)

    async def change_password(self, user: User, token: str | None, current: str, new: str) -> User:
        """Change the password and end every other sign-in.

        Raises:
            InvalidInputError: the current password is wrong, or the new one cannot be used.
        """
        check_password(new, "new")
        matches = await self._passwords.matches(user.password_hash, current[: PASSWORD_MAX + 1])
        password_hash = await self._passwords.hash(new) if matches else ""
        account = await run_tx(self._replace_password, user, password_hash, token) if matches else None
        if account is None:
            raise InvalidInputError(message("The current password is wrong."), field=("current",))
        await self._events.sign_ins_changed(user.id)
        await self._events.account_changed(account)
        return await self.get(user.id)

    async def sign_out(self, user: User, token: str | None) -> int:
        """End the sign-in of `token`, or every one where there is none; how many ended."""
        sessions = self._sessions
        ended = await (sessions.end_all(user.id) if token is None else sessions.end(user.id, token))
        await self._events.sign_ins_changed(user.id)
        return ended

    async def _replace_password(self, user: User, password_hash: str, token: str | None) -> AccountChange | None:
        # Together: whoever stole the old password must not stay signed in because we died in between.
        account = await account_change.bump_version(user.id)
        same = User.filter(id=user.id, password_hash=user.password_hash)
        if not await same.update(password_hash=password_hash):
            return None  # changed meanwhile, so `current` is not it any more
        await self._sessions.end_all(user.id, but=token)
        await mail_token.revoke_all(user.id)
        return account

    @staticmethod
    async def _change(user_id: str, changes: Mapping[str, object]) -> AccountChange:
        account = await account_change.bump_version(user_id)
        await User.filter(id=user_id).update(**changes)
        return account

    async def get(self, user_id: str) -> User:
        """An account by id.

        Raises:
            NotFoundError: there is none.
        """
        user = await User.get_or_none(id=user_id)
        if user is None:
            raise NotFoundError
        return user

    async def ensure_demo_account(self) -> User:
        """The fourth source's demo account, a member; for development only."""
        user = await User.get_or_none(email=DEMO_EMAIL)
        if user is None:
            password_hash = await self._passwords.hash(DEMO_PASSWORD)
            with contextlib.suppress(IntegrityError):  # another process was faster
                await run_tx(self._create, DEMO_EMAIL, password_hash, DEMO_NAME, None, is_member=True)
        return await User.get(email=DEMO_EMAIL)
