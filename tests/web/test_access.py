"""Access settings of the web layer: origins, introspection, and the timeout of idle sockets."""

import asyncio
import time

import pytest
import websockets
from graphql import get_introspection_query

from setting_types import Access
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import PATIENCE

ALLOWED, FOREIGN = "https://app.example", "https://evil.example"


async def can_open_socket(server: Running, origin: str | None) -> bool:
    """Return whether a page of `origin` can open a socket."""
    url = server.api.address.replace("http", "ws", 1) + "/graphql"
    try:
        protocols = [websockets.Subprotocol("graphql-transport-ws")]
        async with websockets.connect(
            url, subprotocols=protocols, additional_headers={"Origin": origin} if origin else {}
        ):
            return True
    except websockets.InvalidStatus as refusal:
        return refusal.response.status_code != 403


async def test_only_allowed_origins_pass_cors_and_open_sockets(settings: Settings) -> None:
    async with running(settings.model_copy(update={"cors_origins": (ALLOWED,)})) as server:
        preflight = {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}
        allowed = await server.api.http.options("/graphql", headers={"origin": ALLOWED, **preflight})
        assert allowed.status_code == 200
        assert allowed.headers["access-control-allow-origin"] == ALLOWED
        refused = await server.api.http.options("/graphql", headers={"origin": FOREIGN, **preflight})
        assert "access-control-allow-origin" not in refused.headers
        assert await can_open_socket(server, ALLOWED)
        assert not await can_open_socket(server, FOREIGN)
        assert not await can_open_socket(server, "null")


async def test_without_cors_origins_only_same_origin_pages_and_programs_open_sockets(server: Running) -> None:
    assert await can_open_socket(server, None)
    assert await can_open_socket(server, server.api.address)
    assert not await can_open_socket(server, ALLOWED)


async def test_socket_without_connection_init_is_closed_with_4408(settings: Settings) -> None:
    async with running(settings, init_seconds=0.05) as server:
        url = server.api.address.replace("http", "ws", 1) + "/graphql"
        protocols = [websockets.Subprotocol("graphql-transport-ws")]
        async with websockets.connect(url, subprotocols=protocols) as silent:
            await asyncio.wait_for(silent.wait_closed(), PATIENCE)
        assert silent.close_code == 4408


async def test_socket_may_be_idle_after_connection_init(settings: Settings) -> None:
    async with running(settings, init_seconds=0.05) as server, server.api.socket() as socket:
        until = time.monotonic() + 0.2
        while time.monotonic() < until:
            stream = await socket.subscribe("{ __typename }")
            assert await stream.rest() == ["Query"]
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("query", [get_introspection_query(), '{ __type(name: "User") { name } }'])
async def test_introspection_is_refused_when_it_is_switched_off(settings: Settings, query: str) -> None:
    async with running(settings.model_copy(update={"introspection": Access.OFF})) as server:
        body = (await server.api.raw(query)).json()
        assert body["data"] is None
        assert {error["extensions"]["code"] for error in body["errors"]} == {"INVALID_INPUT"}
        async with server.api.socket() as socket:
            assert (await (await socket.subscribe(query)).message())["type"] == "error"
        assert await server.api.execute("{ __typename }") == {"__typename": "Query"}
