"""One WebSocket of the server's protocol, whose client's end is bytes."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import uvicorn
from uvicorn.server import ServerState
from websockets.frames import Frame, Opcode

from tests.support.client import PATIENCE
from web.open_connections import OpenConnections, ServerLimits
from web.socket_frames import SocketLimits
from web.socket_protocol import SocketProtocol

HANDSHAKE = (
    b"GET /graphql HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
)
BUFFER = 64 * 1024  # bytes that asyncio buffers before it asks to stop


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer each message with a large one, as an ASGI application."""
    await receive()
    await send({"type": "websocket.accept"})
    with contextlib.suppress(OSError):
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"] * 1000})


class Counting(SocketProtocol):
    """The protocol without a budget, which counts what it has received."""

    limits = SocketLimits(frames=10**9, bytes=10**12)
    open_connections = OpenConnections(ServerLimits(), {})
    received = 0

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        super().data_received(data)

    @property
    def buffered(self) -> int:
        """Bytes that the client has not read."""
        return self.transport.get_write_buffer_size()


class Peer:
    """The client's end, in blocks of bytes."""

    def __init__(self, end: socket.socket, protocol: Counting) -> None:
        self.end = end
        self.protocol = protocol
        self.sent = 0

    async def send(self, data: bytes) -> None:
        await asyncio.wait_for(asyncio.get_running_loop().sock_sendall(self.end, data), PATIENCE)
        self.sent += len(data)

    async def read(self) -> bytes:
        return await asyncio.wait_for(asyncio.get_running_loop().sock_recv(self.end, 2**16), PATIENCE)


def frame(opcode: Opcode, data: bytes) -> bytes:
    return Frame(opcode, data).serialize(mask=True)


@contextlib.contextmanager
def _pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    server, client = socket.socketpair()
    for end in (server, client):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        end.setblocking(False)
    yield server, client
    for end in (server, client):
        end.close()


@contextlib.asynccontextmanager
async def connected_peer(
    app: Any = echo, kind: type[Counting] = Counting, ping_seconds: float | None = None
) -> AsyncIterator[Peer]:
    """Open a WebSocket to an ASGI application. `ping_seconds`: after which it is pinged, and has to answer."""
    config = uvicorn.Config(app, log_config=None, lifespan="off", ws_ping_interval=ping_seconds)
    config.ws_ping_timeout = ping_seconds
    config.load()
    loop = asyncio.get_running_loop()
    with _pair() as (server, client):
        transport, protocol = await loop.connect_accepted_socket(lambda: kind(config, ServerState(), {}), server)
        assert isinstance(protocol, Counting)
        found = Peer(client, protocol)
        await found.send(HANDSHAKE)
        assert (await found.read()).startswith(b"HTTP/1.1 101")
        try:
            yield found
        finally:
            transport.abort()
            if protocol.tasks:
                await asyncio.wait(protocol.tasks, timeout=PATIENCE)
