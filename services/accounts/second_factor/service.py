"""The second factor of an admin's account: setting it up, proving it in a session, and removing it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from models import SecondFactor, User
from models.database.connection import run_tx
from models.enum import AdminAction, Role
from services.accounts.credential import find_user, parse_email
from services.accounts.mail import Notice
from services.accounts.password_check import DeviceProof, PasswordChecks
from services.accounts.second_factor.code import FactorCodes, MatchingCode, wrong_code
from services.accounts.second_factor.factor_row import delete_factor
from services.accounts.second_factor.proof import FactorChange, FactorProofs, record
from services.accounts.second_factor.recovery_code import replace_codes
from services.accounts.second_factor.secret import FactorSecrets, hash_secret
from services.accounts.session import SessionService
from services.core.error import (
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    UnauthenticatedError,
)
from services.core.message import message
from services.events import account_change, audit_log
from services.events.publisher import EventPublisher
from services.integrations.authenticator import Authenticator
from services.integrations.identity.issuer import is_external_token

SETUP_TIME = timedelta(minutes=15)  # from the secret that is shown to the code that confirms it


@dataclass(frozen=True)
class NewApp:
    """What sets up an authenticator app; it is not shown again."""

    secret: bytes
    uri: str
    expires_at: datetime  # the code that confirms it must be sent before


class SecondFactorService:
    """Sets up, proves and removes second factors.

    `session`: the token of the request's session. `locale`: the language of the request.
    """

    def __init__(
        self,
        secrets: FactorSecrets,
        codes: FactorCodes,
        proofs: FactorProofs,
        passwords: PasswordChecks,
        sessions: SessionService,
        events: EventPublisher,
    ) -> None:
        self._secrets = secrets
        self._codes = codes
        self._proofs = proofs
        self._passwords = passwords
        self._sessions = sessions
        self._events = events

    async def start(
        self, user: User, password: str | None, *, session: str | None, client: str, proof: DeviceProof, issuer: str
    ) -> NewApp:
        """Return the secret of a new app, in place of one that was never confirmed.

        `issuer`: what the app calls this deployment. `client`: the client's address. Within its first minutes, the
        session replaces the password.

        Raises:
            ConflictError: the account has a second factor.
            ForbiddenError: it is no admin's account, or the request has no session of this server.
            InvalidInputError: the password is wrong or missing.
            RateLimitedError: there were too many wrong passwords for this account.
            UnauthenticatedError: the session has just ended.
        """
        _require_admin(user)
        token = _require_session(session)
        if password is None:
            if not await self._sessions.is_recent(user.id, token):
                raise InvalidInputError(message("Please enter your password."), field=("password",))
        elif not await self._passwords.verify(user.email, user, password, client=client, proof=proof):
            raise InvalidInputError(message("The password is wrong."), field=("password",))
        salt, secret = self._secrets.new(user.id)
        now = datetime.now(UTC)
        row = SecondFactor(user_id=user.id, salt=salt, secret_hash=hash_secret(secret), created_at=now)
        await run_tx(self._start, row, token)
        return NewApp(secret, Authenticator(secret).uri(user.address, issuer), now + SETUP_TIME)

    async def _start(self, row: SecondFactor, session: str) -> None:
        await account_change.lock_account(row.user_id)
        if not await self._sessions.is_open(row.user_id, session):  # a new password may just have ended it
            raise UnauthenticatedError
        if not await User.exists(id=row.user_id, second_factor_since=None):
            raise _has_one()
        await SecondFactor.filter(user_id=row.user_id).delete()
        await row.save(force_create=True)

    async def confirm(self, user: User, code: str, *, session: str | None, locale: str) -> tuple[User, list[str]]:
        """Switch the factor on by a code of the app; return the account and its recovery codes, which are shown once.

        This session has proved the factor thereby. Others have not, and are no admin's until they do.

        Raises:
            ConflictError: the account has a second factor.
            ForbiddenError: it is no admin's account, or the request has no session of this server.
            InvalidInputError: the code is wrong, or no setup was started within the last minutes.
            RateLimitedError: there were too many wrong codes for the account.
            UnauthenticatedError: the session has just ended.
        """
        _require_admin(user)
        token = _require_session(session)
        if user.second_factor_since is not None:
            raise _has_one()
        if not await SecondFactor.exists(user_id=user.id, created_at__gt=datetime.now(UTC) - SETUP_TIME):
            raise InvalidInputError(message("Please start the setup again: its time is over."), field=("code",))
        matching = await self._codes.match(user, code)
        if matching.is_recovery:
            raise wrong_code()
        change, now, codes = await run_tx(self._confirm, matching, token)
        await self._publish(change)
        self._proofs.notify(Notice.SECOND_FACTOR_ON, user, locale)
        return await _read(user.id, proved_at=now), codes

    async def _confirm(self, matching: MatchingCode, session: str) -> tuple[FactorChange, datetime, list[str]]:
        user_id, now = matching.user_id, datetime.now(UTC)
        account = await account_change.bump_version(user_id)
        if not await User.filter(id=user_id, second_factor_since=None).update(second_factor_since=now):
            raise _has_one()
        await self._codes.use(matching)
        await self._sessions.prove(user_id, session, now)
        codes = await replace_codes(user_id)
        return (account, await audit_log.record(user_id, AdminAction.ENABLE_SECOND_FACTOR, user_id)), now, codes

    async def verify(self, user: User, code: str, *, session: str | None, locale: str) -> User:
        """Prove the factor for the rest of the session, by a code of the app or a recovery code.

        Raises:
            ConflictError: as FactorCodes.match.
            ForbiddenError: the request has no session of this server.
            InvalidInputError: the code is wrong or was used before, or the account has no second factor.
            RateLimitedError: there were too many wrong codes for the account.
            UnauthenticatedError: the session has just ended.
        """
        token = _require_session(session)
        matching = await self._proofs.match(user, code)
        change, now = await run_tx(self._verify, matching, token)
        await self._proofs.spent(user, change, locale)
        await self._events.sign_ins_changed(user.id)
        return await _read(user.id, proved_at=now)

    async def _verify(self, matching: MatchingCode, session: str) -> tuple[FactorChange | None, datetime]:
        change, now = await self._proofs.spend(matching), datetime.now(UTC)
        await self._sessions.prove(matching.user_id, session, now)
        return change, now

    async def remove(self, user: User, code: str, *, locale: str) -> User:
        """Switch the factor off, by a code of the app or a recovery code.

        Raises:
            ConflictError, InvalidInputError, RateLimitedError: as `verify`.
        """
        matching = await self._proofs.match(user, code)
        await self._publish(await run_tx(self._remove, matching))
        self._proofs.notify(Notice.SECOND_FACTOR_OFF, user, locale)
        return await _read(user.id)

    async def _remove(self, matching: MatchingCode) -> FactorChange:
        account = await account_change.bump_version(matching.user_id)
        await self._codes.use(matching)
        await delete_factor(matching.user_id)
        by = "RECOVERY_CODE" if matching.is_recovery else "CODE"
        return account, await record(matching.user_id, AdminAction.DISABLE_SECOND_FACTOR, by=by)

    async def reset_by_operator(self, email: str, locale: str) -> bool:
        """Switch an account's factor off from the command line; return whether it had one.

        Raises:
            InvalidInputError: the address is malformed.
            NotFoundError: no account has it.
        """
        user = await find_user(parse_email(email))
        if user is None:
            raise NotFoundError
        change = await run_tx(self._reset_by_operator, user.id)
        if change is None:
            return False
        await self._publish(change)
        self._proofs.notify(Notice.SECOND_FACTOR_OFF, user, locale)
        return True

    @staticmethod
    async def _reset_by_operator(user_id: str) -> FactorChange | None:
        await account_change.lock_account(user_id)
        if await User.exists(id=user_id, second_factor_since=None):
            return None
        account = await account_change.bump_version(user_id)
        await delete_factor(user_id)
        return account, await audit_log.record(None, AdminAction.DISABLE_SECOND_FACTOR, user_id, by="OPERATOR")

    async def _publish(self, change: FactorChange) -> None:
        await self._codes.accept(change[0].user_id)
        await self._events.sign_ins_changed(change[0].user_id)
        await self._events.admin_action(*change)


def _require_admin(user: User) -> None:
    if user.role is Role.USER:
        raise ForbiddenError


def _require_session(token: str | None) -> str:
    """Return the token of a session of this server, which can keep that it has proved the factor."""
    if token is None or is_external_token(token):
        raise ForbiddenError(text=message("This needs a session. Sign in first (signInWithIdToken)."))
    return token


def _has_one() -> ConflictError:
    return ConflictError(message("This account has a second factor. Remove it first."))


async def _read(user_id: str, *, proved_at: datetime | None = None) -> User:
    user = await User.get(id=user_id)
    user.proved_at = proved_at
    return user
