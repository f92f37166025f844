"""Limits of the number of connections, over raw sockets; each loopback address is a client."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import uvicorn

from adapters import server_limits
from setting_types import Switch
from settings import Settings
from tests.conftest import running
from tests.support.raw_http import VIEWER_REQUEST, RawConnection, connection, request
from web.open_connections import ServerLimits, max_backlog, max_connections
from web.server import uvicorn_options

pytestmark = pytest.mark.any_database

PATIENT = ServerLimits(head=60, body=60, idle=60, write=60, linger=0.2)
HALF = request("POST", "/graphql", "Content-Type: application/json", "Content-Length: 100")
ATTACKER, USER = "127.0.0.2", "127.0.0.3"


@contextlib.asynccontextmanager
async def open_many(address: str, count: int, source: str, sent: bytes = b"") -> AsyncIterator[list[RawConnection]]:
    """Open `count` connections, each of which sends `sent` and then nothing."""
    async with contextlib.AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(connection(address, source)) for _ in range(count)]
        for raw in opened:
            await raw.send(sent)
        yield opened


async def assert_served(address: str, source: str) -> None:
    async with connection(address, source) as raw:
        await raw.send(VIEWER_REQUEST)
        assert (await raw.answer()).status == 200


@pytest.mark.parametrize("sent", [b"", b"POST /graphql HTTP/1.1\r\nHost:", VIEWER_REQUEST])
async def test_connection_that_waited_longest_for_a_request_makes_room(settings: Settings, sent: bytes) -> None:
    async with (
        running(settings, idle=True, limits=replace(PATIENT, per_client=5)) as server,
        open_many(server.api.address, 5, ATTACKER, sent) as waiting,
    ):
        if sent is VIEWER_REQUEST:
            assert [(await raw.answer()).status for raw in waiting] == [200] * 5
        await assert_served(server.api.address, ATTACKER)
        if sent is VIEWER_REQUEST:
            assert await waiting[0].rest() == b""  # not a response to a request that was not sent
        else:
            refused = await waiting[0].answer()
            assert (refused.status, refused.headers["connection"]) == (503, "close")
        await waiting[1].send(VIEWER_REQUEST if sent in {b"", VIEWER_REQUEST} else b"\r\n\r\n")
        assert (await waiting[1].answer()).status in {200, 400}


async def test_client_with_too_many_requests_is_refused_and_others_are_not(settings: Settings) -> None:
    async with (
        running(settings, idle=True, limits=replace(PATIENT, per_client=5)) as server,
        open_many(server.api.address, 5, ATTACKER, HALF),
    ):
        async with connection(server.api.address, ATTACKER) as raw:
            refused = await raw.answer()
            assert (refused.status, refused.headers["connection"]) == (503, "close")
            assert int(refused.headers["retry-after"]) > 0
            assert refused.headers["x-content-type-options"] == "nosniff"
            assert await raw.rest() == b""
        await assert_served(server.api.address, USER)


async def test_refused_client_gets_the_response_although_it_has_sent_a_request(settings: Settings) -> None:
    async with (
        running(settings, idle=True, limits=replace(PATIENT, per_client=1)) as server,
        open_many(server.api.address, 1, ATTACKER, HALF),
        open_many(server.api.address, 20, ATTACKER, VIEWER_REQUEST) as refused,
    ):
        assert {(await raw.answer()).status for raw in refused} == {503}


async def test_total_limit_closes_silent_connections_of_any_client(settings: Settings) -> None:
    limits = replace(PATIENT, total=20, per_client=None)
    async with (
        running(settings, idle=True, limits=limits) as server,
        open_many(server.api.address, 40, ATTACKER) as silent,
    ):
        for _ in range(3):
            await assert_served(server.api.address, USER)
        assert (await silent[0].answer()).status == 503


async def test_closed_connections_and_sockets_no_longer_count(settings: Settings) -> None:
    async with running(settings, idle=True, limits=replace(PATIENT, total=5, per_client=3)) as server:
        api = server.api
        for _ in range(10):
            async with open_many(api.address, 3, ATTACKER, HALF):
                pass
            async with api.socket() as opened:
                assert opened.connection
        async with open_many(api.address, 2, ATTACKER, HALF):
            await assert_served(api.address, ATTACKER)


async def test_open_sockets_count(settings: Settings) -> None:
    async with (
        running(settings, idle=True, limits=replace(PATIENT, per_client=3)) as server,
        server.api.socket(),
        server.api.socket(),
        open_many(server.api.address, 1, "127.0.0.1", HALF),
        connection(server.api.address) as refused,
    ):
        assert (await refused.answer()).status == 503


async def test_trusted_proxy_is_exempt_from_the_limit_of_a_client(settings: Settings) -> None:
    limits = replace(PATIENT, per_client=2, trusted_proxies=(f"{ATTACKER}/32",))
    async with (
        running(settings, idle=True, limits=limits) as server,
        open_many(server.api.address, 10, ATTACKER, HALF),
    ):
        await assert_served(server.api.address, ATTACKER)


async def test_client_that_does_not_read_is_disconnected() -> None:
    ended = asyncio.Event()

    async def send_without_end(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        waiting = asyncio.create_task(receive())
        while not waiting.done() or (await waiting)["type"] != "http.disconnect":
            if waiting.done():
                waiting = asyncio.create_task(receive())
            await send({"type": "http.response.body", "body": bytes(100_000), "more_body": True})
            await asyncio.sleep(0)
        ended.set()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        options = uvicorn_options("http://localhost", replace(PATIENT, write=0.2))
        server = uvicorn.Server(uvicorn.Config(send_without_end, lifespan="off", **options))
        serving = asyncio.create_task(server._serve([listener]))  # `serve` also handles signals
        async with connection(f"http://127.0.0.1:{listener.getsockname()[1]}") as raw:
            await raw.send(request("GET", "/"))
            await asyncio.wait_for(ended.wait(), 20)
        server.should_exit = True
        await serving


def test_number_of_connections_depends_on_the_file_descriptors(settings: Settings) -> None:
    assert server_limits(settings, 1_000_000).total == 10_000
    for descriptors in (256, 1024, 4096, 65_536):
        limits = server_limits(settings, descriptors)
        # Each may need a descriptor for a file, too, and as many as `backlog` are accepted before they are refused.
        assert 2 * limits.total + limits.backlog < descriptors
    assert (max_connections(1024, 10), max_backlog(1024)) == (384, 128)
    assert server_limits(settings.model_copy(update={"max_connections": 100}), 1024).total == 100


def test_limit_of_a_client_is_one_of_the_rate_limits(settings: Settings) -> None:
    assert server_limits(settings.model_copy(update={"rate_limits": Switch.OFF}), 1024).per_client is None
    assert server_limits(settings.model_copy(update={"rate_limits": Switch.ON}), 1024).per_client == 256
