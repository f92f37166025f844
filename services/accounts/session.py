"""Sessions, identified by opaque tokens that are stored as hashes."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import structlog
from tortoise.exceptions import OperationalError
from tortoise.queryset import QuerySet

from models import Session, User
from models.database.connection import as_datetime, placeholders, rows
from models.database.fixed_sql import Row, RowKind, fetch, places_of
from models.enum import Role
from services.accounts.identity import identity_table
from services.accounts.secret_token import TokenTable, hash_token, is_well_formed, new_token
from services.accounts.sign_ins.origin import UNKNOWN_ORIGIN, KeptPlace, SignInOrigin
from services.core.error import ForbiddenError, NotFoundError, SuspendedError, UnauthenticatedError
from services.core.message import message
from services.core.month import month_of, next_month
from services.integrations.device_token import DeviceTokens
from services.integrations.identity.issuer import end_of, is_external_token, sign_in_of

log = structlog.get_logger(__name__)

RECENT = timedelta(minutes=15)  # for which a sign-in replaces the password where that is asked for again
SEEN_PRECISION = timedelta(minutes=5)  # of `last_seen_at`, so that most requests write nothing
MAX_LISTED = 100  # sessions of an account


class SessionState(NamedTuple):
    """What open connections are notified of: the user's role, language and membership, and the second factor."""

    role: Role
    locale: str | None
    is_member: bool  # by an admin's grant
    member_until: datetime | None  # by a plan
    factor_since: datetime | None  # of the account
    proved_at: datetime | None  # by the session

    @classmethod
    def of(cls, user: User) -> "SessionState":
        """Return the state that an account's row was read with."""
        membership = (user.is_member, user.member_until)
        return cls(user.role, user.locale, *membership, user.second_factor_since, user.proved_at)


@dataclass(frozen=True)
class NewSession:
    """A new session with its token, which is not stored and cannot be shown again."""

    user: User
    token: str
    expires_at: datetime  # unless it is used before
    ends_at: datetime  # however often it is used
    device_token: str = ""  # by which the device is known at its next sign-in
    proved_at: datetime | None = None  # when it proved the account's second factor


@dataclass(frozen=True, slots=True)
class SessionRead:
    """The read of a session with its user, by the hash of its token."""

    token_hash: str
    rows: "asyncio.Future[list[_SessionRow]]"


@dataclass(frozen=True, slots=True)
class SeenSession:
    """A session that was valid when it was read.

    `until`: when it ends, when its next use is to be recorded, or when a month begins, with a refill perhaps.
    """

    values: tuple[object, ...]
    until: datetime


