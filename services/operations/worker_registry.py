"""The roster of worker processes: who has reported lately, and how many generations they make at once."""

from models.database.connection import rows
from services.core.cached_value import CachedValue

_LATELY = 30.0  # seconds; a worker reports with every sweep, and a sweep may be late
_REMEMBERED = 1.0  # seconds for which a count is used again


class WorkerRegistry:
    """Written by workers, read by health checks and estimates. `every`: seconds between two reports of a worker."""

    def __init__(self, every: float) -> None:
        self._lately = max(_LATELY, 3 * every)
        self._capacity = CachedValue(self._count, _REMEMBERED)  # a page of the gallery asks once for each that waits

    async def heartbeat(self, name: str, concurrency: int) -> None:
        """Say that this worker lives, and forget those that have long been silent."""
        await rows(
            "INSERT INTO workers (name, concurrency, seen_at) VALUES ($1, $2, NOW())"
            " ON CONFLICT (name) DO UPDATE SET concurrency = excluded.concurrency, seen_at = excluded.seen_at"
            " RETURNING name",
            name,
            concurrency,
        )
        await rows("DELETE FROM workers WHERE seen_at < LATER($1) RETURNING name", -10 * self._lately)

    async def unregister(self, name: str) -> None:
        """Say that this worker takes nothing more."""
        await rows("DELETE FROM workers WHERE name = $1 RETURNING name", name)

    async def capacity(self) -> int:
        """How many generations all workers that live make at once; 0 when none has reported."""
        return await self._capacity.get()

    async def _count(self) -> int:
        (found,) = await rows(
            "SELECT COALESCE(SUM(concurrency), 0) AS slots FROM workers WHERE seen_at > LATER($1)", -self._lately
        )
        return int(found["slots"])
