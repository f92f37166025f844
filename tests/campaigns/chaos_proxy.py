"""A seeded proxy between the deployment and S3 that fails a share of the requests, or refuses connections."""

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


def _answer(status: bytes, code: bytes) -> bytes:
    body = b"<Error><Code>%b</Code><Message>%b</Message></Error>" % (code, code)
    head = b"HTTP/1.1 %b\r\nContent-Type: application/xml\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
    return head % (status, len(body)) + body


DENIED = _answer(b"403 Forbidden", b"AccessDenied")
FULL = _answer(b"507 Insufficient Storage", b"InsufficientStorage")


@dataclass
class FaultyProxy:
    """A proxy that serves one request per connection, so that each request succeeds or fails independently.

    `failure_rate`: the share of requests that fail, half with a 500 before the store is called, half with a reset after
    the store has carried the request out. `refuses`: methods that the store answers with `refusal`.
    """

    target: str
    rng: random.Random
    failure_rate: float = 0.0
    refuses: set[str] = field(default_factory=set)
    refusal: bytes = DENIED
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
        """Stop listening: connections are refused."""
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            request = await _read_request(reader)
            method = request.split(b" ", 1)[0].decode()
            fails = self.rng.random() < self.failure_rate
            if fails:
                self.failed[method] += 1
            else:
                self.passed += 1
            if method in self.refuses:
                writer.write(self.refusal)
                await writer.drain()
            elif fails and self.rng.random() < 0.5:
                writer.write(_FAILURE)
                await writer.drain()
            else:
                response = await self._forward(request)
                if fails:
                    writer.transport.abort()
                    return
                writer.write(response)
                await writer.drain()
        writer.close()

    async def _forward(self, request: bytes) -> bytes:
        target_url = urlsplit(self.target)
        assert target_url.hostname is not None
        reader, writer = await asyncio.open_connection(target_url.hostname, target_url.port)
        try:
            writer.write(request)
            return await reader.read()
        finally:
            writer.close()


async def _read_request(reader: asyncio.StreamReader) -> bytes:
    """Read a whole request and make it close its connection after the response."""
    head = await reader.readuntil(b"\r\n\r\n")
    lines = [line for line in head[:-4].split(b"\r\n") if not line.lower().startswith(b"connection:")]
    lengths = [int(line.partition(b":")[2]) for line in lines if line.lower().startswith(b"content-length:")]
    body = await reader.readexactly(lengths[0]) if lengths else b""
    return b"\r\n".join([*lines, b"Connection: close"]) + b"\r\n\r\n" + body


@contextlib.asynccontextmanager
async def faulty_proxy(target: str, rng: random.Random) -> AsyncIterator[FaultyProxy]:
    proxy = FaultyProxy(target, rng)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
