"""Between the site and S3: a proxy that fails a share of the requests, seeded, or is not there at all."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.support.server_process import HOST, free_port

_BODY = b"<Error><Code>InternalError</Code><Message>We encountered an internal error.</Message></Error>"
_HEAD = b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/xml\r\nConnection: close\r\n"
_FAILURE = _HEAD + b"Content-Length: %d\r\n\r\n" % len(_BODY) + _BODY


@dataclass
class FaultyProxy:
    """One request for each connection, so that every request throws the dice.

    `share` of them fail: half by a 500 that the store never sees, half by a reset after it did what it was asked.
    """

    target: str
    dice: random.Random
    share: float = 0.0
    port: int = field(default_factory=free_port)
    passed: int = 0
    failed: Counter[str] = field(default_factory=Counter)  # by method
    _server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, HOST, self.port)

    async def stop(self) -> None:
        """Be away: connections are refused."""
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            request = await _message(reader)
            method = request.split(b" ", 1)[0].decode()
            fails = self.dice.random() < self.share
            if fails:
                self.failed[method] += 1
            else:
                self.passed += 1
            if fails and self.dice.random() < 0.5:
                writer.write(_FAILURE)
                await writer.drain()
            else:
                answer = await self._forward(request)
                if fails:
                    writer.transport.abort()
                    return
                writer.write(answer)
                await writer.drain()
        writer.close()

    async def _forward(self, request: bytes) -> bytes:
        where = urlsplit(self.target)
        assert where.hostname is not None
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        try:
            writer.write(request)
            return await reader.read()
        finally:
            writer.close()


async def _message(reader: asyncio.StreamReader) -> bytes:
    """A whole request, made to end its connection with its answer."""
    head = await reader.readuntil(b"\r\n\r\n")
    lines = [line for line in head[:-4].split(b"\r\n") if not line.lower().startswith(b"connection:")]
    lengths = [int(line.partition(b":")[2]) for line in lines if line.lower().startswith(b"content-length:")]
    body = await reader.readexactly(lengths[0]) if lengths else b""
    return b"\r\n".join([*lines, b"Connection: close"]) + b"\r\n\r\n" + body


@contextlib.asynccontextmanager
async def faulty_proxy(target: str, dice: random.Random) -> AsyncIterator[FaultyProxy]:
    proxy = FaultyProxy(target, dice)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
