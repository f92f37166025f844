"""Frequent queries use an index, on both databases."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from models import User
from models.database.connection import is_postgres, open_database, rows
from models.database.search_index import HAS_PAIRS, character_pairs
from models.enum import GenerationStatus, MediaKind
from services.billing.membership import MembershipService
from services.core.pagination import PageRequest
from services.events.publisher import EventPublisher
from services.gallery.gallery import FavoriteKey, GalleryService, GenerationFilter, GenerationKey, GenerationOrder
from services.gallery.generation_query import NONE_DELETED, STEPS
from services.gallery.original_retention import OriginalRetention
from services.generations.claim_statement import expired_leases, next_in_line
from services.integrations.images.sanitizer import ImageSanitizer
from services.integrations.messaging.bus import Bus
from services.integrations.storage.protocol import Storage
from services.media.file import FileService, UploadLimits
from services.media.quota import StorageQuota
from services.operations.analytics import AnalyticsWindow
from services.operations.analytics_report import Interval
from services.operations.providers.recent_calls import read_recent_calls
from tests.support import factories, named_lists
from tests.support.factories import NOW, insert

ACCOUNTS = 20
ENDED_EACH = 400  # so that a scan of the whole table is more expensive

_MULTIPLY = """
WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < $2)
INSERT INTO generations ({columns}) SELECT 'gen_' || substr(user_id, 10) || '_' || (100 + n), {columns_but_id}
FROM generations, counted WHERE id = $1 RETURNING id"""


@pytest.fixture
async def user_id(database: str) -> AsyncIterator[str]:
    """One of many accounts with many final generations each; a few are pending or processing."""
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
            processing = {"status": "PROCESSING", "stage": "GENERATING", "lease_until": NOW}
            await insert("generations", factories.generation(owner, **processing))
        await rows("ANALYZE")
        yield owner


@pytest.fixture
def plan(database: str, caplog: pytest.LogCaptureFixture) -> Callable[[Awaitable[object]], Awaitable[str]]:
    """Return the database's plan for the last SELECT that a piece of code runs, alone or before a change."""

    async def explain(work: Awaitable[object]) -> str:
        caplog.clear()
        with caplog.at_level(logging.DEBUG, logger="tortoise.db_client"):
            await work
        logged = [record.args for record in caplog.records if record.name == "tortoise.db_client"]
        *_, statement = [
            args for args in logged if isinstance(args, tuple) and str(args[0]).lstrip().startswith(("SELECT", "WITH"))
        ]
        sql, values = statement
        found = await rows(("EXPLAIN " if is_postgres(database) else "EXPLAIN QUERY PLAN ") + str(sql), *values)  # type: ignore[misc]  # the values that the statement was logged with
        return "\n".join(str(row.get("QUERY PLAN") or row.get("detail")) for row in found)

    return explain


Plan = Callable[[Awaitable[object]], Awaitable[str]]


def sorts(explained: str) -> bool:
    """Whether a plan sorts the rows, which an index in that order avoids."""
    return "Sort" in explained or "TEMP B-TREE FOR ORDER BY" in explained


def reading(explained: str) -> str:
    """Return the part of a page's plan that reads its rows, before others are joined and they are sorted again."""
    return explained.partition("Limit")[2] or explained.partition("SCAN generations")[0]


async def test_a_page_of_the_gallery_uses_its_index(user_id: str, plan: Plan) -> None:
    page: PageRequest[GenerationKey] = PageRequest(first=20, after="gen_zzzz")
    explained = await plan(GalleryService().generations(user_id, page, GenerationFilter(), GenerationOrder.NEWEST))
    assert "ix_generations_gallery" in reading(explained)
    assert "Seq Scan on generations" not in explained
    assert not sorts(reading(explained))


