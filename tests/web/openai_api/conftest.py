"""OpenAI's own client, with an API key of the test's account."""

from collections.abc import AsyncIterator, Callable

import pytest
from openai import AsyncOpenAI

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
