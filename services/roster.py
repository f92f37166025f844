"""The roster of worker processes: who has reported lately, and how many generations they make at once."""

import time

from models.database import rows

_LATELY = 30.0  # seconds; a worker reports with every sweep, and a sweep may be late
_REMEMBERED = 1.0  # seconds for which a count is used again


class Roster:
    """Written by workers, read by health checks and estimates. `every`: seconds between two reports of a worker."""

    def __init__(self, every: float) -> None:
        self._lately = max(_LATELY, 3 * every)
        self._capacity, self._counted_until = 0, 0.0

    async def report(self, name: str, concurrency: int) -> None:
        """Say that this worker lives, and forget those that have long been silent."""
        await rows(
            "INSERT INTO workers (name, concurrency, seen_at) VALUES ($1, $2, NOW())"
            " ON CONFLICT (name) DO UPDATE SET concurrency = excluded.concurrency, seen_at = excluded.seen_at"
            " RETURNING name",
            name,
            concurrency,
        )
        await rows("DELETE FROM workers WHERE seen_at < LATER($1) RETURNING name", -10 * self._lately)

    async def retire(self, name: str) -> None:
        """Say that this worker takes nothing more."""
        await rows("DELETE FROM workers WHERE name = $1 RETURNING name", name)

    async def capacity(self) -> int:
        """How many generations all workers that live make at once; 0 when none has reported."""
        if time.monotonic() < self._counted_until:  # a page of the gallery asks once for each that waits
            return self._capacity
        (found,) = await rows(
            "SELECT COALESCE(SUM(concurrency), 0) AS slots FROM workers WHERE seen_at > LATER($1)", -self._lately
        )
        self._capacity, self._counted_until = int(found["slots"]), time.monotonic() + _REMEMBERED
        return self._capacity
