"""A TCP proxy in front of PostgreSQL that counts what an application sends to it, without changing anything."""

import asyncio
import threading
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit, urlunsplit

from tests.support.server_process import HOST

_SSL_REQUEST = 80877103  # the code of a message that asks for TLS before the start-up message
_STATEMENTS = b"EQ"  # Execute of the extended protocol, Query of the simple one


@dataclass
class Traffic:
    """Statements and bytes since the last `reset`; BEGIN and COMMIT are statements, too."""

    statements: int = 0
    sent: int = 0  # bytes to PostgreSQL
    received: int = 0

    def reset(self) -> None:
        self.statements = self.sent = self.received = 0


@dataclass
class _Frames:
    """The messages of one connection, which may arrive in pieces."""

    traffic: Traffic
    buffer: bytearray = field(default_factory=bytearray)
    has_started: bool = False

    def feed(self, data: bytes) -> None:
        self.traffic.sent += len(data)
        self.buffer += data
        while True:
            head = 5 if self.has_started else 4
            if len(self.buffer) < head:
                return
            size = int.from_bytes(self.buffer[head - 4 : head]) + head - 4
            if len(self.buffer) < max(size, 8 * (not self.has_started)):
                return
            if not self.has_started:
                self.has_started = int.from_bytes(self.buffer[4:8]) != _SSL_REQUEST
            else:
                self.traffic.statements += self.buffer[0] in _STATEMENTS
            del self.buffer[:size]


class CountingProxy:
    """The proxy, in a thread and loop of its own, so that it costs the measured thread nothing."""

    def __init__(self, url: str) -> None:
        self.traffic = Traffic()
        self._target = urlsplit(url)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="counting-proxy", daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()
        self._port = 0

    @property
    def url(self) -> str:
        """The database's URL through the proxy."""
        user = self._target.username
        return urlunsplit(self._target._replace(netloc=f"{user}@{HOST}:{self._port}"))

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, HOST, 0)
        self._port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(self._target.hostname, self._target.port)
        frames = _Frames(self.traffic)
        for task in (
            asyncio.create_task(self._forward(reader, far_writer, frames)),
            asyncio.create_task(self._forward(far_reader, writer, None)),
        ):
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _forward(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, frames: _Frames | None
    ) -> None:
        try:
            while data := await reader.read(65536):
                if frames:
                    frames.feed(data)
                else:
                    self.traffic.received += len(data)
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()
