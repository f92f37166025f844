"""Checks of what a deployment depends on, which write as well as read, and say why a part does not serve."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from models.database.connection import rows, run_tx
from models.database.migrate import missing_migrations
from models.database.outage_cause import outage_cause
from services.integrations.messaging.bus import Bus
from services.integrations.messaging.redis_cause import redis_cause
from services.integrations.rate_limiter import RateLimiter
from services.integrations.storage.protocol import Storage, StorageError
from telemetry import metric
from telemetry.outage import SERVICES, Cause

log = structlog.get_logger(__name__)

TIMEOUT = 2.0  # seconds for a check
MISSING_MIGRATIONS = "migrations are missing"
# A result is kept, so that probes cost little; a failure is tried again sooner. With TIMEOUT, less than ten seconds
# pass before a fault shows, also where the part hangs.
_SECONDS = 7.0
_FAILED_SECONDS = 1.0
_SCOPE = "check"  # of an outage: reads, and connections that are open, may still work


@dataclass(frozen=True)
class PartState:
    """The result of a check. `problem`: why the part does not serve; empty if it does. `seconds`: of the check."""

    problem: str = ""
    seconds: float = 0.0


class _NotKeptError(Exception):
    """Rolls back what a check has written."""


async def check_database() -> None:
    """Read the applied migrations, and write a row, which is rolled back.

    Raises:
        MissingMigrationsError: this release needs migrations that have not been applied.
    """
    if missing := await missing_migrations():
        raise MissingMigrationsError(", ".join(missing))

    async def write() -> None:
        await rows(
            "INSERT INTO workers (name, concurrency, seen_at) VALUES ($1, 1, NOW())"
            " ON CONFLICT (name) DO UPDATE SET seen_at = NOW() RETURNING name",
            "check",
        )
        raise _NotKeptError

    try:
        await run_tx(write)
    except _NotKeptError:
        return


class MissingMigrationsError(Exception):
    """The database was not migrated for this release."""


class PartChecks:
    """The checks of one process. Each part is checked once at a time, however many ask, and its result kept briefly."""

    def __init__(
        self,
        storage: Storage,
        bus: Bus,
        limiter: RateLimiter | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        async def check_redis() -> None:
            await bus.check()
            if limiter is not None:
                await limiter.check()

        checks: dict[str, Callable[[], Awaitable[None]]] = {"database": check_database, "storage": storage.check}
        if bus.is_shared:
            checks["redis"] = check_redis
        self._checks = {part: CachedCheck(part, check, clock) for part, check in checks.items()}

    async def states(self, timeout: float = TIMEOUT) -> dict[str, PartState]:  # noqa: ASYNC109 - of each check, which goes on
        """Return the state of each part, within `timeout` seconds, and export it as metrics."""
        found = await asyncio.gather(*(check.state(timeout) for check in self._checks.values()))
        return dict(zip(self._checks, found, strict=True))

    def forget(self, part: str) -> None:
        """Check this part again the next time, because something else has found that it does not serve."""
        self._checks[part].forget()


class CachedCheck:
    """The check of one part: one at a time, however many ask."""

    def __init__(self, part: str, check: Callable[[], Awaitable[None]], clock: Callable[[], float]) -> None:
        self._part = part
        self._outage = SERVICES[part]
        self._check = check
        self._clock = clock
        self._task: asyncio.Task[PartState] | None = None
        self._finished_at = 0.0

    async def state(self, timeout: float) -> PartState:  # noqa: ASYNC109 - as above
        """Return the part's state; a check that takes longer than the timeout goes on, and is not started again.

        Starting new ones against a part that hangs would pile up threads and connections.
        """
        if self._task is None or self._is_old(self._task):
            self._task = asyncio.create_task(self._run(), name=f"check-{self._part}")
        await asyncio.wait([self._task], timeout=timeout)
        if self._task.done():
            return self._task.result()
        self._outage.failed(TimeoutError(Cause.SLOW.value), _SCOPE)
        log.warning("health.check_failed", part=self._part, problem=Cause.SLOW.value)
        return self._exported(PartState(Cause.SLOW.value, timeout))

    def forget(self) -> None:
        """Do not use the last result any more."""
        self._finished_at = -_SECONDS

    def _is_old(self, task: asyncio.Task[PartState]) -> bool:
        if not task.done():
            return False
        seconds = _FAILED_SECONDS if task.result().problem else _SECONDS
        return self._clock() - self._finished_at >= seconds

    async def _run(self) -> PartState:
        started = time.monotonic()
        problem = ""
        try:
            await self._check()
        except Exception as error:  # noqa: BLE001 - every failure of a part is a problem of that part
            problem = problem_of(error)
            if not isinstance(error, MissingMigrationsError):
                self._outage.failed(error, _SCOPE)
            log.warning("health.check_failed", part=self._part, problem=problem, error=error)
        else:
            self._outage.worked(_SCOPE)
        finally:
            self._finished_at = self._clock()
        return self._exported(PartState(problem, time.monotonic() - started))

    def _exported(self, state: PartState) -> PartState:
        metric.part_up.labels(self._part).set(not state.problem)
        metric.part_check_seconds.labels(self._part).set(state.seconds)
        return state


def problem_of(error: Exception) -> str:
    """Return why a check has failed, of a closed set of words."""
    if isinstance(error, MissingMigrationsError):
        return MISSING_MIGRATIONS
    if isinstance(error, StorageError):
        return error.cause.value
    return (redis_cause(error) or outage_cause(error)).value
