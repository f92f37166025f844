"""The self-check: every hour one worker audits everything, and reports violated invariants to the log and admins."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from models.database.connection import database_time
from services.core.message import message
from services.events.publisher import EventPublisher
from services.operations import hourly_job
from services.operations.integrity_audit import IntegrityAudit, InvariantResult
from services.operations.invariant import INVARIANTS
from telemetry import metric

log = structlog.get_logger(__name__)

JOB = "self-check"

_MAX_LOGGED = 10  # ids of violations of one invariant in the log
_KINDS = {**{each.name: "backlog" if each.is_backlog else "broken" for each in INVARIANTS}, "B2": "broken"}


@dataclass(frozen=True)
class AuditResult:
    """When an audit has ended, and the number of violations by invariant. `unknown`: invariants that timed out."""

    at: datetime
    violated: dict[str, int]
    unknown: tuple[str, ...] = ()

    @property
    def broken(self) -> dict[str, int]:
        """The violations without what is only late."""
        return {name: number for name, number in self.violated.items() if _KINDS.get(name) != "backlog"}

    @property
    def late(self) -> dict[str, int]:
        """The violations that are a backlog."""
        return {name: number for name, number in self.violated.items() if _KINDS.get(name) == "backlog"}


class SelfCheck:
    """Audits once an hour, in the worker that claims the hour. Every process exports the newest result as metrics."""

    def __init__(self, audit: IntegrityAudit, events: EventPublisher) -> None:
        self._audit = audit
        self._events = events
        self._started_at = datetime.now(UTC)

    async def run(self) -> None:
        """Audit every hour until canceled; runs in every worker."""
        await hourly_job.run_every_hour(JOB, self.check_when_due)

    async def check_when_due(self, now: datetime) -> dict[str, int] | None:
        """Run this hour's audit and return the number of violations by invariant; None if another worker claimed it."""
        run = await hourly_job.claim(JOB, now)
        if run is None:
            return None
        started = time.monotonic()
        try:
            results = await self._audit.run()
        except Exception as error:
            await hourly_job.fail(run, error)
            raise
        violated = {result.name: len(result.violations) for result in results if result.violations}
        before = await hourly_job.last_completed(JOB)
        earlier: dict[str, int] = before.result["broken"] if before and before.result else {}
        unknown = [result.name for result in results if not result.is_complete]
        await hourly_job.complete(run, {"broken": violated, "unknown": unknown})
        for result in results:
            if not result.is_complete:
                log.warning("self_check.timed_out", invariant=result.name, hint="`main.py verify` has no time limit")
            if result.violations:
                await self._report(result, earlier.get(result.name, 0))
        log.info("self_check.completed", violated=sorted(violated), seconds=round(time.monotonic() - started, 3))
        return violated

    async def _report(self, result: InvariantResult, earlier: int) -> None:
        count = len(result.violations)
        fields = {"invariant": result.name, "statement": result.statement, "violations": count}
        ids = result.violations[:_MAX_LOGGED]
        if result.is_backlog:  # it ends by itself once what it waits for works again
            log.warning("self_check.backlog", **fields, ids=ids)
            return
        log.error("self_check.invariant_violated", **fields, ids=ids)
        if count > earlier:  # alert admins once, not every hour
            text = message("An invariant is violated: {statement} ({name}), {count} times.",
                           statement=result.statement, name=result.name, count=count)  # fmt: skip
            await self._events.alert(text)

    async def export_metrics(self) -> None:
        """Set the metrics to the result of the newest audit of any worker."""
        newest = await newest_audit()
        if newest is None:
            # Since the start of this process, so that audits which always fail are noticed.
            metric.audit_age.set((datetime.now(UTC) - self._started_at).total_seconds())
            return
        for name, kind in _KINDS.items():
            metric.invariant_violations.labels(name, kind).set(newest.violated.get(name, 0))
            metric.invariant_unknown.labels(name).set(name in newest.unknown)
        metric.audit_age.set((await database_time() - newest.at).total_seconds())


async def newest_audit() -> AuditResult | None:
    """Return the result of the newest audit of any worker; None: none has completed."""
    newest = await hourly_job.last_completed(JOB)
    if newest is None or newest.finished_at is None or newest.result is None:
        return None
    return AuditResult(newest.finished_at, newest.result.get("broken", {}), tuple(newest.result.get("unknown", ())))
