"""What an operator decides about the doors: origins, introspection, GraphiQL, patience with silent sockets."""

import asyncio
import time

import pytest
import websockets
from graphql import get_introspection_query

from setting_types import Access
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import PATIENCE

OURS, FOREIGN = "https://app.example", "https://evil.example"


async def opens_from(server: Running, origin: str | None) -> bool:
    """Whether a page of `origin` may open a socket."""
    url = server.api.address.replace("http", "ws", 1) + "/graphql"
    try:
        protocols = [websockets.Subprotocol("graphql-transport-ws")]
        async with websockets.connect(
            url, subprotocols=protocols, additional_headers={"Origin": origin} if origin else {}
        ):
            return True
    except websockets.InvalidStatus as refusal:
        return refusal.response.status_code != 403


async def test_pages_of_the_named_origins_may_call_and_open_sockets(settings: Settings) -> None:
    async with running(settings.model_copy(update={"cors_origins": (OURS,)})) as server:
        wanted = {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}
        asked = await server.api.http.options("/graphql", headers={"origin": OURS, **wanted})
        assert asked.status_code == 200
        assert asked.headers["access-control-allow-origin"] == OURS
        refused = await server.api.http.options("/graphql", headers={"origin": FOREIGN, **wanted})
        assert "access-control-allow-origin" not in refused.headers
        assert await opens_from(server, OURS)
        assert not await opens_from(server, FOREIGN)
        assert not await opens_from(server, "null")


async def test_without_named_origins_only_our_own_pages_and_programs_open_sockets(server: Running) -> None:
    assert await opens_from(server, None)
    assert await opens_from(server, server.api.address)
    assert not await opens_from(server, OURS)


async def test_a_socket_that_says_nothing_is_closed_with_4408(settings: Settings) -> None:
    async with running(settings, init_seconds=0.05) as server:
        url = server.api.address.replace("http", "ws", 1) + "/graphql"
        protocols = [websockets.Subprotocol("graphql-transport-ws")]
        async with websockets.connect(url, subprotocols=protocols) as silent:
            await asyncio.wait_for(silent.wait_closed(), PATIENCE)
        assert silent.close_code == 4408


async def test_a_socket_that_has_introduced_itself_may_be_silent(settings: Settings) -> None:
    async with running(settings, init_seconds=0.05) as server, server.api.socket() as socket:
        until = time.monotonic() + 0.2
        while time.monotonic() < until:
            stream = await socket.subscribe("{ __typename }")
            assert await stream.rest() == ["Query"]
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("query", [get_introspection_query(), '{ __type(name: "User") { name } }'])
async def test_introspection_is_refused_where_the_operator_says_so(settings: Settings, query: str) -> None:
    async with running(settings.model_copy(update={"introspection": Access.OFF})) as server:
        body = (await server.api.raw(query)).json()
        assert body["data"] is None
        assert {error["extensions"]["code"] for error in body["errors"]} == {"INVALID_INPUT"}
        async with server.api.socket() as socket:
            assert (await (await socket.subscribe(query)).message())["type"] == "error"
        assert await server.api.ask("{ __typename }") == {"__typename": "Query"}
