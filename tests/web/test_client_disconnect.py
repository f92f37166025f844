"""Clients that disconnect at any moment, which is never logged as a warning or an error."""

import asyncio
import contextlib
import gc
import json
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.frames import Frame, Opcode

from telemetry import metric
from tests.conftest import Running
from tests.support.bus_subscribers import subscriber_count
from tests.support.client import CREDITS, PATIENCE, Api, until
from tests.support.socket_peer import HANDSHAKE, frame

HEAD = "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\nAuthorization: Bearer {token}\r\n"
JSON = "Content-Type: application/json\r\n\r\n"
SIGN_UP = 'mutation { signUp(input: {email: "%s@example.com", password: "correct horse"}) { token } }'
STYLES = "{ styles(first: 50) { nodes { id slug title prompt } } }"


class Peer:
    """A client's end of a TCP connection, in bytes."""

    def __init__(self, end: socket.socket, api: Api) -> None:
        self._end = end
        self.api = api

    async def send(self, data: bytes | str) -> None:
        await asyncio.get_running_loop().sock_sendall(self._end, data.encode() if isinstance(data, str) else data)

    async def receive(self, part: bytes) -> None:
        """Read until `part` has arrived."""
        received = b""
        async with asyncio.timeout(PATIENCE):
            while part not in received:
                received += await asyncio.get_running_loop().sock_recv(self._end, 65536)

    async def messages(self, *messages: dict[str, Any]) -> None:
        for message in messages:
            await self.send(frame(Opcode.TEXT, json.dumps(message).encode()))

    async def post(self, query: str, accept: str = "application/json") -> None:
        body = json.dumps({"query": query})
        head = HEAD.format(length=len(body), token=self.api.token)
        await self.send(head + f"Accept: {accept}\r\n" + JSON + body)

    async def open(self) -> None:
        """Complete the WebSocket's handshake, and its connection_init."""
        await self.send(HANDSHAKE)
        await self.receive(b"\r\n\r\n")
        await self.messages({"type": "connection_init", "payload": {"token": self.api.token}})
        await self.receive(b"connection_ack")


def subscribe(query: str, id: str = "1") -> dict[str, Any]:
    return {"type": "subscribe", "id": id, "payload": {"query": query}}


async def part_of_a_head(peer: Peer) -> None:
    await peer.send("POST /graphql HTTP/1.1\r\nHost: loc")


async def part_of_a_json_body(peer: Peer) -> None:
    await peer.send(HEAD.format(length=1000, token=peer.api.token) + JSON + '{"query":')


async def part_of_a_form(peer: Peer) -> None:
    kind = "Content-Type: multipart/form-data; boundary=x\r\n\r\n"
    await peer.send(HEAD.format(length=1000, token=peer.api.token) + kind + "--x\r\n")


async def part_of_an_upload(peer: Peer) -> None:
    head = HEAD.format(length=50_000, token=peer.api.token).replace("/graphql", "/uploads/token")
    await peer.send(head + "Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n")


async def part_of_a_webhook(peer: Peer) -> None:
    await peer.send(HEAD.format(length=5_000, token="x").replace("/graphql", "/webhooks/polar") + JSON + "{")


async def before_the_response(peer: Peer) -> None:
    await peer.post(STYLES)


async def before_the_response_of_a_mutation(peer: Peer) -> None:
    await peer.post(SIGN_UP % "before")


async def in_an_event_stream(peer: Peer) -> None:
    await peer.post(CREDITS, "text/event-stream")
    await peer.receive(b"event: next")


async def before_an_event_stream(peer: Peer) -> None:
    await peer.post(CREDITS, "text/event-stream")


async def in_the_handshake(peer: Peer) -> None:
    await peer.send(HANDSHAKE)


async def before_connection_init(peer: Peer) -> None:
    await peer.send(HANDSHAKE)
    await peer.receive(b"\r\n\r\n")


async def before_connection_ack(peer: Peer) -> None:
    await peer.send(HANDSHAKE)
    await peer.receive(b"\r\n\r\n")
    await peer.messages({"type": "connection_init", "payload": {"token": peer.api.token}})


