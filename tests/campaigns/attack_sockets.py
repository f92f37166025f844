"""WebSockets that send without end, never read, or are opened by the hundred."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import websockets

from tests.campaigns.attack import Attack, Target

_PROTOCOL = websockets.Subprotocol("graphql-transport-ws")
_PING = json.dumps({"type": "ping", "payload": {"text": "a" * 400}})
_BYTES_PER_SECOND = 2_000_000
_SUBSCRIBE = json.dumps({"id": "1", "type": "subscribe", "payload": {"query": "{ __typename }"}})

Connection = websockets.ClientConnection


async def _with_socket(target: Target, act: Callable[[Connection], Awaitable[None]], *, read: bool = True) -> None:
    """Open an acknowledged, signed-out socket and let it `act` until the server closes it or the time is over."""
    try:
        async with asyncio.timeout(10), websockets.connect(
            target.address.replace("http", "ws", 1) + "/graphql",
            subprotocols=[_PROTOCOL], local_addr=(target.source, 0), compression=None, ping_interval=None,
            close_timeout=0.5,
        ) as connection:  # fmt: skip
            await connection.send('{"type": "connection_init"}')
            await connection.recv()
            reader = asyncio.create_task(_read(connection)) if read else None
            try:
                while not target.is_over:
                    await act(connection)
            finally:
                if reader:
                    reader.cancel()
        target.outcomes["open"] += 1
    except websockets.ConnectionClosed as closed:
        target.outcomes[f"closed {closed.rcvd.code if closed.rcvd else 1006}"] += 1
    except websockets.InvalidStatus as refused:
        target.outcomes[str(refused.response.status_code)] += 1
    except (OSError, TimeoutError, websockets.InvalidHandshake) as error:
        target.outcomes[type(error).__name__] += 1


async def _read(connection: Connection) -> None:
    async for _ in connection:
        pass


async def _again(
    target: Target, sockets: int, act: Callable[[Connection], Awaitable[None]], *, read: bool = True
) -> None:
    """Keep so many sockets busy, and open another for each that is closed."""

    async def one() -> None:
        while not target.is_over:
            await _with_socket(target, act, read=read)
            await asyncio.sleep(0.1)

    await asyncio.gather(*(one() for _ in range(sockets)))


async def ping_messages(target: Target) -> None:
    """2 MB/s of `ping` messages on one socket."""

    async def act(connection: Connection) -> None:
        for _ in range(_BYTES_PER_SECOND // 20 // len(_PING)):
            await connection.send(_PING)
        await asyncio.sleep(1 / 20)

    await _again(target, 1, act)


async def unread_protocol_pings(target: Target) -> None:
    """Ping frames whose pongs are never read."""

    async def act(connection: Connection) -> None:
        for _ in range(200):
            await connection.ping(target.rng.randbytes(100))
        await asyncio.sleep(0.02)

    await _again(target, 1, act, read=False)


async def subscribe_messages(target: Target) -> None:
    """Operations as fast as one socket takes them."""

    async def act(connection: Connection) -> None:
        await connection.send(_SUBSCRIBE)
        await asyncio.sleep(0.0005)

    await _again(target, 1, act)


async def many_sockets(target: Target) -> None:
    """300 idle sockets from one client."""

    async def act(connection: Connection) -> None:
        await asyncio.sleep(0.2)

    await _again(target, 300, act)


ATTACKS: tuple[Attack, ...] = (ping_messages, unread_protocol_pings, subscribe_messages, many_sockets)
