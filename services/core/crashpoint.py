"""Named places where a test may kill the process, to prove that nothing is lost there."""

import os
from dataclasses import dataclass
from typing import Literal, get_args

# One for every state that a process can leave behind, in about the order in which an account meets them.
Point = Literal[
    "file.row_written",  # a PENDING row without bytes
    "file.picture_written",  # the picture without its thumbnail
    "file.bytes_written",  # everything there, used by nothing
    "generation.before_commit",  # credits, key, file and rows written, rolled back by the death
    "generation.committed",  # paid for, and no wake-up published
    "generation.wake_up_published",  # paid for, and the client has no response
    "claim.before_commit",
    "worker.claimed",  # attempts counted, nothing called: back to the queue
    "worker.before_call",  # the call written down, not made: counts as made
    "worker.generated",  # the picture paid for and only in memory
    "worker.stored",  # the result PENDING with its bytes
    "worker.before_completion",
    "completion.before_commit",
    "worker.before_failure",
    "failure.before_commit",  # failed and perhaps refunded, rolled back by the death
    "worker.ended",  # ended, and nobody was told
    "cancel.before_commit",
    "cancel.committed",
    "delete.before_commit",  # buried and perhaps refunded, rolled back by the death
    "delete.committed",  # gone, and neither subscribers nor the worker that makes it were told
    "account_deletion.before_commit",
    "account_deletion.committed",  # nobody is signed in any more, and every picture is there
    "account_deletion.begun",  # a part of the pictures is gone
    "export.claimed",  # attempts counted, nothing written
    "export.stored",  # the zip is there, its row PENDING
    "export.bytes_removed",  # the row of an old export without its bytes
    "sweeper.claimed",  # the sweeper holds a dead worker's generation, and dies as well
    "requeue.before_commit",
    "sweeper.settled",  # back in the queue or failed, and nobody rang or was told
    "sweeper.files_marked",  # old unsettled files are DELETING
    "file.thumbnail_removed",
    "file.bytes_removed",  # the row without its bytes
    "upload.row_written",  # announced, and nobody was told where to send it
    "upload.bytes_removed",  # the row of an old upload without its bytes
]
POINTS: tuple[Point, ...] = get_args(Point)


@dataclass
class _Plan:
    name: str | None = None
    skip: int = 0  # how often the place is passed unharmed


_plan = _Plan()


def arm(name: Point, skip: int = 0) -> None:
    """Kill this process as kill -9 would when it has passed `name` `skip` times and comes there again."""
    _plan.name, _plan.skip = name, skip


def crashpoint(name: Point) -> None:
    """A place that `arm` can name; does nothing otherwise."""
    if _plan.name == name:
        if _plan.skip == 0:
            os._exit(137)
        _plan.skip -= 1
