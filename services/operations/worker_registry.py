"""The registry of live worker processes and the number of generations that they process at once."""

from models.database.connection import rows
from services.core.cached_value import CachedValue

_MIN_TIMEOUT = 30.0  # seconds without a heartbeat; workers send one with every sweep, and a sweep may be late
_TTL = 1.0  # seconds for which the capacity is cached


class WorkerRegistry:
    """Written by workers, read by health checks and estimates. `every`: seconds between two heartbeats of a worker."""

    def __init__(self, every: float) -> None:
        self._timeout = max(_MIN_TIMEOUT, 3 * every)
        self._capacity = CachedValue(self._count, _TTL)  # read once per pending generation of a page

    async def heartbeat(self, name: str, concurrency: int) -> None:
        """Record that this worker is alive, and delete workers without a heartbeat for long."""
        await rows(
            "INSERT INTO workers (name, concurrency, seen_at) VALUES ($1, $2, NOW())"
            " ON CONFLICT (name) DO UPDATE SET concurrency = excluded.concurrency, seen_at = excluded.seen_at"
            " RETURNING name",
            name,
            concurrency,
        )
        await rows("DELETE FROM workers WHERE seen_at < LATER($1) RETURNING name", -10 * self._timeout)

    async def unregister(self, name: str) -> None:
        """Remove this worker, which claims nothing more."""
        await rows("DELETE FROM workers WHERE name = $1 RETURNING name", name)

    async def capacity(self) -> int:
        """Return how many generations all live workers process at once; 0 without workers."""
        return await self._capacity.get()

    async def _count(self) -> int:
        (found,) = await rows(
            "SELECT COALESCE(SUM(concurrency), 0) AS slots FROM workers WHERE seen_at > LATER($1)", -self._timeout
        )
        return int(found["slots"])
