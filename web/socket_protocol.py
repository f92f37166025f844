"""The server's WebSocket protocol: a budget of frames for each socket, and memory that no client can make grow.

uvicorn's own protocol parses everything that has arrived in one step, answers every ping whether the client reads or
not, and waits without a limit for a client to read the last bytes.
"""

import asyncio
import random
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from typing import Any, ClassVar, cast

from uvicorn._types import ASGIReceiveEvent, ASGISendEvent
from uvicorn.config import Config
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.frames import CloseCode, Frame

from services.integrations.lazy_event import LazyEvent
from web.keepalive import Keepalive
from web.open_connections import WriteDeadline
from web.rejection import NOT_HTTP
from web.socket_frames import FrameParser, SocketLimits
from web.socket_writer import SocketWriter

# After this close code, with which graphql-ws itself ends a dead connection, clients reconnect; after 1011, uvicorn's,
# they do not.
NO_PONG = 4499
SERVER_SOCKET = "darkroom.socket"  # the extension of ASGI by which an application gets its SocketProtocol
_CLOSE_SECONDS = 5.0  # in which the client confirms that the socket is closed
_LINGER_SECONDS = 1.0  # in which a client that broke a rule may read why, before its connection is cut
_MAX_DISCARDED = 256 * 1024  # bytes that are read from it meanwhile
_MAX_EARLY = 64 * 1024  # bytes after which a client that does not wait for the answer to its handshake is not read


