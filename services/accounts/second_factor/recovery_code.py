"""Recovery codes, each of which works once in place of the authenticator app."""

import hashlib
import secrets
from collections.abc import Sequence

from models import RecoveryCode
from models.database.connection import placeholders, rows

COUNT = 10  # of an account
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # without letters and digits that look alike
_LENGTH = 16  # letters: 79 bits, so that a fast hash without salt is enough
_GROUP = 4


def clean_code(code: str) -> str:
    """Return a code as typed, without the spaces and dashes between its groups, in lower case."""
    return "".join(code.replace("-", "").split()).lower()


def is_recovery_code(clean: str) -> bool:
    """Whether a cleaned code has the form of a recovery code."""
    return len(clean) == _LENGTH and set(clean) <= set(_LETTERS)


def hash_code(user_id: str, clean: str) -> str:
    """Return the SHA-256 hex digest under which an account's code is stored."""
    return hashlib.sha256(f"{user_id}:{clean}".encode()).hexdigest()


async def replace_codes(user_id: str) -> list[str]:
    """Replace the codes of an account inside a transaction, and return the new ones, as they are shown."""
    await RecoveryCode.filter(user_id=user_id).delete()
    codes = ["".join(secrets.choice(_LETTERS) for _ in range(_LENGTH)) for _ in range(COUNT)]
    await RecoveryCode.bulk_create(
        [RecoveryCode(code_hash=hash_code(user_id, code), user_id=user_id) for code in codes]
    )
    return ["-".join(code[start : start + _GROUP] for start in range(0, _LENGTH, _GROUP)) for code in codes]


async def use_code(user_id: str, code_hash: str) -> bool:
    """Delete a code inside a transaction; return whether it was there."""
    return bool(await RecoveryCode.filter(user_id=user_id, code_hash=code_hash).delete())


async def count_by_users(user_ids: Sequence[str]) -> dict[str, int]:
    """Return how many codes accounts have left; those without any are left out."""
    sql = f"SELECT user_id, COUNT(*) AS left_over FROM recovery_codes WHERE user_id IN ({placeholders(user_ids)})"  # noqa: S608 - placeholders
    return {row["user_id"]: int(row["left_over"]) for row in await rows(f"{sql} GROUP BY user_id", *user_ids)}
