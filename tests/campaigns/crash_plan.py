"""The plan of a crash campaign: which faults hit which process, and in which order."""

import itertools
import random
from dataclasses import dataclass

from services.core.crashpoint import POINTS

STANDALONE, SERVER, WORKER = "standalone", "server", "worker"  # both, requests only, work and sweeping only

HALF_WRITTEN = "storage.half_written"  # killed with the bytes in a temporary file, not yet under their key
BETWEEN_STATEMENTS = "statement.boundary"  # killed before or after any statement of a generation's life
RANDOM_KILL = "random_kill"  # killed at a random moment
SUSPENSION = "suspension"  # SIGSTOP while it has a claim, SIGCONT after another worker has taken that over
REDIS_RESTART = "redis_restart"  # Redis is killed and restarted without its data
OTHER_FAULTS = (RANDOM_KILL, SUSPENSION, REDIS_RESTART)

EXPORT = "export."  # prefix of the crash points of data exports
RARE = ("account_deletion.", "merge.", EXPORT)  # prefixes of crash points that are seldom reached

# Seconds after which a process that has not reached its crash point may be given up; sweeping starts after ORPHAN, and
# after hundreds of kills, an account has 800 pictures to export.
POINT_SECONDS, EXPORT_SECONDS = 4.0, 30.0

Step = tuple[str, ...]  # faults of one process and its successors in the same slot, one after another

# Crash points that are only reached after an earlier crash: where that one must be.
PREREQUISITES: dict[str, Step] = {
    "sweeper.claimed": ("worker.claimed",),
    "requeue.before_commit": ("worker.claimed",),
    "sweeper.settled": ("worker.before_call",),
    "sweeper.files_marked": ("file.row_written",),
    "file.thumbnail_removed": ("worker.stored",),
    "file.bytes_removed": ("file.bytes_written",),
}
# Prefixes of the crash points that only one role reaches; both reach the others.
_SERVER_POINTS = ("generation.", "cancel.", "upload.row_written", "delete.", "account_deletion.", "merge.")
_WORKER_POINTS = ("claim.", "worker.", "video.", "completion.", "failure.", "sweeper.", "requeue.", EXPORT,
                  "file.thumbnail_removed", "file.bytes_removed", "upload.bytes_removed", SUSPENSION)  # fmt: skip


@dataclass(frozen=True)
class Topology:
    """The processes of a deployment, the crash points they reach, and the other faults to inject."""

    roles: tuple[str, ...]
    points: tuple[str, ...]
    other_faults: tuple[str, ...] = (RANDOM_KILL,)

    def reaches(self, role: str, step: Step) -> bool:
        """Return whether a process of this role reaches every fault of the step."""
        foreign = {SERVER: _WORKER_POINTS, WORKER: _SERVER_POINTS}.get(role, ())
        return not any(fault.startswith(foreign) for fault in step) if foreign else True

    def step(self, fault: str) -> Step:
        """Return the fault, after the crash that it depends on."""
        return (*PREREQUISITES.get(fault, ()), fault)

    @property
    def round(self) -> list[Step]:
        """Return steps that reach every crash point once."""
        return [self.step(point) for point in self.points]

    def rounds(self, kills: int) -> int:
        """Return how often a plan of so many kills reaches each crash point at least."""
        return _kills_at_points(kills) // sum(len(step) for step in self.round)


EMBEDDED = Topology((STANDALONE,), (*POINTS, BETWEEN_STATEMENTS, HALF_WRITTEN))
CLUSTER = Topology(
    (SERVER, SERVER, WORKER, WORKER),
    (*POINTS, BETWEEN_STATEMENTS),  # S3 stores an object whole or not at all
    (RANDOM_KILL, SUSPENSION, RANDOM_KILL, SUSPENSION, RANDOM_KILL, REDIS_RESTART),
)

# Fail when a crash point was renamed elsewhere only: its step would go to a role that never reaches it.
for _prefix in (*RARE, *PREREQUISITES, *itertools.chain(*PREREQUISITES.values()), *_SERVER_POINTS, *_WORKER_POINTS):
    if _prefix != SUSPENSION and not any(point.startswith(_prefix) for point in POINTS):
        raise ValueError(f"no crash point begins with {_prefix!r}")


def seconds_to_reach(point: str) -> float:
    """Return the seconds after which a process that has not reached this crash point may be given up."""
    return EXPORT_SECONDS if point.startswith(EXPORT) else POINT_SECONDS


def _kills_at_points(kills: int) -> int:
    """Return how many kills of a plan are at crash points: each point occurs five times in a default campaign's 250."""
    return kills * 3 // 4


def plan(rng: random.Random, kills: int, topology: Topology) -> list[Step]:
    """Plan three quarters of the kills at crash points, in whole rounds where possible; the rest are other faults."""
    at_points = _kills_at_points(kills)
    steps = topology.round * topology.rounds(kills)
    missing = at_points - sum(len(step) for step in steps)
    for step in rng.sample(topology.round, len(topology.points)):
        if len(step) <= missing:
            steps.append(step)
            missing -= len(step)
    others = itertools.islice(itertools.cycle(topology.other_faults), kills - at_points + missing)
    steps += [(fault,) for fault in others]
    rng.shuffle(steps)
    return steps
