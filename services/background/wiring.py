"""Builds the services of the background group."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from services.background.sweeper import Sweeper
from services.core.chore import Chore


@dataclass(frozen=True)
class Background:
    """The services of the background group: work that runs outside of requests."""

    sweeper: Sweeper


def build_background(
    chores: Sequence[Chore], jobs: Sequence[Callable[[], Awaitable[None]]], *, every: float
) -> Background:
    """Build the group. `every`: seconds between two passes of the sweeper."""
    return Background(Sweeper(chores, jobs, every=every))
