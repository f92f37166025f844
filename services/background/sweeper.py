"""The sweeper: repeats the chores of every group. Any number of processes may sweep at once."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from services.core.chore import Chore, Lane

log = structlog.get_logger(__name__)


class Sweeper:
    """Runs each lane's chores every `every` seconds, and `jobs`, which have loops of their own."""

    def __init__(self, chores: Sequence[Chore], jobs: Sequence[Callable[[], Awaitable[None]]], *, every: float) -> None:
        self._chores = chores
        self._jobs = jobs
        self._every = every

    async def run(self) -> None:
        """Sweep until canceled; an error is logged and ends one pass of one lane."""
        await asyncio.gather(*(self._repeat(lane) for lane in Lane), *(job() for job in self._jobs))

    async def _repeat(self, lane: Lane) -> None:
        while True:
            try:
                await self.sweep_lane(lane)
            except Exception:
                log.warning("sweeper.pass_failed", lane=lane.value, exc_info=True)
            await asyncio.sleep(self._every)

    async def sweep(self) -> None:
        """Run every chore once."""
        for lane in Lane:
            await self.sweep_lane(lane)

    async def sweep_lane(self, lane: Lane) -> None:
        """Run the chores of one lane once, in the order in which the groups list them."""
        for chore in self._chores:
            if chore.lane is lane:
                await chore.run()
