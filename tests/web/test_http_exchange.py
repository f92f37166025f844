"""The bytes and writes of responses: compared with those of uvicorn's own protocol for the same messages."""

import asyncio
import gc
import weakref
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from tests.support.http_connection import LENGTH, OWN, UVICORN, Connected, body, get, sending, start
from tests.support.socket_peer import HANDSHAKE
from web.http_exchange import STOPPING, WHOLE_RESPONSE

RESPONSES: dict[str, list[Message | None]] = {
    "length": [start(LENGTH), body(b"body")],
    "length, in parts": [start(LENGTH), body(b"bo", more=True), body(b"dy")],
    "no length": [start(), body(b"body")],
    "no length, in parts": [start(), body(b"bo", more=True), None, body(more=True), body(b"dy", more=True), body()],
    "chunked by the application": [start((b"Transfer-Encoding", b"Chunked")), body(b"body")],
    "length of a chunked body": [start((b"transfer-encoding", b"chunked"), LENGTH), body(b"body")],
    "empty": [start(status=204), body()],
    "not modified": [start((b"etag", b'"a"'), status=304), body()],
    "names in upper case": [start((b"Content-Length", b"4"), (b"X-A", b"\xe4")), body(b"body")],
    "closed": [start(LENGTH, (b"connection", b"Upgrade, Close")), body(b"body")],
    "constant headers": [start(LENGTH, (b"x-frame-options", b"DENY"), (b"X-Frame-Options", b"DENY")), body(b"body")],
    "unknown status": [start(LENGTH, status=299), body(b"body")],
    "too long": [start(LENGTH), body(b"bodies")],
    "too short": [start(LENGTH), body(b"bo")],
    "invalid value": [start((b"x", b"a\r\nb: c")), body()],
    "invalid name": [start((b"x y", b"a")), body()],
    "no start": [body(b"body")],
    "two starts": [start(LENGTH), start(LENGTH)],
    "no end": [start(LENGTH), body(b"bo", more=True)],
    "too much": [start(LENGTH), body(b"body"), body(b"body")],
    "nothing": [],
}
REQUESTS = {
    "GET": get(), "HEAD": get("HEAD"), "1.0": get("GET", "1.0"), "close": get("GET", "1.1", "Connection: close"),
}  # fmt: skip


@pytest.mark.parametrize("request_of", REQUESTS)
@pytest.mark.parametrize("response", RESPONSES)
async def test_responses_have_the_bytes_of_uvicorns_protocol(response: str, request_of: str) -> None:
    both = [Connected(sending(*RESPONSES[response]), options) for options in (OWN, UVICORN)]
    own, other = [b"".join(await each.send(REQUESTS[request_of])) for each in both]
    assert own == other
    assert [each.transport.is_closed for each in both] in ([True, True], [False, False])


async def test_scopes_are_those_of_uvicorns_protocol() -> None:
    scopes: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)
        await sending(start(LENGTH), body(b"body"))(scope, receive, send)

    for options in (OWN, UVICORN):
        await Connected(app, options).send(get("POST", "1.0", "X-A: \xe4", "Content-Length: 0"))
    assert set(scopes[0].pop("extensions")) == {WHOLE_RESPONSE, STOPPING}
    assert scopes[0] == scopes[1]


async def test_head_and_body_of_one_step_are_one_write() -> None:
    (written,) = await Connected(sending(start(LENGTH), body(b"body"))).send(get())
    assert written.endswith(b"\r\n\r\nbody")


async def test_whole_response_in_one_message_is_that_in_two() -> None:
    whole = Connected(sending(start(LENGTH, body=b"body")))
    assert await whole.send(get()) == await Connected(sending(start(LENGTH), body(b"body"))).send(get())
    assert len(await whole.send(get())) == 2
    head = Connected(sending(start(LENGTH, body=b"body")))
    assert (await head.send(get("HEAD")))[0].endswith(b"content-length: 4\r\n\r\n")


async def test_head_without_body_is_written_in_the_next_step() -> None:
    goes_on = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(LENGTH))
        await goes_on.wait()
        await send(body(b"body"))

    connected = Connected(app)
    connected.protocol.data_received(get())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert [written[:8] for written in connected.transport.written] == [b"HTTP/1.1"]
    goes_on.set()
    assert (await connected.send())[1:] == [b"body"]


async def test_head_of_a_failed_response_is_written_before_the_connection_is_closed() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(LENGTH))
        raise ValueError

    connected = Connected(app)
    (written,) = await connected.send(get())
    assert (written[-4:], connected.transport.is_closed) == (b"\r\n\r\n", True)


async def test_result_of_an_application_closes_the_connection() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> object:
        return 1

    connected = Connected(app)
    assert (await connected.send(get()), connected.transport.is_closed) == ([], True)


