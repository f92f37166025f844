"""Calls whose request never left: between two tries, and at the end, they are as if they had never been made."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from models import Generation
from models.database.connection import rows
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import Api, photo, until
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.fakes.openrouter_response import status
from tests.support.integrity import assert_invariants
from tests.support.video_orders import row_of, work

DELETE = "mutation($ids: [ID!]!) { deleteGenerations(ids: $ids) { deletedIds errors { code } } }"


@pytest.fixture
def refused() -> Iterator[str]:
    """An address that refuses every connection: bound, and not listening."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{closed.getsockname()[1]}/api/v1"


@pytest.fixture
async def unreachable(scripted_settings: Settings, refused: str) -> AsyncIterator[Running]:
    async with running(scripted_settings.model_copy(update={"openrouter_base_url": refused}), idle=True) as server:
        yield server


async def order(api: Api) -> str:
    """Order a style that is refunded only before its provider was called, and return the id."""
    created = await api.create(photo(), styleId=await api.style("noir", "avenger"))
    return str(created["generations"][0]["id"])


@contextlib.asynccontextmanager
async def in_the_background(
    server: Running, id: str, pauses: Callable[[], Awaitable[Any]]
) -> AsyncIterator[Generation]:
    """Run the order until it pauses between two calls; wait for its end after the body."""
    running_order = asyncio.create_task(work(server.services))
    try:
        await until(pauses)
        yield await row_of(id)
    finally:
        await running_order


@contextlib.asynccontextmanager
async def between_two_tries(server: Running, id: str) -> AsyncIterator[Generation]:
    """Run an order whose connections are refused until its second call was; the third follows a second later."""
    refused = Generation.filter(id=id, provider_calls=2, provider_called_at=None, status="PROCESSING")
    async with in_the_background(server, id, refused.exists) as row:
        yield row


@pytest.mark.any_database
@pytest.mark.parametrize("ends", ["cancel", "delete"])
async def test_order_that_ends_between_two_refused_connections_is_refunded(unreachable: Running, ends: str) -> None:
    ada = await unreachable.api.sign_up()
    before = await ada.credits()
    id = await order(ada)
    async with between_two_tries(unreachable, id) as row:
        assert row.provider_called_at is None
        if ends == "cancel":
            await unreachable.services.generations.requests.cancel(str(ada.user["id"]), id)
        else:
            assert (await ada.one(DELETE, ids=[id]))["errors"] == []
    row = await row_of(id)
    assert (row.status, row.refunded, row.provider, row.provider_cost) == ("CANCELED", True, None, None)
    assert await ada.credits() == before
    await assert_invariants(unreachable.services)


@pytest.mark.any_database
async def test_order_whose_worker_dies_between_two_refused_connections_waits_again(unreachable: Running) -> None:
    ada = await unreachable.api.sign_up()
    id = await order(ada)
    async with between_two_tries(unreachable, id):
        await rows("UPDATE generations SET lease_until = LATER($2) WHERE id = $1 RETURNING id", id, -1.0)
        assert await unreachable.services.generations.lease_recovery.recover(id)
        row = await row_of(id)
        assert (row.status, row.provider_calls, row.provider) == ("PENDING", 0, None)
        await assert_invariants(unreachable.services)


@pytest.mark.any_database
async def test_order_that_reached_no_provider_has_used_none(unreachable: Running) -> None:
    ada = await unreachable.api.sign_up()
    id = await order(ada)
    await work(unreachable.services)
    row = await row_of(id)
    assert (row.status, row.refunded, row.provider_calls) == ("FAILED", True, 3)
    assert (row.provider, row.provider_called_at) == (None, None), "so its photo is removed after a day"
    assert [tried["sent"] for tried in row.provider_path or []] == [False] * 3
    await assert_invariants(unreachable.services, all_ended=True)


@pytest.mark.any_database
async def test_order_that_is_canceled_after_its_provider_asked_for_a_pause_is_not_refunded(
    scripted_settings: Settings, openrouter: ScriptedOpenRouter
) -> None:
    openrouter.script(status(429, retry_after="5"))
    settings = scripted_settings.model_copy(update={"generation_deadline_seconds": 30.0})  # far longer than the pause
    async with running(settings, idle=True) as server:
        ada = await server.api.sign_up()
        id = await order(ada)

        async def is_called() -> bool:
            return len(openrouter.calls) == 1

        async with in_the_background(server, id, is_called) as row:
            assert row.provider_called_at is not None
            await server.services.generations.requests.cancel(str(ada.user["id"]), id)
        row = await row_of(id)
        assert (row.status, row.refunded, row.provider) == ("CANCELED", False, "openrouter")
        await assert_invariants(server.services)
