"""Sessions, identified by opaque tokens that are stored as hashes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from models import Session, User
from models.database.connection import as_datetime
from models.database.fixed_sql import Row, RowKind, fetch, places_of
from models.enum import Role
from services.accounts.secret_token import TokenTable, hash_token, is_well_formed, new_token
from services.core.error import SuspendedError
from services.integrations.device_token import DeviceTokens

SessionState = tuple[Role, str | None]  # the user's role and language
RECENT = timedelta(minutes=15)  # for which a sign-in replaces the password where that is asked for again


@dataclass(frozen=True)
class NewSession:
    """A new session with its token, which is not stored and cannot be shown again."""

    user: User
    token: str
    expires_at: datetime
    device_token: str = ""  # by which the device is known at its next sign-in


class SessionService:
    """Opens, finds and ends sessions."""

    def __init__(self, days: int, devices: DeviceTokens) -> None:
        self._lifetime = timedelta(days=days)
        self._devices = devices

    async def open(self, user: User) -> NewSession:
        """Open a session for an authenticated user. Raises SuspendedError."""
        if user.suspended_at is not None:
            raise SuspendedError
        token = new_token()
        expires_at = datetime.now(UTC) + self._lifetime
        await Session.create(user_id=user.id, token_hash=hash_token(token), expires_at=expires_at)
        return NewSession(user, token, expires_at, self._devices.issue(user.id, user.password_hash))

    async def user_of(self, token: str) -> User | None:
        """Return the user of a token; None if it is unknown, ended or expired, or the account may not sign in."""
        found = await _SESSIONS.find(hash_token(token)) if is_well_formed(token) else None
        return found[1] if found and _is_valid(*found) else None

    async def users_of(self, tokens: Sequence[str]) -> dict[str, User]:
        """Return the users of several tokens in one query, without invalid tokens."""
        by_hash = {hash_token(token): token for token in tokens}
        found = await _SESSIONS.find_all(list(by_hash))
        return {by_hash[row.token_hash]: user for row, user in found if _is_valid(row, user)}

    async def states_of(self, tokens: Sequence[str]) -> dict[str, SessionState]:
        """Return the role and the language of several tokens' users in one query, without invalid tokens.

        A tenth of the time of `users_of`, for what is asked about every open connection again and again.
        """
        places, hashes = places_of([hash_token(token) for token in tokens])
        now = datetime.now(UTC)
        states = {
            row.token_hash: (row.role, row.locale)
            for row in await fetch(_STATES, _STATE_STATEMENT.format(places), hashes)
            if as_datetime(row.expires_at) > now and row.suspended_at is None and row.deleted_at is None
        }
        found = zip(tokens, hashes, strict=False)  # the last hashes only fill the list
        return {token: states[token_hash] for token, token_hash in found if token_hash in states}

    async def is_recent(self, user_id: str, token: str | None) -> bool:
        """Whether the account signed in with this session within the last RECENT, so that it need not sign in again."""
        opened = Session.filter(user_id=user_id, created_at__gt=datetime.now(UTC) - RECENT)
        return token is not None and await opened.filter(token_hash=hash_token(token)).exists()

    async def end(self, user_id: str, token: str) -> int:
        """End one session and return the number of ended sessions."""
        return await Session.filter(user_id=user_id, token_hash=hash_token(token)).delete()

    async def end_all(self, user_id: str, *, but: str | None = None) -> int:
        """End all sessions of an account, except that of the token `but`; return the number of ended sessions."""
        sessions = Session.filter(user_id=user_id)
        return await (sessions.exclude(token_hash=hash_token(but)) if but else sessions).delete()

    async def remove_expired(self) -> int:
        """Delete expired sessions and return their number."""
        return await Session.filter(expires_at__lt=datetime.now(UTC)).delete()


class _SessionRow(Row, model=User):
    """A session's user, and what its token needs."""

    token_hash: str
    expires_at: datetime | str


class _StateRow(Row, model=User):
    """What decides about an open connection: whether the session is valid, and the user's role and language."""

    role: Role
    locale: str | None
    suspended_at: datetime | None
    deleted_at: datetime | None
    token_hash: str
    expires_at: datetime | str


_COLUMNS = '"sessions"."token_hash", "sessions"."expires_at"'
_SESSIONS = TokenTable(RowKind(_SessionRow), "sessions", "token_hash", _COLUMNS)
_STATES = RowKind(_StateRow)
_STATE_STATEMENT = (
    'SELECT "users"."role", "users"."locale", "users"."suspended_at", "users"."deleted_at",'
    ' "sessions"."token_hash", "sessions"."expires_at" FROM "sessions"'
    ' JOIN "users" ON "users"."id" = "sessions"."user_id" WHERE "sessions"."token_hash" IN ({})'
)


def _is_valid(row: _SessionRow, user: User) -> bool:
    return as_datetime(row.expires_at) > datetime.now(UTC) and user.may_sign_in
