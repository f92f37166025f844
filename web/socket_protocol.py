"""The server's WebSocket protocol: a budget of frames for each socket, and memory that no client can make grow.

uvicorn's own protocol parses everything that has arrived in one step, answers every ping whether the client reads or
not, and waits without a limit for a client to read the last bytes.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, ClassVar

from uvicorn._types import ASGIReceiveEvent, ASGISendEvent
from uvicorn.config import Config
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.exceptions import WebSocketException
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol

from services.integrations.lazy_event import LazyEvent
from telemetry import metric
from web.open_connections import WriteDeadline

# After this close code, which graphql-ws treats as final, clients do not reconnect.
TOO_MANY = 4429
TOO_MANY_REQUESTS = "Too many requests"
# After this one, with which graphql-ws itself ends a dead connection, they do; after 1011, uvicorn's, they do not.
NO_PONG = 4499
WRITE_TEXT = "darkroom.write_text"  # the extension of ASGI by which an application uses `SocketProtocol.write_text`
_MAX_UNWRITTEN = 32 * 1024  # bytes, after which messages are written within a step
_TEXT = 0x81  # the first byte of a text message in one frame (RFC 6455, 5.2)
_MEDIUM = 126  # the smallest size that has two bytes of its own
_LARGE = 65536
_CLOSE_SECONDS = 5.0  # in which the client confirms that the socket is closed
_LINGER_SECONDS = 1.0  # in which a client that broke a rule may read why, before its connection is cut
_MAX_DISCARDED = 256 * 1024  # bytes that are read from it meanwhile


@dataclass(frozen=True)
class SocketLimits:
    """What a client may send over one socket: a bucket of frames and one of bytes, each refilled at a steady rate.

    Every frame counts: messages, their fragments, pings and pongs.
    """

    frames: int = 200
    frames_per_second: float = 50.0
    bytes: int = 512 * 1024
    bytes_per_second: float = 128 * 1024
    message_bytes: int = 64 * 1024
    fragments: int = 128  # frames of one message


class _LimitExceededError(WebSocketException):
    """The client has sent more than its socket's limits allow."""


class _Budget:
    """The two buckets of one socket."""

    def __init__(self, limits: SocketLimits) -> None:
        self._limits = limits
        self._frames: float = limits.frames
        self._bytes: float = limits.bytes
        self._filled = time.monotonic()

    def take(self, size: int) -> bool:
        """Take a frame of `size` bytes; return whether it was still covered."""
        limits, now = self._limits, time.monotonic()
        passed, self._filled = now - self._filled, now
        self._frames = min(limits.frames, self._frames + passed * limits.frames_per_second) - 1
        self._bytes = min(limits.bytes, self._bytes + passed * limits.bytes_per_second) - size
        return self._frames >= 0 and self._bytes >= 0


class _Frames(ServerProtocol):
    """The parser of one socket, which stops at the first frame beyond the limits."""

    def __init__(self, limits: SocketLimits, can_write: Callable[[], bool], headers: Mapping[str, str]) -> None:
        super().__init__(max_size=limits.message_bytes, logger=logging.getLogger("uvicorn.error"))
        self._headers = headers  # of a refused handshake
        self.late_pong: bytes | None = None  # to be sent when the client reads again
        self._limits = limits
        self._budget = _Budget(limits)
        self._can_write = can_write
        self._fragments = 0

    def accept(self, request: Request) -> Response:
        response = super().accept(request)
        if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
            response.headers.update(self._headers)
        return response

    def recv_frame(self, frame: Frame) -> None:
        if frame.opcode not in (Opcode.PING, Opcode.PONG, Opcode.CLOSE):
            self._fragments = self._fragments + 1 if frame.opcode is Opcode.CONT else 1
        if not self._budget.take(len(frame.data)):
            metric.sockets_refused.labels("messages").inc()
            self._stop(TOO_MANY, TOO_MANY_REQUESTS)
        elif self._fragments > self._limits.fragments:
            metric.sockets_refused.labels("fragments").inc()
            self._stop(CloseCode.MESSAGE_TOO_BIG, "Too many fragments")
        else:
            super().recv_frame(frame)
            if frame.opcode is Opcode.PING and not self._can_write():
                # RFC 6455, 5.5.3: only the last of several pings needs a pong.
                self.late_pong = self.writes.pop()

    def _stop(self, code: int, reason: str) -> None:
        self.fail(code, reason)
        self.parser_exc = _LimitExceededError(reason)


