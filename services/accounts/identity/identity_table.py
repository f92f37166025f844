"""Identities in the database: who a token belongs to, and which tokens do not work any more."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from tortoise.exceptions import OperationalError
from tortoise.queryset import QuerySet

from models import Identity, SpentToken, User
from models.database.connection import as_datetime
from models.database.fixed_sql import ModelReader, Row, RowKind, Select, fetch, places_of
from services.accounts.secret_token import hash_token
from services.integrations.identity.issuer import ExternalToken

USE_PRECISION = timedelta(minutes=5)  # of `last_used_at`

log = structlog.get_logger(__name__)


class _IdentityRow(Row, model=User):
    """An identity's user, and what decides whether a token works."""

    key_hash: str
    ended_before: datetime | str | None
    kept_hash: str | None
    unlinked_at: datetime | str | None
    last_used_at: datetime | str | None


class _SpentRow(Row, model=User):
    """Whether a token was signed out of."""

    token_hash: str


class _IdentityOfTokenRow(_IdentityRow, model=User):
    """The same, with one token in view."""

    key_hash: str
    ended_before: datetime | str | None
    kept_hash: str | None
    unlinked_at: datetime | str | None
    last_used_at: datetime | str | None
    spent: str | None


_USERS = ModelReader(User)
_COLUMNS = ", ".join(
    f'"identities"."{name}"' for name in ("key_hash", "ended_before", "kept_hash", "unlinked_at", "last_used_at")
)
_FROM = ' FROM "identities" JOIN "users" ON "users"."id" = "identities"."user_id" WHERE "identities"."key_hash"'


@dataclass(frozen=True)
class FoundIdentity:
    """The account of a token's identity.

    `is_ended`: the token was signed out of, here. `is_unlinked`: the account does not accept the identity any more.
    """

    user: User
    is_ended: bool
    is_unlinked: bool = False
    last_used_at: datetime | None = None

    @property
    def may_sign_in(self) -> bool:
        """Whether the token works."""
        return not self.is_ended and not self.is_unlinked and self.user.may_sign_in


def _found(row: _IdentityRow, *, is_ended: bool) -> FoundIdentity:
    used = as_datetime(row.last_used_at) if row.last_used_at is not None else None
    return FoundIdentity(_USERS.read(row), is_ended, row.unlinked_at is not None, used)


def key_hash(token: ExternalToken) -> str:
    """Return the hash by which an identity is found: the issuer is part of it, for subjects are unique there only."""
    return hashlib.sha256(f"{token.issuer.issuer}\0{token.subject}".encode()).hexdigest()


class IdentityTable:
    """Finds the identities of verified tokens, of one token by one statement."""

    def __init__(self) -> None:
        self._one: Select[_IdentityOfTokenRow] | None = None

    async def find(self, token: ExternalToken, text: str) -> FoundIdentity | None:
        """Return the identity of a token, whose text is `text`."""
        if self._one is None:  # its columns are known once models are open
            spent = '(SELECT "token_hash" FROM "spent_tokens" WHERE "token_hash" = $2) AS "spent"'
            statement = f"SELECT {_USERS.columns}, {_COLUMNS}, {spent}{_FROM} = $1"
            self._one = Select(RowKind(_IdentityOfTokenRow), statement, ["varchar", "varchar"])
        hashed = hash_token(text)
        for row in await self._one.fetch((key_hash(token), hashed)):
            is_ended = row.spent is not None or _is_ended(row, token, hashed)
            return _found(row, is_ended=is_ended)
        return None

    async def find_all(self, tokens: dict[str, ExternalToken]) -> dict[str, FoundIdentity]:
        """Return the identities of several tokens, of which there is at least one, by their texts."""
        places, keys = places_of(list({key_hash(token) for token in tokens.values()}))
        statement = f"SELECT {_USERS.columns}, {_COLUMNS}{_FROM} IN ({places})"
        rows = {row.key_hash: row for row in await fetch(RowKind(_IdentityRow), statement, keys)}
        spent = await _spent([hash_token(text) for text in tokens])
        found = {}
        for text, token in tokens.items():
            row, hashed = rows.get(key_hash(token)), hash_token(text)
            if row is not None:
                found[text] = _found(row, is_ended=hashed in spent or _is_ended(row, token, hashed))
        return found

    @staticmethod
    async def record_use(token: ExternalToken, found: FoundIdentity) -> None:
        """Note that an identity is used, which most requests need not write."""
        now = datetime.now(UTC)
        if found.last_used_at is None or now - found.last_used_at > USE_PRECISION:
            try:
                await Identity.filter(key_hash=key_hash(token)).update(last_used_at=now)
            except OperationalError as error:  # a request that only reads works without this
                log.warning("identity.use_not_recorded", error=repr(error))


async def _spent(hashes: Sequence[str]) -> set[str]:
    places, values = places_of(hashes)
    statement = f'SELECT "token_hash" FROM "spent_tokens" WHERE "token_hash" IN ({places})'  # noqa: S608 - places
    return {row.token_hash for row in await fetch(RowKind(_SpentRow), statement, values)}


def _is_ended(row: _IdentityRow, token: ExternalToken, hashed: str) -> bool:
    return (
        row.ended_before is not None
        and token.issued_at <= as_datetime(row.ended_before).timestamp()
        and row.kept_hash != hashed
    )


async def end_tokens(user_id: str, *, but: str | None = None) -> None:
    """End all tokens that issuers have issued for an account until now, except `but`; their new ones work again."""
    kept = hash_token(but) if but else None
    await Identity.filter(user_id=user_id).update(ended_before=datetime.now(UTC), kept_hash=kept)


async def unlink(identities: QuerySet[Identity]) -> int:
    """Let identities sign in to their account no longer, and return their number.

    Their rows stay without the name at the issuer, so that an open page with their tokens makes no new account.
    """
    linked = identities.filter(unlinked_at__isnull=True)
    return await linked.update(unlinked_at=datetime.now(UTC), subject="", email=None, name=None)


async def spend(text: str, expires_at: datetime) -> bool:
    """Note that a nonce or a token must not be used again. Return False if that was noted before."""
    _, is_new = await SpentToken.get_or_create(token_hash=hash_token(text), defaults={"expires_at": expires_at})
    return is_new


async def remove_expired() -> int:
    """Delete notes about what does not work any more anyway, and return their number."""
    return await SpentToken.filter(expires_at__lt=datetime.now(UTC)).delete()
