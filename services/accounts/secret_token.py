"""Secret tokens of sessions, mailed links and API keys: random, and stored only as hashes."""

import hashlib
import secrets
from collections.abc import Sequence
from functools import lru_cache

from models import User
from models.database.fixed_sql import ModelReader, R, RowKind, fetch, places_of

_USERS = ModelReader(User)
_TOKEN_BYTES = 32  # 256 bits
_MAX_LENGTH = 100  # characters; every token that we issue is shorter


def new_token() -> str:
    """Return a random URL-safe token of 43 characters."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def hash_token(token: str) -> str:
    """Return the SHA-256 hex digest under which a token is stored."""
    # A fast hash without salt is enough: the token is 256 random bits, so there is nothing to guess.
    return hashlib.sha256(token.encode()).hexdigest()


def is_well_formed(token: str) -> bool:
    """Whether a token can have been issued here, so that it is worth hashing and a query."""
    return 0 < len(token) <= _MAX_LENGTH and token.isascii()


async def find_with_users(
    kind: RowKind[R], table: str, hash_column: str, columns: str, hashes: Sequence[str]
) -> list[tuple[R, User]]:
    """Return the rows of `table` that store these hashes, of which there is at least one, each with its user.

    `columns`: the select list of what is read of `table`.
    """
    places, values = places_of(hashes)
    found = await fetch(kind, _statement(table, hash_column, columns, places), values)
    return [(row, _USERS.read(row)) for row in found]


@lru_cache(maxsize=32)
def _statement(table: str, hash_column: str, columns: str, places: str) -> str:
    return (
        f'SELECT {_USERS.columns}, {columns} FROM "{table}" JOIN "users" ON "users"."id" = "{table}"."user_id"'  # noqa: S608 - names and placeholders
        f' WHERE "{table}"."{hash_column}" IN ({places})'
    )