async def test_every_order_and_filter_of_the_gallery_uses_an_index(user_id: str, plan: Plan, database: str) -> None:
    gallery, newest, favorites = GalleryService(), GenerationOrder.NEWEST, GenerationOrder.FAVORITES_FIRST
    by_id: PageRequest[GenerationKey] = PageRequest(first=20, after="gen_zzzz")
    by_favorite: PageRequest[GenerationKey] = PageRequest(first=20, after=FavoriteKey(False, "gen_zzzz"))
    for request, wanted, order in (
        (by_favorite, GenerationFilter(), favorites),
        (by_id, GenerationFilter(is_favorite=False), newest),
        (by_id, GenerationFilter(status=(GenerationStatus.CANCELED,)), newest),
        (by_id, GenerationFilter(collection="plushify"), newest),
        (by_id, GenerationFilter(created_before=datetime.now(UTC)), newest),
    ):
        explained = await plan(gallery.generations(user_id, request, wanted, order))
        assert "Seq Scan on generations" not in explained, explained
        assert "ix_generations" in reading(explained), explained
        assert not sorts(reading(explained)), explained
    for wanted, index in (
        (GenerationFilter(is_favorite=True), "favorites"),
        (GenerationFilter(status=(GenerationStatus.FAILED,)), "status"),
        (GenerationFilter(style_id="sty_nothing"), "style"),
        (GenerationFilter(collection="nothing"), "collection"),
    ):
        explained = await plan(gallery.generations(user_id, by_id, wanted, newest))
        assert f"ix_generations_{index}" in explained, explained
    assert "ix_generations_children" in await plan(gallery.children(user_id, "gen_parent", by_id))
    # PostgreSQL knows what a recursive statement reads for each row when it has executed it.
    explain = "EXPLAIN ANALYZE " if is_postgres(database) else "EXPLAIN QUERY PLAN "
    explained = str([dict(row) for row in await rows(explain + STEPS, "gen_parent", user_id)])
    assert "ix_generations_children" in explained, explained
    assert "Seq Scan on generations" not in explained, explained
    assert "idx_generations_batch_i" in await plan(gallery.by_batches(user_id, ["bat_1", "bat_2"]))
    if is_postgres(database):
        explained = await plan(NONE_DELETED.where(HAS_PAIRS, character_pairs(["fox"])).all(None))
        assert "ix_generations_words" in explained


