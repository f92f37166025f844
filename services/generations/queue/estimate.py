"""Estimates for waiting generations: the position in the queue, and the seconds until the end."""

from datetime import UTC, datetime
from functools import partial

from models import Generation
from models.database.connection import placeholders, rows
from models.enum import GenerationStatus, MediaKind, Quality
from models.generation_row import AnyGeneration
from services.core.cached_value import CachedValue
from services.operations.maintenance import MaintenanceService
from services.operations.provider_pause import ProviderPauses
from services.operations.worker_registry import WorkerRegistry

_RECENT = 20  # generations of the same medium and quality, whose median is the estimate
_TTL = 5.0  # seconds for which an estimate is cached


class QueueEstimator:
    """Estimates from the table, about in the order of claims; None where there is no earlier generation."""

    def __init__(
        self, worker_registry: WorkerRegistry, pauses: ProviderPauses, maintenance: MaintenanceService
    ) -> None:
        self._maintenance = maintenance
        self._worker_registry = worker_registry
        self._pauses = pauses
        self._medians: dict[tuple[MediaKind, Quality], CachedValue[float | None]] = {}  # seconds of one generation

    async def positions(self, generation_ids: list[str]) -> dict[str, int]:
        """Return how many generations are ahead of each waiting one, by id, without those that are not waiting.

        Accounts take turns: the first generation of each is ahead of the second of any.
        """
        found = await rows(
            "WITH waiting AS (SELECT id, priority, ROW_NUMBER() OVER (PARTITION BY user_id, priority ORDER BY id)"  # noqa: S608 - placeholders
            " AS turn FROM generations WHERE status = 'PENDING')"
            " SELECT id, (SELECT COUNT(*) FROM waiting AS ahead WHERE ahead.priority > own.priority"
            " OR ahead.priority = own.priority AND (ahead.turn < own.turn OR ahead.turn = own.turn"
            f" AND ahead.id < own.id)) AS ahead FROM waiting AS own WHERE id IN ({placeholders(generation_ids)})",
            *generation_ids,
        )
        return {row["id"]: int(row["ahead"]) for row in found}

    async def seconds(self, generation: AnyGeneration, position: int | None) -> float | None:
        """Return the seconds until the end; None if unknown. `position`: how many are ahead of a waiting generation."""
        if generation.status.is_final or self.waits_for_provider(generation):
            return None
        each = await self._median(generation.media, generation.quality)
        if each is None:
            return None
        if generation.status is GenerationStatus.PROCESSING:
            started = generation.started_at or datetime.now(UTC)
            return round(max(each - (datetime.now(UTC) - started).total_seconds(), 0.0), 1)
        capacity = await self._worker_registry.capacity()
        return round(each * ((position or 0) // capacity + 1), 1) if capacity else None

    def waits_for_provider(self, generation: AnyGeneration) -> bool:
        """Return whether a waiting generation is not started, because its provider refuses every call, or is off."""
        if generation.status is not GenerationStatus.PENDING:
            return False
        is_off = self._maintenance.is_provider_off
        return is_off or self._pauses.is_blocked(generation.media, generation.requested_model)

    async def _median(self, media: MediaKind, quality: Quality) -> float | None:
        kind = (media, quality)
        if kind not in self._medians:
            self._medians[kind] = CachedValue(partial(self._measure, media, quality), _TTL)
        return await self._medians[kind].get()

    @staticmethod
    async def _measure(media: MediaKind, quality: Quality) -> float | None:
        recent = await (
            # Without earlier results that were reused, which never started.
            Generation.filter(status=GenerationStatus.COMPLETED, media=media, quality=quality, started_at__isnull=False)
            .order_by("-completed_at")
            .limit(_RECENT)
            .values_list("started_at", "completed_at")
        )
        durations = [(ended - began).total_seconds() for began, ended in recent if began and ended]
        if not durations:
            return None
        from statistics import median  # for the first estimate: with fractions it takes a fifth of a MiB

        return float(median(durations))
