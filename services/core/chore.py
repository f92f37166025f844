"""Chores: the recurring work of every worker's sweeper; each group's wiring lists its own."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

import structlog

log = structlog.get_logger(__name__)

T = TypeVar("T")

_BATCH = 100  # rows of one kind in one run
_MAX_FAILURES = 3  # of the storage in one run, after which the rest waits: each may take a whole deadline
_RUN_SECONDS = 20.0  # after which a run begins no other batch, because the chores of its lane wait for its end


class Lane(Enum):
    """Chores of one lane run one after another; lanes run side by side, so that a slow one delays no other."""

    SETTLEMENT = "settlement"  # payments, expired leases, memberships: never behind the storage
    DATA_EXPORT = "data_export"  # a large one takes minutes
    SECOND_DATA_EXPORT = "second_data_export"  # so that one account's large export does not delay all others
    MAIL = "mail"  # never behind the storage, and a slow mail server delays nothing else
    CLEAN_UP = "clean_up"


@dataclass(frozen=True)
class Chore:
    """A recurring task: one call of `run` does what is due now. Any number of processes may run it at once."""

    lane: Lane
    run: Callable[[], Awaitable[object]]


def chore_for_each(
    name: str,
    lane: Lane,
    find: Callable[[int], Awaitable[Sequence[T]]],
    handle: Callable[[T], Awaitable[bool]],
    *,
    until_empty: bool = False,
    at_once: int = 1,
    release: Callable[[Sequence[T]], Awaitable[object]] | None = None,
) -> Chore:
    """Return a chore that finds a batch of items and handles them, `at_once` at a time.

    An item whose `handle` raises is logged as `chore.item_failed` and does not stop the others; after three for which
    it returns False the rest waits for the next run, and is given to `release` where `find` has claimed it.
    `until_empty`: a full batch without a failure is followed by the next one at once, for some seconds.
    """

    async def run() -> None:
        begun = time.monotonic()
        while items := await find(_BATCH):
            complete, left = await _handle_all(name, items, handle, at_once)
            if left and release is not None:
                await release(left)
            is_last = len(items) < _BATCH or time.monotonic() - begun > _RUN_SECONDS
            if not complete or not until_empty or is_last:
                return

    return Chore(lane, run)


async def _handle_all(
    name: str, items: Sequence[T], handle: Callable[[T], Awaitable[bool]], at_once: int
) -> tuple[bool, Sequence[T]]:
    """Return whether all were handled, and those that were not begun after too many failures."""
    failures, complete, waiting = 0, True, list(reversed(items))

    async def handle_some() -> None:
        nonlocal failures, complete
        while waiting and failures < _MAX_FAILURES:
            item = waiting.pop()
            try:
                handled = await handle(item)
                failures += not handled
            except Exception:
                handled = False
                log.exception("chore.item_failed", chore=name, item=str(item))
            complete = complete and handled

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(handle_some())
    return complete and not waiting, waiting
