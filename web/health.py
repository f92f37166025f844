"""Health endpoints: liveness of this process, and readiness of what it depends on."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from models.database.migrate import missing_migrations
from services.services import Services

log = structlog.get_logger(__name__)

_CACHE_SECONDS = 1.0  # of a result, so that frequent probes do not load the parts
_REQUIRED = ("database", "storage")  # requests fail without these; without the others they are only slower


async def live(request: Request) -> Response:
    """Answer 200 as long as the event loop runs."""
    return JSONResponse({"status": "ok"})


class CachedCheck:
    """The check of one part: one at a time, however many requests wait for it, and cached briefly."""

    def __init__(self, part: str, check: Callable[[], Awaitable[str]], timeout: float, clock: Callable[[], float]):
        self._part = part
        self._check = check
        self._timeout = timeout
        self._clock = clock
        self._task: asyncio.Task[str] | None = None
        self._finished_at = 0.0

    async def result(self) -> str:
        """Return the part's status, or `unavailable` if its check fails or times out."""
        if self._task is None or (self._task.done() and self._clock() - self._finished_at >= _CACHE_SECONDS):
            self._task = asyncio.create_task(self._run(), name=f"health-{self._part}")
        # A timeout does not cancel the check: starting new ones against a part that hangs would pile up threads and
        # connections.
        await asyncio.wait([self._task], timeout=self._timeout)
        if self._task.done():
            return self._task.result()
        log.warning("health.check_failed", part=self._part, error=f"no response within {self._timeout:g} s")
        return "unavailable"

    async def _run(self) -> str:
        try:
            return await self._check()
        except Exception as error:  # noqa: BLE001 - every failure of a part has the same result
            log.warning("health.check_failed", part=self._part, error=repr(error))
            return "unavailable"
        finally:
            self._finished_at = self._clock()


class Readiness:
    """Checks database, migrations and storage; with several processes also Redis and the workers."""

    def __init__(self, services: Services, timeout: float = 2.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._services = services
        parts = {"database": self._database, "storage": self._storage}
        if services.integrations.bus.is_shared:
            parts["workers"] = self._workers
        self._checks = {part: CachedCheck(part, check, timeout, clock) for part, check in parts.items()}

    async def report(self) -> dict[str, str]:
        """Return the overall status, and the status of each part."""
        results = await asyncio.gather(*(check.result() for check in self._checks.values()))
        parts = dict(zip(self._checks, results, strict=True))
        if self._services.integrations.bus.is_shared:
            parts["redis"] = "ok" if self._services.integrations.bus.is_connected else "degraded"
        if any(parts[part] != "ok" for part in _REQUIRED):
            status = "unavailable"
        else:
            status = "ok" if set(parts.values()) == {"ok"} else "degraded"
            status = "read-only" if self._services.operations.maintenance.is_read_only else status
        return {"status": status, **parts}

    async def _database(self) -> str:
        if missing := await missing_migrations():
            raise RuntimeError(f"migrations are missing: {', '.join(missing)}")
        return "ok"

    async def _storage(self) -> str:
        await self._services.integrations.storage.check()
        return "ok"

    async def _workers(self) -> str:
        return "ok" if await self._services.operations.worker_registry.capacity() else "none seen"


async def ready(request: Request) -> Response:
    """Answer 503 if requests would fail, and 200 if the server is ok, only slower (`degraded`) or `read-only`."""
    readiness: Readiness = request.state.readiness
    report = await readiness.report()
    return JSONResponse(report, status_code=503 if report["status"] == "unavailable" else 200)
