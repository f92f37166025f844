"""One request and its response over HTTP/1.1, as ASGI's `receive` and `send`; the head and the body in one write.

Replaces uvicorn's RequestResponseCycle, which searches each header for invalid characters twice, also those that every
response has, and writes the head of a response before its body.
"""

import asyncio
import logging
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import ClassVar, Protocol

from starlette.types import ASGIApp, Message, Scope
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE
from uvicorn.server import ServerState

from web.content_length import content_length

# An extension of ASGI, named in the scope: `http.response.start` may carry the whole body, under "body".
WHOLE_RESPONSE = "darkroom.whole_response"
_INVALID_NAME = re.compile(rb"[^!#$%&'*+\-.^_`|~0-9A-Za-z]|\A\Z")  # RFC 9110, 5.6.2: what no token contains
_INVALID_VALUE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_WITHOUT_BODY = {204, 304}
MAX_DISCARDED_BODY_BYTES = 64 * 1024 * 1024  # of an announced body that the application does not read
_PAUSE_SECONDS = 0.5  # in which a client has sent nothing: it may be waiting for the response
# The same: an event that is set once the server stops, under "event". Responses without an end then end themselves.
STOPPING = "darkroom.stopping"
_FRAMING = {b"content-length", b"transfer-encoding", b"connection"}  # headers that say how the response ends
_FAILED: Message = {
    "type": "http.response.start",
    "status": 500,
    "headers": [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"21"), (b"connection", b"close")],
    "body": b"Internal Server Error",
}
_STOPPED: Message = {
    "type": "http.response.start",
    "status": 503,
    "headers": [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"22"),
        (b"retry-after", b"1"),
        (b"connection", b"close"),
    ],
    "body": b"The server is stopping",
}
Header = tuple[bytes, bytes]
log = logging.getLogger("uvicorn.error")


class ResponseCutOffError(Exception):
    """The rest of a response cannot be sent, as the log says already: closes the connection in the middle of it."""


def _line(name: bytes, value: bytes) -> bytes:
    """Return the line of a header. Raises RuntimeError if it would not be one."""
    beginning = _beginning(name)
    if _INVALID_VALUE.search(value):
        raise RuntimeError("Invalid HTTP header value.")
    return b"%b%b\r\n" % (beginning, value)


@lru_cache(256)
def _beginning(name: bytes) -> bytes:
    """Return what a line with this name begins with; few names are in many responses."""
    if _INVALID_NAME.search(name):
        raise RuntimeError("Invalid HTTP header name.")
    return b"%b: " % name.lower()


def _has_close(value: bytes) -> bool:
    """Return whether a Connection header closes the connection."""
    return b"close" in [token.strip() for token in value.lower().split(b",")]


class HeaderLines:
    """The lines of headers; those of `constant`, which many responses have, are checked and encoded once."""

    def __init__(self, constant: Iterable[Header]) -> None:
        self.constant: Mapping[Header, bytes] = {header: _line(*header) for header in constant}
        self._defaults: list[Header] = []
        self._default_lines = b""

    def defaults(self, headers: list[Header]) -> bytes:
        """Return the lines of uvicorn's own headers: a list that it makes anew each second, for the date."""
        if headers is not self._defaults:
            self._default_lines = b"".join([_line(*header) for header in headers])
            self._defaults = headers
        return self._default_lines


class Connection(Protocol):
    """The connection of an exchange."""

    transport: asyncio.Transport
    flow: FlowControl
    loop: asyncio.AbstractEventLoop
    server_state: ServerState
    header_lines: ClassVar[HeaderLines]

    def on_response_complete(self) -> None:
        """Continue with the next request."""