async def in_a_flood_of_pings(peer: Peer) -> None:
    await peer.open()
    for _ in range(100):
        await peer.messages({"type": "ping", "payload": {"text": "x" * 1000}})


async def in_a_flood_beyond_the_budget(peer: Peer) -> None:
    await peer.open()
    with contextlib.suppress(OSError):  # the server has closed the socket
        for _ in range(300):
            await peer.messages({"type": "ping"})


async def before_an_invalid_message_is_answered(peer: Peer) -> None:
    await peer.open()
    await peer.messages({"type": "ping"}, {"type": "nothing"})


async def before_an_invalid_token_is_refused(peer: Peer) -> None:
    await peer.send(HANDSHAKE)
    await peer.receive(b"\r\n\r\n")
    await peer.messages({"type": "connection_init", "payload": {"token": "wrong"}})


async def in_operations(peer: Peer) -> None:
    await peer.open()
    await peer.messages(
        *(subscribe(STYLES, str(number)) for number in range(10)), subscribe(SIGN_UP % "in", "mutation")
    )


async def in_subscriptions(peer: Peer) -> None:
    await peer.open()
    await peer.messages(*(subscribe(CREDITS, str(number)) for number in range(5)))
    await peer.receive(b'"next"')


async def before_sign_out_closes_the_socket(peer: Peer) -> None:
    await peer.open()
    await peer.messages(subscribe(CREDITS), subscribe("mutation { signOut { sessionsEnded } }", "2"))


async def in_a_frame(peer: Peer) -> None:
    await peer.open()
    await peer.send(frame(Opcode.TEXT, b"x" * 1000)[:100])


async def in_a_fragmented_message(peer: Peer) -> None:
    await peer.open()
    await peer.send(Frame(Opcode.TEXT, b"x" * 1000, fin=False).serialize(mask=True))


MOMENTS = [
    part_of_a_head, part_of_a_json_body, part_of_a_form, part_of_an_upload, part_of_a_webhook, before_the_response,
    before_the_response_of_a_mutation, in_an_event_stream, before_an_event_stream, in_the_handshake,
    before_connection_init, before_connection_ack, in_a_flood_of_pings, in_a_flood_beyond_the_budget,
    before_an_invalid_message_is_answered, before_an_invalid_token_is_refused, in_operations, in_subscriptions,
    before_sign_out_closes_the_socket, in_a_frame, in_a_fragmented_message,
]  # fmt: skip


@pytest.fixture
async def ada(module_server: Running, request: pytest.FixtureRequest) -> Api:
    return await module_server.api.sign_up(f"{abs(hash(request.node.name))}@example.com")


@pytest.mark.parametrize("is_reset", [True, False], ids=["reset", "closed"])
@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: moment.__name__)
async def test_disconnect_is_not_logged_as_an_error(
    module_server: Running,
    ada: Api,
    moment: Callable[[Peer], Awaitable[None]],
    is_reset: bool,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    where = urlsplit(module_server.api.address)
    with socket.create_connection((where.hostname, where.port)) as end:
        end.setblocking(False)
        if is_reset:  # closing discards what was not sent, as when a process is killed
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await moment(Peer(end, ada))

    async def is_over() -> bool:
        assert (await module_server.api.http.get("/health/live")).status_code == 200
        return metric.sockets_open._value.get() == 0 and subscriber_count(module_server.services) == 0

    for _ in range(3):  # the server processes a disconnect before it answers the next request
        await until(is_over)
    gc.collect()  # exceptions of tasks that were never awaited
    await asyncio.sleep(0)
    assert [record.getMessage() for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == []
    printed = capsys.readouterr().out
    assert "Traceback" not in printed
    assert "[error" not in printed
    assert "[warning" not in printed


async def test_trailing_slash_is_404_and_not_redirected(module_server: Running) -> None:
    headers = {"host": "evil.example"}
    answer = await module_server.api.http.post("/graphql/", json={"query": "{ viewer { id } }"}, headers=headers)
    assert answer.status_code == 404