@pytest.mark.postgres_only
async def test_search_in_an_album_or_tag_computes_no_pairs_of_characters(
    user_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    for name, row in (("album", named_lists.album(user_id)), ("tag", named_lists.tag(user_id))):
        await insert(f"{name}s", row)
        await rows(
            f"INSERT INTO {name}_entries ({name}_id, generation_id, is_favorite)"  # noqa: S608 - constants
            " SELECT CAST($1 AS VARCHAR), id, is_favorite FROM generations WHERE user_id = $2 RETURNING id",
            row["id"],
            user_id,
        )
        lists = {"album_id": row["id"]} if name == "album" else {"tag_ids": (row["id"],)}
        wanted = GenerationFilter(search="zeppelin", **lists)
        request: PageRequest[GenerationKey] = PageRequest(first=1)  # of which fewer are scanned than there are

        caplog.clear()
        with caplog.at_level(logging.DEBUG, logger="tortoise.db_client"):
            page = await GalleryService().generations(user_id, request, wanted, GenerationOrder.NEWEST)
            assert (page.items, await page.count()) == ([], 0)
        statements = [str(record.args[0]) for record in caplog.records if isinstance(record.args, tuple)]
        assert [sql for sql in statements if f"{name}_entries" in sql and " LIKE " in sql]
        assert not [sql for sql in statements if "character_pairs" in sql]


async def test_guests_of_an_account_are_found_by_their_index(user_id: str, plan: Plan, database: str) -> None:
    # Of so few accounts, PostgreSQL would read all.
    if is_postgres(database):
        await rows("SET enable_seqscan = off")
    explained = await plan(User.filter(merged_into_id=user_id).values_list("id", flat=True))
    assert "ix_users_merged" in explained


@pytest.mark.postgres_only
async def test_pages_of_several_callers_use_the_index_of_each_order(user_id: str, plan: Plan) -> None:
    gallery, newest, favorites = GalleryService(), GenerationOrder.NEWEST, GenerationOrder.FAVORITES_FIRST
    first: PageRequest[GenerationKey] = PageRequest(first=20)
    by_id: PageRequest[GenerationKey] = PageRequest(first=20, after="gen_zzzz")
    by_favorite: PageRequest[GenerationKey] = PageRequest(first=20, after=FavoriteKey(False, "gen_zzzz"))
    last: PageRequest[GenerationKey] = PageRequest(last=20)
    for request, order, index in (
        (first, newest, "gallery"),
        (by_id, newest, "gallery"),
        (last, GenerationOrder.OLDEST, "gallery"),
        (first, favorites, "favorites"),
        (by_favorite, favorites, "favorites"),
    ):
        callers = [gallery.generations(id, request, None, order) for id in (user_id, "usr_other", "usr_third")]
        explained = await plan(asyncio.gather(*callers))
        assert "given" in explained
        assert f"using ix_generations_{index}" in explained
        assert not sorts(reading(explained)), explained


async def test_the_next_generation_in_the_queue_is_found_by_a_partial_index(user_id: str, plan: Plan) -> None:
    assert len(await next_in_line(per_user=9)) == 3
    explained = await plan(next_in_line(per_user=9))
    assert "ix_generations_waiting" in explained
    assert "ix_generations_running" in explained  # for the accounts at their concurrency limit
    assert not sorts(explained.partition("SubPlan")[0].partition("LIST SUBQUERY")[0])


async def test_expired_leases_are_found_by_their_partial_index(user_id: str, plan: Plan) -> None:
    assert len(await expired_leases(100)) == 3
    explained = await plan(expired_leases(100))
    assert "ix_generations_running" in explained


async def test_recent_calls_of_providers_are_read_from_two_indexes(user_id: str, plan: Plan) -> None:
    explained = await plan(read_recent_calls(dict.fromkeys(MediaKind, 60.0)))
    assert "ix_generations_failed" in explained
    assert "ix_generations_recent" in explained
    assert "Seq Scan on generations" not in explained, explained
    assert "SCAN generations\n" not in f"{explained}\n", explained


async def test_expired_memberships_are_found_by_their_partial_index(user_id: str, plan: Plan) -> None:
    for _ in range(ENDED_EACH):
        await insert("users", factories.user())
    await rows("ANALYZE")
    explained = await plan(MembershipService(0, EventPublisher(Bus())).lapsed(100))
    assert "ix_users_member_until" in explained
    assert not sorts(explained)


async def test_unused_originals_are_found_by_their_partial_index(user_id: str, plan: Plan) -> None:
    explained = await plan(OriginalRetention(EventPublisher(Bus()), 60).find(100))
    assert "ix_generations_unused" in explained
    assert "Seq Scan on generations unused" not in explained
    assert not sorts(explained.partition("SubPlan")[0])


async def test_discarded_files_are_found_by_their_partial_index(user_id: str, plan: Plan) -> None:
    for _ in range(1000):
        await insert("files", factories.file(user_id))
    await rows("ANALYZE files")
    files = FileService(cast(Storage, None), cast(ImageSanitizer, None), UploadLimits(1, frozenset()))
    explained = await plan(files._claim_removable(100, "", "ASC"))
    assert "ix_files_unsettled" in explained
    assert "Seq Scan on files" not in explained
    assert "SCAN files" not in explained
    assert "TEMP B-TREE" not in explained


async def test_the_usage_of_an_account_is_summed_from_indexes(user_id: str, plan: Plan) -> None:
    for number in range(ENDED_EACH):
        await insert("files", factories.file(user_id, state="LIVE" if number % 2 else "DELETING"))
    await rows("ANALYZE")
    explained = await plan(StorageQuota().by_users([user_id]))
    assert "ix_generations_" in explained
    assert "Seq Scan on generations" not in explained
    assert "SCAN files" not in explained


@pytest.mark.postgres_only  # SQLite keeps indexes with NULLs
async def test_files_and_shares_of_generations_are_found_by_indexes_without_nulls(user_id: str, plan: Plan) -> None:
    for column, index in (("original_id", "origina"), ("result_id", "result"), ("share_slug", "share_s")):
        explained = await plan(rows(f"SELECT id FROM generations WHERE {column} = $1", "value"))  # noqa: S608 - our names
        assert f"generations_{index}" in explained, explained


async def test_statistics_read_nothing_but_their_index(user_id: str, database: str) -> None:
    plans: list[str] = []

    async def explain(sql: str, *window: object) -> list[dict[str, Any]]:
        found = await rows(("EXPLAIN " if is_postgres(database) else "EXPLAIN QUERY PLAN ") + sql, *window)
        plans.append("\n".join(str(row.get("QUERY PLAN") or row.get("detail")) for row in found))
        return []

    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    window = AnalyticsWindow(long_ago, long_ago + timedelta(days=1), explain)
    await asyncio.gather(window.outcomes, window.by_hour, window.by_account)  # `durations` subtracts no credits
    await window.series(Interval.HOUR)
    assert len(plans) == 4
    index = (
        "Index Only Scan using ix_generations_figures"
        if is_postgres(database)
        else ("USING COVERING INDEX ix_generations_figures")
    )
    assert [index in explained for explained in plans] == [True] * 4, "\n\n".join(plans)
