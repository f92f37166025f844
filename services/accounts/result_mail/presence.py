"""Which accounts have a socket or stream open on any server: rows that servers renew, of accounts that want mail."""

import asyncio
import time
from collections.abc import Iterable

import structlog

from models.database.connection import placeholders, rows

log = structlog.get_logger(__name__)

RENEWAL = 20.0  # seconds between two renewals of what is open
_BATCH = 500  # accounts in one statement
_KEPT = 86_400.0  # seconds


class Presence:
    """Records the accounts that are connected to this process. `is_needed`: whether mail is sent at all."""

    def __init__(self, *, is_needed: bool) -> None:
        self._is_needed = is_needed
        self._renewed_at = float("-inf")
        self._tasks: set[asyncio.Task[None]] = set()

    def note(self, user_id: str) -> None:
        """Record in the background that an account which wants mail has opened or closed a connection now."""
        if self._is_needed:
            task = asyncio.create_task(self._record([user_id]), name="presence")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def renew(self, user_ids: Iterable[str]) -> None:
        """Record the accounts that are connected, unless that was done just now."""
        if not self._is_needed or time.monotonic() - self._renewed_at < RENEWAL:
            return
        self._renewed_at = time.monotonic()
        connected = sorted(set(user_ids))
        for start in range(0, len(connected), _BATCH):
            await self._record(connected[start : start + _BATCH])

    @staticmethod
    async def _record(user_ids: list[str]) -> None:
        try:
            await rows(
                "INSERT INTO account_presence (user_id, seen_at)"  # noqa: S608 - placeholders
                f" SELECT id, NOW() FROM users WHERE id IN ({placeholders(user_ids)}) AND notify_by_mail"
                " ON CONFLICT (user_id) DO UPDATE SET seen_at = excluded.seen_at RETURNING user_id",
                *user_ids,
            )
        except Exception as error:  # noqa: BLE001 - then a mail may be sent that was not needed
            log.warning("presence.not_recorded", error=repr(error))

    @staticmethod
    async def forget() -> None:
        """Delete what says nothing any more."""
        await rows("DELETE FROM account_presence WHERE seen_at < LATER($1) RETURNING user_id", -_KEPT)

    async def aclose(self) -> None:
        """Wait for what is being recorded."""
        if self._tasks:
            await asyncio.wait(self._tasks)
