"""The queries that run all the time find their rows by an index, on both databases."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

import pytest

from models import Generation
from models.database.connection import is_postgres, open_database, rows
from models.database.search_index import HasPairs, character_pairs
from models.enum import GenerationStatus
from services.billing.membership import MembershipService
from services.core.pagination import PageRequest
from services.events.publisher import EventPublisher
from services.gallery.gallery import FavoriteKey, GalleryService, GenerationFilter, GenerationKey, GenerationOrder
from services.generations.claim import expired_leases, next_in_line
from services.integrations.messaging.bus import Bus
from tests.support import factories
from tests.support.factories import NOW, insert

ACCOUNTS = 20
ENDED_EACH = 400  # so that reading the whole table is the dearer way

_MULTIPLY = """
WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < $2)
INSERT INTO generations ({columns}) SELECT 'gen_' || substr(user_id, 10) || '_' || (100 + n), {columns_but_id}
FROM generations, counted WHERE id = $1 RETURNING id"""


@pytest.fixture
async def user_id(database: str) -> AsyncIterator[str]:
    """One of many accounts, each with many generations that have ended; a few of others wait and are worked on."""
    async with open_database(database):
        for _ in range(ACCOUNTS):
            owner = (await insert("users", factories.user()))["id"]
            row = factories.generation(owner, status="CANCELED", stage="CANCELED", completed_at=NOW)
            model = (await insert("generations", row))["id"]
            columns = [f'"{name}"' for name in row]
            sql = _MULTIPLY.format(columns=", ".join(columns), columns_but_id=", ".join(columns[1:]))
            assert len(await rows(sql, model, ENDED_EACH)) == ENDED_EACH
        for _ in range(3):
            await insert("generations", factories.generation(owner))
            worked_on = {"status": "PROCESSING", "stage": "GENERATING", "lease_until": NOW}
            await insert("generations", factories.generation(owner, **worked_on))
        await rows("ANALYZE")
        yield owner


@pytest.fixture
def plan(database: str, caplog: pytest.LogCaptureFixture) -> Callable[[Awaitable[object]], Awaitable[str]]:
    """How the database does what a piece of our code asks it."""

    async def explain(work: Awaitable[object]) -> str:
        caplog.clear()
        with caplog.at_level(logging.DEBUG, logger="tortoise.db_client"):
            await work
        asked = [record.args for record in caplog.records if record.name == "tortoise.db_client"]
        (statement,) = [args for args in asked if isinstance(args, tuple) and str(args[0]).startswith("SELECT")]
        sql, values = statement
        found = await rows(("EXPLAIN " if is_postgres(database) else "EXPLAIN QUERY PLAN ") + str(sql), *values)  # type: ignore[misc]  # the values that the statement was logged with
        return "\n".join(str(row.get("QUERY PLAN") or row.get("detail")) for row in found)

    return explain


Plan = Callable[[Awaitable[object]], Awaitable[str]]


def sorts(how: str) -> bool:
    """Whether rows are sorted after they are read: an index has the order already."""
    return "Sort" in how or "TEMP B-TREE FOR ORDER BY" in how


async def test_a_page_of_the_gallery_is_read_from_its_index(user_id: str, plan: Plan) -> None:
    page: PageRequest[GenerationKey] = PageRequest(first=20, after="gen_zzzz")
    how = await plan(GalleryService().generations(user_id, page, GenerationFilter(), GenerationOrder.NEWEST))
    assert "ix_generations_gallery" in how
    assert "Seq Scan on generations" not in how
    assert not sorts(how)


async def test_every_order_and_filter_of_the_gallery_has_its_index(user_id: str, plan: Plan, database: str) -> None:
    gallery, newest, favorites = GalleryService(), GenerationOrder.NEWEST, GenerationOrder.FAVORITES_FIRST
    somewhere: PageRequest[GenerationKey] = PageRequest(first=20, after="gen_zzzz")
    marked: PageRequest[GenerationKey] = PageRequest(first=20, after=FavoriteKey(False, "gen_zzzz"))
    for request, wanted, order in (
        (marked, GenerationFilter(), favorites),
        (somewhere, GenerationFilter(is_favorite=False), newest),
        (somewhere, GenerationFilter(status=(GenerationStatus.CANCELED,)), newest),
        (somewhere, GenerationFilter(collection="plushify"), newest),
        (somewhere, GenerationFilter(created_before=datetime.now(UTC)), newest),
    ):
        how = await plan(gallery.generations(user_id, request, wanted, order))
        assert "Seq Scan on generations" not in how, how
        assert not sorts(how), how
    for wanted, index in (
        (GenerationFilter(is_favorite=True), "favorites"),
        (GenerationFilter(status=(GenerationStatus.FAILED,)), "status"),
        (GenerationFilter(style_id="sty_nothing"), "style"),
        (GenerationFilter(collection="nothing"), "collection"),
    ):
        how = await plan(gallery.generations(user_id, somewhere, wanted, newest))
        assert f"ix_generations_{index}" in how, how
    if is_postgres(database):
        how = await plan(Generation.filter(HasPairs(character_pairs(["fox"])), deleted_at__isnull=True))
        assert "ix_generations_words" in how


async def test_workers_find_whose_turn_it_is_by_a_partial_index(user_id: str, plan: Plan) -> None:
    assert len(await next_in_line(per_user=9)) == 3
    how = await plan(next_in_line(per_user=9))
    assert "ix_generations_waiting" in how
    assert "ix_generations_leased" in how  # by which those who have enough are known
    assert not sorts(how.partition("SubPlan")[0].partition("LIST SUBQUERY")[0])


async def test_the_sweeper_finds_lapsed_leases_by_their_partial_index(user_id: str, plan: Plan) -> None:
    assert len(await expired_leases(100)) == 3
    how = await plan(expired_leases(100))
    assert "ix_generations_leased" in how
    assert not sorts(how)


async def test_the_sweeper_finds_memberships_that_ran_out_by_their_partial_index(user_id: str, plan: Plan) -> None:
    for _ in range(ENDED_EACH):
        await insert("users", factories.user())
    await rows("ANALYZE")
    how = await plan(MembershipService(0, EventPublisher(Bus())).lapsed(100))
    assert "ix_users_member_until" in how
    assert not sorts(how)
