"""Named places where a test may kill the process, to prove that nothing is lost there."""

import asyncio
import os
import random
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args

T = TypeVar("T")

# One for each state that a killed process can leave behind, roughly in the order of an account's life.
Point = Literal[
    "file.row_written",  # a PENDING row without bytes
    "file.picture_written",  # the picture without its thumbnail
    "file.bytes_written",  # complete, but nothing refers to it
    "generation.before_commit",  # credits, key, file and rows written, rolled back by the kill
    "generation.committed",  # paid for, and no wake-up published
    "generation.wake_up_published",  # paid for, and the client has no response
    "claim.before_commit",  # rolled back by the kill, or committed without this process knowing (`in_flight`)
    "worker.claimed",  # attempts counted, nothing called: back to the queue
    "worker.before_call",  # the call recorded, not made: counts as made
    "video.submitted",  # a video's job accepted, and its id only in memory: counts as called
    "video.job_recorded",  # the job's id is on the row, which still has this process's lease
    "video.waiting",  # any worker may ask about the job
    "video.due",  # taken to ask about its job
    "video.fetched",  # the video is only in memory
    "worker.generated",  # the picture paid for and only in memory
    "worker.stored",  # the result PENDING with its bytes
    "worker.before_completion",
    "completion.before_commit",
    "worker.before_failure",
    "failure.before_commit",  # failed and perhaps refunded, rolled back by the kill
    "worker.ended",  # ended, and no event published
    "cancel.before_commit",
    "cancel.committed",
    "delete.before_commit",  # soft-deleted and perhaps refunded, rolled back by the kill
    "delete.committed",  # deleted, and neither subscribers nor its worker notified
    "account_deletion.before_commit",
    "account_deletion.committed",  # all sessions ended, no picture deleted yet
    "account_deletion.begun",  # some of the pictures deleted
    "merge.before_commit",  # everything of the guest moved, rolled back by the kill
    "merge.committed",  # the guest is deleted, and neither its sockets nor the account's subscribers notified
    "export.claimed",  # attempts counted, nothing written
    "export.stored",  # the zip is stored, its row PENDING
    "export.bytes_removed",  # the row of an old export without its bytes
    "sweeper.claimed",  # a dead worker's generation is claimed by a sweeper that is killed, too
    "requeue.before_commit",
    "sweeper.settled",  # requeued or failed, and no wake-up or event published
    "sweeper.files_marked",  # expired PENDING files are DELETING
    "file.thumbnail_removed",
    "file.bytes_removed",  # the row without its bytes
    "upload.row_written",  # announced, and the client has no upload target
    "upload.bytes_removed",  # the row of an old upload without its bytes
]
POINTS: tuple[Point, ...] = get_args(Point)

_FLIGHT = 0.005  # seconds within which most statements are sent and answered


@dataclass
class _Plan:
    name: str | None = None
    skip: int = 0  # how many times the point is passed before the kill


_plan = _Plan()


def arm(name: Point, skip: int = 0) -> None:
    """Kill this process, as kill -9 would, when it reaches the point `name` after passing it `skip` times."""
    _plan.name, _plan.skip = name, skip


def crashpoint(name: Point) -> None:
    """Mark a point at which `arm` can kill the process; does nothing otherwise."""
    if _plan.name == name:
        if _plan.skip == 0:
            os._exit(137)
        _plan.skip -= 1


async def in_flight(name: Point, statement: Coroutine[Any, Any, T]) -> T:
    """Run a statement that is a transaction by itself; the kill comes at a random moment of it.

    So it is rolled back, or committed without this process knowing.
    """
    if _plan.name != name:
        return await statement
    task = asyncio.ensure_future(statement)
    await asyncio.wait([task], timeout=random.uniform(0, _FLIGHT))
    crashpoint(name)
    return await task
