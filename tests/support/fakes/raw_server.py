"""A local HTTP server on a raw socket, for fakes of services that break off, stay silent or never end."""

import asyncio
import json
import socket
import struct
from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import Any, Self


class Ending(StrEnum):
    """What happens to the connection after the response."""

    CLOSE = "CLOSE"
    RESET = "RESET"  # TCP RST: unread data is lost
    SILENCE = "SILENCE"  # stays open until the client disconnects


@dataclass(frozen=True)
class Response:
    """The raw bytes of a response, including the HTTP head."""

    wire: bytes = b""
    repeat: bytes = b""  # sent repeatedly after `wire`, until the client disconnects
    gap: float = 0.0  # seconds between repetitions
    ending: Ending = Ending.CLOSE


@dataclass(frozen=True)
class Call:
    """One received request."""

    method: str
    path: str  # with its query
    headers: dict[str, str]  # names in lower case
    body: Any  # parsed JSON; None if it was none
    raw: bytes = field(default=b"", kw_only=True)  # the body as it was received


class RawServer(ABC):
    """Answers one request on each connection.

    `sent` counts the bytes written, of which the kernel may buffer a few MB. `client_disconnected` is set when a client
    closes the connection before its response has ended.
    """

    def __init__(self) -> None:
        self.sent = 0
        self.client_disconnected = asyncio.Event()
        self._connections: set[asyncio.Task[None]] = set()

    @abstractmethod
    async def answer(self, call: Call) -> Response:
        """Return the response to a request, which may be waited for."""

    @property
    def origin(self) -> str:
        """The address of the server, without a path."""
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._play(await self.answer(await _read_call(reader)), reader, writer)
        finally:
            self._connections.discard(task)
            writer.close()

    async def _play(self, response: Response, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(response.wire)
            self.sent += len(response.wire)
            await writer.drain()
            while response.repeat and not reader.at_eof():
                writer.write(response.repeat)
                self.sent += len(response.repeat)
                await writer.drain()
                await asyncio.sleep(response.gap)
            if response.ending is Ending.SILENCE:
                await reader.read()
        except ConnectionError:
            self.client_disconnected.set()
        if response.repeat or response.ending is Ending.SILENCE:
            self.client_disconnected.set()
        if response.ending is Ending.RESET:
            wire: socket.socket = writer.get_extra_info("socket")
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()


async def _read_call(reader: asyncio.StreamReader) -> Call:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = head[0].split(" ", 2)
    fields = (line.split(":", 1) for line in head[1:] if line)
    headers = {name.strip().lower(): value.strip() for name, value in fields}
    raw = await reader.readexactly(int(headers.get("content-length", "0")))
    try:
        body = json.loads(raw)
    except ValueError:
        body = None
    return Call(method, path, headers, body, raw=raw)


def raw_response(status: int, content_type: str, body: bytes, **headers: str) -> Response:
    """A whole response; the connection is closed after it."""
    return Response(raw_head(status, content_type, **{"Content-Length": str(len(body))}, **headers) + body)


def raw_head(status: int, content_type: str, **headers: str) -> bytes:
    """The head of a response."""
    fields = {"Content-Type": content_type, "Connection": "close", **headers}
    lines = [f"HTTP/1.1 {status} Scripted", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    return "\r\n".join(lines).encode("ascii")
