"""Request logging and metrics: a request id in every log line and response, duration and status."""

import re
import secrets
import time
from collections.abc import Iterable
from urllib.parse import parse_qs

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from telemetry import crash, metric
from telemetry.redaction import redact_in_errors

log = structlog.get_logger(__name__)

REQUEST_ID_HEADER = "X-Request-Id"
_ID_HEADER = REQUEST_ID_HEADER.lower().encode()
_EVENT_STREAM = b"text/event-stream"
_VALID_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_GRAPHQL = "/graphql"  # whose operations are logged by schema/runtime/instrumentation.py


class RequestLog:
    """Middleware. `paths`: the routes; a response is counted under the first segment of its path if a route has it."""

    def __init__(self, app: ASGIApp, paths: Iterable[str]) -> None:
        self._app = app
        self._routes = {_first_segment(path) for path in paths}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        given = next((value.decode("latin-1") for name, value in scope["headers"] if name == _ID_HEADER), "")
        request_id = given if _VALID_ID.fullmatch(given) else secrets.token_hex(8)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request=request_id)
        # Most paths contain a token, of a signed, shared or mailed link.
        query = scope["query_string"]
        redact_in_errors(scope["path"].split("/"), parse_qs(query.decode("latin-1")) if query else {})
        if scope["type"] == "websocket":
            with metric.sockets_open.track_inprogress():
                await self._app(scope, receive, send)
            return
        await self._respond(scope, receive, send, request_id)

    async def _respond(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        started, status, is_stream = time.perf_counter(), 0, False

        async def send_with_id(message: Message) -> None:
            nonlocal status, is_stream
            if message["type"] == "http.response.start":
                headers = [header for header in message.get("headers", ()) if header[0].lower() != _ID_HEADER]
                message["headers"] = [*headers, (_ID_HEADER, request_id.encode())]
                status = message["status"]
                is_stream = any(name == b"content-type" and value.startswith(_EVENT_STREAM) for name, value in headers)
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except ClientDisconnect:
            pass  # before the response, or in the middle of it
        except Exception as error:
            status = 500  # sent by Starlette; uvicorn logs the traceback
            crash.report(error, request=request_id)
            raise
        finally:
            self._record(scope, status, time.perf_counter() - started, is_stream=is_stream)

    def _record(self, scope: Scope, status: int, seconds: float, *, is_stream: bool) -> None:
        segment = _first_segment(scope["path"])
        route = segment if segment in self._routes else metric.OTHER
        method = scope["method"] if scope["method"] in _METHODS else metric.OTHER
        metric.response_counter(route, method, str(status or metric.OTHER)).inc()
        if not is_stream:
            metric.response_timer(route).observe(seconds)
        if route != _GRAPHQL or status >= 500:
            # Not the path: readers of the log could use the signed links in it.
            write = log.warning if status >= 500 else log.debug
            write("http.responded", route=route, method=method, status=status, ms=round(seconds * 1000, 1))


def _first_segment(path: str) -> str:
    """Return the first segment of a path: `/s` for `/s/a-fox/picture`."""
    return "/" + path.strip("/").partition("/")[0]
