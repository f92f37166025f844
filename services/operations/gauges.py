"""Gauges read from the database: the queue, workers and spending, with the same values in every process."""

from datetime import UTC, datetime

import structlog

from models.database.connection import as_datetime, rows
from services.core.cached_value import CachedValue
from services.operations.maintenance import spent_today
from services.operations.self_check import SelfCheck
from services.operations.worker_registry import WorkerRegistry
from telemetry import metric

log = structlog.get_logger(__name__)

_TTL = 2.0  # seconds for which the values are cached, however often the metrics are scraped
_OPEN = ("PENDING", "PROCESSING")


class GaugeUpdater:
    """Updates the metrics that no single process can count."""

    def __init__(self, worker_registry: WorkerRegistry, self_check: SelfCheck) -> None:
        self._worker_registry = worker_registry
        self._self_check = self_check
        self._values = CachedValue(self._read_tables, _TTL)

    async def refresh(self) -> None:
        """Read the tables, unless the values are cached; an outage is a metric itself."""
        try:
            await self._values.get()
        except Exception as error:  # noqa: BLE001 - whatever the error, the other metrics are exported
            log.warning("gauges.refresh_failed", error=repr(error))
            metric.database_up.set(0)
        else:
            metric.database_up.set(1)

    async def _read_tables(self) -> None:
        counted = await rows(
            "SELECT status, COUNT(*) AS number, MIN(created_at) AS oldest FROM generations"
            " WHERE status IN ('PENDING', 'PROCESSING') GROUP BY status"
        )
        found = {row["status"]: row for row in counted}
        for status in _OPEN:
            metric.queue_depth.labels(status).set(found[status]["number"] if status in found else 0)
        pending = found.get("PENDING")
        since = as_datetime(pending["oldest"]) if pending else None
        metric.queue_oldest.set(max((datetime.now(UTC) - since).total_seconds(), 0) if since else 0)
        metric.worker_slots.set(await self._worker_registry.capacity())
        metric.spend_today.set(await spent_today())
        await self._self_check.export_metrics()