async def test_body_is_received_in_parts_and_then_the_end_of_the_exchange() -> None:
    received: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while not received or received[-1].get("more_body"):
            received.append(await receive())
        await send(start(LENGTH, body=b"body"))
        received.append(await receive())

    connected = Connected(app)
    head = get("POST", "1.1", "Content-Length: 8", "Expect: 100-continue")
    written = await connected.send(head, b"abc", b"d", b"efgh")
    assert b"".join(message.get("body", b"") for message in received) == b"abcdefgh"
    assert received[-1] == {"type": "http.disconnect"}
    assert written[0] == b"HTTP/1.1 100 Continue\r\n\r\n"


async def test_reading_pauses_while_the_application_has_not_received_the_body() -> None:
    goes_on = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await goes_on.wait()
        assert len((await receive())["body"]) == 70_000
        await sending(start(LENGTH), body(b"body"))(scope, receive, send)

    connected = Connected(app)
    connected.protocol.data_received(get("POST", "1.1", "Content-Length: 70000") + bytes(70_000))
    assert connected.transport.is_reading_paused
    goes_on.set()
    await connected.send()
    assert not connected.transport.is_reading_paused


async def test_client_that_has_gone_ends_the_exchange() -> None:
    received: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        received.extend([await receive(), await receive()])
        await send(start(LENGTH, body=b"body"))

    connected = Connected(app)
    connected.protocol.data_received(get())
    await asyncio.sleep(0)
    connected.lose()
    assert await connected.send() == []
    assert [message["type"] for message in received] == ["http.request", "http.disconnect"]


async def test_client_that_has_gone_ends_the_exchange_before_a_pipelined_one() -> None:
    received: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        received.extend([await receive(), await receive()])

    connected = Connected(app)
    connected.protocol.data_received(get() + get())
    await asyncio.sleep(0)
    connected.lose()
    await connected.send()
    assert [message["type"] for message in received] == ["http.request", "http.disconnect"]


FOR_H2C = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")  # as of Java and curl
BODIES = {
    "a length": (("Content-Length: 5",), b"hello"),
    "chunks": (("Transfer-Encoding: chunked",), b"2\r\nhe\r\n3\r\nllo\r\n0\r\nX: 1\r\n\r\n"),
    "nothing": ((), b""),
}


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize("of", BODIES)
async def test_request_that_offers_another_protocol_keeps_its_body_and_connection(of: str, size: int) -> None:
    headers, sent = BODIES[of]
    expected = b"hello" if sent else b""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        data, more = b"", True
        while more:
            message = await receive()
            data, more = data + message["body"], message["more_body"]
        answer = scope["method"].encode() + b" " + data
        await send(start((b"content-length", b"%d" % len(answer)), body=answer))

    requests = get("POST", "1.1", *FOR_H2C, *headers) + sent + get("POST", "1.1", *FOR_H2C, *headers) + sent + get()
    kept = Connected(app)
    await kept.send(*(requests[index : index + size] for index in range(0, len(requests), size)))
    answers = [written.rpartition(b"\r\n\r\n")[2] for written in kept.transport.written]
    assert (answers, kept.transport.is_closed) == ([b"POST " + expected, b"POST " + expected, b"GET "], False)
    closed = Connected(app)
    (written,) = await closed.send(get("POST", "1.1", "Connection: Upgrade, close", "Upgrade: h2c", *headers) + sent)
    assert (written.rpartition(b"\r\n\r\n")[2], closed.transport.is_closed) == (b"POST " + expected, True)


async def test_socket_is_refused_while_an_earlier_request_is_answered() -> None:
    goes_on = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await goes_on.wait()
        await send(start(LENGTH, body=b"body"))

    connected = Connected(app)
    connected.protocol.data_received(get() + HANDSHAKE)
    await asyncio.sleep(0)
    goes_on.set()
    (written,) = await connected.send()
    assert written.endswith(b"\r\nconnection: close\r\n\r\nbody")
    assert connected.transport.is_closed


async def test_writing_waits_for_a_client_that_does_not_read() -> None:
    connected = Connected(sending(start(LENGTH), body(b"bo", more=True), body(b"dy")))
    connected.protocol.pause_writing()
    connected.protocol.data_received(get())
    for _ in range(3):
        await asyncio.sleep(0)
    assert connected.transport.written == []
    connected.protocol.resume_writing()
    assert b"".join(await connected.send()).endswith(b"\r\n\r\nbody")


async def test_exchange_is_freed_without_the_garbage_collector() -> None:
    connected = Connected(sending(start(LENGTH), body(b"body")))
    await connected.send(get())
    freed = weakref.ref(connected.protocol)
    gc.disable()
    try:
        connected.lose()
        connected.transport = None  # type: ignore[assignment]  # it has the protocol no more
        connected.protocol = None
        await asyncio.sleep(0)
        assert freed() is None
    finally:
        gc.enable()


async def test_idle_connection_has_one_timer_for_all_its_requests() -> None:
    connected = Connected(sending(start(LENGTH), body(b"body")))
    await connected.send(get())
    timer = connected.protocol.timeout_keep_alive_task
    for _ in range(3):
        await connected.send(get())
    assert connected.protocol.timeout_keep_alive_task is timer
    timer.cancel()
