"""The options of every HTTP server of this project: the API's, and that of a worker's metrics."""

from collections.abc import Mapping
from typing import Any

from web.http_protocol import HttpProtocol
from web.open_connections import OpenConnections, ServerLimits
from web.security_headers import default_headers
from web.socket_protocol import SocketLimits, SocketProtocol


def uvicorn_options(
    address: str,
    limits: ServerLimits,
    sockets: SocketLimits = SocketLimits(),  # noqa: B008 - immutable
) -> Mapping[str, Any]:
    """Return uvicorn's options. `address`: PUBLIC_URL, on which the security headers depend."""
    bound = {"open_connections": OpenConnections(limits, default_headers(address))}
    return {
        "http": type("BoundHttpProtocol", (HttpProtocol,), bound),
        "ws": type("BoundSocketProtocol", (SocketProtocol,), {**bound, "limits": sockets}),
        "ws_ping_interval": 20,
        "timeout_keep_alive": limits.idle,
        "backlog": limits.backlog,
        "server_header": False,
        "proxy_headers": False,  # web/client_address.py applies TRUSTED_PROXIES; uvicorn would trust localhost
        "log_config": None,
        "access_log": False,
    }
