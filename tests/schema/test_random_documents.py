"""Documents of hypothesis over the whole schema, executed by their plans and by graphql-core on a server with data."""

import asyncio
from typing import Any

import pytest
from hypothesis import given

from schema.root import schema
from tests.conftest import Running
from tests.support.client import Api
from tests.support.executions import ComparingPlans, examples
from tests.support.gallery_pages import create
from tests.support.random_documents import documents

# What differs between two executions a moment apart, or counts how often it is called.
EXCLUDED = {"Query.admin", "Query.sharedGeneration", "User.billingPortalUrl", "User.referralCode", "Query.quote"}


def is_used(path: str) -> bool:
    return path not in EXCLUDED


@pytest.fixture(scope="module")
async def ada(module_server: Running) -> Api:
    """A user with generations."""
    made = await module_server.api.sign_up("random@example.com")
    await create(made, 4)
    return made


async def test_any_document_over_the_schema_is_answered_as_by_graphql_core(
    ada: Api, pytestconfig: pytest.Config
) -> None:
    before, schema.plans = schema.plans, (plans := ComparingPlans())
    loop, sent, compared = asyncio.get_running_loop(), 0, 0

    @examples(pytestconfig)
    @given(documents(schema._schema, is_used))
    def compare(document: tuple[str, Any]) -> None:
        nonlocal sent, compared
        text, variables = document
        response = asyncio.run_coroutine_threadsafe(ada.raw(text, **variables), loop).result()
        assert response.status_code == 200
        assert plans.differences == []
        sent += 1
        compared += "TOO_COMPLEX" not in response.text

    try:
        await asyncio.to_thread(compare)
    finally:
        schema.plans = before
    assert compared > sent / 2
