"""The figures of this process for Prometheus: to whoever has the token; without one, to this machine alone."""

import hmac
from ipaddress import ip_address

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from services.services import Services
from telemetry.metric import exposition

# What a proxy adds. One on this machine would make everybody a neighbour.
_FORWARDED = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")


async def show_metrics(request: Request, token: str | None) -> Response:
    """The text that Prometheus reads, brought up to date first. 401 and 403 for everybody else."""
    if token is not None:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.casefold() != "bearer" or not hmac.compare_digest(given.strip().encode(), token.encode()):
            return PlainTextResponse("METRICS_TOKEN is wanted.\n", 401, {"WWW-Authenticate": "Bearer"})
    elif not _is_neighbour(request):
        return PlainTextResponse("Only from this machine, unless METRICS_TOKEN is set.\n", 403)
    services: Services = request.state.services
    await services.load.measure()
    text, media_type = exposition()
    return Response(text, headers={"Content-Type": media_type, "Cache-Control": "no-store"})


def _is_neighbour(request: Request) -> bool:
    """Whether it comes from this machine, and on nobody's behalf: the peer itself counts, whatever headers say."""
    if request.client is None or any(name in request.headers for name in _FORWARDED):
        return False
    try:
        address = ip_address(request.client.host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if address.version == 6 else None
    return (mapped or address).is_loopback
