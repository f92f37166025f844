"""The product on tables that are divided by account: tools/partition_by_account.py, then the API as always."""

import asyncpg
import pytest

from models.database.connection import rows
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import REGENERATE, Api
from tests.support.integrity import assert_invariants
from tools.partition_by_account import TABLES, partition_sql

pytestmark = pytest.mark.postgres_only


async def partition(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(await partition_sql(connection, 4))
    finally:
        await connection.close()


async def finished(server: Running, api: Api) -> str:
    """Request a picture with a photo, and run it to its end."""
    made = (await api.create(prompt="A fox"))["generations"][0]["id"]
    await server.services.generations.worker.process(made)
    assert (await api.generation(made))["status"] == "COMPLETED"
    return str(made)


async def share(api: Api, id: str, slug: str) -> list[str]:
    query = "mutation($id: ID!, $slug: String) { shareGeneration(id: $id, slug: $slug) { errors { code } } }"
    return [error["code"] for error in (await api.one(query, id=id, slug=slug))["errors"]]


async def test_the_product_works_on_tables_partitioned_by_account(scripted_settings: Settings) -> None:
    await partition(scripted_settings.database)
    async with running(scripted_settings, idle=True) as server:
        ada, eve = await server.api.sign_up(), await server.api.sign_up("eve@example.com")
        hers, theirs = await finished(server, ada), await finished(server, eve)
        page = await ada.one("{ viewer { credits generations(first: 5) { totalCount nodes { id result { url } } } } }")
        assert [node["id"] for node in page["generations"]["nodes"]] == [hers]
        ledger = await ada.ledger()
        assert ledger[-1]["balance"] == page["credits"]
        assert await share(ada, hers, "a-red-fox") == []
        assert await share(eve, theirs, "a-red-fox") != []  # a slug is unique across accounts, and so across partitions
        (again,) = (await ada.one(REGENERATE, input={"id": hers}))["generations"]
        await ada.execute("mutation($ids: [ID!]!) { deleteGenerations(ids: $ids) { errors { code } } }", ids=[hers])
        assert (await ada.generation(again["id"]))["status"] == "PENDING"
        for table in TABLES:
            used = await rows(f"SELECT DISTINCT tableoid::regclass::text AS part FROM {table}")  # noqa: S608 - our names
            assert used
            assert all(row["part"].startswith(f"{table}_") for row in used)
        await assert_invariants(server.services)
