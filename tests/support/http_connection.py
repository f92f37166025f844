"""A connection without a network: an application, this project's HTTP protocol or uvicorn's, and what it writes."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn
from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from web.open_connections import ServerLimits
from web.server import uvicorn_options

OWN = uvicorn_options("https://localhost", ServerLimits())
UVICORN = {"http": HttpToolsProtocol, "log_config": None, "access_log": False}
Application = Callable[[Scope, Receive, Send], Awaitable[object]]


class Transport(asyncio.Transport):
    """A connection that keeps what is written to it."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1000), "sockname": ("127.0.0.1", 8000)})
        self.written: list[bytes] = []
        self.is_closed = self.is_reading_paused = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.is_closed
        self.written.append(bytes(data))

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed

    def pause_reading(self) -> None:
        self.is_reading_paused = True

    def resume_reading(self) -> None:
        self.is_reading_paused = False


class Connected:
    """A connection to an application, by this project's protocol or by uvicorn's."""

    def __init__(self, app: Application, options: Any = OWN) -> None:
        config = uvicorn.Config(app, lifespan="off", **options)
        config.load()
        self.state = ServerState()
        self.state.default_headers = [(b"date", b"today")]
        kind: Any = config.http_protocol_class
        self.protocol = kind(config=config, server_state=self.state, app_state={})
        self.transport = Transport()
        self.protocol.connection_made(self.transport)

    async def send(self, *parts: bytes) -> list[bytes]:
        """Receive the parts of a request, each in a step of its own, and return the writes once it is answered."""
        for part in parts:
            self.protocol.data_received(part)
            await asyncio.sleep(0)
        while self.state.tasks:  # noqa: ASYNC110 - a few steps of the event loop
            await asyncio.sleep(0)
        return self.transport.written

    def lose(self) -> None:
        self.transport.is_closed = True
        self.protocol.connection_lost(None)


def sending(*messages: Message | None) -> Application:
    """Return an application that sends the messages; None: it waits for a step of the event loop."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await (asyncio.sleep(0) if message is None else send(dict(message)))

    return app


def start(*headers: tuple[bytes, bytes], status: int = 200, **more: object) -> Message:
    return {"type": "http.response.start", "status": status, "headers": list(headers), **more}


def body(data: bytes = b"", *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": more}


def get(method: str = "GET", version: str = "1.1", *headers: str) -> bytes:
    return "\r\n".join([f"{method} /a%20b?c HTTP/{version}", "Host: a", *headers, "", ""]).encode()


LENGTH = (b"content-length", b"4")
