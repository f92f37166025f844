"""What a person who waits is told: how many are ahead, and how long it may take."""

from datetime import UTC, datetime
from functools import partial
from statistics import median

from models import Generation
from models.database.connection import placeholders, rows
from models.enum import GenerationStatus, MediaKind, Quality
from services.core.cached_value import CachedValue
from services.operations.worker_registry import WorkerRegistry

_RECENT = 20  # generations of the same kind, from which the time of one is estimated
_REMEMBERED = 5.0  # seconds for which an estimate of one kind is used again


class QueueEstimator:
    """Reads the table, as the workers do. Estimates are guesses, and say nothing where there is nothing to go by."""

    def __init__(self, roster: WorkerRegistry) -> None:
        self._roster = roster
        self._known: dict[tuple[MediaKind, Quality], CachedValue[float | None]] = {}  # seconds of one

    async def positions(self, generation_ids: list[str]) -> dict[str, int]:
        """How many generations will be begun before each of these that wait; those that do not wait are left out."""
        found = await rows(
            "SELECT id, (SELECT COUNT(*) FROM generations AS ahead WHERE ahead.status = 'PENDING'"  # noqa: S608 - placeholders
            " AND (ahead.priority > asked.priority OR ahead.priority = asked.priority AND ahead.id < asked.id))"
            f" AS ahead FROM generations AS asked WHERE status = 'PENDING' AND id IN ({placeholders(generation_ids)})",
            *generation_ids,
        )
        return {row["id"]: int(row["ahead"]) for row in found}

    async def seconds(self, generation: Generation, position: int | None) -> float | None:
        """Until it is done; `position`: how many are ahead of one that waits. None where nobody can tell."""
        if generation.status.is_final:
            return None
        each = await self._seconds_of_one(generation.media, generation.quality)
        if each is None:
            return None
        if generation.status is GenerationStatus.PROCESSING:
            started = generation.started_at or datetime.now(UTC)
            return round(max(each - (datetime.now(UTC) - started).total_seconds(), 0.0), 1)
        capacity = await self._roster.capacity()
        return round(each * ((position or 0) // capacity + 1), 1) if capacity else None

    async def _seconds_of_one(self, media: MediaKind, quality: Quality) -> float | None:
        kind = (media, quality)
        if kind not in self._known:
            self._known[kind] = CachedValue(partial(self._measure, media, quality), _REMEMBERED)
        return await self._known[kind].get()

    @staticmethod
    async def _measure(media: MediaKind, quality: Quality) -> float | None:
        recent = await (
            Generation.filter(status=GenerationStatus.COMPLETED, media=media, quality=quality)
            .order_by("-completed_at")
            .limit(_RECENT)
            .values_list("started_at", "completed_at")
        )
        lasted = [(ended - began).total_seconds() for began, ended in recent if began and ended]
        return median(lasted) if lasted else None
