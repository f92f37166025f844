"""An HTTP client that sends any bytes at any time, and sees exactly what the server answers."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.support.client import PATIENCE

VIEWER = b'{"query": "{ viewer { id } }"}'


def request(method: str = "POST", path: str = "/graphql", *headers: str, body: bytes = b"") -> bytes:
    """Return a request; its Content-Length is that of `body`, unless `headers` has a length or an encoding."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *headers]
    if body and not any(line.casefold().startswith(("content-length", "transfer-encoding")) for line in headers):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


VIEWER_REQUEST = request("POST", "/graphql", "Content-Type: application/json", body=VIEWER)


@dataclass(frozen=True)
class Answer:
    """One response."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class RawConnection:
    """An open connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        """Send bytes; a server that has closed the connection is no error here."""
        with contextlib.suppress(ConnectionError):
            self.writer.write(data)
            await self.writer.drain()

    async def answer(self) -> Answer:
        """Return the next response, whose length must be known."""
        async with asyncio.timeout(PATIENCE):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.splitlines()
            headers = {
                name.casefold(): value.strip() for name, _, value in (line.partition(":") for line in lines[:-1])
            }
            body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        return Answer(int(first.split()[1]), headers, body)

    async def rest(self) -> bytes:
        """Return everything until the server closes the connection."""
        async with asyncio.timeout(PATIENCE):
            received = b""
            with contextlib.suppress(ConnectionResetError):
                while part := await self.reader.read(65536):
                    received += part
        return received


@contextlib.asynccontextmanager
async def connection(address: str, source: str | None = None) -> AsyncIterator[RawConnection]:
    """Connect to a server; `source`: the local address."""
    where = urlsplit(address)
    local = (source, 0) if source else None
    reader, writer = await asyncio.open_connection(where.hostname, where.port, local_addr=local)
    try:
        yield RawConnection(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def exchange(address: str, *parts: bytes) -> Answer:
    """Send the parts of a request one after the other over a new connection, and return the response."""
    async with connection(address) as raw:
        for part in parts:
            await raw.send(part)
        return await raw.answer()
