"""A page costs as many buffers of PostgreSQL in a large account as in a small one, by whatever it is filtered."""

from collections.abc import Iterator

import pytest

from benchmarks.dataset import without_word_index
from benchmarks.gallery import RARE_WORD, SMALL, buffer_limit, buffers, fill, pages
from models.database.connection import open_database, rows
from models.database.migrate import migrate
from models.database.postgres import MIGRATION_LIMITS
from tests.support.servers import PostgresServer

pytestmark = pytest.mark.postgres_only

LARGE = 20_000
WARM_UP = 6  # pages after which PostgreSQL keeps the plan for all values


@pytest.fixture
def counted() -> Iterator[str]:
    """The URL of a database that counts the buffers of each statement."""
    server = PostgresServer(own=True, libraries="pg_stat_statements", autovacuum=False)
    server.start()
    server.create_database("pages")
    yield server.url("pages")
    server.stop()


async def test_page_of_any_filter_reads_as_many_buffers_in_a_large_account(counted: str) -> None:
    await migrate(counted)
    async with open_database(counted, limits=MIGRATION_LIMITS):
        await rows("CREATE EXTENSION pg_stat_statements")
        index = await without_word_index()
        owners = {count: await fill(count) for count in (SMALL, LARGE)}
        await rows(index)
        await rows("VACUUM ANALYZE")
        small, large = [await pages(owner, count) for count, owner in owners.items()]
        grown = {}
        for name in small:
            if RARE_WORD in name:
                continue
            for page in (small[name], large[name]) * WARM_UP:
                await page()
            (at_few, few_items), (at_many, items) = await buffers(small[name]), await buffers(large[name])
            if at_many > buffer_limit(at_few, few_items, items) or at_few > buffer_limit(at_many, items, few_items):
                grown[name] = (at_few, at_many)
        assert grown == {}
