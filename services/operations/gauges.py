"""Gauges read from the database: the queue, workers and spending, with the same values in every process."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypedDict

import structlog

from models.database.connection import as_datetime, database_time, pool_usage, rows
from services.core.cached_value import CachedValue
from services.operations.maintenance import spent_today
from services.operations.provider_pause import ProviderPauses, read_pauses
from services.operations.providers.recent_calls import RecentCallReports
from services.operations.self_check import SelfCheck, newest_audit
from services.operations.worker_registry import WorkerRegistry
from telemetry import metric

log = structlog.get_logger(__name__)

_TTL = 2.0  # seconds for which the values are cached, however often the metrics are scraped
_OPEN = ("PENDING", "PROCESSING")
_UNSETTLED = ("RECEIVED", "FAILED", "PARKED")


class OperationsSummary(TypedDict):
    """What the deployment is doing. `violated_invariants`: numbers of violations by name; None: not audited yet.

    `audit`: the same with when it was, and what it could not find out in time. `provider_calls`: of the last quarter of
    an hour, by model.
    """

    waiting: int  # generations
    in_progress: int  # generations
    oldest_waiting_seconds: float | None
    workers: list[dict[str, Any]]
    workers_lost: int
    providers_paused: list[dict[str, Any]]
    provider_calls: list[dict[str, Any]]
    clock_skew_seconds: float  # of this process, ahead of the database's clock
    violated_invariants: dict[str, int] | None
    audit_seconds_ago: int | None
    audit: dict[str, Any] | None


@dataclass(frozen=True)
class _Queue:
    """The numbers of generations that have not ended, by status, and when the oldest that waits was requested."""

    numbers: dict[str, int]
    oldest: datetime | None


class GaugeUpdater:
    """Updates the metrics that no single process can count."""

    def __init__(
        self,
        worker_registry: WorkerRegistry,
        self_check: SelfCheck,
        provider_pauses: ProviderPauses,
        recent_calls: RecentCallReports,
    ) -> None:
        self._worker_registry = worker_registry
        self._self_check = self_check
        self._provider_pauses = provider_pauses
        self._recent_calls = recent_calls
        self._values = CachedValue(self._read_tables, _TTL)

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Export what this process has open every few seconds while the body runs: of several, one answers a scrape."""

        async def watch() -> None:
            while True:
                export_pool()
                await asyncio.sleep(_TTL)

        watcher = asyncio.create_task(watch(), name="pool-metrics")
        try:
            yield
        finally:
            watcher.cancel()
            await asyncio.wait([watcher])

    async def refresh(self) -> None:
        """Read the tables, unless the values are cached; an outage is a metric itself."""
        export_pool()
        try:
            await self._values.get()
        except Exception as error:  # noqa: BLE001 - whatever the error, the other metrics are exported
            log.warning("gauges.refresh_failed", error=error)
            metric.database_up.set(0)
        else:
            metric.database_up.set(1)

    async def summary(self) -> OperationsSummary:
        """Return queue, workers and the last audit as they are now."""
        now = await database_time()
        queue = await _read_queue()
        oldest = queue.oldest
        audit, pauses = await newest_audit(), await read_pauses()
        return {
            "waiting": queue.numbers["PENDING"],
            "in_progress": queue.numbers["PROCESSING"],
            "oldest_waiting_seconds": round((now - oldest).total_seconds(), 1) if oldest else None,
            "workers": [
                {
                    "name": worker.name,
                    "slots": worker.slots,
                    "seen_seconds_ago": round(worker.seen_seconds_ago, 1),
                    "live_seconds": None if worker.live_seconds is None else round(worker.live_seconds),
                    "clock_skew_seconds": None if worker.clock_skew is None else round(worker.clock_skew, 1),
                }
                for worker in await self._worker_registry.workers()
            ],
            "workers_lost": await self._worker_registry.lost(),
            "providers_paused": [
                {
                    "provider": pause.provider,
                    "problem": pause.problem,
                    "since": pause.began_at.isoformat(),
                    "seconds": round(pause.seconds),
                    "asked_again_in_seconds": max(round(pause.asks_in), 0),
                    "models": self._provider_pauses.models(pauses, pause.provider),
                }
                for pause in pauses.values()
            ],
            "provider_calls": [
                {
                    "provider": each.provider,
                    "model": each.model,
                    "calls": each.calls,
                    "failed": each.failed,
                    "failure_share": round(each.failure_share, 3),
                    "codes": dict(each.codes),
                    "typical_seconds": each.typical_seconds,
                    "problem": each.problem or None,
                }
                for each in await self._recent_calls.get()
            ],
            "clock_skew_seconds": round((datetime.now(UTC) - now).total_seconds(), 1),
            "violated_invariants": audit.violated if audit else None,
            "audit_seconds_ago": round((now - audit.at).total_seconds()) if audit else None,
            "audit": {
                "finished_at": audit.at.isoformat(),
                "findings": sum(audit.violated.values()),
                "broken": audit.broken,
                "late": audit.late,
                "unknown": list(audit.unknown),
            }
            if audit
            else None,
        }

    async def _read_tables(self) -> None:
        queue = await _read_queue()
        for status, number in queue.numbers.items():
            metric.queue_depth.labels(status).set(number)
        now = await database_time()
        metric.clock_skew.set((datetime.now(UTC) - now).total_seconds())
        metric.queue_oldest.set(max((now - queue.oldest).total_seconds(), 0) if queue.oldest else 0)
        workers = await self._worker_registry.workers()
        metric.worker_slots.set(sum(worker.slots for worker in workers))
        metric.worker_clock_skew.set(max((abs(worker.clock_skew or 0.0) for worker in workers), default=0.0))
        metric.workers.labels("live").set(len(workers))
        metric.workers.labels("lost").set(await self._worker_registry.lost())
        await _export_payments()
        await _export_webhooks(now)
        metric.spend_today.set(await spent_today())
        await self._recent_calls.get()
        await self._self_check.export_metrics()


async def _read_queue() -> _Queue:
    counted = await rows(
        "SELECT status, COUNT(*) AS number, MIN(created_at) AS oldest FROM generations"
        " WHERE status IN ('PENDING', 'PROCESSING') GROUP BY status"
    )
    found = {row["status"]: row for row in counted}
    oldest = as_datetime(found["PENDING"]["oldest"]) if "PENDING" in found else None
    return _Queue({status: found[status]["number"] if status in found else 0 for status in _OPEN}, oldest)


async def _export_payments() -> None:
    counted = await rows(
        "SELECT outcome, COUNT(*) AS number FROM external_events"
        " WHERE outcome IN ('RECEIVED', 'FAILED', 'PARKED') GROUP BY outcome"
    )
    found = {row["outcome"]: row["number"] for row in counted}
    for outcome in _UNSETTLED:
        metric.payments_unsettled.labels(outcome).set(found.get(outcome, 0))


async def _export_webhooks(now: datetime) -> None:
    (found,) = await rows(
        "SELECT (SELECT COUNT(*) FROM webhook_deliveries WHERE state = 'WAITING')"
        " + (SELECT COUNT(*) FROM webhook_events) AS waiting,"
        " (SELECT MIN(failing_since) FROM webhook_endpoints WHERE user_id IS NULL AND disabled_at IS NULL) AS failing"
    )
    metric.webhook_waiting.set(found["waiting"])
    since = found["failing"]
    metric.webhook_failing_seconds.set(max((now - as_datetime(since)).total_seconds(), 0) if since else 0)


def export_pool() -> None:
    """Set the metrics of this process's connections to the database."""
    for state, number in pool_usage().items():
        metric.database_connections.labels(state).set(number)