class SessionService:
    """Opens, finds and ends sessions.

    `days`, for guests `guest_days`: after which a session ends that is not used; each use moves its end on. `max_days`:
    after which it ends
    however often it is used. `place`: what is kept of the address of a sign-in.
    """

    def __init__(
        self,
        days: int,
        devices: DeviceTokens,
        *,
        max_days: int | None = None,
        guest_days: int | None = None,
        place: KeptPlace = KeptPlace.NOTHING,
    ) -> None:
        self._lifetime = timedelta(days=days)
        self._max_lifetime = timedelta(days=days if max_days is None else max_days)
        self._guest_lifetime = timedelta(days=days if guest_days is None else guest_days)
        self._place = place
        self._devices = devices

    async def open(
        self, user: User, origin: SignInOrigin = UNKNOWN_ORIGIN, *, proves_factor: bool = False
    ) -> NewSession:
        """Open a session for an authenticated user, who may also have proved a second factor. Raises SuspendedError."""
        if user.suspended_at is not None:
            raise SuspendedError
        token, now = new_token(), datetime.now(UTC)
        expires_at, proved_at = self._expiry(user, now, now), now if proves_factor else None
        await Session.create(
            user_id=user.id,
            token_hash=hash_token(token),
            expires_at=expires_at,
            last_seen_at=now,
            created_at=now,
            device=origin.device,
            place=origin.place(self._place),
            second_factor_at=proved_at,
        )
        device_token = self._devices.issue(user.id, user.password_hash)
        return NewSession(user, token, expires_at, now + self._max_lifetime, device_token, proved_at)

    def _expiry(self, user: User, opened_at: datetime, used_at: datetime) -> datetime:
        lifetime = self._guest_lifetime if user.is_guest else self._lifetime
        return min(used_at + lifetime, opened_at + self._max_lifetime)

    def read(self, token_hash: str) -> SessionRead:
        """Begin to read a session and its user by the hash of its token."""
        return SessionRead(token_hash, asyncio.ensure_future(_SESSIONS.read(token_hash)))

    async def user_of(self, token: str, read: SessionRead | None = None) -> User | None:
        """Return the user of a token; None if it is unknown, ended or expired, or the account may not sign in.

        The session counts as used, which moves its end on. `read`: of this token, if it was read before.
        """
        if not is_well_formed(token):
            return None
        token_hash = hash_token(token)
        is_read = read is not None and read.token_hash == token_hash
        found = await (read.rows if read is not None and is_read else _SESSIONS.read(token_hash))
        if not found:
            return None
        row = found[0]
        user = _SESSIONS.user(row)
        if not _is_valid(row, user):
            return None
        now = datetime.now(UTC)
        if row.last_seen_at is None or now - as_datetime(row.last_seen_at) > SEEN_PRECISION:
            await self._record_use(row, user, now)
        return _proved(row, user)

    @staticmethod
    def seen(read: SessionRead) -> SeenSession | None:
        """Return what was read, so that a later read can be compared with it; None: that would need more than this."""
        is_read = read.rows.done() and not read.rows.cancelled() and read.rows.exception() is None
        row = next(iter(read.rows.result()), None) if is_read else None
        if row is None or row.last_seen_at is None:
            return None
        used_at = as_datetime(row.last_seen_at)
        until = min(as_datetime(row.expires_at), used_at + SEEN_PRECISION, next_month(month_of(used_at)))
        return SeenSession(_SESSIONS.values(row), until)

    @staticmethod
    def is_unchanged(seen: SeenSession, read: SessionRead) -> bool:
        """Whether a session, its user and all that was read of both are as before, and its use need not be recorded."""
        found = read.rows.result()
        return bool(found) and _SESSIONS.values(found[0]) == seen.values and datetime.now(UTC) < seen.until

    async def _record_use(self, row: "_SessionRow", user: User, now: datetime) -> None:
        expires_at = self._expiry(user, as_datetime(row.opened_at), now)
        # Where the settings give sessions less time than before, one that is open keeps what it was given.
        expires_at = max(expires_at, as_datetime(row.expires_at))
        try:
            await Session.filter(id=row.session_id).update(last_seen_at=now, expires_at=expires_at)
        except OperationalError as error:  # a request that only reads works without this
            log.warning("session.use_not_recorded", error=repr(error))

    async def users_of(self, tokens: Sequence[str]) -> dict[str, User]:
        """Return the users of several tokens in one query, without invalid tokens."""
        by_hash = {hash_token(token): token for token in tokens}
        found = await _SESSIONS.find_all(list(by_hash))
        return {by_hash[row.token_hash]: _proved(row, user) for row, user in found if _is_valid(row, user)}

    async def states_of(self, tokens: Sequence[str]) -> dict[str, SessionState]:
        """Return the states of several tokens' sessions in one query, without invalid tokens.

        A tenth of the time of `users_of`, for what is asked about every open connection again and again.
        """
        places, hashes = places_of([hash_token(token) for token in tokens])
        now = datetime.now(UTC)
        states = {
            row.token_hash: SessionState(
                row.role,
                row.locale,
                row.is_member,
                row.member_until,
                row.second_factor_since,
                _moment(row.proved_at),
            )
            for row in await fetch(_STATES, _STATE_STATEMENT.format(places), hashes)
            if as_datetime(row.expires_at) > now and row.suspended_at is None and row.deleted_at is None
        }
        found = zip(tokens, hashes, strict=False)  # the last hashes only fill the list
        return {token: states[token_hash] for token, token_hash in found if token_hash in states}

    async def is_recent(self, user_id: str, token: str | None) -> bool:
        """Whether the account signed in with this session within the last RECENT, so that it need not sign in again."""
        opened = Session.filter(user_id=user_id, created_at__gt=datetime.now(UTC) - RECENT)
        return token is not None and await opened.filter(token_hash=hash_token(token)).exists()

    async def is_open(self, user_id: str, token: str) -> bool:
        """Whether a session of the account is open."""
        return await self._open_sessions().filter(user_id=user_id, token_hash=hash_token(token)).exists()

    async def prove(self, user_id: str, token: str, moment: datetime) -> None:
        """Record that a session has proved the account's second factor. Raises UnauthenticatedError if it has ended."""
        opened = self._open_sessions().filter(user_id=user_id, token_hash=hash_token(token))
        if not await opened.update(second_factor_at=moment):
            raise UnauthenticatedError

    async def require_recent(self, user_id: str, token: str | None) -> None:
        """Check that the session is recent, so that a stolen one does not suffice. Raises ForbiddenError."""
        if not await self.is_recent(user_id, token):
            raise self._sign_in_again()

    @staticmethod
    def _sign_in_again() -> ForbiddenError:
        return ForbiddenError(text=message("Please sign in again first: this needs a new session."))

    async def require_recent_sign_in(self, user_id: str, token: str | None) -> None:
        """Check as `require_recent`, where the token of an issuer counts as well, by its user's sign-in there."""
        if token is None or not is_external_token(token):
            await self.require_recent(user_id, token)
        elif sign_in_of(token) <= datetime.now(UTC) - RECENT:
            raise self._sign_in_again()

    async def by_users(self, user_ids: list[str]) -> dict[str, list[Session]]:
        """Return the open sessions of these accounts, the last used first, MAX_LISTED of each account at most."""
        users = placeholders(user_ids)
        newest = await rows(
            "SELECT id FROM (SELECT id, ROW_NUMBER() OVER"  # noqa: S608 - placeholders
            " (PARTITION BY user_id ORDER BY COALESCE(last_seen_at, created_at) DESC, id DESC) AS place"
            f" FROM sessions WHERE user_id IN ({users})) AS numbered WHERE place <= {MAX_LISTED}",
            *user_ids,
        )
        found: dict[str, list[Session]] = {}
        for row in await self._open_sessions().filter(id__in=[row["id"] for row in newest]):
            found.setdefault(row.user_id, []).append(row)
        for listed in found.values():
            listed.sort(key=lambda row: (row.last_seen_at or row.created_at, row.id), reverse=True)
        return found

    @staticmethod
    def _open_sessions() -> QuerySet[Session]:
        return Session.filter(expires_at__gt=datetime.now(UTC))

    async def revoke(self, user_id: str, session_id: str) -> None:
        """End one session of an account by its id.

        Raises:
            NotFoundError: it does not exist, has ended, or belongs to another account.
        """
        if not await self._open_sessions().filter(id=session_id, user_id=user_id).delete():
            raise NotFoundError(field=("id",))

    async def revoke_others(self, user_id: str, token: str) -> list[str]:
        """End all sessions of an account but that of `token`, and return their ids."""
        ended = "DELETE FROM sessions WHERE user_id = $1 AND token_hash <> $2 RETURNING id"
        return [row["id"] for row in await rows(ended, user_id, hash_token(token))]

    async def end(self, user_id: str, token: str) -> int:
        """End one session and return the number of ended sessions."""
        if is_external_token(token):  # issued elsewhere, where the user may still be signed in
            return int(await identity_table.spend(token, end_of(token)))
        return await Session.filter(user_id=user_id, token_hash=hash_token(token)).delete()

    async def end_all(self, user_id: str, *, but: str | None = None) -> int:
        """End all sessions of an account, except that of the token `but`; return the number of ended sessions."""
        sessions = Session.filter(user_id=user_id)
        await identity_table.end_tokens(user_id, but=but)
        return await (sessions.exclude(token_hash=hash_token(but)) if but else sessions).delete()


