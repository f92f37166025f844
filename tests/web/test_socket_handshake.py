"""Handshakes of WebSockets as a client may send them that does not wait, or that does not want one."""

import asyncio

import pytest
from websockets.frames import Opcode

from tests.conftest import Running
from tests.support.client import PATIENCE
from tests.support.raw_http import VIEWER_REQUEST, connection, request
from tests.support.socket_peer import HANDSHAKE, frame

ACKNOWLEDGED = b'{"type":"connection_ack"}'
INIT = frame(Opcode.TEXT, b'{"type":"connection_init"}')
WITH_BODY = HANDSHAKE.replace(b"\r\n\r\n", b"\r\nContent-Length: 2\r\n\r\n{}")
REFUSED = [
    HANDSHAKE.replace(b"/graphql", b"/nothing"),
    HANDSHAKE.replace(b"Host:", b"Origin: https://other.example\r\nHost:"),
]


@pytest.fixture
async def server(module_server: Running) -> Running:
    return module_server


@pytest.mark.parametrize("is_split", [False, True])
async def test_frames_before_the_answer_to_the_handshake_are_handled_after_it(server: Running, is_split: bool) -> None:
    ping = frame(Opcode.PING, b"early")
    async with connection(server.api.address) as raw:
        await raw.send(HANDSHAKE + ping + INIT[:10] if is_split else HANDSHAKE + ping + INIT)
        if is_split:
            await raw.send(INIT[10:])
        assert (await raw.answer()).status == 101
        async with asyncio.timeout(PATIENCE):
            assert await raw.reader.readexactly(7) == b"\x8a\x05early"
            assert (await raw.reader.readexactly(2 + len(ACKNOWLEDGED)))[2:] == ACKNOWLEDGED


async def test_broken_rule_before_the_answer_to_the_handshake_closes_the_socket_after_it(server: Running) -> None:
    async with connection(server.api.address) as raw:
        await raw.send(HANDSHAKE + b"\xff" * 10)
        assert (await raw.answer()).status == 101
        assert (await raw.rest())[2:4] == (1002).to_bytes(2)


async def test_handshake_with_a_body_is_refused(server: Running) -> None:
    async with connection(server.api.address) as raw:
        await raw.send(WITH_BODY)
        assert (await raw.answer()).status == 400
        assert await raw.rest() == b""


async def test_handshake_that_does_not_wait_for_an_earlier_response_is_refused(server: Running) -> None:
    async with connection(server.api.address) as raw:
        await raw.send(VIEWER_REQUEST + HANDSHAKE)
        answer = await raw.answer()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert await raw.rest() == b""


async def test_handshake_after_a_response_on_the_same_connection_is_accepted(server: Running) -> None:
    async with connection(server.api.address) as raw:
        await raw.send(request("GET", "/health/live"))
        assert (await raw.answer()).status == 200
        await raw.send(HANDSHAKE)
        assert (await raw.answer()).status == 101


@pytest.mark.parametrize("handshake", REFUSED, ids=["path", "origin"])
async def test_refused_handshake_is_no_error_of_the_server(
    server: Running, handshake: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(5):
        async with connection(server.api.address) as raw:
            await raw.send(handshake)
            assert (await raw.answer()).status == 403
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []
