"""OpenAI's own client, with an API key of the test's account."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from openai import AsyncOpenAI

from services.integrations.storage.protocol import Storage
from tests.conftest import Running
from tests.support.client import Api

CREATE_KEY = """
mutation($scope: ApiKeyScope) { createApiKey(name: "images", scope: $scope) { key errors { code message } } }"""

NewClient = Callable[[Api, str], AsyncOpenAI]


@pytest.fixture
def client_of() -> NewClient:
    """A function that returns the client of a server for a token; it repeats nothing."""

    def make(api: Api, token: str) -> AsyncOpenAI:
        return AsyncOpenAI(base_url=f"{api.address}/v1", api_key=token, max_retries=0, timeout=60)

    return make


async def create_key(owner: Api, scope: str = "GENERATE") -> str:
    """Create a key of an account, whose address is verified for that."""
    await owner.verify_address()
    made = await owner.one(CREATE_KEY, scope=scope)
    assert made["errors"] == [], made
    return str(made["key"])


@pytest.fixture
async def client(ada: Api, client_of: NewClient) -> AsyncIterator[AsyncOpenAI]:
    """The client of `ada` at `server`."""
    async with client_of(ada, await create_key(ada)) as found:
        yield found


class HangingStorage:
    """The storage, except that what is read never comes. `is_read`: set once something is."""

    def __init__(self, inner: Storage) -> None:
        self._inner = inner
        self.is_read = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def get(self, key: str) -> bytes:
        self.is_read.set()
        await asyncio.Event().wait()
        raise AssertionError


class HeldOrders:
    """Orders that wait before they are made, until `release` is set."""

    def __init__(self) -> None:
        self.release = asyncio.Event()
        self._waiting = asyncio.Semaphore(0)

    async def wait(self) -> None:
        self._waiting.release()
        await self.release.wait()

    async def waits_for(self, orders: int) -> None:
        """Return once this number of orders more wait."""
        for _ in range(orders):
            await self._waiting.acquire()


def hold_orders(server: Running) -> HeldOrders:
    """Let the orders of a server wait from now on."""
    held, requests = HeldOrders(), server.services.generations.requests
    create = requests.create

    async def create_held(*values: Any) -> Any:
        await held.wait()
        return await create(*values)

    vars(requests)["create"] = create_held
    return held