class _SessionRow(Row, model=User):
    """A session's user, and what its token needs."""

    token_hash: str
    expires_at: datetime | str
    session_id: str
    last_seen_at: datetime | str | None
    opened_at: datetime | str
    proved_at: datetime | str | None


class _StateRow(Row, model=User):
    """What decides about an open connection: whether the session is valid, and its SessionState."""

    role: Role
    locale: str | None
    is_member: bool
    member_until: datetime | None
    second_factor_since: datetime | None
    suspended_at: datetime | None
    deleted_at: datetime | None
    token_hash: str
    expires_at: datetime | str
    proved_at: datetime | str | None


_COLUMNS = (
    '"sessions"."token_hash", "sessions"."expires_at", "sessions"."id" AS "session_id",'
    ' "sessions"."last_seen_at", "sessions"."created_at" AS "opened_at",'
    ' "sessions"."second_factor_at" AS "proved_at"'
)
_SESSIONS = TokenTable(RowKind(_SessionRow), "sessions", "token_hash", _COLUMNS)
_STATES = RowKind(_StateRow)
_STATE_STATEMENT = (
    'SELECT "users"."role", "users"."locale", "users"."is_member", "users"."member_until",'
    ' "users"."second_factor_since", "users"."suspended_at", "users"."deleted_at", "sessions"."token_hash",'
    ' "sessions"."expires_at", "sessions"."second_factor_at" AS "proved_at" FROM "sessions"'
    ' JOIN "users" ON "users"."id" = "sessions"."user_id" WHERE "sessions"."token_hash" IN ({})'
)


def _is_valid(row: _SessionRow, user: User) -> bool:
    return as_datetime(row.expires_at) > datetime.now(UTC) and user.may_sign_in


def _proved(row: _SessionRow, user: User) -> User:
    user.proved_at = _moment(row.proved_at)
    return user


def _moment(value: datetime | str | None) -> datetime | None:
    return as_datetime(value) if value is not None else None
