"""Text messages to a socket without a coroutine: those of one step of the event loop are written at its end."""

import asyncio
from struct import Struct
from typing import ClassVar

_MAX_UNWRITTEN = 32 * 1024  # bytes of one socket, after which they are written within a step
_TEXT = 0x81  # the first byte of a text message in one frame (RFC 6455, 5.2)
_MEDIUM = 126  # the smallest size that has two bytes of its own
_LARGE = 65536
_medium_head = Struct("!BBH").pack


class _Outbox:
    """Sockets with messages that are written when this step of the event loop ends."""

    def __init__(self) -> None:
        self.writers: list[SocketWriter] = []

    def write_soon(self) -> None:
        """Write at the end of this step; called before the first writer is added."""
        asyncio.get_running_loop().call_soon(self._write)

    def _write(self) -> None:
        writers, self.writers = self.writers, []
        for writer in writers:
            data, writer.unwritten = writer.unwritten, None
            if data is not None and not writer.transport.is_closing():
                writer.transport.write(data)


class SocketWriter:
    """What a socket is sent.

    Each of thousands of sockets is written to in turn, so what this reads of a socket is in one small object: of the
    server's protocol it would be ten times as much memory that the processor's cache does not have.
    """

    __slots__ = ("is_closed", "is_paused", "transport", "unwritten")
    outbox: ClassVar[_Outbox] = _Outbox()

    def __init__(self) -> None:
        self.is_closed = False  # a close frame was sent: no message may follow
        self.is_paused = False  # the client does not read
        self.transport: asyncio.Transport
        self.unwritten: bytes | None = None

    def write(self, body: bytes, tail: bytes = b"") -> bool:
        """Send a text message of two parts, in UTF-8, without suspending; False if the client does not read.

        websockets' own serializer takes several times as long, for each subscriber of one event. What is sent in one
        step of the event loop is written at its end: the messages of one socket by one call of the system, and those of
        different sockets directly after each other, so that a client on the same machine is not woken up for each.
        """
        if self.is_paused or self.is_closed:
            return False
        size = len(body) + len(tail)
        if size < _MEDIUM:
            frame = bytes((_TEXT, size)) + body + tail
        elif size < _LARGE:
            frame = _medium_head(_TEXT, _MEDIUM, size) + body + tail
        else:
            frame = bytes((_TEXT, _MEDIUM + 1)) + size.to_bytes(8, "big") + body + tail
        if self.unwritten is None:
            self.unwritten = frame
            outbox = self.outbox
            if not outbox.writers:
                outbox.write_soon()
            outbox.writers.append(self)
        else:
            frame = self.unwritten = self.unwritten + frame
        if len(frame) > _MAX_UNWRITTEN:
            self.flush()
        return True

    def flush(self) -> None:
        """Write what `write` has taken."""
        data, self.unwritten = self.unwritten, None
        if data is not None and not self.transport.is_closing():
            self.transport.write(data)
