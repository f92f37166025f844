"""Random documents over the whole schema, executed by their plans and by graphql-core on a server with data."""

import pytest

from schema.root import schema
from tests.conftest import Running
from tests.support.client import Api
from tests.support.executions import ComparingPlans
from tests.support.gallery_pages import create
from tests.support.random_documents import random_document

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


async def test_random_document_over_the_schema_is_answered_as_by_graphql_core(
    ada: Api, pytestconfig: pytest.Config
) -> None:
    before, schema.plans = schema.plans, (plans := ComparingPlans())
    compared = 0
    try:
        for number in range(pytestconfig.getoption("--documents")):
            text, variables = random_document(schema._schema, f"real {number}", is_used, max_depth=4)
            response = await ada.raw(text, **variables)
            assert response.status_code == 200
            compared += "TOO_COMPLEX" not in response.text
    finally:
        schema.plans = before
    assert plans.differences == []
    assert compared > pytestconfig.getoption("--documents") / 2