class _Received:
    """Events for the application, which has one reader: as asyncio.Queue, which takes 3 KiB for each socket.

    `notify` is called for each event that comes while the reader does not wait.
    """

    __slots__ = ("_events", "_loop", "_waiting", "notify")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._events: list[ASGIReceiveEvent] = []
        self._loop = loop
        self._waiting: asyncio.Future[None] | None = None
        self.notify: Callable[[], None] | None = None

    def put_nowait(self, event: ASGIReceiveEvent) -> None:
        self._events.append(event)
        if self._waiting is not None:
            if not self._waiting.done():
                self._waiting.set_result(None)
        elif self.notify is not None:
            self.notify()

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
    """uvicorn's protocol with the limits; without compression, which costs 41 KiB for each socket that offers it.

    An application may return and leave its socket open: it is called again for what arrives (`serve_with`). Slots: as
    in FrameParser.
    """

    __slots__ = (
        "_context", "_discarded", "_early", "_frames", "_has_failed", "_serve", "_serving", "_write_timer", "app",
        "app_state", "asgi_version", "client", "close_timeout", "close_timer", "config", "conn", "connections",
        "curr_msg_data_type", "default_headers", "disconnected", "frames", "handshake_complete",
        "handshake_initiated", "initial_response", "is_served", "last_ping_rtt", "logger", "loop",
        "pending_ping_payload", "ping_interval", "ping_sent_at", "ping_timeout", "ping_timer", "pong_timer", "queue",
        "read_paused", "request", "response", "root_path", "scheme", "scope", "server", "tasks", "transport",
        "writable", "writer",
    )  # fmt: skip
    limits: ClassVar[SocketLimits] = SocketLimits()
    keepalive: ClassVar[Keepalive] = Keepalive()

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.writer = SocketWriter()
        super().__init__(config, server_state, app_state, _loop)
        self.conn.parser.close()  # a cycle, by which uvicorn's parser would wait for the garbage collector
        self.queue = _Received(self.loop)  # type: ignore[assignment]  # has what is used of asyncio.Queue
        self.writable = LazyEvent(is_set=True)  # type: ignore[assignment]  # has the methods of asyncio.Event
        self._frames = FrameParser(self.limits, self.writable.is_set, self.open_connections.headers)
        self.conn = self._frames
        self._write_timer: asyncio.TimerHandle | None = None
        self._has_failed = False
        self._discarded = 0  # bytes
        self._early = b""  # received before the answer to the handshake
        self.is_served = False  # the application has returned, or will, and leaves the socket open
        self._serve: Callable[[], Coroutine[Any, Any, None]] | None = None
        self._serving: asyncio.Task[None] | None = None
        self._context: Context | None = None  # of the application

    @property
    def close_sent(self) -> bool:  # an attribute of uvicorn, which the writer needs
        """Whether a close frame was sent, or the connection is to be cut."""
        return self.writer.is_closed

    @close_sent.setter
    def close_sent(self, is_sent: bool) -> None:
        self.writer.is_closed = is_sent

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.writer.transport = self.transport

    def shutdown(self) -> None:
        self.writer.flush()  # nothing may follow the close frame
        super().shutdown()
        self._abort_after(_LINGER_SECONDS)

    def data_received(self, data: bytes) -> None:
        if self._has_failed:
            self._discarded += len(data)
            if self._discarded > _MAX_DISCARDED:
                self.transport.pause_reading()
            return
        if self.handshake_initiated and not self.handshake_complete:
            self._early += data  # parsed now, it would be answered before the handshake
            if len(self._early) > _MAX_EARLY:
                self.transport.pause_reading()
            return
        super().data_received(data)
        if self.conn.handshake_exc is not None:  # its head is unreadable or too large, or it has a body
            self.transport.write(NOT_HTTP.response(self.open_connections.headers))
            self._fail()

    def handle_parser_exception(self) -> None:
        while not self.queue.empty():  # messages of a client that broke a rule are not worth an answer
            self.queue.get_nowait()
        close = self.conn.close_sent
        code, reason = (close.code, close.reason) if close else (CloseCode.ABNORMAL_CLOSURE, "")
        self.queue.put_nowait({"type": "websocket.disconnect", "code": int(code), "reason": reason})
        self._fail()

    def send_receive_event_to_app(self) -> None:
        if self._has_failed:  # by a frame before, of the same step
            self.frames = []
            return
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

    def schedule_ping(self) -> None:
        assert self.ping_interval is not None  # noqa: S101 - uvicorn calls this only then
        self.keepalive.ping_after(self.ping_interval, self)

    def stop_keepalive(self) -> None:
        self.keepalive.stop(self)
        self.pending_ping_payload = None

    def send_keepalive_ping(self) -> None:
        if self.close_sent or self.transport.is_closing():
            return
        self.pending_ping_payload = random.randbytes(4)
        self.conn.send_ping(self.pending_ping_payload)
        self.transport.write(b"".join(self.conn.data_to_send()))
        if self.ping_timeout is None:
            self.schedule_ping()
        else:
            self.keepalive.expect_pong(self.ping_timeout, self)

    def handle_pong(self, event: Frame) -> None:
        if self.pending_ping_payload is not None and bytes(event.data) == self.pending_ping_payload:
            self.pending_ping_payload = None
            self.schedule_ping()

    def keepalive_timeout(self) -> None:
        self.conn.fail(NO_PONG, "No answer to a ping")
        super().keepalive_timeout()
        self._abort_after(_LINGER_SECONDS)

    def pause_writing(self) -> None:
        super().pause_writing()
        self.writer.is_paused = True

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._frames.late_pong is not None and not self._has_failed:
            self.transport.write(self._frames.late_pong)
            self._frames.late_pong = None

    def _stop_write_timer(self) -> None:
        super()._stop_write_timer()
        self.writer.is_paused = False

    async def run_asgi(self) -> None:
        self.scope.setdefault("extensions", {})[SERVER_SOCKET] = {"protocol": self}
        try:
            await self.app(self.scope, self.receive, self.send)
        except ClientDisconnected:
            pass
        except BaseException:
            self.logger.exception("Exception in ASGI application")
            self.send_500_response()
            self.is_served = False
        else:
            is_answered = self.handshake_complete or self.initial_response is not None  # or the client has left
            if not is_answered and not self.is_served:
                self.logger.error("The application has returned without an answer to the handshake.")
                self.send_500_response()
        if self.is_served:
            del self.scope, self.request, self.response  # a third of what a quiet socket would take
        else:
            self.finish()

    def serve_with(self, serve: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Leave the socket open when the application returns, until `finish`.

        `serve` runs in a task whenever something has arrived, and returns when `has_received` is false. While a socket
        is quiet, it thus keeps no task, no request and none of the middleware around the application.
        """
        self.is_served = True
        self._serve, self._context = serve, copy_context()
        self._received.notify = self._start_serving
        if self.has_received:
            self._start_serving()

    @property
    def has_received(self) -> bool:
        """Whether `receive` returns at once."""
        return not self.queue.empty()

    def finish(self) -> None:
        """Close the socket if the application has not."""
        self._serve = self._context = self._received.notify = None
        if self.close_timer is None:
            self.transport.close()
            self._abort_after(_CLOSE_SECONDS)

    @property
    def _received(self) -> _Received:
        return cast(_Received, self.queue)

    def _start_serving(self) -> None:
        if self._serve is not None and self._serving is None:
            self._serving = asyncio.Task(self._serve(), loop=self.loop, context=self._context)
            self._serving.add_done_callback(self._end_serving)
            self.tasks.add(self._serving)  # for which the server waits when it stops

    def _end_serving(self, task: asyncio.Task[None]) -> None:
        self._serving = None
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.logger.error("Exception in ASGI application", exc_info=error)
            self.finish()
        elif self.has_received:
            self._start_serving()

    async def send(self, message: ASGISendEvent) -> None:
        self.writer.flush()
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
            self._receive_early()
        if is_close:
            self._abort_after(_CLOSE_SECONDS)

    def _receive_early(self) -> None:
        data, self._early = self._early, b""
        if data and self.handshake_complete and not self.transport.is_closing():
            self.transport.resume_reading()
            self.data_received(data)

    def _fail(self) -> None:
        """Send what is left to be sent, and cut the connection a moment later.

        Closing at once would reset it, and the client might never read the close code.
        """
        self.writer.flush()
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
