"""Secret tokens of sessions, mailed links and API keys: random, and stored only as hashes."""

import hashlib
import secrets
from collections.abc import Awaitable, Sequence
from functools import cached_property
from typing import Any, Generic

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

    def read(self, token_hash: str) -> Awaitable[list[R]]:
        """Return the row of one token, if there is one; the list must not be changed: others may have it."""
        return self._one.fetch((token_hash,))

    async def find(self, token_hash: str) -> tuple[R, User] | None:
        """Return the row of one token, with its user."""
        for row in await self.read(token_hash):
            return row, self.user(row)
        return None

    def user(self, row: R) -> User:
        """Return the user of a row, which no other caller has."""
        return _USERS.read(row)

    def values(self, row: Any) -> tuple[object, ...]:
        """Return everything that was read, in the order of the columns: equal if nothing has changed."""
        # Of several rows of one statement, each has its place as well, behind the columns.
        return tuple(row.values()) if isinstance(row, dict) else row[: self._width]

    async def find_all(self, hashes: Sequence[str]) -> list[tuple[R, User]]:
        """Return the rows of several tokens, of which there is at least one, each with its user."""
        places, values = places_of(hashes)
        found = await fetch(self._kind, f"{self._select} IN ({places})", values)
        return [(row, self.user(row)) for row in found]

    @cached_property
    def _one(self) -> Select[R]:
        return Select(self._kind, f"{self._select} = $1", ["varchar"])

    @cached_property
    def _width(self) -> int:
        """The number of columns."""
        return len(User._meta.fields_db_projection) + len(self._kind.row.attributes)

    @cached_property
    def _select(self) -> str:
        """The statement, up to the hash."""
        return (
            f'SELECT {_USERS.columns}, {self._columns} FROM "{self._name}"'  # noqa: S608 - names
            f' JOIN "users" ON "users"."id" = "{self._name}"."user_id" WHERE "{self._name}"."{self._hash_column}"'
        )
