"""Secret tokens of sessions, mailed links and API keys: random, and stored only as hashes."""

import hashlib
import secrets
from collections.abc import Sequence
from functools import cached_property
from typing import Generic

from models import User
from models.database.fixed_sql import ModelReader, R, RowKind, Select, fetch, places_of

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


class TokenTable(Generic[R]):
    """A table that stores hashes of tokens, each with its user.

    `hash_column`: of the table `name`; `columns`: the select list of what else is read of it, as rows of `kind`.
    """

    def __init__(self, kind: RowKind[R], name: str, hash_column: str, columns: str) -> None:
        self._kind = kind
        self._name = name
        self._hash_column = hash_column
        self._columns = columns

    async def find(self, token_hash: str) -> tuple[R, User] | None:
        """Return the row of one token, with its user."""
        for row in await self._one.fetch((token_hash,)):
            return row, _USERS.read(row)
        return None

    async def find_all(self, hashes: Sequence[str]) -> list[tuple[R, User]]:
        """Return the rows of several tokens, of which there is at least one, each with its user."""
        places, values = places_of(hashes)
        found = await fetch(self._kind, f"{self._select} IN ({places})", values)
        return [(row, _USERS.read(row)) for row in found]

    @cached_property
    def _one(self) -> Select[R]:
        return Select(self._kind, f"{self._select} = $1", ["varchar"])

    @cached_property
    def _select(self) -> str:
        """The statement, up to the hash."""
        return (
            f'SELECT {_USERS.columns}, {self._columns} FROM "{self._name}"'  # noqa: S608 - names
            f' JOIN "users" ON "users"."id" = "{self._name}"."user_id" WHERE "{self._name}"."{self._hash_column}"'
        )
