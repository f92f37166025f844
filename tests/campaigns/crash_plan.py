"""What happens to whom in a crash campaign: places to die at, naps, a Redis that forgets, and deaths anywhere."""

import itertools
import random
from dataclasses import dataclass

from services.core.crashpoint import POINTS

ALONE, SERVER, WORKER = "alone", "server", "worker"  # what a process does: everything, answer, or work and sweep

HALF_WRITTEN = "storage.half_written"  # bytes in a file beside their key, not yet under it
ANYWHERE = "anywhere"  # killed at a random moment
NAP = "nap"  # stopped while it holds a generation until somebody else has taken that, then continued
EMPTIED = "redis.emptied"  # Redis dies and comes back knowing nothing
UNNAMED = (ANYWHERE, NAP, EMPTIED)

RARE = ("account_deletion.", "export.")  # places that nobody comes to often

Step = tuple[str, ...]  # fates of one process and its successors in the same place, one after another

# What must have been left lying for a place to be reached at all: where to die before.
LEFT_BY: dict[str, Step] = {
    "sweeper.taken_over": ("worker.claimed",),
    "hand_back.before_commit": ("worker.claimed",),
    "sweeper.settled": ("worker.before_call",),
    "sweeper.files_marked": ("file.row_written",),
    "file.thumbnail_removed": ("worker.stored",),
    "file.bytes_removed": ("file.bytes_written",),
}
# Where only one kind of process comes; the rest is reached by both.
_BY_SERVERS = ("generation.", "cancel.", "upload.row_written", "delete.", "account_deletion.")
_BY_WORKERS = ("claim.", "worker.", "completion.", "failure.", "sweeper.", "hand_back.", "export.",
               "file.thumbnail_removed", "file.bytes_removed", "upload.bytes_removed", NAP)  # fmt: skip


@dataclass(frozen=True)
class Topology:
    """Which processes there are, where they may die, and what else befalls them."""

    roles: tuple[str, ...]
    points: tuple[str, ...]
    unnamed: tuple[str, ...] = (ANYWHERE,)

    def takes(self, role: str, step: Step) -> bool:
        """Whether a process of this role comes to everything in the step."""
        foreign = {SERVER: _BY_WORKERS, WORKER: _BY_SERVERS}.get(role, ())
        return not any(fate.startswith(foreign) for fate in step) if foreign else True

    def step(self, fate: str) -> Step:
        """A fate, after what it needs."""
        return (*LEFT_BY.get(fate, ()), fate)

    @property
    def round(self) -> list[Step]:
        """Every named place once."""
        return [self.step(point) for point in self.points]

    def rounds(self, kills: int) -> int:
        """How often at least each named place is met in a plan of so many kills."""
        return _named(kills) // sum(len(step) for step in self.round)


EMBEDDED = Topology((ALONE,), (*POINTS, HALF_WRITTEN))
CLUSTER = Topology(
    (SERVER, SERVER, WORKER, WORKER),
    POINTS,  # a bucket takes an object whole, or not
    (ANYWHERE, NAP, ANYWHERE, NAP, ANYWHERE, EMPTIED),
)


def _named(kills: int) -> int:
    """Of so many deaths, how many at named places: each comes five times in the 250 of a default campaign."""
    return kills * 3 // 4


def plan(dice: random.Random, kills: int, topology: Topology) -> list[Step]:
    """Three quarters of the deaths at named places, in whole rounds as far as they go; the rest unnamed."""
    wanted = _named(kills)
    steps = topology.round * topology.rounds(kills)
    missing = wanted - sum(len(step) for step in steps)
    for step in dice.sample(topology.round, len(topology.points)):
        if len(step) <= missing:
            steps.append(step)
            missing -= len(step)
    steps += [(fate,) for fate in itertools.islice(itertools.cycle(topology.unnamed), kills - wanted + missing)]
    dice.shuffle(steps)
    return steps
