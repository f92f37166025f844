"""Idempotency keys: a client may repeat a request, and the same key and input return the first result."""

import asyncio
import contextlib
import dataclasses
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Self, TypeVar
from weakref import WeakValueDictionary

import orjson
from tortoise.exceptions import IntegrityError

from models import IdempotencyKey
from services.core.error import ConflictError, InvalidInputError, Refusal, RefusalGroup
from services.core.message import message
from services.core.text import is_unusable
from services.core.unset import set_fields

MAX_KEY = 128  # characters

# In a request field's metadata: its name in stored fingerprints, where it was renamed since; None: it is not in them.
STORED_AS = "stored_as"

_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS

_T = TypeVar("_T")


class UsedKeyError(Exception):
    """A concurrent duplicate stored the key first; the transaction must be rolled back."""


@dataclass(frozen=True)
class IdempotencyTicket:
    """What identifies a repeated request. Without a key every request is new."""

    operation: str
    key: str | None
    fingerprint: str

    @classmethod
    def of(cls, operation: str, request: Any) -> Self:
        """Return the ticket of a request dataclass with an `idempotency_key`.

        Raises:
            InvalidInputError: the request cannot be serialized.
        """
        return cls(operation, request.idempotency_key, fingerprint(request))


class KeyLocks:
    """Locks of one process, one per key in use: a concurrent duplicate waits, and then finds the first result."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[tuple[str, str, str], asyncio.Lock] = WeakValueDictionary()

    def of(self, user_id: str, ticket: IdempotencyTicket) -> contextlib.AbstractAsyncContextManager[object]:
        """Return the lock of a ticket's key; a request without a key waits for none."""
        if ticket.key is None:
            return contextlib.nullcontext()
        return self._locks.setdefault((user_id, ticket.operation, ticket.key), asyncio.Lock())


async def run_once(
    user_id: str,
    ticket: IdempotencyTicket,
    replay: Callable[[str], Awaitable[_T]],
    work: Callable[[], Awaitable[_T]],
) -> _T:
    """Return `replay(result id)` if the ticket's key was used before, else `work()`.

    `work` calls `store_result` in its transaction. If it fails, the key is looked up again: a concurrent duplicate may
    have stored it in the meantime, and spent the credits or the quota that `work` lacked.

    Raises:
        InvalidInputError: the key is empty, too long or unprintable.
        ConflictError: the key was used with another input.
    """
    if (result_id := await find_result(user_id, ticket)) is not None:
        return await replay(result_id)
    try:
        return await work()
    except (Refusal, RefusalGroup, UsedKeyError, IntegrityError):
        if (result_id := await find_result(user_id, ticket)) is None:
            raise
    return await replay(result_id)


async def find_result(user_id: str, ticket: IdempotencyTicket) -> str | None:
    """Return the id of what the ticket's key made before, None if it is new or there is no key.

    Raises:
        InvalidInputError: the key is empty, too long or unprintable.
        ConflictError: the key was used with another input.
    """
    if ticket.key is None:
        return None
    check_key(ticket.key)
    known = await IdempotencyKey.get_or_none(user_id=user_id, operation=ticket.operation, key=ticket.key)
    if known is None:
        return None
    if known.input_hash != ticket.fingerprint:
        raise key_conflict()
    return known.result_id or known.batch_id


async def store_result(user_id: str, ticket: IdempotencyTicket, result_id: str) -> None:
    """Store the key, if there is one, in the transaction that makes the result, after locking the account's row.

    Raises:
        UsedKeyError: the key is stored already; the transaction must be rolled back.
        IntegrityError: the same, for a duplicate that did not lock the same account's row.
    """
    if ticket.key is None:
        return
    # With the account's row locked, no duplicate can store the key between the check and the insert.
    if await IdempotencyKey.exists(user_id=user_id, operation=ticket.operation, key=ticket.key):
        raise UsedKeyError
    await IdempotencyKey.create(
        user_id=user_id,
        operation=ticket.operation,
        key=ticket.key,
        input_hash=ticket.fingerprint,
        result_id=result_id,
        batch_id=result_id,  # for servers of the previous release
    )


def fingerprint(request: Any) -> str:
    """Return the SHA-256 of a request dataclass without its key, images included; empty if it has no key.

    Fields that are None are left out, so that the fingerprint stays the same across an update that adds a field.

    Raises:
        InvalidInputError: the request cannot be serialized.
    """
    if request.idempotency_key is None:
        return ""
    given = {
        field.metadata.get(STORED_AS, field.name): getattr(request, field.name)
        for field in dataclasses.fields(request)
        if field.name != "idempotency_key" and field.metadata.get(STORED_AS, field.name) is not None
    }
    plain = {
        name: set_fields(value) if dataclasses.is_dataclass(value) else value
        for name, value in given.items()
        if value is not None
    }
    try:
        text = orjson.dumps(plain, default=_digest, option=_OPTIONS)
    except orjson.JSONEncodeError:  # lone surrogates, numbers over 64 bits
        raise InvalidInputError(message("This contains characters that cannot be used.")) from None
    return hashlib.sha256(text).hexdigest()


def _digest(value: object) -> str:
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    raise TypeError


def check_key(key: str) -> None:
    """Raises InvalidInputError if a key is empty, too long or unprintable."""
    if not 1 <= len(key) <= MAX_KEY or is_unusable(key):
        text = message("An idempotency key has 1 to {limit} printable characters.", limit=MAX_KEY)
        raise InvalidInputError(text, field=("idempotencyKey",))


def key_conflict() -> ConflictError:
    """Return the refusal of a key that was used with another input."""
    return ConflictError(message("This idempotency key was used for another request."), field=("idempotencyKey",))
