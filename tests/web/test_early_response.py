"""Responses to requests whose body the client is still sending: proxies lose them unless the body has ended."""

import asyncio

import pytest

from tests.support.http_connection import LENGTH, Connected, body, get, sending, start


async def test_early_response_waits_for_the_rest_of_an_announced_body() -> None:
    connected = Connected(sending(start(LENGTH), body(b"body")))
    for part in (get("POST", "1.1", "Content-Length: 200000") + b"a", bytes(100_000), bytes(99_998)):
        connected.protocol.data_received(part)
        for _ in range(5):
            await asyncio.sleep(0)
        assert connected.transport.written == []
        assert not connected.transport.is_reading_paused
    (written,) = await connected.send(b"z")
    assert written.endswith(b"\r\n\r\nbody")
    assert len(await connected.send(get())) == 2  # the connection serves the next request


@pytest.mark.parametrize(
    "headers",
    [
        ("Content-Length: 9", "Expect: 100-continue"),
        ("Content-Length: 100000000",),
        ("Transfer-Encoding: chunked",),
        ("Content-Length: 9",),
    ],
    ids=["the client waits", "it would be too much", "its end is unknown", "the client pauses"],
)
async def test_early_response_is_sent_without_the_rest_of_the_body(headers: tuple[str, ...]) -> None:
    (written,) = await Connected(sending(start(LENGTH), body(b"body"))).send(get("POST", "1.1", *headers))
    assert written.endswith(b"\r\n\r\nbody")


@pytest.mark.parametrize("length", ["0" * 5000 + "9", "0009", "9" * 18])
async def test_announced_length_may_have_any_number_of_digits(length: str) -> None:
    (written,) = await Connected(sending(start(LENGTH), body(b"body"))).send(
        get("POST", "1.1", f"Content-Length: {length}")
    )
    assert written.endswith(b"\r\n\r\nbody")


async def test_early_response_that_closes_the_connection_does_not_wait() -> None:
    connected = Connected(sending(start(LENGTH, (b"connection", b"close")), body(b"body")))
    connected.protocol.data_received(get("POST", "1.1", "Content-Length: 9") + b"a")
    for _ in range(5):
        await asyncio.sleep(0)
    assert connected.transport.is_closed


async def test_early_response_is_sent_when_the_server_stops() -> None:
    connected = Connected(sending(start(LENGTH), body(b"body")))
    connected.protocol.data_received(get("POST", "1.1", "Content-Length: 9") + b"a")
    for _ in range(5):
        await asyncio.sleep(0)
    assert connected.transport.written == []
    connected.protocol.shutdown()
    (written,) = await connected.send()
    assert written.endswith(b"\r\nconnection: close\r\n\r\nbody")
    assert connected.transport.is_closed


async def test_early_response_to_a_client_that_goes_away_is_not_written() -> None:
    connected = Connected(sending(start(LENGTH), body(b"body")))
    connected.protocol.data_received(get("POST", "1.1", "Content-Length: 9") + b"a")
    await asyncio.sleep(0)
    connected.lose()
    assert await connected.send() == []
