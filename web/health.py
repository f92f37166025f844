"""Health: whether this process lives, and whether it can do its work."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from models.database.migrate import missing_migrations
from services.services import Services

log = structlog.get_logger(__name__)

_REMEMBERED = 1.0  # seconds for which an answer is given again: probes, however many, ask no part more often
_NEEDED = ("database", "storage")  # without these nothing works; without the others, only more slowly


async def live(request: Request) -> Response:
    """The event loop turns."""
    return JSONResponse({"status": "ok"})


class CachedCheck:
    """One part's answer: asked for once at a time, however many want to know, and remembered for a moment."""

    def __init__(self, part: str, ask: Callable[[], Awaitable[str]], patience: float, clock: Callable[[], float]):
        self._part = part
        self._ask = ask
        self._patience = patience
        self._clock = clock
        self._asking: asyncio.Task[str] | None = None
        self._answered = 0.0

    async def answer(self) -> str:
        """What the part says, or `unavailable` when it fails or says nothing in time."""
        if self._asking is None or (self._asking.done() and self._clock() - self._answered >= _REMEMBERED):
            self._asking = asyncio.create_task(self._put(), name=f"health-{self._part}")
        # Who waits gives up, the question does not: cancelling it and asking anew would pile up threads and
        # connections before a part that hangs.
        await asyncio.wait([self._asking], timeout=self._patience)
        if self._asking.done():
            return self._asking.result()
        log.warning("health.check_failed", part=self._part, error=f"no answer within {self._patience:g} s")
        return "unavailable"

    async def _put(self) -> str:
        try:
            return await self._ask()
        except Exception as error:  # noqa: BLE001 - every way of not answering is the same here
            log.warning("health.check_failed", part=self._part, error=repr(error))
            return "unavailable"
        finally:
            self._answered = self._clock()


class Readiness:
    """Database with its migrations, storage and, where processes share a Redis, that and the workers."""

    def __init__(self, services: Services, patience: float = 2.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._services = services
        parts = {"database": self._database, "storage": self._storage}
        if services.integrations.bus.is_shared:
            parts["workers"] = self._workers
        self._questions = {part: CachedCheck(part, ask, patience, clock) for part, ask in parts.items()}

    async def report(self) -> dict[str, str]:
        """How each part is, and first of all what follows from it."""
        said = await asyncio.gather(*(question.answer() for question in self._questions.values()))
        parts = dict(zip(self._questions, said, strict=True))
        if self._services.integrations.bus.is_shared:
            parts["redis"] = "ok" if self._services.integrations.bus.is_connected else "degraded"
        if any(parts[part] != "ok" for part in _NEEDED):
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
    """503 where requests would fail; what is only slower (`degraded`) or `read-only` is still 200."""
    readiness: Readiness = request.state.readiness
    report = await readiness.report()
    return JSONResponse(report, status_code=503 if report["status"] == "unavailable" else 200)
