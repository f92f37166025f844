"""How much there is to do, as the tables say: the same figures in every process, for Prometheus to read."""

from datetime import UTC, datetime

import structlog

from models.database.connection import as_datetime, rows
from services.core.cached_value import CachedValue
from services.operations.maintenance import spent_today
from services.operations.self_check import SelfCheck
from services.operations.worker_registry import WorkerRegistry
from telemetry import metric

log = structlog.get_logger(__name__)

_REMEMBERED = 2.0  # seconds: however many ask, the tables are read no more often
_OPEN = ("PENDING", "PROCESSING")


class GaugeUpdater:
    """Brings the figures up to date that no single process can count."""

    def __init__(self, roster: WorkerRegistry, self_check: SelfCheck) -> None:
        self._roster = roster
        self._self_check = self_check
        self._read = CachedValue(self._measure, _REMEMBERED)

    async def refresh(self) -> None:
        """Read the tables, unless somebody just has; an outage is itself a figure."""
        try:
            await self._read.get()
        except Exception as error:  # noqa: BLE001 - whatever keeps us from the tables, the other figures are told
            log.warning("load.not_measured", error=repr(error))
            metric.database_up.set(0)
        else:
            metric.database_up.set(1)

    async def _measure(self) -> None:
        waiting = await rows(
            "SELECT status, COUNT(*) AS number, MIN(created_at) AS oldest FROM generations"
            " WHERE status IN ('PENDING', 'PROCESSING') GROUP BY status"
        )
        found = {row["status"]: row for row in waiting}
        for status in _OPEN:
            metric.queue_depth.labels(status).set(found[status]["number"] if status in found else 0)
        pending = found.get("PENDING")
        since = as_datetime(pending["oldest"]) if pending else None
        metric.queue_oldest.set(max((datetime.now(UTC) - since).total_seconds(), 0) if since else 0)
        metric.worker_slots.set(await self._roster.capacity())
        metric.spend_today.set(await spent_today())
        await self._self_check.export_metrics()
