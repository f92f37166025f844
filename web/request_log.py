"""Request logging and metrics: a request id in every log line and response, duration and status."""

import random
import re
import time
from collections.abc import Awaitable, Iterable
from http import HTTPStatus

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from telemetry import crash, log_fields, metric
from telemetry.log_level import logs_debug
from telemetry.outage import is_any_on
from telemetry.redaction import Target, redact_in_errors
from web.http_exchange import ResponseCutOffError

log = structlog.get_logger(__name__)

REQUEST_ID_HEADER = "X-Request-Id"
ID_HEADER = REQUEST_ID_HEADER.lower().encode()
_STREAMS = (b"text/event-stream", b"multipart/mixed")
_VALID_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_GRAPHQL = "/graphql"  # whose operations are logged by schema/runtime/instrumentation.py


class RequestLog:
    """Middleware. `paths`: the routes; a response is counted under the first segment of its path if a route has it."""

    def __init__(self, app: ASGIApp, paths: Iterable[str]) -> None:
        self._app = app
        self._routes = {_first_segment(path) for path in paths}

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        kind = scope["type"]
        if kind == "http":
            return self._respond(scope, receive, send)
        if kind == "websocket":
            _begin(scope)
        return self._app(scope, receive, send)

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = _begin(scope)
        started, status, is_stream = time.perf_counter(), 0, False

        async def send_with_id(message: Message) -> None:
            nonlocal status, is_stream
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = []
                for header in message.get("headers", ()):
                    name = header[0].lower()
                    if name != ID_HEADER:
                        headers.append(header)
                    if name == b"content-type" and header[1].startswith(_STREAMS):
                        is_stream = True
                headers.append((ID_HEADER, request_id.encode()))
                message["headers"] = headers
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except ClientDisconnect:
            pass  # before the response, or in the middle of it
        except ResponseCutOffError:
            status = HTTPStatus.SERVICE_UNAVAILABLE  # as before the beginning of the response
            raise
        except Exception as error:
            status = 500  # sent by Starlette; uvicorn logs the traceback
            crash.report(error, request=request_id)
            raise
        finally:
            self._record(scope, status, time.perf_counter() - started, is_stream=is_stream)

    def _record(self, scope: Scope, status: int, seconds: float, *, is_stream: bool) -> None:
        path = scope["path"]
        route = path if path in self._routes else _first_segment(path)
        if route not in self._routes:
            route = metric.OTHER
        method = scope["method"] if scope["method"] in _METHODS else metric.OTHER
        count_response(route, method, status, None if is_stream else seconds)
        # Not the path: readers of the log could use the signed links in it.
        if status >= 500 and not (status == HTTPStatus.SERVICE_UNAVAILABLE and is_any_on()):
            log.warning("http.responded", route=route, method=method, status=status, ms=round(seconds * 1000, 1))
        elif route != _GRAPHQL and logs_debug():
            log.debug("http.responded", route=route, method=method, status=status, ms=round(seconds * 1000, 1))


def request_id_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the id that the client gave its request, or a new one."""
    request_id = ""
    for name, value in headers:
        if name == ID_HEADER:
            request_id = value.decode("latin-1")
            break
    if not _VALID_ID.fullmatch(request_id):
        request_id = f"{random.getrandbits(64):016x}"  # a name, not a secret: no entropy of the system is needed
    return request_id


def count_response(route: str, method: str, status: int, seconds: float | None) -> None:
    """Count a response. `seconds`: None of a stream."""
    metric.response_counter(route, method, status).inc()
    if seconds is not None:
        metric.response_timer(route).observe(seconds)


def _begin(scope: Scope) -> str:
    """Let log lines and errors of a request have its id and none of its secrets; return the id."""
    request_id = request_id_of(scope["headers"])
    log_fields.begin(request=request_id)
    # Most paths contain a token, of a signed, shared or mailed link.
    redact_in_errors(Target(scope["path"], scope["query_string"]))
    return request_id


def _first_segment(path: str) -> str:
    """Return the first segment of a path: `/s` for `/s/a-fox/picture`."""
    return "/" + path.strip("/").partition("/")[0]
