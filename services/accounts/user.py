"""Users: sign-up, sign-in, profile and password."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

from tortoise.exceptions import IntegrityError

from models import User
from models.database.connection import run_tx
from models.enum import MailPurpose
from services.accounts import mail_token
from services.accounts.credential import EmailAddress, check_password, find_user, parse_email
from services.accounts.email_verification import VerificationService
from services.accounts.password_check import DeviceProof, PasswordChecks
from services.accounts.password_reset import PasswordResetService
from services.accounts.second_factor.code import MatchingCode
from services.accounts.second_factor.proof import FactorChange, FactorProofs
from services.accounts.session import NewSession
from services.accounts.sign_ins.completion import Completion
from services.accounts.sign_ins.mailed_link import MailedLinks
from services.accounts.sign_ins.origin import UNKNOWN_ORIGIN, SignInOrigin
from services.core import locale
from services.core.error import ConflictError, InvalidInputError, NotFoundError
from services.core.message import message
from services.core.problems import Problems
from services.core.text import clean_text
from services.core.unset import UNSET, Unset
from services.events import account_change
from services.events.account_change import AccountChange

NAME_MAX = 100  # characters

DEMO_EMAIL, DEMO_NAME = "demo@example.com", "演示用户"
DEMO_PASSWORD = "darkroom-demo"  # noqa: S105 - public, for development servers only


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


def _sign_up_locale(wanted: str | None) -> str | None:
    """Return the offered language of a browser's tag; None: it has none, and the account has not chosen yet."""
    known = locale.match(wanted) if wanted is not None else None
    return _clean_locale(wanted) if wanted is not None and known is None and not locale.is_tag(wanted) else known


@dataclass(frozen=True)
class ProfileChange:
    """What a user changes of the profile; UNSET: unchanged, None: removed."""

    name: str | Unset | None = UNSET
    locale: str | Unset | None = UNSET
    notify_by_mail: bool | Unset | None = UNSET


@dataclass(frozen=True)
class SignUpDetails:
    """A checked sign-up, without its password."""

    address: EmailAddress
    name: str | None
    locale: str | None  # that the user chose
    request_locale: str
    referral_code: str | None
    guest: User | None  # that it completes


