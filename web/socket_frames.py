"""The frames of one socket: how many of them, and how many bytes, its client may send."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from websockets.exceptions import WebSocketException
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol

from telemetry import metric

# After this close code, which graphql-ws treats as final, clients do not reconnect.
TOO_MANY = 4429
TOO_MANY_REQUESTS = "Too many requests"


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


class FrameParser(ServerProtocol):
    """The parser of one socket, which stops at the first frame beyond the limits.

    Without slots, so many attributes are a dictionary of 1.6 KB.
    """

    __slots__ = (
        "_budget", "_can_write", "_fragments", "_headers", "_limits", "_state", "available_extensions",
        "available_subprotocols", "close_rcvd", "close_rcvd_then_sent", "close_sent", "current_size", "debug",
        "eof_sent", "events", "expect_continuation_frame", "extensions", "handshake_exc", "id", "late_pong", "logger",
        "max_fragment_size", "max_message_size", "origin", "origins", "parser", "parser_exc", "reader", "side",
        "subprotocol", "writes",
    )  # fmt: skip

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
