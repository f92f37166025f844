"""What is told of every request: its id in each line of the log and in the answer, how long it took, how it ended."""

import re
import secrets
import time
from collections.abc import Iterable
from urllib.parse import parse_qs

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from telemetry import crash, metric
from telemetry.redaction import redact_in_errors

log = structlog.get_logger(__name__)

REQUEST_ID_HEADER = "X-Request-Id"
_SANE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_GRAPHQL = "/graphql"  # whose operations have lines of their own


class RequestLog:
    """Middleware. `paths`: the routes; an answer is counted under the first part of its path, if that is a route's."""

    def __init__(self, app: ASGIApp, paths: Iterable[str]) -> None:
        self._app = app
        self._known = {_first(path) for path in paths}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(REQUEST_ID_HEADER, "")
        request_id = given if _SANE.fullmatch(given) else secrets.token_hex(8)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request=request_id)
        # Most addresses hold a token: of a link that is signed, shared or mailed.
        redact_in_errors(scope["path"].split("/"), parse_qs(scope["query_string"].decode("latin-1")))
        if scope["type"] == "websocket":
            with metric.sockets_open.track_inprogress():
                await self._app(scope, receive, send)
            return
        await self._answer(scope, receive, send, request_id)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        started, status, is_stream = time.perf_counter(), 0, False

        async def send_with_id(message: Message) -> None:
            nonlocal status, is_stream
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers[REQUEST_ID_HEADER] = request_id
                status = message["status"]
                is_stream = headers.get("content-type", "").startswith("text/event-stream")
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except Exception as error:
            status = 500  # which Starlette answers; uvicorn logs the traceback
            crash.report(error, request=request_id)
            raise
        finally:
            self._tell(scope, status, time.perf_counter() - started, is_stream=is_stream)

    def _tell(self, scope: Scope, status: int, seconds: float, *, is_stream: bool) -> None:
        first = _first(scope["path"])
        route = first if first in self._known else metric.OTHER
        method = scope["method"] if scope["method"] in _METHODS else metric.OTHER
        metric.http_requests.labels(route, method, str(status or metric.OTHER)).inc()
        if not is_stream:
            metric.http_seconds.labels(route).observe(seconds)
        if route != _GRAPHQL or status >= 500:
            # Not the path: links to pictures are signed, and whoever reads the log could use them.
            tell = log.warning if status >= 500 else log.debug
            tell("http.responded", route=route, method=method, status=status, ms=round(seconds * 1000, 1))


def _first(path: str) -> str:
    """`/s` of `/s/a-fox/picture`."""
    return "/" + path.strip("/").partition("/")[0]