class HttpExchange:
    """The state of one request and of its response."""

    __slots__ = (
        "_connection", "_event", "_expects_continue", "_flow", "_has_message", "_head", "_is_chunked", "_is_stopping",
        "_is_waiting", "_parts", "_remaining", "_size", "_task", "_transport", "disconnected", "has_more", "keep_alive",
        "response_complete", "response_started", "scope",
    )  # fmt: skip

    def __init__(self, connection: Connection, scope: Scope, *, expects_continue: bool, keep_alive: bool) -> None:
        self._connection = connection
        self._transport, self._flow = connection.transport, connection.flow
        self.scope = scope
        self._expects_continue = expects_continue
        self.keep_alive = keep_alive
        self.disconnected = False
        self.has_more = True  # whether the rest of the body is still to be received
        self._is_waiting = False  # a response, for the rest of the body
        self._is_stopping = False  # no response waits any more
        self.response_started = False
        self.response_complete = False
        self._task: asyncio.Task[None] | None = None  # that answers
        self._parts: list[bytes] = []  # of the body, received since the last message
        self._size = 0  # of all of them
        self._has_message = False
        self._event: asyncio.Event | None = None  # made where the application has to wait for a message
        self._head: bytes | None = None  # of the response, until it is written
        self._is_chunked: bool | None = None  # None: neither a length nor a transfer encoding is known
        self._remaining = 0  # bytes of the body that Content-Length announced

    def add_body(self, part: bytes) -> None:
        """Pass on a part of the body, and read no more while the application has too much of it to receive."""
        self._parts.append(part)
        self._size += len(part)
        if self._size > HIGH_WATER_LIMIT:
            self._flow.pause_reading()
        self._notify()

    def end_body(self) -> None:
        """Let the application know that the body is complete."""
        self.has_more = False
        self._notify()

    def disconnect(self) -> None:
        """Let the application know that the client has gone; what it sends from now on is dropped."""
        if not self.response_complete:
            self.disconnected = True
        self._notify()

    def _notify(self) -> None:
        self._has_message = True
        if self._event is not None:
            self._event.set()

    def start(self, app: ASGIApp, tasks: set[asyncio.Task[None]]) -> None:
        """Run the application in a task, which is one of `tasks` until it ends."""
        self._task = task = self._connection.loop.create_task(self._run(app, tasks))
        tasks.add(task)

    async def _run(self, app: ASGIApp, tasks: set[asyncio.Task[None]]) -> None:
        try:
            # Typed as None, but checked: a coroutine that an application forgot to await would be lost.
            result: object = await app(self.scope, self.receive, self.send)  # type: ignore[func-returns-value]
        except asyncio.CancelledError:  # it takes longer than the server gives it when it stops
            log.warning("Request canceled: %s", self.scope["path"])
            self._is_stopping = True
            await self._fail(_STOPPED)
        except ResponseCutOffError:
            await self._fail()
        except BaseException as error:
            log.error("Exception in ASGI application\n", exc_info=error)
            await self._fail()
        else:
            if result is not None:
                log.error("ASGI callable should return None, but returned '%s'.", result)
                self._close()
            elif not self.response_complete and not self.disconnected:
                step = "completing" if self.response_started else "starting"
                log.error("ASGI callable returned without %s response.", step)
                await self._fail()
        finally:
            if self._task is not None:
                tasks.discard(self._task)
                self._task = None

    async def receive(self) -> Message:
        """Return the next part of the body, or that the client has gone or has got its response."""
        if self._expects_continue and not self._transport.is_closing():
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._expects_continue = False
        if not self.disconnected and not self.response_complete:
            self._flow.resume_reading()
            if not self._has_message:
                self._event = self._event or asyncio.Event()
                await self._event.wait()
                self._event.clear()
            self._has_message = False
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts.clear()
        self._size = 0
        return {"type": "http.request", "body": body, "more_body": self.has_more}

    async def send(self, message: Message) -> None:
        """Write a part of the response. Raises RuntimeError for messages that are not one."""
        if self._flow.write_paused and not self.disconnected:
            await self._flow.drain()
        if self.disconnected:
            return
        kind = message["type"]
        if not self.response_started:
            if kind != "http.response.start":
                raise RuntimeError(f"Expected ASGI message 'http.response.start', but got '{kind}'.")
            if self._should_receive_rest(message.get("headers", ())):
                await self._receive_rest()
                if self.disconnected:
                    return
            self.response_started = True
            self._expects_continue = False
            self._head = self._encode_head(message["status"], message.get("headers", ()))
            if "body" in message:
                self._write(message["body"], has_more=False)
            else:
                # The body usually follows in this step of the event loop.
                self._connection.loop.call_soon(self._write_head)
        elif self.response_complete:
            raise RuntimeError(f"Unexpected ASGI message '{kind}' sent, after response already completed.")
        elif kind != "http.response.body":
            raise RuntimeError(f"Expected ASGI message 'http.response.body', but got '{kind}'.")
        else:
            self._write(message.get("body", b""), has_more=message.get("more_body", False))

    def answer_now(self) -> bool:
        """Send a response that waits for the end of the body; return whether there is one."""
        is_waiting, self._is_waiting = self._is_waiting, False
        if is_waiting and self._event is not None:
            self._event.set()
        return is_waiting

    def _should_receive_rest(self, headers: Iterable[Header]) -> bool:
        """Return whether a response is to wait for an announced body that the client is still sending.

        Proxies close a connection whose request is answered early, and their client never sees the response.
        """
        if not self.has_more or self._expects_continue or self._is_stopping:
            return False
        lengths = [value for name, value in self.scope["headers"] if name == b"content-length"]
        announced = content_length(lengths[0].decode("latin-1")) if lengths else None
        is_closed = any(name.lower() == b"connection" and _has_close(value) for name, value in headers)
        return announced is not None and announced <= MAX_DISCARDED_BODY_BYTES and not is_closed

    async def _receive_rest(self) -> None:
        """Discard the rest of a body until its end, or until the client pauses, or `answer_now`."""
        self._event = self._event or asyncio.Event()
        self._is_waiting = True
        while self.has_more and self._is_waiting and not self.disconnected:
            self._parts.clear()
            self._size = 0
            self._event.clear()
            self._flow.resume_reading()
            try:
                async with asyncio.timeout(_PAUSE_SECONDS):
                    await self._event.wait()
            except TimeoutError:
                break
        self._is_waiting = False

    def _encode_head(self, status: int, headers: Iterable[Header]) -> bytes:
        """Return the head of a response, and note how its body and the connection end."""
        lines = self._connection.header_lines
        constant = lines.constant
        found = [STATUS_LINE[status], lines.defaults(self._connection.server_state.default_headers)]
        has_close = False
        for header in headers:
            line = constant.get(header)
            if line is None:
                line = _line(*header)
                name = header[0].lower()
                if name in _FRAMING:
                    has_close = self._read_header(name, header[1]) or has_close
            found.append(line)
        if not self.keep_alive and not has_close:
            found.append(b"connection: close\r\n")
        if self._is_chunked is None and self.scope["method"] != "HEAD" and status not in _WITHOUT_BODY:
            self._is_chunked = True
            found.append(b"transfer-encoding: chunked\r\n")
        found.append(b"\r\n")
        return b"".join(found)

    def _read_header(self, name: bytes, value: bytes) -> bool:
        """Note what a header says about the body; return whether it closes the connection."""
        if name == b"content-length" and self._is_chunked is None:
            self._remaining, self._is_chunked = int(value), False
        elif name == b"transfer-encoding" and value.lower() == b"chunked":
            self._remaining, self._is_chunked = 0, True
        elif name == b"connection" and _has_close(value):
            self.keep_alive = False
            return True
        return False

    def _write(self, body: bytes, *, has_more: bool) -> None:
        """Write a part of the body, after the head if that is not written yet."""
        if self.scope["method"] == "HEAD":
            body, self._remaining = b"", 0
        elif self._is_chunked:
            end = b"" if has_more else b"0\r\n\r\n"
            body = b"%x\r\n%b\r\n%b" % (len(body), body, end) if body else end
        else:
            self._remaining -= len(body)
            if self._remaining < 0:
                raise RuntimeError("Response content longer than Content-Length")
        head, self._head = self._head, None
        if head is not None or body:
            self._transport.write(body if head is None else head + body)
        if has_more:
            return
        if self._remaining:
            raise RuntimeError("Response content shorter than Content-Length")
        self.response_complete = True
        self._notify()
        if not self.keep_alive:
            self._transport.close()
        self._connection.on_response_complete()

    def _write_head(self) -> None:
        head, self._head = self._head, None
        if head is not None and not self._transport.is_closing():
            self._transport.write(head)

    async def _fail(self, response: Message = _FAILED) -> None:
        """Answer with status 500, or so; close the connection if it is too late for that."""
        if self.response_started:
            self._close()
        else:
            await self.send(response)

    def _close(self) -> None:
        self._write_head()
        self._transport.close()
