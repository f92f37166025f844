"""The self-check: every hour one worker audits everything, and says aloud when a promise is broken."""

import time
from datetime import UTC, datetime

import structlog

from services.core.message import message
from services.events.publisher import EventPublisher
from services.operations import hourly_job
from services.operations.integrity_audit import IntegrityAudit, InvariantResult
from services.operations.invariant import INVARIANTS
from telemetry import metric

log = structlog.get_logger(__name__)

JOB = "self-check"

_NAMED = 10  # violations that the log names, of each promise
_NAMES = (*(invariant.name for invariant in INVARIANTS), "B2")


class SelfCheck:
    """The hour's row is the lease: whoever writes it audits, and nobody else. The newest row is what is shown."""

    def __init__(self, audit: IntegrityAudit, events: EventPublisher) -> None:
        self._audit = audit
        self._events = events
        self._begun = datetime.now(UTC)

    async def run(self) -> None:
        """Audit every hour until cancelled; for every worker."""
        await hourly_job.run_every_hour(JOB, self.check_when_due)

    async def check_when_due(self, now: datetime) -> dict[str, int] | None:
        """Do this hour's audit, unless somebody has begun it: how many break each promise; None: not ours to do."""
        run = await hourly_job.claim(JOB, now)
        if run is None:
            return None
        started = time.monotonic()
        try:
            verdicts = await self._audit.run()
        except Exception as error:
            await hourly_job.fail(run, error)
            raise
        broken = {verdict.name: len(verdict.violations) for verdict in verdicts if verdict.violations}
        before = await hourly_job.last_completed(JOB)
        earlier: dict[str, int] = before.result["broken"] if before and before.result else {}
        unknown = [verdict.name for verdict in verdicts if not verdict.is_known]
        await hourly_job.complete(run, {"broken": broken, "unknown": unknown})
        for verdict in verdicts:
            if not verdict.is_known:
                log.warning("self_check.unknown", promise=verdict.name, hint="it took too long; `main.py verify` waits")
            if verdict.violations:
                await self._report(verdict, earlier.get(verdict.name, 0))
        log.info("self_check.done", broken=sorted(broken), seconds=round(time.monotonic() - started, 3))
        return broken

    async def _report(self, verdict: InvariantResult, earlier: int) -> None:
        count = len(verdict.violations)
        log.error(
            "self_check.broken",
            promise=verdict.name,
            meaning=verdict.promise,
            violations=count,
            named=verdict.violations[:_NAMED],
        )
        if count > earlier:  # admins are told once, not every hour
            text = message("A promise is broken: {promise} ({name}), {count} times.", promise=verdict.promise,
                           name=verdict.name, count=count)  # fmt: skip
            await self._events.alert(text)

    async def export_metrics(self) -> None:
        """Tell Prometheus what the newest audit found, whoever made it."""
        newest = await hourly_job.last_completed(JOB)
        if newest is None or newest.finished_at is None or newest.result is None:
            metric.audit_age.set((datetime.now(UTC) - self._begun).total_seconds())  # audits that all fail are noticed
            return
        broken = newest.result.get("broken", {})
        for name in _NAMES:
            metric.invariant_violations.labels(name).set(broken.get(name, 0))
        metric.audit_age.set((datetime.now(UTC) - newest.finished_at).total_seconds())
