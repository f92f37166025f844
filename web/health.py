"""Whether this process lives, and whether it can do its work."""

from collections.abc import Awaitable, Callable

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from models.migrate import missing_migrations
from services.services import Services

log = structlog.get_logger(__name__)


async def live(request: Request) -> Response:
    """The event loop turns."""
    return JSONResponse({"status": "ok"})


async def ready(request: Request) -> Response:
    """Database, migrations and storage answer; 503 with what does not."""
    services: Services = request.state.services
    parts = {"database": _database, "storage": services.storage.check}
    answers = {name: await _ask(name, check) for name, check in parts.items()}
    good = all(answer == "ok" for answer in answers.values())
    return JSONResponse({"status": "ok" if good else "unavailable", **answers}, status_code=200 if good else 503)


async def _database() -> None:
    if missing := await missing_migrations():
        raise RuntimeError(f"migrations are missing: {', '.join(missing)}")


async def _ask(name: str, check: Callable[[], Awaitable[None]]) -> str:
    try:
        await check()
    except Exception as error:  # noqa: BLE001 - every way of not answering is the same here
        log.warning("health.failed", part=name, error=repr(error))
        return "unavailable"
    return "ok"
