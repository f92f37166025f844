"""The options of every HTTP server of this project: the API's, and that of a worker's metrics."""

import gc
from collections.abc import Mapping
from typing import Any

from services.integrations.lazy_event import LazyEvent
from web.accept import JSON, RESPONSE_JSON, VARY_ORIGIN, content_type_header
from web.http_exchange import HeaderLines
from web.http_protocol import HttpProtocol
from web.keepalive import Keepalive
from web.open_connections import OpenConnections, ServerLimits
from web.security_headers import default_headers, encoded
from web.socket_frames import SocketLimits
from web.socket_protocol import SocketProtocol

# Of Python's garbage collector: new objects before the young are searched, and the old are searched after
# 10 x 20 of these searches.
_GC_THRESHOLDS = (10_000, 10, 20)


def tune_garbage_collection() -> None:
    """Search only what is made from now on, and less often; called once a server has started.

    What exists by then (modules, the schema, models) is used until the end. Reference counts free nearly everything
    that a request makes: searching for cycles every 700 objects took a tenth of its CPU.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)


def uvicorn_options(
    address: str,
    limits: ServerLimits,
    sockets: SocketLimits = SocketLimits(),  # noqa: B008 - immutable
) -> Mapping[str, Any]:
    """Return uvicorn's options. `address`: PUBLIC_URL, on which the security headers depend."""
    headers = default_headers(address)
    bound = {"open_connections": OpenConnections(limits, headers), "stopping": LazyEvent()}
    lines = HeaderLines([*encoded(headers), VARY_ORIGIN, *map(content_type_header, (JSON, RESPONSE_JSON))])
    return {
        "http": type("BoundHttpProtocol", (HttpProtocol,), {**bound, "header_lines": lines}),
        "ws": type("BoundSocketProtocol", (SocketProtocol,), {**bound, "limits": sockets, "keepalive": Keepalive()}),
        "ws_ping_interval": 20,
        "backlog": limits.backlog,
        "server_header": False,
        "proxy_headers": False,  # web/client_address.py applies TRUSTED_PROXIES; uvicorn would trust localhost
        "log_config": None,
        "access_log": False,
    }
