"""Sockets that are quiet: without a task, found dead by a ping, and continued when something arrives."""

import asyncio
import contextlib
import gc
import json
import socket
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
import structlog
from websockets.frames import Opcode

from telemetry import log_fields
from tests.conftest import Running
from tests.support.bus_subscribers import wait_for_subscribers
from tests.support.client import CREDITS, PATIENCE, Api
from tests.support.socket_peer import HANDSHAKE, Counting, Peer, connected_peer, echo, frame
from web.keepalive import Keepalive
from web.socket_protocol import SERVER_SOCKET, SocketProtocol

PING = b'{"type": "ping"}'
QUIET = 10  # sockets
ROUNDS = 3
MAX_BYTES = 16 * 1024  # of Python objects for each of them, subscriptions included


class Pinging(Counting):
    """Looks often whether a ping is due."""

    keepalive = Keepalive(0.005)


async def next_frame(peer: Peer, opcode: Opcode) -> bytes:
    """Return the payload of the next frame, which is a short one."""
    received = await peer.read()
    assert received[0] == 0x80 | opcode
    return received[2 : 2 + received[1]]


async def test_quiet_socket_is_pinged_again_after_each_answer() -> None:
    async with connected_peer(echo, Pinging, 0.01) as peer:
        payloads = set()
        for _ in range(3):
            payloads.add(payload := await next_frame(peer, Opcode.PING))
            await peer.send(frame(Opcode.PONG, b"another") + frame(Opcode.PONG, payload))
        assert len(payloads) == 3


async def test_quiet_socket_that_answers_no_ping_is_closed() -> None:
    async with connected_peer(echo, Pinging, 0.01) as peer:
        await next_frame(peer, Opcode.PING)
        assert (await next_frame(peer, Opcode.CLOSE))[:2] == (4499).to_bytes(2)


async def test_closed_socket_is_not_pinged() -> None:
    async with connected_peer(echo, Pinging, 0.01) as peer:
        await next_frame(peer, Opcode.PING)
        await peer.send(frame(Opcode.CLOSE, b""))
        await next_frame(peer, Opcode.CLOSE)
        assert await peer.read() == b""


def served(serve: Callable[[SocketProtocol], Any]) -> Any:
    """Return an application that accepts its socket, returns, and answers messages by `serve`."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        protocol = scope["extensions"][SERVER_SOCKET]["protocol"]
        await receive()
        await send({"type": "websocket.accept"})
        protocol.serve_with(lambda: serve(protocol))

    return application


async def test_application_that_has_returned_is_called_for_each_message() -> None:
    async def serve(protocol: SocketProtocol) -> None:
        while protocol.has_received:
            message: Any = await protocol.receive()
            if message["type"] == "websocket.disconnect":
                protocol.finish()
            else:
                protocol.writer.write(message["text"].encode(), b"!")

    async with connected_peer(served(serve)) as peer:
        for text in (b"one", b"two", b"three"):
            await peer.send(frame(Opcode.TEXT, text))
            assert await next_frame(peer, Opcode.TEXT) == text + b"!"
        assert peer.protocol.tasks == set()
        assert not hasattr(peer.protocol, "scope")


async def test_application_that_fails_later_has_its_socket_closed(caplog: pytest.LogCaptureFixture) -> None:
    async def serve(protocol: SocketProtocol) -> None:
        await protocol.receive()
        raise ValueError("broken")

    async with connected_peer(served(serve)) as peer:
        await peer.send(frame(Opcode.TEXT, PING))
        assert await peer.read() == b""
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == [
        "Exception in ASGI application"
    ]


async def test_message_that_arrives_while_another_is_handled_is_handled_next() -> None:
    handled: list[str] = []
    is_first_over = asyncio.Event()

    async def serve(protocol: SocketProtocol) -> None:
        while protocol.has_received:
            message: Any = await protocol.receive()
            if message["type"] == "websocket.receive":
                if not handled:
                    await is_first_over.wait()
                handled.append(message["text"])
                protocol.writer.write(message["text"].encode())

    async with connected_peer(served(serve)) as peer:
        await peer.send(frame(Opcode.TEXT, b"one"))
        await peer.send(frame(Opcode.TEXT, b"two"))
        is_first_over.set()
        received = b""
        while len(received) < 10:
            received += await peer.read()
    assert handled == ["one", "two"]


@pytest.fixture
async def quiet_socket(server: Running, ada: Api) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Return a function that opens a socket with a subscription, and reads what it opens with."""
    where = urlsplit(server.api.address)
    loop, opened = asyncio.get_running_loop(), contextlib.ExitStack()
    subscribe = {"id": "1", "type": "subscribe", "payload": {"query": CREDITS}}
    init = {"type": "connection_init", "payload": {"token": ada.token}}
    texts = frame(Opcode.TEXT, json.dumps(init).encode()), frame(Opcode.TEXT, json.dumps(subscribe).encode())

    async def one() -> None:
        end = opened.enter_context(socket.socket())
        end.setblocking(False)
        await loop.sock_connect(end, (where.hostname, where.port))
        for sent, expected in ((HANDSHAKE, b" 101 "), (b"".join(texts), b'"next"')):
            await loop.sock_sendall(end, sent)
            received = b""
            while expected not in received:
                received += (data := await asyncio.wait_for(loop.sock_recv(end, 2**16), PATIENCE))
                assert data, received

    with opened:
        yield one
    await wait_for_subscribers(server.services, 0)


@pytest.mark.any_database
async def test_quiet_subscriber_keeps_no_task_and_few_bytes(quiet_socket: Callable[[], Awaitable[None]]) -> None:
    await quiet_socket()
    tasks, kept = len(asyncio.all_tasks()), []
    tracemalloc.start()
    try:
        for _ in range(ROUNDS):
            gc.collect()
            before, _ = tracemalloc.get_traced_memory()
            for _ in range(QUIET):
                await quiet_socket()
            await asyncio.sleep(0)
            gc.collect()
            kept.append((tracemalloc.get_traced_memory()[0] - before) // QUIET)
            if kept[-1] < MAX_BYTES:
                break  # the first rounds fill caches
    finally:
        tracemalloc.stop()
    assert len(asyncio.all_tasks()) - tasks < QUIET, "one for each"
    assert min(kept) < MAX_BYTES, kept


@pytest.mark.any_database
async def test_log_lines_of_a_socket_name_its_request(server: Running, ada: Api) -> None:
    with structlog.testing.capture_logs(processors=[log_fields.merge]) as lines:
        async with ada.socket() as first, ada.socket() as second:
            for client in (first, first, second):
                await (await client.subscribe("{ viewer { id } }")).next()
    found = [line for line in lines if line["event"] == "graphql.operation" and line["field"] == "viewer"]
    one, two, other = (line["request"] for line in found)
    assert one == two != other
