"""Chores: the recurring work of every worker's sweeper; each group's wiring lists its own."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

import structlog

log = structlog.get_logger(__name__)

T = TypeVar("T")

_BATCH = 100  # rows of one kind in one run
_MAX_FAILURES = 3  # of the storage in one run, after which the rest waits: each may take a whole deadline


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
) -> Chore:
    """Return a chore that finds a batch of items and handles them one by one.

    An item whose `handle` raises is logged as `chore.item_failed` and does not stop the others; after three for which
    it returns False the rest waits for the next run. `until_empty`: a full batch without a failure is followed by the
    next one at once.
    """

    async def run() -> None:
        while items := await find(_BATCH):
            if not await _handle_all(name, items, handle) or not until_empty or len(items) < _BATCH:
                return

    return Chore(lane, run)


async def _handle_all(name: str, items: Sequence[T], handle: Callable[[T], Awaitable[bool]]) -> bool:
    failures, complete = 0, True
    for item in items:
        try:
            handled = await handle(item)
            failures += not handled
        except Exception:
            handled = False
            log.exception("chore.item_failed", chore=name, item=str(item))
        complete = complete and handled
        if failures == _MAX_FAILURES:
            break
    return complete
