"""uvicorn's HTTP protocol with limits of size and time for every stage of a connection.

httptools itself limits nothing: without this, a head may have any size and a half-sent request stays open for ever.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from enum import Enum, auto
from typing import Any, ClassVar, cast
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from telemetry import metric
from web.http_exchange import MAX_DISCARDED_BODY_BYTES, STOPPING, WHOLE_RESPONSE, HeaderLines, HttpExchange
from web.open_connections import WriteDeadline
from web.rejection import (
    BODY_TOO_SLOW,
    HEAD_TOO_LARGE,
    HEAD_TOO_SLOW,
    NOT_HTTP,
    TINY_CHUNKS,
    TOO_MANY_CONNECTIONS,
    TOO_MANY_HEADERS,
    TOO_MANY_REQUESTS,
    URL_TOO_LONG,
    Rejection,
)

MAX_URL_BYTES = 8000  # RFC 9112 recommends to support at least as many
MAX_HEADER_BYTES = 8000  # name and value; the websockets package ends at 8192 for the line
MAX_HEADERS = 100
MAX_HEAD_BYTES = 16 * 1024
MAX_DISCARDED_BYTES = 512 * 1024  # received after a rejection
# Of a body without a length that was answered already; many clients read a response only when they have sent all.
MAX_DISCARDED_CHUNKED_BYTES = 16 * 1024 * 1024
_MAX_SMALL_PARTS = 1000  # of a body; more must have at least this many bytes on average, because each costs as much:
_MIN_PART_BYTES = 16
_MAX_PIPELINED = 16  # requests that wait for an earlier one on the same connection
_BODY_HEADERS = {b"content-length", b"transfer-encoding"}


class Stage(Enum):
    """What the server waits for."""

    START = auto()  # the first byte of a request
    HEAD = auto()
    BODY = auto()
    UPGRADED = auto()  # nothing: it is a WebSocket


# Read for every request and header, for which the attributes of an enum are slow.
_START, _HEAD, _BODY, _UPGRADED = Stage


class _RejectedError(Exception):
    """Stops the parser."""


class HttpProtocol(WriteDeadline, HttpToolsProtocol):
    """One connection, until it becomes a WebSocket.

    uvicorn's class opens and closes connections. What each request needs is done here: with exchanges of our own, and
    with a timer for each connection, not for each response.
    """

    # Replaced by web/server.py in a subclass, as `open_connections` is.
    header_lines: ClassVar[HeaderLines] = HeaderLines(())
    cycle: HttpExchange | None  # type: ignore[assignment]  # in the place of uvicorn's
    pipeline: deque[HttpExchange]  # type: ignore[assignment]  # the same

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._limits = self.open_connections.limits
        self._stage = _START
        self._is_upgrade = False  # the request that is being received asks for a WebSocket
        self._repeats_head = False  # the parser is to read the head again, see `_ignore_upgrade`
        self._answering: HttpExchange | None = None  # the last that was started; `cycle`, the last that was received
        self._timer: asyncio.TimerHandle | None = None  # of the head or body that is being received, or of the end
        self._idle_since: float | None = None  # the end of the last response; None: a request has begun since
        self._rejection: Rejection | None = None
        self._received = 0  # bytes since the end of the request before
        self._head_bytes = 0  # parsed
        self._body_bytes = 0  # without the framing of chunks
        self._body_parts = 0
        self._body_started = 0.0
        self._idle_bytes = 0  # received since the parser last made progress with a body
        self._discarded_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        if self.open_connections.admit(transport, self.client):
            self.open_connections.wait(self, transport)
            self._start_timer(self._limits.head, self._end_head)
        elif self.open_connections.may_linger():
            self._reject(TOO_MANY_CONNECTIONS)
        else:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self._unset_keepalive_if_required()
        self.open_connections.stop_waiting(self)
        for cycle in (self.cycle, self._answering):
            if cycle is not None:
                cycle.disconnect()
        self.cycle = self._answering = None  # which have this connection
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._rejection is not None:
            self._discarded_bytes += len(data)  # until the client has read the response
            if self._discarded_bytes > MAX_DISCARDED_BYTES:
                self.flow.pause_reading()
            return
        size, body_bytes = len(data), self._body_bytes if self._stage is _BODY else 0
        self._received += size
        self._idle_since = None
        self._parse(data)
        if self._rejection is not None or self.transport.is_closing() or self._stage is _UPGRADED:
            return
        if self._stage is _BODY:
            self._idle_bytes = self._idle_bytes + size if self._body_bytes == body_bytes else 0
            self._watch_body(size)
        elif self._received > MAX_HEAD_BYTES:
            self._reject(HEAD_TOO_LARGE)
        elif self.cycle is not None and not self.cycle.response_complete:
            if self._timer is not None:
                self._stop_timer()
        elif self._timer is None:
            self._start_timer(self._limits.head, self._end_head)

    def _parse(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            message = "Invalid HTTP request received."
            self.logger.warning(message)
            self.send_400_response(message)
        except httptools.HttpParserUpgrade as upgrade:
            following = data[upgrade.args[0] :]
            if not self._is_upgrade:
                self._ignore_upgrade(following)
            elif self.flow.write_paused:
                self._reject(NOT_HTTP)  # a socket that would not know that its client does not read
            else:
                self.handle_websocket_upgrade()
                if following:
                    cast(asyncio.Protocol, self.transport.get_protocol()).data_received(following)

    def _ignore_upgrade(self, following: bytes) -> None:
        """Receive the body of a request for another protocol, such as h2c, which stays one of HTTP/1.1.

        The parser took the head for the whole request, and may have ended. Another one continues after a head that
        says the same of the body.
        """
        lines = [b"%b: %b\r\n" % header for header in self.headers if header[0] in _BODY_HEADERS]
        if self.cycle is not None and not self.cycle.keep_alive:
            lines.append(b"connection: close\r\n")
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's
        self._parse(b"POST / HTTP/1.1\r\n%b\r\n%b" % (b"".join(lines), following))

    def on_message_begin(self) -> None:
        if self._repeats_head:
            return
        if len(self.pipeline) >= _MAX_PIPELINED:
            self._stop_parser(TOO_MANY_REQUESTS)
        self._stage = _HEAD
        self._head_bytes = 0
        self._is_upgrade = self.expect_100_continue = False
        self.url = b""
        self.headers = []
        self.scope = {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,  # type: ignore[typeddict-item]  # set with the transport
            "root_path": self.root_path,
            "headers": self.headers,
            "state": self.app_state.copy(),
            "extensions": {WHOLE_RESPONSE: {}, STOPPING: {"event": self.stopping}},
        }

    def on_url(self, url: bytes) -> None:
        if self._repeats_head:
            return
        self.url += url
        if len(self.url) > MAX_URL_BYTES:
            self._stop_parser(URL_TOO_LONG)
        self._head_bytes += len(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._repeats_head:
            return
        size = len(name) + len(value)
        self._head_bytes = total = self._head_bytes + size
        if total > MAX_HEADER_BYTES and (size > MAX_HEADER_BYTES or total > MAX_HEAD_BYTES):
            self._stop_parser(HEAD_TOO_LARGE)
        if len(self.headers) >= MAX_HEADERS:
            self._stop_parser(TOO_MANY_HEADERS)
        if self._stage is _HEAD:  # otherwise it is a trailer: the application has got the headers already
            name = name.lower()
            if name == b"expect" and value.lower() == b"100-continue":
                self.expect_100_continue = True
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self._repeats_head:
            self._repeats_head = False
            return
        self._read_head()
        self._stage = _BODY
        if self._timer is not None:
            self._stop_timer()
        self._body_bytes = self._body_parts = self._idle_bytes = self._discarded_bytes = 0
        self.open_connections.stop_waiting(self)

    def _read_head(self) -> None:
        """Complete the scope, and start the application unless an earlier request is still being answered."""
        parser, scope, before = self.parser, self.scope, self.cycle
        scope["method"] = parser.get_method().decode("ascii")
        scope["http_version"] = version = parser.get_http_version()
        if parser.should_upgrade():
            self._is_upgrade = self._should_upgrade()
            if self._is_upgrade:
                if before is not None and not before.response_complete:
                    self._stop_parser(NOT_HTTP)  # its response would be written into the socket
                return
            self._repeats_head = True
        url = httptools.parse_url(self.url)
        path = url.path.decode("ascii")
        scope["path"] = self.root_path + (unquote(path) if "%" in path else path)
        scope["raw_path"] = self.root_path.encode("ascii") + url.path
        scope["query_string"] = url.query or b""
        self.cycle = HttpExchange(
            self,
            scope,  # type: ignore[arg-type]  # a typed dictionary
            expects_continue=self.expect_100_continue,
            keep_alive=version != "1.0" and parser.should_keep_alive(),
        )
        if before is None or before.response_complete:
            self._answer(self.cycle)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft(self.cycle)

    def _answer(self, exchange: HttpExchange) -> None:
        self._answering = exchange
        exchange.start(self.app, self.tasks)

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        self._body_parts += 1
        if self._body_parts > _MAX_SMALL_PARTS and self._body_bytes < _MIN_PART_BYTES * self._body_parts:
            self._stop_parser(TINY_CHUNKS)
        if not self._is_upgrade and self.cycle is not None and not self.cycle.response_complete:
            self.cycle.add_body(body)

    def on_message_complete(self) -> None:
        if self._repeats_head:
            return
        self._stage = _START
        self._received = 0
        if not self._is_upgrade and self.cycle is not None and not self.cycle.response_complete:
            self.cycle.end_body()

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            self._abort_after(self._limits.write)
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._answer(self.pipeline.pop())
        else:
            self._idle_since = self.loop.time()
            if self.timeout_keep_alive_task is None:
                self._watch_idle(self._limits.idle)
        if self.cycle is not None and self.cycle.response_complete:
            self.open_connections.wait(self, self.transport)

    def _watch_idle(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def timeout_keep_alive_handler(self) -> None:
        self.timeout_keep_alive_task = None
        if self._idle_since is None or self.transport.is_closing():
            return  # the next response starts it again
        remaining = self._idle_since + self._limits.idle - self.loop.time()
        if remaining > 0:
            self._watch_idle(remaining)
            return
        self.transport.close()
        self._abort_after(self._limits.write)

    def shutdown(self) -> None:
        super().shutdown()
        if self.cycle is not None:
            self.cycle.answer_now()

    def handle_websocket_upgrade(self) -> None:
        self._stage = _UPGRADED
        self._stop_timer()
        self._unset_keepalive_if_required()
        super().handle_websocket_upgrade()
        # Both have this connection, which nothing else has any more.
        self.parser = self.cycle = self._answering = None  # type: ignore[assignment]  # as uvicorn does when a connection is lost

    def send_400_response(self, msg: str) -> None:
        self._reject(self._rejection or NOT_HTTP)

    def make_room(self) -> None:
        """Close this connection, because a newer one takes its place."""
        if self.cycle is None:
            self.transport.write(TOO_MANY_CONNECTIONS.response(self.open_connections.headers))
        self.transport.close()
        self._abort_after(self._limits.linger)

    def _watch_body(self, size: int) -> None:
        """Limit what is not part of a body, what follows after the response, and the time for the whole."""
        if self._idle_bytes > 2 * MAX_HEAD_BYTES:  # its head, or an endless chunk extension or trailer
            self._reject(HEAD_TOO_LARGE)
            return
        if self.cycle is not None and self.cycle.response_complete:
            self._discarded_bytes += size
            is_announced = any(name == b"content-length" for name, _ in self.headers)
            if self._discarded_bytes > (MAX_DISCARDED_BODY_BYTES if is_announced else MAX_DISCARDED_CHUNKED_BYTES):
                self.transport.abort()
                return
        if self._timer is None:
            self._body_started = self.loop.time()
            self._start_timer(self._limits.body, self._end_body)

    def _end_head(self) -> None:
        self._timer = None
        if self._received:
            self._reject(HEAD_TOO_SLOW)
        else:
            self.transport.close()  # without a response: a browser would take it for that to its first request

    def _end_body(self) -> None:
        self._timer = None
        now = self.loop.time()
        if self.flow.read_paused:  # the application is slow, not the client
            self._body_started = now
        due = self._body_started + self._limits.body + self._body_bytes / self._limits.body_rate
        if due > now:
            self._start_timer(due - now, self._end_body)
        elif self.cycle is not None and self.cycle.answer_now():
            self._start_timer(self._limits.linger, self._end_body)
        else:
            self._reject(BODY_TOO_SLOW)

    def _stop_parser(self, rejection: Rejection) -> None:
        """Make the parser fail, after which uvicorn calls `send_400_response`."""
        self._rejection = rejection
        raise _RejectedError

    def _reject(self, rejection: Rejection) -> None:
        """Answer, let the client read the response, and close the connection."""
        self._rejection = rejection
        if rejection is not TOO_MANY_CONNECTIONS:
            metric.connections_refused.labels(rejection.reason).inc()
        self._stop_timer()
        self._discarded_bytes = 0
        cycle = self.cycle
        if cycle is not None and cycle.response_complete:
            cycle = None
        if self._stage is _BODY and (cycle is None or cycle.response_started or self.pipeline):
            self.transport.close()  # too late for a response
            self._abort_after(self._limits.write)
        elif self._stage is not _BODY and cycle is not None:
            cycle.keep_alive = False  # close after the response to the request before
            self.flow.pause_reading()
        else:
            if cycle is not None:
                cycle.disconnect()
            self.transport.write(rejection.response(self.open_connections.headers))
            # Closing with unread bytes would reset the connection, and the client would not get the response.
            self.flow.resume_reading()
            if self.transport.can_write_eof():
                self.transport.write_eof()
            self._abort_after(self._limits.linger)

    def _abort_after(self, seconds: float) -> None:
        self._start_timer(seconds, self.transport.abort)

    def _start_timer(self, seconds: float, action: Callable[[], None]) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(seconds, action)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