class UserService:
    """What users do with their own account.

    `requires_verification`: an account cannot sign in before its address is verified, and no response reveals whether
    an address has an account.
    """

    def __init__(
        self,
        links: MailedLinks,
        passwords: PasswordChecks,
        verification: VerificationService,
        password_resets: PasswordResetService,
        factor_proofs: FactorProofs,
        *,
        requires_verification: bool,
    ) -> None:
        self._mail = links.mail
        self._sessions = links.sessions
        self._events = links.events
        self._rates = links.rates
        self._referrals = links.referrals
        self._bonuses = links.bonuses
        self._roles = links.roles
        self._passwords = passwords
        self._verification = verification
        self._password_resets = password_resets
        self._factor_proofs = factor_proofs
        self.requires_verification = requires_verification

    async def sign_up(
        self,
        email: str,
        password: str,
        name: str | None,
        wanted_locale: str | None,
        *,
        client: str,
        origin: SignInOrigin = UNKNOWN_ORIGIN,
        request_locale: str = locale.DEFAULT,
        referral_code: str | None = None,
        guest: User | None = None,
        replaced: str | None = None,
    ) -> NewSession | None:
        """Create an account, open a session, and mail a link that verifies its address.

        `guest`: the guest account that is signed in; it is completed instead, and keeps its pictures, its credits and
        its sessions: at once or, where verification is required, when the mailed link is opened. `replaced`: the token
        of its session that the new one takes the place of, which ends.

        Where verification is required, return None: the mail says how to continue, and if there is an account with this
        address already, its owner gets a link for a new password. All that depends on it happens after the response, so
        that its time reveals nothing.

        The account gets the sign-up bonus, unless its mailbox had one before or the profile requires verification.
        `wanted_locale`: the language that the user chose, if any. `request_locale`: the language of the request, used
        for the mail only. `client`: the client's address. `referral_code`: the code of the user who referred this one.

        Raises:
            InvalidInputError: email, password, name, locale or referral code is invalid.
            RefusalGroup: several of the first four are.
            RateLimitedError: the client created too many accounts.
            ConflictError: there is an account with this address, and verification is not required.
            UnavailableError: too many mails are waiting.
        """
        problems, chosen = Problems(), None
        with problems:
            address = parse_email(email)
        with problems:
            check_password(password, "password")
        with problems:
            name = _clean_name(name)
        with problems:
            chosen = _sign_up_locale(wanted_locale)
        problems.check()
        await self._rates.hit_sign_up(client)
        details = SignUpDetails(address, name, chosen, request_locale, referral_code, guest)
        if not self.requires_verification:
            session = await self._sign_up_now(details, password, client, origin)
            if guest is not None and replaced is not None:
                await self.sign_out(guest, replaced)
            return session
        if referral_code:
            await self._referrals.find(referral_code)
        password_hash = await self._passwords.hash(password, client=client)
        self._mail.in_background(self._sign_up_after_response(details, password_hash))
        return None

    async def _sign_up_now(
        self, details: SignUpDetails, password: str, client: str, origin: SignInOrigin
    ) -> NewSession:
        address, guest = details.address, details.guest
        if await User.filter(email=address.key).exists():
            raise self._address_in_use()
        code = details.referral_code
        referrer_id = await self._referrals.referrer(code, address.key) if code else None
        password_hash = await self._passwords.hash(password, client=client)
        creation = partial(self._create, address, password_hash, details.name, details.locale, referrer_id=referrer_id)
        if guest is not None:
            completion = Completion(guest.id, password_hash, details.name, details.locale, referrer_id)
            creation = partial(completion.complete, address, self._bonuses)
        try:
            user, account = await run_tx(creation)
        except IntegrityError:  # a concurrent request inserted it first
            raise self._address_in_use() from None
        await (self._events.signed_up(account) if guest is None else self._events.account_changed(account))
        self._verification.request_in_background(user, details.request_locale)
        return await self._sessions.open(user, origin)

    async def _sign_up_after_response(self, details: SignUpDetails, password_hash: str) -> None:
        address, request_locale = details.address, details.request_locale
        referrer_id = None
        if details.referral_code:
            with contextlib.suppress(InvalidInputError):  # the code of an account with the same mailbox
                referrer_id = await self._referrals.referrer(details.referral_code, address.key)
        existing = await User.get_or_none(email=address.key)
        if existing is None and details.guest is not None:
            completion = Completion(details.guest.id, password_hash, details.name, details.locale, referrer_id)
            await completion.mail_link(address, self._mail, self._rates, details.locale or request_locale)
        elif existing is None:
            try:
                user, account = await run_tx(
                    self._create, address, password_hash, details.name, details.locale, referrer_id=referrer_id
                )
            except IntegrityError:  # a concurrent request inserted it first
                existing = await User.get(email=address.key)
            else:
                await self._events.signed_up(account)
                await self._verification.request_quietly(user, request_locale)
        if existing is not None:
            await self._password_resets.send_at_sign_up(existing, request_locale)

    @staticmethod
    def _address_in_use() -> ConflictError:
        return ConflictError(message("There is an account with this e-mail address."), field=("email",))

    async def _create(
        self,
        address: EmailAddress,
        password_hash: str,
        name: str | None,
        chosen: str | None,
        *,
        is_demo: bool = False,
        referrer_id: str | None = None,
    ) -> tuple[User, AccountChange]:
        user = await User.create(
            email=address.key,
            mail_address=address.text,
            password_hash=password_hash,
            name=name,
            locale=chosen,
            email_verified=is_demo,
            is_member=is_demo,
            referred_by_id=referrer_id,
            member_since=datetime.now(UTC) if is_demo else None,
        )
        account = await account_change.bump_version(user.id)
        account = await self._bonuses.grant(account, address.key, verified=is_demo)
        user.credits, user.version = account.credits, account.version
        return user, account

    async def sign_in(
        self,
        email: str,
        password: str,
        *,
        client: str,
        proof: DeviceProof,
        origin: SignInOrigin = UNKNOWN_ORIGIN,
        code: str | None = None,
        request_locale: str = locale.DEFAULT,
    ) -> NewSession:
        """Sign in. An unknown address and a wrong password have the same error, after the same time.

        So has an address that is not verified, where that is required. `client`: the client's address. `code`: proves
        the second factor, too; without effect on accounts that have none. It is checked after the password.

        Raises:
            ConflictError: as FactorCodes.match.
            InvalidInputError: the address, the password or the code is wrong.
            RateLimitedError: there were too many wrong passwords, codes or sign-ins, for this address or client.
            SuspendedError: both are right, but the account is suspended.
        """
        try:
            address = parse_email(email)
        except InvalidInputError:
            user, key = None, email  # so there is no such account
        else:
            user = await find_user(address)
            key = user.email if user else address.key
        if self.requires_verification and user is not None and not user.email_verified:
            user = None  # wrong passwords count in the same way, and the correct one does not reset them
        if not await self._passwords.verify(key, user, password, client=client, proof=proof):
            raise self._wrong_credentials()
        assert user is not None  # noqa: S101 - only an existing account's hash can match
        has_factor = user.second_factor_since is not None and user.may_sign_in
        matching = await self._factor_proofs.match(user, code) if code and has_factor else None
        session, change = await run_tx(self._open_if_unchanged, user, origin, matching)
        if session is None:  # the password was changed while it was being checked
            raise self._wrong_credentials()
        if matching is not None:
            await self._factor_proofs.spent(user, change, request_locale)
        return replace(session, user=await self._roles.apply_admin_emails(session.user))

    def _wrong_credentials(self) -> InvalidInputError:
        text = message("E-mail address or password is wrong.")
        if self.requires_verification:
            text = message("E-mail address or password is wrong, or the address is not confirmed yet.")
        return InvalidInputError(text, field=("password",))

    async def _open_if_unchanged(
        self, user: User, origin: SignInOrigin, matching: MatchingCode | None
    ) -> tuple[NewSession | None, FactorChange | None]:
        # The update locks the row, so that a concurrent change of the password is either seen here or waits.
        unchanged = User.filter(id=user.id, password_hash=user.password_hash)
        if not await unchanged.update(password_hash=user.password_hash):
            return None, None
        change = await self._factor_proofs.spend(matching) if matching is not None else None
        # Read again: it may just have been suspended.
        found = await User.get(id=user.id)
        return await self._sessions.open(found, origin, proves_factor=matching is not None), change

    async def update_profile(self, user: User, change: ProfileChange) -> User:
        """Change name, locale or mails about results; fields that are UNSET stay unchanged.

        Raises:
            GuestError, UnverifiedEmailError, UnavailableError: mails need a verified address, and a mail server.
            InvalidInputError: the name is too long, or the language is not supported.
        """
        columns: dict[str, str | bool | None] = {}
        if change.name is not UNSET:
            columns["name"] = _clean_name(change.name)
        if change.locale is not UNSET:
            columns["locale"] = _clean_locale(change.locale)
        if change.notify_by_mail is not UNSET:
            columns["notify_by_mail"] = bool(change.notify_by_mail)
            if change.notify_by_mail:
                self._mail.require()
                self._verification.require(user)
        if columns:
            await self._events.account_changed(await run_tx(self._change, user.id, columns))
        return await self.get(user.id)

    async def change_password(
        self, user: User, token: str | None, current: str, new: str, *, client: str, proof: DeviceProof
    ) -> User:
        """Change the password and end all other sessions. `client`: the client's address.

        Raises:
            InvalidInputError: the current password is wrong, or the new one is invalid.
            RateLimitedError: there were too many wrong passwords, for this account or from this client.
        """
        check_password(new, "new")
        matches = await self._passwords.verify(user.email, user, current, client=client, proof=proof)
        password_hash = await self._passwords.hash(new, client=client) if matches else ""
        account = await run_tx(self._replace_password, user, password_hash, token) if matches else None
        if account is None:
            raise InvalidInputError(message("The current password is wrong."), field=("current",))
        await self._events.sign_ins_changed(user.id)
        await self._events.account_changed(account)
        return await self.get(user.id)

    async def sign_out(self, user: User, token: str | None) -> int:
        """End the session of `token`, or all sessions if it is None; return the number of ended sessions.

        With all sessions end the changes of the address that any of them has requested.
        """
        ended = await (self._sessions.end(user.id, token) if token else run_tx(self._end_all, user.id))
        await self._events.sign_ins_changed(user.id)
        return ended

    async def _end_all(self, user_id: str) -> int:
        await account_change.lock_account(user_id)
        await mail_token.revoke_all(user_id, MailPurpose.CHANGE)
        return await self._sessions.end_all(user_id)

    async def _replace_password(self, user: User, password_hash: str, token: str | None) -> AccountChange | None:
        # In one transaction: a crash in between must not leave an attacker with the old password signed in.
        account = await account_change.bump_version(user.id)
        unchanged = User.filter(id=user.id, password_hash=user.password_hash)
        if not await unchanged.update(password_hash=password_hash):
            return None  # changed by a concurrent request: `current` is outdated
        await self._sessions.end_all(user.id, but=token)
        await mail_token.revoke_all(user.id)
        return account

    @staticmethod
    async def _change(user_id: str, changes: Mapping[str, object]) -> AccountChange:
        account = await account_change.bump_version(user_id)
        await User.filter(id=user_id).update(**changes)
        return account

    async def get(self, user_id: str) -> User:
        """Return a user by id, deleted or not.

        Raises:
            NotFoundError: it does not exist.
        """
        user = await User.get_or_none(id=user_id)
        if user is None:
            raise NotFoundError
        return user

    async def ensure_demo_account(self) -> User:
        """Return the demo account, a member with a known password, creating it if necessary; for development only."""
        user = await User.get_or_none(email=DEMO_EMAIL)
        if user is None:
            password_hash = await self._passwords.hash(DEMO_PASSWORD, client="")
            with contextlib.suppress(IntegrityError):  # another process inserted it first
                await run_tx(self._create, parse_email(DEMO_EMAIL), password_hash, DEMO_NAME, None, is_demo=True)
        # No mail can verify this address, and API keys and exports need a verified one.
        await User.filter(email=DEMO_EMAIL, email_verified=False).update(email_verified=True)
        return await User.get(email=DEMO_EMAIL)
