"""What one socket, one client and one account may send and keep open."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import websockets
from websockets.frames import Opcode

from setting_types import Switch
from settings import PROFILES, Settings
from telemetry import metric
from tests.conftest import Running, running
from tests.support.bus_subscribers import wait_for_subscribers
from tests.support.client import CREDITS, PATIENCE, Api
from tests.support.raw_http import connection
from tests.support.socket_peer import HANDSHAKE, frame
from web.connection_limit import ConnectionLimits, Pace
from web.socket_frames import SocketLimits

PROTOCOL = websockets.Subprotocol("graphql-transport-ws")
PING = '{"type": "ping"}'
INIT = '{"type": "connection_init"}'
FEW = SocketLimits(frames=20, frames_per_second=0.001, bytes=20_000, bytes_per_second=0.001, fragments=10)

pytestmark = pytest.mark.any_database


@contextlib.asynccontextmanager
async def connected(server: Running) -> AsyncIterator[websockets.ClientConnection]:
    url = server.api.address.replace("http", "ws", 1) + "/graphql"
    async with websockets.connect(url, subprotocols=[PROTOCOL]) as connection:
        yield connection


async def closing(connection: websockets.ClientConnection) -> tuple[int | None, str | None]:
    """Return the server's close code and reason, skipping messages before it."""
    with contextlib.suppress(websockets.ConnectionClosed):
        while True:
            await asyncio.wait_for(connection.recv(), PATIENCE)
    return connection.close_code, connection.close_reason


async def acknowledged(connection: websockets.ClientConnection, **payload: str) -> bool:
    """Return whether connection_init is acknowledged and the socket stays open."""
    try:
        await connection.send(json.dumps({"type": "connection_init", "payload": payload}))
        await connection.send(PING)
        answers = [json.loads(await asyncio.wait_for(connection.recv(), PATIENCE))["type"] for _ in range(2)]
    except websockets.ConnectionClosed:
        return False
    return answers == ["connection_ack", "pong"]


@pytest.fixture
async def strict(settings: Settings) -> AsyncIterator[Running]:
    """A server whose sockets may send 20 frames, 20,000 bytes and 10 fragments of a message."""
    async with running(settings, idle=True, sockets=FEW) as found:
        yield found


async def pings(connection: websockets.ClientConnection) -> None:
    for _ in range(40):
        await connection.send(PING)


async def protocol_pings(connection: websockets.ClientConnection) -> None:
    for _ in range(40):
        await connection.ping()


async def unsolicited_pongs(connection: websockets.ClientConnection) -> None:
    for _ in range(40):
        await connection.pong(b"x" * 125)


async def repeated_completes(connection: websockets.ClientConnection) -> None:
    for number in range(40):
        await connection.send(json.dumps({"type": "complete", "id": str(number)}))


async def subscribes_and_completes(connection: websockets.ClientConnection) -> None:
    await connection.send(INIT)
    for number in range(20):
        payload = {"query": "{ __typename }"}
        await connection.send(json.dumps({"type": "subscribe", "id": str(number), "payload": payload}))
        await connection.send(json.dumps({"type": "complete", "id": str(number)}))


async def large_messages(connection: websockets.ClientConnection) -> None:
    for _ in range(3):
        await connection.send(json.dumps({"type": "ping", "payload": {"text": "x" * 9000}}))