class _Received:
    """Events for the application, which has one reader: as asyncio.Queue, which takes 3 KiB for each socket."""

    __slots__ = ("_events", "_loop", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._events: list[ASGIReceiveEvent] = []
        self._loop = loop
        self._waiting: asyncio.Future[None] | None = None

    def put_nowait(self, event: ASGIReceiveEvent) -> None:
        self._events.append(event)
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def get(self) -> ASGIReceiveEvent:
        while not self._events:
            self._waiting = self._loop.create_future()
            try:
                await self._waiting
            finally:
                self._waiting = None
        return self._events.pop(0)

    def get_nowait(self) -> ASGIReceiveEvent:
        return self._events.pop(0)

    def empty(self) -> bool:
        return not self._events


class SocketProtocol(WriteDeadline, WebSocketsSansIOProtocol):
    """uvicorn's protocol with the limits; without compression, which costs 41 KiB for each socket that offers it."""

    limits: ClassVar[SocketLimits] = SocketLimits()

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.conn.parser.close()  # a cycle, by which uvicorn's parser would wait for the garbage collector
        self.queue = _Received(self.loop)  # type: ignore[assignment]  # has what is used of asyncio.Queue
        self.writable = LazyEvent(is_set=True)  # type: ignore[assignment]  # has the methods of asyncio.Event
        self._frames = _Frames(self.limits, self.writable.is_set, self.open_connections.headers)
        self.conn = self._frames
        self._has_failed = False
        self._discarded = 0  # bytes
        self._unwritten: tuple[bytes, ...] = ()  # parts of messages
        self._unwritten_bytes = 0

    def data_received(self, data: bytes) -> None:
        if self._has_failed:
            self._discarded += len(data)
            if self._discarded > _MAX_DISCARDED:
                self.transport.pause_reading()
            return
        super().data_received(data)
        if self.conn.handshake_exc is not None:  # its head is unreadable or too large
            self._fail()

    def handle_parser_exception(self) -> None:
        while not self.queue.empty():  # messages of a client that broke a rule are not worth an answer
            self.queue.get_nowait()
        close = self.conn.close_sent
        code, reason = (close.code, close.reason) if close else (CloseCode.ABNORMAL_CLOSURE, "")
        self.queue.put_nowait({"type": "websocket.disconnect", "code": int(code), "reason": reason})
        self._fail()

    def send_receive_event_to_app(self) -> None:
        if self.curr_msg_data_type == "text":
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:  # uvicorn would log a traceback
                self.conn.fail(CloseCode.INVALID_DATA, "Text must be UTF-8")
                self.handle_parser_exception()
                return
        super().send_receive_event_to_app()

    def handle_ping(self) -> None:
        if not self._has_failed:
            super().handle_ping()

    def handle_close(self, event: Frame) -> None:
        if not self._has_failed:
            super().handle_close(event)
            self._abort_after(_CLOSE_SECONDS)

    def keepalive_timeout(self) -> None:
        self.conn.fail(NO_PONG, "No answer to a ping")
        super().keepalive_timeout()
        self._abort_after(_LINGER_SECONDS)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._frames.late_pong is not None and not self._has_failed:
            self.transport.write(self._frames.late_pong)
            self._frames.late_pong = None

    def write_text(self, body: bytes, tail: bytes) -> bool:
        """Send a text message of two parts, in UTF-8, without suspending; False if the client does not read.

        websockets' own serializer takes several times as long, for each subscriber of one event. What is sent in one
        step of the event loop is written at its end: messages of one socket together, and those of different sockets
        directly after each other, so that a client on the same machine is not woken up for each.
        """
        if not self.writable.is_set() or self.close_sent or self._has_failed or self.conn.state is not State.OPEN:
            return False
        size = len(body) + len(tail)
        if size < _MEDIUM:
            start = bytes((_TEXT, size))
        elif size < _LARGE:
            start = bytes((_TEXT, _MEDIUM, size >> 8, size & 0xFF))
        else:
            start = bytes((_TEXT, _MEDIUM + 1)) + size.to_bytes(8, "big")
        if not self._unwritten:
            self.loop.call_soon(self._flush)
        self._unwritten += (start, body, tail)
        self._unwritten_bytes += size
        if self._unwritten_bytes > _MAX_UNWRITTEN:
            self._flush()
        return True

    def _flush(self) -> None:
        """Write what `write_text` has taken."""
        if self._unwritten:
            data = b"".join(self._unwritten)
            self._unwritten, self._unwritten_bytes = (), 0
            if not self.transport.is_closing():
                self.transport.write(data)

    async def run_asgi(self) -> None:
        self.scope.setdefault("extensions", {})[WRITE_TEXT] = {"write": self.write_text}
        await super().run_asgi()
        if self.close_timer is None:
            self._abort_after(_CLOSE_SECONDS)

    async def send(self, message: ASGISendEvent) -> None:
        self._flush()
        is_close = message["type"] == "websocket.close"
        if is_close:
            self.writable.set()  # do not wait for a client that does not read
        else:
            await self.writable.wait()
        if self.close_sent and self.initial_response is None:
            raise ClientDisconnected
        await super().send(message)
        if message["type"] == "websocket.accept":
            # uvicorn keeps the headers of both for as long as the socket is open.
            self.request.headers.clear()
            self.response.headers.clear()
        if is_close:
            self._abort_after(_CLOSE_SECONDS)

    def _fail(self) -> None:
        """Send what is left to be sent, and cut the connection a moment later.

        Closing at once would reset it, and the client might never read the close code.
        """
        self._flush()
        self._has_failed = self.close_sent = self.handshake_complete = True
        self.stop_keepalive()
        self.read_paused = False
        if self.transport.is_closing():
            return
        self.transport.write(b"".join(self.conn.data_to_send()))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.transport.resume_reading()
        self._abort_after(_LINGER_SECONDS)

    def _abort_after(self, seconds: float) -> None:
        """Cut the connection if it is still open then: closing alone waits until the client has read everything."""
        if self.disconnected:
            return
        if self.close_timer is not None:
            self.close_timer.cancel()
        self.close_timer = self.loop.call_later(seconds, self.transport.abort)
