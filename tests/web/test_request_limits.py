"""Limits of size and time for every stage of a request, over raw sockets."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from settings import Settings
from tests.conftest import Running, running
from tests.support.raw_http import VIEWER, VIEWER_REQUEST, connection, exchange, request
from web.http_protocol import MAX_HEAD_BYTES, MAX_HEADER_BYTES, MAX_HEADERS, MAX_URL_BYTES
from web.open_connections import ServerLimits

pytestmark = pytest.mark.any_database

PATIENT = ServerLimits(head=60, body=60, idle=60, write=60)
JSON = "Content-Type: application/json"
UPGRADE = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Protocol: graphql-transport-ws",
)


def large_head(total: int) -> bytes:
    """Return a request whose head has about `total` bytes, in headers of 1,000."""
    return request("POST", "/graphql", JSON, *(f"X-{number}: {'a' * 1000}" for number in range(total // 1000)))


# name -> (request, status)
TOO_LARGE = {
    "a URL": (request("GET", "/" + "a" * (MAX_URL_BYTES + 1)), 414),
    "a query": (request("GET", "/graphql?" + "a" * MAX_URL_BYTES), 414),
    "a URL without end": (b"GET /" + b"a" * 200_000, 414),
    "one header": (request("GET", "/health/live", "X: " + "a" * MAX_HEADER_BYTES), 431),
    "the name of a header": (request("GET", "/health/live", "a" * MAX_HEADER_BYTES + ": 1"), 431),
    "a header without end": (b"GET / HTTP/1.1\r\nX: " + b"a" * 200_000, 431),
    "the name of a header without end": (b"GET / HTTP/1.1\r\n" + b"a" * 200_000, 431),
    "empty lines without end": (b"\r\n" * 100_000, 431),
    "many headers": (request("GET", "/health/live", *(f"X-{n}: 1" for n in range(MAX_HEADERS))), 431),
    "all headers together": (large_head(MAX_HEAD_BYTES + 2000), 431),
    "a WebSocket's header": (request("GET", "/graphql", *UPGRADE, "X: " + "a" * 9000), 431),
    "a WebSocket's URL": (request("GET", "/graphql?" + "a" * 9000, *UPGRADE), 414),
}


@pytest.fixture
async def patient(settings: Settings) -> AsyncIterator[Running]:
    async with running(settings, idle=True, limits=PATIENT) as server:
        yield server


async def test_heads_that_are_too_large_are_refused(patient: Running, caplog: pytest.LogCaptureFixture) -> None:
    for name, (head, status) in TOO_LARGE.items():
        for parts in ([head], [head[start : start + 7000] for start in range(0, len(head), 7000)]):
            async with connection(patient.api.address) as raw:
                for part in parts:
                    await raw.send(part)
                answer = await raw.answer()
                assert answer.status == status, name
                assert answer.headers["connection"] == "close"
                assert answer.headers["x-content-type-options"] == "nosniff"
                assert await raw.rest() == b"", name
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


async def test_heads_just_below_the_limits_are_served(patient: Running) -> None:
    for head in (
        request("GET", "/health/live?" + "a" * (MAX_URL_BYTES - 13)),
        request("GET", "/health/live", "X: " + "a" * (MAX_HEADER_BYTES - 1)),
        request("GET", "/health/live", *(f"X-{number}: 1" for number in range(MAX_HEADERS - 1))),
        request("GET", "/health/live", *(f"X-{number}: {'a' * 1000}" for number in range(15))),
    ):
        assert (await exchange(patient.api.address, head)).status == 200
    for more in ("X: " + "a" * (MAX_HEADER_BYTES - 1), "Cookie: " + "a" * 7000):
        assert (await exchange(patient.api.address, request("GET", "/graphql", *UPGRADE, more))).status == 101


async def test_second_request_of_a_connection_has_the_same_limits(patient: Running) -> None:
    async with connection(patient.api.address) as raw:
        await raw.send(VIEWER_REQUEST)
        assert (await raw.answer()).status == 200
        await raw.send(TOO_LARGE["a header without end"][0])
        assert (await raw.answer()).status == 431


async def test_malformed_handshake_is_answered(patient: Running) -> None:
    # A space in a value is fine for httptools, and the missing key is noticed by the websockets package.
    for headers in (UPGRADE[:3], (*UPGRADE[:3], "Sec-WebSocket-Key: short")):
        assert (await exchange(patient.api.address, request("GET", "/graphql", *headers))).status in {400, 426}


async def test_malformed_request_is_400_and_gets_the_security_headers(patient: Running) -> None:
    for wire in (b"\x16\x03\x01\x00\xf7", b"HELLO\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n"):
        answer = await exchange(patient.api.address, wire)
        assert (answer.status, answer.headers["x-frame-options"]) == (400, "DENY")


async def test_body_without_end_is_413_and_then_closed(patient: Running) -> None:
    async with connection(patient.api.address) as raw:
        await raw.send(request("POST", "/graphql", JSON, "Transfer-Encoding: chunked"))
        chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        await raw.send(chunk * 2)
        assert (await raw.answer()).status == 413
        for _ in range(300):  # 19 MiB: beyond what is discarded so that the client can read the response
            await raw.send(chunk)
        assert await raw.rest() == b""


async def test_client_that_sends_all_of_a_body_that_is_too_large_can_read_the_response(patient: Running) -> None:
    async with connection(patient.api.address) as raw:
        await raw.send(request("POST", "/graphql", JSON, body=b" " * 8 * 2**20))
        assert (await raw.answer()).status == 413
        await raw.send(VIEWER_REQUEST)
        assert (await raw.answer()).status == 200


async def test_announced_body_that_is_too_large_is_413_before_it_is_sent(patient: Running) -> None:
    head = request("POST", "/graphql", JSON, "Content-Length: 1000000000000", "Expect: 100-continue")
    assert (await exchange(patient.api.address, head)).status == 413


@pytest.mark.parametrize("tail", [b"1;" + b"e" * 50_000, b"0\r\nX-Trailer: " + b"a" * 50_000])
async def test_framing_of_chunks_is_limited(patient: Running, tail: bytes) -> None:
    head = request("POST", "/graphql", JSON, "Transfer-Encoding: chunked")
    assert (await exchange(patient.api.address, head, tail[:1000], tail[1000:], tail)).status == 431


async def test_thousands_of_one_byte_chunks_are_refused(patient: Running) -> None:
    head = request("POST", "/graphql", JSON, "Transfer-Encoding: chunked")
    assert (await exchange(patient.api.address, head, b"1\r\n \r\n" * 5000)).status == 400


async def test_trailers_do_not_become_headers(patient: Running) -> None:
    body = b"%x\r\n%s\r\n0\r\nAuthorization: Bearer x\r\nX-Request-Id: trailer\r\n\r\n" % (len(VIEWER), VIEWER)
    async with connection(patient.api.address) as raw:
        for _ in range(2):
            await raw.send(request("POST", "/graphql", JSON, "Transfer-Encoding: chunked") + body)
            answer = await raw.answer()
            assert (answer.status, answer.headers["x-request-id"] != "trailer") == (200, True)


async def test_pipelined_requests_are_answered_in_order_and_limited(patient: Running) -> None:
    live = request("GET", "/health/live")
    async with connection(patient.api.address) as raw:
        await raw.send(live * 10)
        assert [(await raw.answer()).status for _ in range(10)] == [200] * 10
        await raw.send(live * 5000)
        assert 1 <= (await raw.rest()).count(b"HTTP/1.1 200") <= 20


QUICK = replace(PATIENT, head=0.2, linger=0.2)


@pytest.mark.parametrize("start", [b"G", b"GET /health/live HTTP/1.1\r\nHost: lo", b"\r\n", b"\r\nGET"])
async def test_half_sent_head_is_408(settings: Settings, start: bytes) -> None:
    async with running(settings, idle=True, limits=QUICK) as server:
        answer = await exchange(server.api.address, start)
        assert (answer.status, answer.headers["connection"]) == (408, "close")
        async with connection(server.api.address) as raw:
            await raw.send(VIEWER_REQUEST)
            assert (await raw.answer()).status == 200
            await raw.send(start)
            assert (await raw.answer()).status == 408
            assert await raw.rest() == b""


async def test_dribbled_head_is_408(settings: Settings) -> None:
    async with running(settings, idle=True, limits=QUICK) as server, connection(server.api.address) as raw:
        answer = asyncio.create_task(raw.answer())
        await raw.send(b"GET /health/live HTTP/1.1\r\nX: ")
        while not answer.done():
            await raw.send(b"a")
            await asyncio.wait([answer], timeout=0.01)
        assert answer.result().status == 408


async def test_silent_and_idle_connections_are_closed_without_a_response(settings: Settings) -> None:
    limits = replace(PATIENT, head=0.2, idle=0.2)
    async with running(settings, idle=True, limits=limits) as server:
        async with connection(server.api.address) as raw:
            assert await raw.rest() == b""
        async with connection(server.api.address) as raw:
            await raw.send(VIEWER_REQUEST)
            assert (await raw.answer()).status == 200
            assert await raw.rest() == b""


@pytest.mark.parametrize("path", ["/graphql", "/webhooks/polar", "/verify-email"])
async def test_half_sent_body_is_408_and_no_error(
    settings: Settings, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(settings, idle=True, limits=replace(PATIENT, body=0.2, linger=0.2)) as server:
        for framing in ("Content-Length: 1000", "Transfer-Encoding: chunked"):
            async with connection(server.api.address) as raw:
                await raw.send(request("POST", path, JSON, framing) + b'5\r\n{"a":\r\n')
                assert (await raw.answer()).status == 408
                assert await raw.rest() == b""
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


async def test_refusal_of_a_body_that_is_sent_too_slowly_says_its_reason(settings: Settings) -> None:
    limits = replace(PATIENT, body=0.2, linger=0.2)
    async with running(settings, idle=True, limits=limits) as server, connection(server.api.address) as raw:
        await raw.send(request("POST", "/nothing/here", "Content-Length: 1000000"))
        answer = asyncio.create_task(raw.answer())
        while not answer.done():
            await raw.send(b"a")
            await asyncio.wait([answer], timeout=0.01)
        assert answer.result().status == 404
        assert await raw.rest() == b""


async def test_body_that_arrives_fast_enough_is_accepted(settings: Settings) -> None:
    """Each part adds half a second to the time that the next may take."""
    limits = replace(PATIENT, body=0.3, body_rate=100)
    body = VIEWER.replace(b"{ viewer", b"{" + b" " * 400 + b"viewer")
    async with running(settings, idle=True, limits=limits) as server, connection(server.api.address) as raw:
        await raw.send(request("POST", "/graphql", JSON, f"Content-Length: {len(body)}"))
        for start in range(0, len(body), 50):
            await raw.send(body[start : start + 50])
            await asyncio.sleep(0.04)  # 0.36 s in all, more than the base time
        assert (await raw.answer()).status == 200
