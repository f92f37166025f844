"""Expensive queries of one caller are executed one at a time, and those of others do not wait for them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from tests.conftest import Running
from tests.support.client import Api, until

pytestmark = pytest.mark.any_database

EXPENSIVE = "{ viewer { id " + " ".join(f"g{n}: generations(first: 1) {{ totalCount }}" for n in range(15)) + " } }"
CHEAP = "{ viewer { id } }"


@contextlib.asynccontextmanager
async def busy(server: Running, caller: str) -> AsyncIterator[None]:
    """Hold a caller's slot while the body runs."""
    async with server.services.operations.query_slots.slot(caller):
        yield


async def waiting(server: Running, caller: str, count: int) -> None:
    slots = server.services.operations.query_slots

    async def is_reached() -> bool:
        return slots.waiting(caller) == count

    await until(is_reached)


async def test_expensive_queries_of_one_caller_wait_and_those_of_others_do_not(server: Running, ada: Api) -> None:
    eve = await server.api.sign_up("eve@example.com")
    async with busy(server, eve.user["id"]):
        held = asyncio.create_task(eve.execute(EXPENSIVE))
        await waiting(server, eve.user["id"], 1)
        assert (await eve.execute(CHEAP))["viewer"]["id"] == eve.user["id"]
        assert (await ada.execute(EXPENSIVE))["viewer"]["id"] == ada.user["id"]
        assert not held.done()
    assert (await held)["viewer"]["id"] == eve.user["id"]


async def test_too_many_waiting_queries_of_one_caller_are_rate_limited(server: Running, ada: Api) -> None:
    caller = ada.user["id"]

    async def wait() -> None:
        async with busy(server, caller):
            pass

    async with busy(server, caller):
        held = [asyncio.create_task(wait()) for _ in range(30)]
        await waiting(server, caller, 30)
        found = await ada.refused(EXPENSIVE)
        assert (found["code"], found["retryAfter"]) == ("RATE_LIMITED", 1)
        for task in held:
            task.cancel()
        await waiting(server, caller, 0)
