"""The registry of live worker processes and the number of generations that they process at once."""

from dataclasses import dataclass
from datetime import UTC, datetime

from models.database.connection import as_datetime, rows
from services.core.cached_value import CachedValue

_MIN_TIMEOUT = 30.0  # seconds without a heartbeat; workers send one with every sweep, and a sweep may be late
_TTL = 1.0  # seconds for which the capacity is cached


@dataclass(frozen=True)
class Worker:
    """A live worker process.

    `slots`: generations that it processes at once. `live_seconds`: since its first heartbeat. `clock_skew`: seconds by
    which its clock is ahead of the database's. None: of a worker of the release before.
    """

    name: str
    slots: int
    seen_seconds_ago: float
    live_seconds: float | None = None
    clock_skew: float | None = None


class WorkerRegistry:
    """Written by workers, read by health checks and estimates. `every`: seconds between two heartbeats of a worker."""

    def __init__(self, every: float) -> None:
        self._timeout = max(_MIN_TIMEOUT, 3 * every)
        self._capacity = CachedValue(self._count, _TTL)  # read once per pending generation of a page

    async def heartbeat(self, name: str, concurrency: int) -> None:
        """Record that this worker is alive, and delete workers without a heartbeat for long."""
        await rows(
            "INSERT INTO workers (name, concurrency, seen_at, started_at, clock) VALUES ($1, $2, NOW(), NOW(), $3)"
            " ON CONFLICT (name) DO UPDATE SET concurrency = excluded.concurrency, seen_at = excluded.seen_at,"
            " clock = excluded.clock RETURNING name",
            name,
            concurrency,
            datetime.now(UTC),
        )
        await rows("DELETE FROM workers WHERE seen_at < LATER($1) RETURNING name", -10 * self._timeout)

    async def unregister(self, name: str) -> None:
        """Remove this worker, which claims nothing more."""
        await rows("DELETE FROM workers WHERE name = $1 RETURNING name", name)

    async def workers(self) -> list[Worker]:
        """Return the live workers, by name."""
        found = await rows(
            "SELECT name, concurrency, seen_at, started_at, clock, NOW() AS now FROM workers"
            " WHERE seen_at > LATER($1) ORDER BY name",
            -self._timeout,
        )
        return [
            Worker(
                row["name"],
                row["concurrency"],
                _seconds(row["now"], row["seen_at"]) or 0.0,
                _seconds(row["now"], row["started_at"]),
                _seconds(row["clock"], row["seen_at"]),
            )
            for row in found
        ]

    async def lost(self) -> int:
        """Count the workers that were alive a few minutes ago, and have neither stopped nor reported since."""
        (found,) = await rows("SELECT COUNT(*) AS number FROM workers WHERE seen_at <= LATER($1)", -self._timeout)
        return int(found["number"])

    async def capacity(self) -> int:
        """Return how many generations all live workers process at once; 0 without workers."""
        return await self._capacity.get()

    async def _count(self) -> int:
        (found,) = await rows(
            "SELECT COALESCE(SUM(concurrency), 0) AS slots FROM workers WHERE seen_at > LATER($1)", -self._timeout
        )
        return int(found["slots"])


def _seconds(later: datetime | str | None, earlier: datetime | str | None) -> float | None:
    if later is None or earlier is None:
        return None
    return (as_datetime(later) - as_datetime(earlier)).total_seconds()
