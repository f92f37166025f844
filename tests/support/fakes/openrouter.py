"""A local OpenRouter on a raw socket: sends scripted responses, including broken and hostile ones, and records calls.

    async with ScriptedOpenRouter() as fake:
        fake.script(status(429, retry_after="7"), picture())  # in turn; the last one repeats
        ... OpenRouterProvider(fake.key, base_url=fake.base_url, app_url=None) ...
        assert len(fake.calls) == 2

Without a script, every call gets a good image. A call that the real service would refuse (path, key, body) is
refused in the same way, without using up the script; it is recorded as well.
"""

import asyncio
import json
import socket
import struct
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from tests.support.fakes.openrouter_response import Ending, Response, picture, status

KEY = "sk-or-v1-0123456789abcdef0123456789abcdef"


@dataclass(frozen=True)
class Call:
    """One recorded request."""

    method: str
    path: str
    headers: dict[str, str]  # names in lower case
    body: Any  # parsed JSON; None if it was invalid


class ScriptedOpenRouter:
    """A local server. `calls` holds every request; `called` is set by the first.

    `client_disconnected` is set when a client closes the connection before its response has ended.
    While `answering` is cleared, calls arrive and wait for their responses.
    """

    def __init__(self, key: str = KEY) -> None:
        self.key = key
        self.calls: list[Call] = []
        self.sent = 0  # bytes written; the kernel may buffer a few MB of them
        self.called = asyncio.Event()
        self.client_disconnected = asyncio.Event()
        self.answering = asyncio.Event()
        self.answering.set()
        self._script: deque[Response] = deque()
        self._connections: set[asyncio.Task[None]] = set()

    def script(self, *responses: Response) -> None:
        """Respond to the next calls with these, in turn; the last one repeats."""
        self._script = deque(responses)

    @property
    def base_url(self) -> str:
        """The value for OPENROUTER_BASE_URL."""
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/api/v1"

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
                call = await _read_call(reader)
                self.calls.append(call)
                self.called.set()
                await self.answering.wait()
                await self._play(_validate(call, self.key) or self._next(), reader, writer)
        finally:
            self._connections.discard(task)
            writer.close()

    def _next(self) -> Response:
        if not self._script:
            return picture()
        return self._script.popleft() if len(self._script) > 1 else self._script[0]

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
    return Call(method, path, headers, body)


def _validate(call: Call, key: str) -> Response | None:
    if (call.method, call.path) != ("POST", "/api/v1/chat/completions"):
        return status(404, "not_found", text="Not Found")
    if call.headers.get("authorization") != f"Bearer {key}":
        return status(401, "authentication", text="No auth credentials found")
    body = call.body if isinstance(call.body, dict) else {}
    wanted = {"model": str, "messages": list, "modalities": list}
    missing = [name for name, kind in wanted.items() if not isinstance(body.get(name), kind) or not body[name]]
    return status(400, "invalid_request", text=f"Invalid {', '.join(missing)}") if missing else None
