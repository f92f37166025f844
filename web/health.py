"""Health endpoints: liveness of this process, and readiness of what it depends on."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from models.database.connection import is_outage
from services.operations.gauges import OperationsSummary
from services.operations.part_check import TIMEOUT, PartState
from services.operations.provider_keys import OK
from services.operations.providers.recent_calls import RecentCalls, worst_problems
from services.services import Services
from telemetry.outage import Cause
from web.metrics import refusal

# Without it no request can be served. An outage of the rest is shared by all servers: if it took them out of the load
# balancer, what still works would be gone as well.
_REQUIRED = "database"
_T = TypeVar("_T")


async def live(request: Request) -> Response:
    """Answer 200 as long as the event loop runs."""
    return JSONResponse({"status": "ok"})


class Readiness:
    """Checks database, migrations and storage; with several processes also Redis and the workers.

    It names providers that are paused, slow, or whose calls fail; in a process that calls providers also what they said
    about their keys: no probe calls them.
    """

    def __init__(self, services: Services, timeout: float = TIMEOUT) -> None:
        self._services = services
        self._timeout = timeout
        self._since: dict[str, datetime] = {}  # when a part's present problem was first seen

    async def report(self) -> dict[str, str]:
        """Return the overall status, and the status of each part."""
        states, shared = await self._states_and(self._read_shared)
        return self._summary(states, *(shared or (None, [])))

    async def _read_shared(self) -> tuple[int, list[RecentCalls]]:
        operations = self._services.operations
        return await operations.worker_registry.capacity(), await operations.recent_calls.get()

    async def _read_full(self) -> tuple[OperationsSummary, list[RecentCalls]]:
        operations = self._services.operations
        return await operations.gauges.summary(), await operations.recent_calls.get()

    async def full_report(self) -> dict[str, Any]:
        """Return the report with the cause, the beginning and the duration of each check, queue, workers and audit."""
        states, read = await self._states_and(self._read_full)
        summary, calls = read or (None, [])
        details = {
            part: {
                "problem": state.problem or None,
                "since": self._since[part].isoformat() if state.problem else None,
                "seconds": round(state.seconds, 3),
            }
            for part, state in states.items()
        }
        capacity = sum(worker["slots"] for worker in summary["workers"]) if summary else None
        return {**self._summary(states, capacity, calls), "parts": details, "operations": summary}

    async def _states_and(self, read: Callable[[], Awaitable[_T]]) -> tuple[dict[str, PartState], _T | None]:
        """Return the states of the parts, and what `read` finds in the database; None: the database does not serve."""
        states = await self._states()
        if states[_REQUIRED].problem:
            return states, None
        try:
            return states, await read()
        except Exception as error:
            if not is_outage(error):
                raise
        # It was well when it was checked last, some seconds ago.
        self._services.operations.part_checks.forget(_REQUIRED)
        return await self._states(), None

    async def _states(self) -> dict[str, PartState]:
        states = await self._services.operations.part_checks.states(self._timeout)
        for part, state in states.items():
            if state.problem:
                self._since.setdefault(part, datetime.now(UTC))
            else:
                self._since.pop(part, None)
        return states

    def _summary(
        self, states: dict[str, PartState], capacity: int | None, calls: Sequence[RecentCalls]
    ) -> dict[str, str]:
        operations = self._services.operations
        parts = {part: state.problem or "ok" for part, state in states.items()}
        bus = self._services.integrations.bus
        if not bus.is_connected:  # which is known at once, while the result of a check is kept for a while
            parts["redis"] = Cause.UNREACHABLE.value
        if bus.is_shared and capacity is not None:
            parts["workers"] = "ok" if capacity else "none seen"
        parts |= {f"provider {name}": problem for name, problem in worst_problems(calls).items()}
        keys = operations.provider_keys.states
        parts |= {
            f"provider {name}": state for name, state in keys.items() if state != OK or f"provider {name}" not in parts
        }
        parts |= {f"provider {pause.provider}": pause.problem for pause in operations.provider_pauses.present}
        if states[_REQUIRED].problem:
            status = "unavailable"
        elif operations.maintenance.is_read_only:
            status = "read-only"
        else:
            status = "ok" if set(parts.values()) == {"ok"} else "degraded"
        return {"status": status, **parts}


async def ready(request: Request, token: str | None) -> Response:
    """Answer 503 if this server can serve no request, else 200: `ok`, `read-only`, or `degraded` if some would fail.

    With `?full=1`, for clients that may read the metrics, causes, queue, workers and the last audit are added.
    """
    readiness: Readiness = request.state.readiness
    report: dict[str, Any]
    if request.query_params.get("full") == "1":
        if refused := refusal(request, token):
            return refused
        report = await readiness.full_report()
    else:
        report = {**await readiness.report()}
    headers = {"Cache-Control": "no-store"}
    return JSONResponse(report, status_code=503 if report["status"] == "unavailable" else 200, headers=headers)
