"""A local OpenRouter on a raw socket: answers from a script, down to cut, dripping and poisoned ones, and counts calls.

    async with ScriptedOpenRouter() as fake:
        fake.script(status(429, retry_after="7"), picture())  # in turn; the last one repeats
        ... OpenRouterProvider(fake.key, base_url=fake.base_url, app_url=None) ...
        assert len(fake.calls) == 2

Without a script every call gets a good picture. A call that the real service would refuse (path, key, body) is
refused the same way and leaves the script alone; it counts as a call all the same.
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
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]  # names in lower case
    body: Any  # parsed JSON; None if it was none


class ScriptedOpenRouter:
    """A local server. `calls` holds every request; `called` is set by the first.

    `client_disconnected` is set when a client closes the connection before its response has ended.
    While `answering` is cleared, calls arrive and wait for their responses.
    """

    def __init__(self, key: str = KEY) -> None:
        self.key = key
        self.calls: list[Call] = []
        self.sent = 0  # bytes given to the wire; the kernel may hold a few MB of them
        self.called = asyncio.Event()
        self.client_disconnected = asyncio.Event()
        self.answering = asyncio.Event()
        self.answering.set()
        self._script: deque[Response] = deque()
        self._connections: set[asyncio.Task[None]] = set()

    def script(self, *answers: Response) -> None:
        """Answer the coming calls with these, in turn; the last one repeats."""
        self._script = deque(answers)

    @property
    def base_url(self) -> str:
        """What OPENROUTER_BASE_URL is set to."""
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
                await self._play(_refusal_of(call, self.key) or self._next(), reader, writer)
        finally:
            self._connections.discard(task)
            writer.close()

    def _next(self) -> Response:
        if not self._script:
            return picture()
        return self._script.popleft() if len(self._script) > 1 else self._script[0]

    async def _play(self, answer: Response, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(answer.wire)
            self.sent += len(answer.wire)
            await writer.drain()
            while answer.repeat and not reader.at_eof():
                writer.write(answer.repeat)
                self.sent += len(answer.repeat)
                await writer.drain()
                await asyncio.sleep(answer.gap)
            if answer.ending is Ending.SILENCE:
                await reader.read()
        except ConnectionError:
            self.client_disconnected.set()
        if answer.repeat or answer.ending is Ending.SILENCE:
            self.client_disconnected.set()
        if answer.ending is Ending.RESET:
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


def _refusal_of(call: Call, key: str) -> Response | None:
    if (call.method, call.path) != ("POST", "/api/v1/chat/completions"):
        return status(404, "not_found", text="Not Found")
    if call.headers.get("authorization") != f"Bearer {key}":
        return status(401, "authentication", text="No auth credentials found")
    body = call.body if isinstance(call.body, dict) else {}
    wanted = {"model": str, "messages": list, "modalities": list}
    missing = [name for name, kind in wanted.items() if not isinstance(body.get(name), kind) or not body[name]]
    return status(400, "invalid_request", text=f"Invalid {', '.join(missing)}") if missing else None
