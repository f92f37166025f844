"""Keys with which a client may repeat a request: the same key and input lead to what was made the first time."""

import dataclasses
import hashlib
from typing import Any

import orjson

from models import IdempotencyKey
from services.core.error import ConflictError, InvalidInputError
from services.core.message import message
from services.core.text import is_unusable
from services.core.unset import set_fields

KEY_MAX = 128  # characters
_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_DATACLASS


class UsedKeyError(Exception):
    """A twin of this request wrote the key first; look again at what it made."""


def fingerprint(request: Any) -> str:
    """SHA-256 of a request dataclass, pictures included, its key left out; empty where there is no key.

    What was not given is no part of it, so that a request repeated across an update that adds a field is the same.

    Raises:
        InvalidInputError: the request holds what cannot even be written down.
    """
    if request.idempotency_key is None:
        return ""
    given = {field.name: getattr(request, field.name) for field in dataclasses.fields(request)}
    plain = {name: value for name, value in given.items() if value is not None and name != "idempotency_key"}
    try:
        text = orjson.dumps(plain, default=_plain, option=_OPTIONS)
    except orjson.JSONEncodeError:  # lone surrogates, numbers past 64 bits
        raise InvalidInputError(message("This contains characters that cannot be used.")) from None
    return hashlib.sha256(text).hexdigest()


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value):
        return set_fields(value)
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    raise TypeError


def check_key(key: str) -> None:
    """Raises InvalidInputError where a key is empty, too long or unprintable."""
    if not 1 <= len(key) <= KEY_MAX or is_unusable(key):
        text = message("An idempotency key has 1 to {limit} printable characters.", limit=KEY_MAX)
        raise InvalidInputError(text, field=("idempotencyKey",))


def key_conflict() -> ConflictError:
    """The refusal of a key that came with another input before."""
    return ConflictError(message("This idempotency key was used for another request."), field=("idempotencyKey",))


async def find_result(user_id: str, operation: str, key: str, input_hash: str) -> str | None:
    """Return the id of what the request with this key made, or None if the key is new.

    Raises:
        InvalidInputError: the key is empty, too long or unprintable.
        ConflictError: the key came with another input before.
    """
    check_key(key)
    known = await IdempotencyKey.get_or_none(user_id=user_id, operation=operation, key=key)
    if known is None:
        return None
    if known.input_hash != input_hash:
        raise key_conflict()
    return known.result_id or known.batch_id


async def store_result(user_id: str, operation: str, key: str, input_hash: str, result_id: str) -> None:
    """Write the key inside the transaction that does what it stands for, after the account's row is taken.

    Raises:
        UsedKeyError: it is there already; the transaction must end.
    """
    # The account's row is locked, so no twin can come between the look and the write.
    if await IdempotencyKey.exists(user_id=user_id, operation=operation, key=key):
        raise UsedKeyError
    await IdempotencyKey.create(
        user_id=user_id,
        operation=operation,
        key=key,
        input_hash=input_hash,
        result_id=result_id,
        batch_id=result_id,  # for servers of the release before
    )
