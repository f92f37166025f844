"""Clients that send to their socket and never read from it."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from uvicorn.protocols.utils import ClientDisconnected
from websockets.frames import Frame, Opcode

from tests.support.client import PATIENCE, until
from tests.support.socket_peer import BUFFER, Peer, connected_peer, frame


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    async with connected_peer() as found:
        yield found


async def test_pings_that_are_never_read_use_bounded_memory_and_the_last_is_answered(peer: Peer) -> None:
    largest = 0
    for number in range(5_000):
        await peer.send(frame(Opcode.PING, b"%0125d" % number))
        largest = max(largest, peer.protocol.buffered)

    async def has_received_all() -> bool:
        return peer.protocol.received == peer.sent

    await until(has_received_all)
    assert BUFFER < largest < 2 * BUFFER + 256 * 1024, "5,000 pongs are 635,000 bytes"
    last, answers = b"%0125d" % 4_999, b""
    while last not in answers:
        answers = answers[-200:] + await peer.read()


async def test_messages_whose_answers_are_never_read_stop_being_read(peer: Peer) -> None:
    async def has_stopped_reading() -> bool:
        return not peer.protocol.transport.is_reading()

    while peer.protocol.writable.is_set():
        await peer.send(frame(Opcode.TEXT, b"x" * 100))
        await asyncio.sleep(0)
    await peer.send(frame(Opcode.TEXT, b"x" * 100))
    await until(has_stopped_reading)
    assert peer.protocol.buffered < 2 * BUFFER + 100_000


@pytest.mark.parametrize("size", [5, 125, 126, 65_535, 65_536])
async def test_text_that_is_written_at_once_is_one_frame(peer: Peer, size: int) -> None:
    assert peer.protocol.writer.write(b"head ", b"x" * (size - 5))
    expected = Frame(Opcode.TEXT, b"head " + b"x" * (size - 5)).serialize(mask=False)
    received = b""
    while len(received) < len(expected):
        received += await peer.read()
    assert received == expected


async def test_messages_of_one_step_are_written_together_before_what_is_sent_next(peer: Peer) -> None:
    for number in range(3):
        assert peer.protocol.writer.write(b"message ", b"%d" % number)
    with pytest.raises(BlockingIOError):  # written one by one, the first would have arrived
        peer.end.recv(1)
    await peer.protocol.send({"type": "websocket.send", "text": "last"})
    texts = [b"message 0", b"message 1", b"message 2", b"last"]
    expected = b"".join(Frame(Opcode.TEXT, text).serialize(mask=False) for text in texts)
    received = b""
    while len(received) < len(expected):
        received += await peer.read()
    assert received == expected


async def test_messages_of_one_step_are_bounded(peer: Peer) -> None:
    count = 0
    while peer.protocol.writer.write(b"", b"x" * 10_000):
        count += 1
    assert not peer.protocol.writable.is_set()
    assert count * 10_000 < 2 * BUFFER + 256 * 1024


async def test_text_is_not_written_at_once_to_a_client_that_does_not_read_or_is_gone(peer: Peer) -> None:
    while peer.protocol.writable.is_set():
        assert peer.protocol.writer.write(b"", b"x" * 10_000)
        await asyncio.sleep(0)
    assert not peer.protocol.writer.write(b"", b"x")
    await asyncio.wait_for(peer.protocol.send({"type": "websocket.close", "code": 4401, "reason": ""}), PATIENCE)
    assert not peer.protocol.writer.write(b"", b"x")


async def test_close_is_not_held_up_by_a_client_that_does_not_read(peer: Peer) -> None:
    while peer.protocol.writable.is_set():
        await peer.send(frame(Opcode.TEXT, b"x" * 100))
        await asyncio.sleep(0)
    await asyncio.wait_for(peer.protocol.send({"type": "websocket.close", "code": 4401, "reason": ""}), PATIENCE)
    timer = peer.protocol.close_timer
    assert timer is not None
    assert timer.when() <= asyncio.get_running_loop().time() + 5
    with pytest.raises(ClientDisconnected):
        await peer.protocol.send({"type": "websocket.send", "text": "late"})


async def test_client_that_answers_no_ping_is_closed_with_a_code_after_which_it_connects_again(peer: Peer) -> None:
    peer.protocol.keepalive_timeout()
    assert (await peer.read())[2:4] == (4499).to_bytes(2)
