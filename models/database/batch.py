"""Batches: writes of one kind that are asked for at the same time are made by one statement, which is one commit."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, TypeVar

import structlog

from models.database.connection import is_outage

log = structlog.get_logger(__name__)

T = TypeVar("T")
R = TypeVar("R")

_MOST = 32  # items of one statement


class Batch(Generic[T, R]):
    """Collects items during one pass of the event loop, and while an earlier batch is being written; no timer waits.

    `write`: writes items with keys in one transaction, and returns what it has written, by key. It must not wait for
    locks, because one item would delay the others: it leaves out what it cannot write at once.
    """

    def __init__(self, write: Callable[[Mapping[str, T]], Awaitable[Mapping[str, R]]]) -> None:
        self._write = write
        self._waiting: dict[str, tuple[T, asyncio.Future[R | None]]] = {}
        self._writing: asyncio.Task[None] | None = None

    async def submit(self, key: str, item: T) -> R | None:
        """Write an item with others and return what was written; None: nothing was.

        After None the caller writes it alone, which waits for locks and says why it cannot be written. When the caller
        is canceled, the write is finished first, if it has begun.

        Raises:
            Exception: an outage of the database; as with any statement, the outcome may be unknown.
        """
        if key in self._waiting:
            return None
        written: asyncio.Future[R | None] = asyncio.get_running_loop().create_future()
        mine = self._waiting[key] = (item, written)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_waiting(), name="batch")
        try:
            return await asyncio.shield(written)
        except asyncio.CancelledError:
            if self._waiting.get(key) is mine:
                del self._waiting[key]
            else:  # it is being written; another one may wait by now
                while not written.done():  # a second cancellation must not abandon the write either
                    with contextlib.suppress(asyncio.CancelledError):
                        await asyncio.wait([written])
                written.exception()  # mark as retrieved: the caller gets the cancellation instead
            raise

    async def _write_waiting(self) -> None:
        try:
            while self._waiting:
                keys = list(self._waiting)[:_MOST]
                items = {key: self._waiting.pop(key) for key in keys}
                await self._write_items(items)
        finally:
            self._writing = None

    async def _write_items(self, items: Mapping[str, tuple[T, asyncio.Future[R | None]]]) -> None:
        found: Mapping[str, R] = {}
        try:
            found = await self._write({key: item for key, (item, _) in items.items()})
        except Exception as error:  # noqa: BLE001 - passed on to those who wait
            log.warning("batch.failed", items=len(items), error=error)
            if is_outage(error):
                for _, written in items.values():
                    written.set_exception(error)
        finally:
            for key, (_, written) in items.items():
                if not written.done():
                    written.set_result(found.get(key))


def arrays(rows: Sequence[Sequence[object]]) -> list[list[object]]:
    """Return the columns of rows of equal length, as the parameters of `unnest`."""
    return [list(column) for column in zip(*rows, strict=True)]
