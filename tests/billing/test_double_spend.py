"""Concurrent requests over HTTP: exactly what the balance allows is accepted, the rest is refused with a code."""

import asyncio
from collections import Counter

import httpx
import pytest

from settings import Settings
from tests.conftest import Running, running
from tests.support.client import CREATE
from tests.support.integrity import assert_invariants

LONG = (pytest.mark.chaos, pytest.mark.timeout(600))


# Several times the pool, so that most of them wait for a connection.
@pytest.mark.parametrize(("balance", "purchases"), [(30, 80), pytest.param(400, 1000, marks=LONG)])
async def test_concurrent_purchases_spend_exactly_the_balance(settings: Settings, balance: int, purchases: int) -> None:
    settings = settings.model_copy(update={"signup_credits": balance})
    async with running(settings, idle=True) as server:
        ada = await server.api.sign_up()
        codes = await _buy(server, ada.headers(), purchases)
        assert codes == {None: balance, "INSUFFICIENT_CREDITS": purchases - balance}
        assert await ada.credits() == 0
        await assert_invariants(server.services)


async def _buy(server: Running, headers: dict[str, str], times: int) -> Counter[str | None]:
    """Send this many requests concurrently, and count the error codes."""
    operation = {"query": CREATE, "variables": {"input": {"prompt": "A red boat"}}}

    async def one(http: httpx.AsyncClient) -> str | None:
        body = (await http.post("/graphql", json=operation, headers=headers)).json()
        errors = body.get("errors") or body["data"]["createGeneration"]["errors"]
        return errors[0].get("code") or errors[0]["extensions"]["code"] if errors else None

    any_number = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=server.api.address, timeout=120, limits=any_number) as http:
        return Counter(await asyncio.gather(*(one(http) for _ in range(times))))
