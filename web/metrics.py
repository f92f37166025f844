"""The metrics endpoint for Prometheus: protected by METRICS_TOKEN, or served to localhost only without it."""

import asyncio
import contextlib
import hmac
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from functools import partial
from ipaddress import ip_address
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from services.services import Services
from telemetry.metric import exposition

# Headers that proxies add. Behind a proxy on this machine, every request would seem to be local.
_FORWARDED = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")


class _Server(uvicorn.Server):
    """A server inside a worker process, which handles the signals itself."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class MetricsPortError(OSError):
    """A worker cannot listen on the port of its metrics; the message is one line."""


@contextlib.asynccontextmanager
async def serving_metrics(
    services: Services, host: str, port: int | None, token: str | None, uvicorn_options: Mapping[str, Any]
) -> AsyncIterator[None]:
    """Serve only /metrics while the body runs, for a worker; `port` None disables it.

    Raises:
        MetricsPortError: the port is in use.
    """
    if port is None:
        yield
        return

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, Services]]:
        yield {"services": services}

    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise MetricsPortError(f"{host}:{port} cannot be listened on: {error.strerror or error}") from error
    app = Starlette(routes=[Route("/metrics", partial(show_metrics, token=token))], lifespan=lifespan)
    server = _Server(uvicorn.Config(app, **uvicorn_options))
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="metrics")
    try:
        yield
    finally:
        server.should_exit = True
        await asyncio.wait([serving])


async def show_metrics(request: Request, token: str | None) -> Response:
    """Refresh the shared values and return all metrics; 401 or 403 without permission."""
    if refused := refusal(request, token):
        return refused
    services: Services = request.state.services
    await asyncio.gather(services.operations.gauges.refresh(), services.operations.part_checks.states())
    text, media_type = exposition()
    return Response(text, headers={"Content-Type": media_type, "Cache-Control": "no-store"})


def refusal(request: Request, token: str | None) -> Response | None:
    """Return the response to a request that may not read what only operators may, else None."""
    if token is not None:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.casefold() != "bearer" or not hmac.compare_digest(given.strip().encode(), token.encode()):
            return PlainTextResponse("METRICS_TOKEN is required.\n", 401, {"WWW-Authenticate": "Bearer"})
    elif not _is_local(request):
        return PlainTextResponse("Served to this machine only, unless METRICS_TOKEN is set.\n", 403)
    return None


def _is_local(request: Request) -> bool:
    """Return whether the peer is this machine, and no proxy forwarded the request."""
    if request.client is None or any(name in request.headers for name in _FORWARDED):
        return False
    try:
        address = ip_address(request.client.host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if address.version == 6 else None
    return (mapped or address).is_loopback
