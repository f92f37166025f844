"""The storage quota of an account: the bytes of its pictures and videos, and the generations that it keeps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models.database.connection import placeholders, rows
from services.core.error import StorageFullError
from services.core.message import Message, message

# Sums over indexes instead of counters: nothing has to keep them in step, and they cannot drift. A file counts from the
# row that precedes its bytes until it is marked for removal, so deleting generations makes room at once.
_BYTES = (
    "SELECT COALESCE(SUM(byte_size + poster_bytes), 0) AS number FROM files"
    " WHERE owner_id = {owner} AND state <> 'DELETING'"
)
_GENERATIONS = "SELECT COUNT(*) AS number FROM generations WHERE user_id = {owner} AND deleted_at IS NULL"
_MIB = 2**20


@dataclass(frozen=True)
class StorageUsage:
    """What an account stores: bytes of originals, results and posters without thumbnails, and its generations."""

    used_bytes: int = 0
    generations: int = 0


class StorageQuota:
    """Limits what one account stores; a limit of 0 is none.

    The checks are exact in a transaction that holds the account's lock until its rows are written. Results are stored
    in any case, because they are paid for: the bytes may pass the limit by those of the generations in progress.
    """

    def __init__(self, *, max_bytes: int = 0, max_generations: int = 0) -> None:
        self.max_bytes = max_bytes
        self.max_generations = max_generations

    async def by_users(self, user_ids: Sequence[str]) -> dict[str, StorageUsage]:
        """Return what the given accounts that exist store, by account."""
        found = await rows(
            f"SELECT id, {usage_columns('users.id')} FROM users"  # noqa: S608 - constants and placeholders
            f" WHERE id IN ({placeholders(user_ids)})",
            *user_ids,
        )
        return {row["id"]: usage_from(row) for row in found}

    async def check_order(self, user_id: str, count: int) -> None:
        """Raises StorageFullError unless the account may keep `count` more generations and at least one more byte."""
        if self.is_limited:
            self.check_usage(await self._usage(user_id), count)

    @property
    def is_limited(self) -> bool:
        """Whether anything is limited; otherwise usage need not be read."""
        return bool(self.max_bytes or self.max_generations)

    def check_usage(self, usage: StorageUsage, count: int) -> None:
        """Check as `check_order`, what was read before. Raises StorageFullError."""
        if self.is_limited:
            if not self._has_room(self.max_bytes, usage.used_bytes, 1):
                raise self._bytes_refusal(usage)
            if not self._has_room(self.max_generations, usage.generations, count):
                raise self._generations_refusal(usage)

    async def check_bytes(self, user_id: str, byte_size: int) -> None:
        """Raises StorageFullError unless the account has room for `byte_size` more bytes."""
        if self.max_bytes and not self._has_room(self.max_bytes, await _number(_BYTES, user_id), byte_size):
            raise self._bytes_refusal(await self._usage(user_id))

    async def check_generations(self, user_id: str, count: int) -> None:
        """Raises StorageFullError unless the account may keep `count` more generations."""
        if self.max_generations and not self._has_room(
            self.max_generations, await _number(_GENERATIONS, user_id), count
        ):
            raise self._generations_refusal(await self._usage(user_id))

    @staticmethod
    def _has_room(limit: int, used: int, more: int) -> bool:
        return not limit or used + more <= limit

    async def _usage(self, user_id: str) -> StorageUsage:
        return (await self.by_users([user_id])).get(user_id, StorageUsage())

    def _bytes_refusal(self, usage: StorageUsage) -> StorageFullError:
        text = message(
            "Your pictures use {used} of {limit} MiB, which leaves too little room. Delete some of them.",
            used=f"{usage.used_bytes / _MIB:.1f}",
            limit=f"{self.max_bytes / _MIB:.1f}",
        )
        return self._refusal(usage, text)

    def _generations_refusal(self, usage: StorageUsage) -> StorageFullError:
        text = message(
            "You keep {count} of at most {limit} pictures. Delete some to make room; failed and canceled ones count as"
            " well.",
            count=usage.generations,
            limit=self.max_generations,
        )
        return self._refusal(usage, text)

    def _refusal(self, usage: StorageUsage, text: Message) -> StorageFullError:
        return StorageFullError(
            text,
            used_bytes=usage.used_bytes,
            max_bytes=self.max_bytes,
            generations=usage.generations,
            max_generations=self.max_generations,
        )


def usage_columns(owner: str) -> str:
    """Return the columns of what the account `owner`, an expression, stores, as part of a statement."""
    used, kept = (sql.format(owner=owner) for sql in (_BYTES, _GENERATIONS))
    return f"({used}) AS used_bytes, ({kept}) AS generations"


def usage_from(row: Mapping[str, Any]) -> StorageUsage:
    """Return what a row with `usage_columns` says."""
    return StorageUsage(int(row["used_bytes"]), int(row["generations"]))


async def _number(sql: str, user_id: str) -> int:
    (row,) = await rows(sql.format(owner="$1"), user_id)
    return int(row["number"])


UNLIMITED = StorageQuota()