@pytest.mark.parametrize(
    "flood",
    [pings, protocol_pings, unsolicited_pongs, repeated_completes, subscribes_and_completes, large_messages],
    ids=lambda flood: flood.__name__,
)
async def test_more_than_the_budget_of_a_socket_closes_it_with_4429(
    strict: Running, flood: Callable[[websockets.ClientConnection], Awaitable[None]], caplog: pytest.LogCaptureFixture
) -> None:
    refused = metric.sockets_refused.labels("messages")._value.get()
    async with connected(strict) as other, connected(strict) as connection:
        with contextlib.suppress(websockets.ConnectionClosed):
            await flood(connection)
        assert await closing(connection) == (4429, "Too many requests")
        assert await acknowledged(other)
    assert metric.sockets_refused.labels("messages")._value.get() == refused + 1
    assert [record.getMessage() for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == []


async def test_budget_of_a_socket_is_refilled(settings: Settings) -> None:
    limits = SocketLimits(frames=10, frames_per_second=1_000_000)  # faster than any client sends
    async with running(settings, idle=True, sockets=limits) as server, connected(server) as connection:
        for _ in range(100):
            await connection.send(PING)
            assert json.loads(await asyncio.wait_for(connection.recv(), PATIENCE)) == {"type": "pong"}


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ([""] * 15, 1009),
        (["{"] + [""] * 15, 1009),
        (["x" * 40_000] * 2, 1009),
        ("x" * 70_000, 1009),
        (['{"type": ', '"nothing"', "}"], 4400),
    ],
    ids=["empty fragments", "empty continuations", "large fragments", "large", "few fragments"],
)
async def test_fragments_and_large_messages_are_limited(
    settings: Settings, message: list[str] | str, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    limits = SocketLimits(fragments=10)
    async with running(settings, idle=True, sockets=limits) as server, connected(server) as connection:
        with contextlib.suppress(websockets.ConnectionClosed):
            await connection.send(message)
        assert (await closing(connection))[0] == code
    assert [record.getMessage() for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == []


async def test_text_that_is_not_utf8_closes_with_1007_and_is_not_logged(
    strict: Running, caplog: pytest.LogCaptureFixture
) -> None:
    async with connected(strict) as connection:
        await connection.send(b"\xff\xfe", text=True)
        assert (await closing(connection))[0] == 1007
    assert [record.getMessage() for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == []


@pytest.mark.parametrize(
    "second",
    [frame(Opcode.TEXT, b"\xfe"), frame(Opcode.PING, b"") + frame(Opcode.TEXT, b"{}")],
    ids=["another", "ping and text"],
)
async def test_frames_after_text_that_is_not_utf8_are_dropped_without_an_error(
    strict: Running, second: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with connection(strict.api.address) as raw:
        await raw.send(HANDSHAKE)
        assert (await raw.answer()).status == 101
        await raw.send(frame(Opcode.TEXT, b"\xff") + second)
        assert frame(Opcode.CLOSE, b"")[:1] + b"\x14" + (1007).to_bytes(2) in await raw.rest()
    assert [record.getMessage() for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == []


async def test_compression_is_not_offered(strict: Running) -> None:
    async with connected(strict) as connection:
        assert connection.response is not None
        assert "Sec-WebSocket-Extensions" not in connection.response.headers


async def test_handshake_with_a_header_that_is_too_long_is_answered(strict: Running) -> None:
    url = strict.api.address.replace("http", "ws", 1) + "/graphql"
    with pytest.raises(websockets.InvalidStatus) as caught:
        async with websockets.connect(url, additional_headers={"X-Long": "x" * 9_000}):
            pass
    assert caught.value.response.status_code == 431


async def test_socket_without_connection_init_closes_with_4408(settings: Settings) -> None:
    async with running(settings, idle=True, init_seconds=0.05) as server, connected(server) as connection:
        await connection.send(PING)
        assert (await closing(connection))[0] == 4408


async def test_connection_init_of_a_client_over_its_pace_is_not_late(settings: Settings) -> None:
    limits = ConnectionLimits(0, Pace(burst=11, per_second=0.001))  # opening counts as 11 messages
    async with running(settings, idle=True, connection_limits=limits) as server, connected(server) as connection:
        await connection.send(json.dumps({"type": "connection_init"}))
        assert json.loads(await connection.recv())["type"] == "connection_ack"


async def test_sockets_and_streams_of_one_client_are_limited(settings: Settings) -> None:
    async with running(settings, idle=True, connection_limits=ConnectionLimits(2, None)) as server:
        ada = await server.api.sign_up()
        async with connected(server) as first:
            async with connected(server):
                async with connected(server) as third:
                    assert await closing(third) == (4429, "Too many connections")
                refused = await ada.raw(CREDITS, headers={"accept": "text/event-stream"})
                assert refused.status_code == 429
                assert refused.json()["errors"][0]["extensions"] == {"code": "RATE_LIMITED"}
            assert await acknowledged(first), "the others stay open"
            async with stream(ada) as response:
                assert response.status_code == 200
                async with connected(server) as third:
                    assert await closing(third) == (4429, "Too many connections")


@contextlib.asynccontextmanager
async def stream(api: Api) -> AsyncIterator[Any]:
    headers = api.headers(accept="text/event-stream")
    async with api.http.stream("POST", "/graphql", json={"query": CREDITS}, headers=headers) as response:
        yield response


def limited(settings: Settings, folder: Path, limit: str) -> Settings:
    """Return settings with rate limits and a profile that has this limit."""
    studio = (PROFILES / "studio.toml").read_text(encoding="utf-8")
    (folder / "shared").symlink_to(PROFILES / "shared")
    (folder / "few.toml").write_text(studio.replace("[limits]\n", f"[limits]\n{limit}\n"))
    return settings.model_copy(update={"profile": str(folder / "few"), "rate_limits": Switch.ON})


async def test_sockets_and_streams_of_one_account_are_limited(settings: Settings, tmp_path: Path) -> None:
    async with running(limited(settings, tmp_path, "connections_per_account = 2"), idle=True) as server:
        ada, eve = await server.api.sign_up(), await server.api.sign_up("eve@example.com")
        async with connected(server) as first, connected(server) as second, connected(server) as third:
            assert await acknowledged(first, token=str(ada.token))
            async with stream(ada) as response:
                assert response.status_code == 200
                assert not await acknowledged(second, token=str(ada.token))
                assert await closing(second) == (4429, "Too many connections")
                assert (await ada.raw(CREDITS, headers={"accept": "text/event-stream"})).status_code == 429
                assert await acknowledged(third, token=str(eve.token)), "another account"
        async with connected(server) as again:
            assert await acknowledged(again, token=str(ada.token))


async def test_settings_limit_the_sockets_of_a_client_unless_rate_limits_are_off(settings: Settings) -> None:
    for switch, is_open in ((Switch.ON, False), (Switch.OFF, True)):
        changed = settings.model_copy(update={"max_sockets_per_client": 1, "rate_limits": switch})
        async with running(changed, idle=True) as server, connected(server), connected(server) as second:
            assert await acknowledged(second) is is_open


async def test_subscriptions_of_one_account_are_limited_over_all_sockets(settings: Settings, tmp_path: Path) -> None:
    async with running(limited(settings, tmp_path, "subscriptions_per_account = 3"), idle=True) as server:
        ada, eve = await server.api.sign_up(), await server.api.sign_up("eve@example.com")
        async with ada.socket() as first, ada.socket() as second, eve.socket() as other:
            for socket in (first, first, second, other):
                stream = await socket.subscribe(CREDITS)
                await stream.next()
            refused = await (await second.subscribe(CREDITS)).message()
            (error,) = refused["payload"] if refused["type"] == "error" else refused["payload"]["errors"]
            assert error["extensions"] == {"code": "RATE_LIMITED"}
            assert "3" in error["message"]
            await first.connection.close()
            await wait_for_subscribers(server.services, 2)
            await (await second.subscribe(CREDITS)).next()


async def test_client_over_its_pace_waits_and_others_do_not() -> None:
    limits = ConnectionLimits(0, Pace(burst=2, per_second=0.001))
    with limits.client("busy"), limits.client("other"):
        for _ in range(2):
            await asyncio.wait_for(limits.wait("busy", 0), PATIENCE)
        late = asyncio.create_task(limits.wait("busy", 0))
        await asyncio.wait_for(limits.wait("other", 0), PATIENCE)
        assert not late.done()
        late.cancel()
    with limits.client("busy"):
        late = asyncio.create_task(limits.wait("busy", 0))
        await asyncio.wait_for(limits.wait("other", 0), PATIENCE)
        assert not late.done(), "a new connection is no new burst"
        late.cancel()
