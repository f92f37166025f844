"""WebSockets that send without end, never read, or are opened by the hundred: frames straight over TCP."""

import asyncio
import contextlib
import json

from websockets.frames import Close, Frame, Opcode

from tests.campaigns.attack import Attack, Target

_HEAD = (
    b"GET /graphql HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: graphql-transport-ws\r\n"
)
_INIT = {"type": "connection_init"}
_PING = {"type": "ping", "payload": {"text": "a" * 400}}
_QUERY = {"id": "1", "type": "subscribe", "payload": {"query": "{ styles { nodes { id title } } }"}}


def _frame(opcode: Opcode, data: bytes, *, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin=fin).serialize(mask=True)


def _text(message: object) -> bytes:
    return _frame(Opcode.TEXT, json.dumps(message).encode())


async def _connect(target: Target) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
    """Open an acknowledged, signed-out socket; None if the handshake was refused, which is counted."""
    reader, writer = await target.connect()
    writer.write(_HEAD + b"\r\n")
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    if not head.startswith(b"HTTP/1.1 101"):
        target.outcomes[head[9:12].decode()] += 1
        writer.transport.abort()
        return None
    writer.write(_text(_INIT))
    return reader, writer


def _close_code(received: bytes) -> str:
    """Return what the last frame says; a frame of the server is not masked, and its close reason is short."""
    start = received.rfind(b"\x88")
    if start < 0 or len(received) < start + 4:
        return "closed"
    return f"closed {Close.parse(received[start + 2 : start + 4]).code}"


async def _attack(target: Target, sockets: int, block: bytes, *, rate: float, read: bool = True) -> None:
    """Send `block` on each socket, `rate` bytes a second in total; those that the server closes are replaced."""

    async def send(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received = b""
        with contextlib.suppress(OSError, TimeoutError):
            while not target.is_over and not reader.at_eof():
                writer.write(block)
                await asyncio.wait_for(writer.drain(), 5)
                if read:
                    with contextlib.suppress(TimeoutError):
                        received = (received + await asyncio.wait_for(reader.read(1 << 20), 0.001))[-300:]
                await asyncio.sleep(len(block) * sockets / rate if block else 0.1)
        with contextlib.suppress(OSError, TimeoutError):
            while part := await asyncio.wait_for(reader.read(1 << 20), 0.2):
                received = (received + part)[-300:]
            target.outcomes[_close_code(received)] += 1
            return
        target.outcomes["open" if target.is_over else "reset"] += 1

    async def one() -> None:
        while not target.is_over:
            try:
                if ends := await _connect(target):
                    await send(*ends)
                    ends[1].transport.abort()
            except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
                target.outcomes[type(error).__name__] += 1
            await asyncio.sleep(0.1)

    await asyncio.gather(*(one() for _ in range(sockets)))


async def ping_messages(target: Target) -> None:
    """2 MB/s of `ping` messages on one socket."""
    await _attack(target, 1, _text(_PING) * 50, rate=2e6)


async def unread_ping_messages(target: Target) -> None:
    """The same, and the pongs are never read."""
    await _attack(target, 1, _text(_PING) * 50, rate=2e6, read=False)


async def unread_protocol_pings(target: Target) -> None:
    """2 MB/s of ping frames whose pongs are never read."""
    await _attack(target, 1, _frame(Opcode.PING, b"x" * 125) * 100, rate=2e6, read=False)


async def slow_protocol_pings(target: Target) -> None:
    """As many ping frames as the budget of a socket allows, on 60 sockets, never read."""
    block = _frame(Opcode.PING, b"x" * 125)
    await _attack(target, 60, block, rate=60 * 40 * len(block), read=False)


async def empty_fragments(target: Target) -> None:
    """A message of empty fragments that does not end."""
    block = _frame(Opcode.TEXT, b"", fin=False) + _frame(Opcode.CONT, b"", fin=False) * 1000
    await _attack(target, 1, block, rate=2e6)


async def large_messages(target: Target) -> None:
    """Messages of 60 KB at 20 MB/s."""
    await _attack(target, 1, _text({"type": "ping", "payload": {"text": "a" * 60_000}}), rate=20e6)


async def subscribe_messages(target: Target) -> None:
    """Documents of 30 KB, each a new operation, at 5 MB/s."""
    query = "{" + " ".join(f"a{number}:__typename" for number in range(1800)) + "}"
    block = b"".join(
        _text({"id": str(number), "type": "subscribe", "payload": {"query": query}}) for number in range(10)
    )
    await _attack(target, 1, block, rate=5e6)


async def operations_on_many_sockets(target: Target) -> None:
    """Queries as fast as the budget of a socket allows, on 60 sockets."""
    block = _text(_QUERY)
    await _attack(target, 60, block, rate=60 * 40 * len(block))


async def many_sockets(target: Target) -> None:
    """300 sockets of one client that send nothing after the handshake."""
    await _attack(target, 300, b"", rate=1)


ATTACKS: tuple[Attack, ...] = (
    ping_messages,
    unread_ping_messages,
    unread_protocol_pings,
    slow_protocol_pings,
    empty_fragments,
    large_messages,
    subscribe_messages,
    operations_on_many_sockets,
    many_sockets,
)
