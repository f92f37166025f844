"""Reads of the same kind that are asked for at the same time share a statement, and each caller gets its own rows."""

import asyncio
from collections.abc import Iterable, Sequence
from contextvars import copy_context
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models.database.connection import open_database, rows, run_tx
from models.database.read_groups import GroupedSelect, ReadGroups
from services.accounts.secret_token import hash_token
from services.accounts.session import SessionService
from services.core.pagination import PageRequest
from services.gallery.gallery import FavoriteKey, GalleryService, GenerationKey, GenerationOrder
from services.integrations.device_token import DeviceTokens
from settings import Settings
from tests.conftest import Running, running
from tests.support import factories
from tests.support.client import Api
from tests.support.factories import insert

SIZE = 8
SELECT: GroupedSelect[Any] = GroupedSelect("SELECT name FROM t WHERE id = $1", ["varchar"], dict)
PAGE = """query($order: GenerationOrder, $after: String) { viewer { id credits
  generations(first: 3, orderBy: $order, after: $after) {
    edges { cursor node { id status isFavorite prompt } } pageInfo { hasNextPage endCursor } } } }"""


class HeldPool:
    """Records statements, and answers each with one row for each caller once it is released."""

    def __init__(self) -> None:
        self.statements: list[tuple[str, list[str]]] = []
        self.released = asyncio.Event()
        self.error: Exception | None = None

    async def fetch(self, sql: str, values: Sequence[Any], record: type) -> list[dict[str, Any]]:
        keys: list[str] = values[0] if isinstance(values[0], list) else [values[0]]
        self.statements.append((sql, keys))
        await self.released.wait()
        if self.error:
            raise self.error
        return [{"name": f"row of {key}", "group_place": place} for place, key in enumerate(keys, 1)]


@pytest.fixture
def pool() -> HeldPool:
    return HeldPool()


@pytest.fixture
def groups(pool: HeldPool) -> ReadGroups:
    return ReadGroups(pool, SIZE)  # type: ignore[arg-type]  # all that it uses of a pool


def ask(groups: ReadGroups, keys: Iterable[str]) -> list[asyncio.Future[list[Any]]]:
    """Let callers ask for these keys in one step of the event loop."""
    return [asyncio.ensure_future(groups.fetch(SELECT, (key,))) for key in keys]


async def steps() -> None:
    """Let everything run that can."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_callers_of_one_step_share_statements_of_limited_size(pool: HeldPool, groups: ReadGroups) -> None:
    callers = ask(groups, map(str, range(SIZE + 1)))
    await steps()
    alone, together = sorted(pool.statements, key=lambda statement: len(statement[1]))
    assert alone == (SELECT.sql, [str(SIZE)])
    assert together == (SELECT.of_several, [*map(str, range(SIZE))])
    pool.released.set()
    assert [found["name"] for (found,) in await asyncio.gather(*callers)] == [f"row of {n}" for n in range(SIZE + 1)]


async def test_callers_with_the_same_values_are_read_once(pool: HeldPool, groups: ReadGroups) -> None:
    pool.released.set()
    found = await asyncio.gather(*ask(groups, "aabba"))
    assert [row["name"] for (row,) in found] == [f"row of {key}" for key in "aabba"]
    assert [row["name"] for (row,) in await asyncio.gather(*ask(groups, "c" * 2 * SIZE))] == ["row of c"] * 2 * SIZE
    assert pool.statements == [(SELECT.of_several, ["a", "b"]), (SELECT.sql, ["c"])]


async def test_read_begins_after_it_was_asked_for(pool: HeldPool, groups: ReadGroups) -> None:
    """A caller that joined a statement that runs already could miss what was committed before it asked."""
    early = ask(groups, "ab")
    await steps()
    late = ask(groups, "ab")
    await steps()
    assert [keys for _, keys in pool.statements] == [["a", "b"], ["a", "b"]]
    pool.released.set()
    await asyncio.gather(*early, *late)


@pytest.mark.parametrize("canceled", [0, 1, 2])
@pytest.mark.parametrize("has_begun", [False, True])
async def test_canceled_caller_does_not_cancel_the_others(
    pool: HeldPool, groups: ReadGroups, canceled: int, has_begun: bool
) -> None:
    callers = ask(groups, "abc")
    await (steps() if has_begun else asyncio.sleep(0))
    callers.pop(canceled).cancel()
    await steps()
    pool.released.set()
    expected = [f"row of {key}" for place, key in enumerate("abc") if place != canceled]
    assert [found["name"] for (found,) in await asyncio.gather(*callers)] == expected
    assert len(pool.statements) == 1


async def test_error_reaches_every_caller_and_the_next_group_is_read(pool: HeldPool, groups: ReadGroups) -> None:
    pool.error = ConnectionError("lost")
    pool.released.set()
    assert await asyncio.gather(*ask(groups, "abc"), return_exceptions=True) == [pool.error] * 3
    pool.error = None
    assert [found["name"] for (found,) in await asyncio.gather(*ask(groups, "ab"))] == ["row of a", "row of b"]


async def test_group_of_one_sends_the_original_statement(pool: HeldPool) -> None:
    alone = ReadGroups(pool, 1)  # type: ignore[arg-type]  # as above
    pool.released.set()
    await asyncio.gather(*ask(alone, "abc"))
    assert pool.statements == [(SELECT.sql, ["a"]), (SELECT.sql, ["b"]), (SELECT.sql, ["c"])]


async def add_account(**changes: Any) -> tuple[str, str]:
    """Add an account with seven generations; return its id and the token of its session."""
    id = str((await insert("users", factories.user(**changes)))["id"])
    for number in range(7):
        await insert("generations", factories.generation(id, is_favorite=number % 3 == 0, prompt=f"{id} {number}"))
    token = f"token-of-{id}"
    lasting = datetime.now(UTC) + timedelta(days=1)
    seen = datetime.now(UTC)  # a use that is not to be recorded again
    row = factories.session(id, token_hash=hash_token(token), expires_at=lasting, last_seen_at=seen)
    await insert("sessions", row)
    return id, token


@pytest.mark.postgres_only
async def test_sessions_of_one_step_are_read_together_and_decided_one_by_one(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_database(database):
        sessions = SessionService(1, DeviceTokens("s" * 32))
        made = [await add_account() for _ in range(3)]
        suspended, ended = await add_account(suspended_at=factories.NOW), await add_account()
        await rows("UPDATE sessions SET expires_at = NOW() WHERE user_id = $1 RETURNING id", ended[0])
        tokens = [*(token for _, token in made), suspended[1], "unknown", ended[1], made[0][1]]
        with caplog.at_level("DEBUG", "tortoise.db_client"):
            found = await asyncio.gather(*map(sessions.user_of, tokens))
        assert len(caplog.records) == 1
        assert [user and user.id for user in found] == [*(id for id, _ in made), None, None, None, made[0][0]]


@pytest.mark.postgres_only
async def test_pages_of_one_step_hold_the_rows_of_their_account_in_order(database: str) -> None:
    gallery, newest, favorites = GalleryService(), GenerationOrder.NEWEST, GenerationOrder.FAVORITES_FIRST
    async with open_database(database):
        ids = [(await add_account())[0] for _ in range(4)]
        pages: list[tuple[PageRequest[GenerationKey], GenerationOrder]] = [
            (PageRequest(first=3), newest),
            (PageRequest(last=2), GenerationOrder.OLDEST),
            (PageRequest(first=4), favorites),
            (PageRequest(first=4, after=FavoriteKey(True, "~")), favorites),
            (PageRequest(first=4, before=FavoriteKey(False, "~")), favorites),
        ]
        for request, order in pages:
            alone = [await gallery.generations(id, request, None, order) for id in ids]
            together = await asyncio.gather(*(gallery.generations(id, request, None, order) for id in ids))
            for expected, found in zip(alone, together, strict=True):
                assert found.keys == expected.keys
                assert [row.prompt for row in found.items] == [row.prompt for row in expected.items]


@pytest.mark.postgres_only
async def test_catalogue_is_read_once_and_each_caller_gets_the_styles_of_its_collections(
    idle_server: Running, caplog: pytest.LogCaptureFixture
) -> None:
    styles, plans = idle_server.services.catalogue.styles, idle_server.services.billing.plans
    with caplog.at_level("DEBUG", "tortoise.db_client"):
        reads = [*(styles.collections() for _ in range(4)), *(plans.plans() for _ in range(4))]
        found = await asyncio.gather(*reads)
    tables = ('FROM "collections"', 'FROM "plans"')  # the server's own chores read others
    assert len([record for record in caplog.records if any(table in record.getMessage() for table in tables)]) == 2
    assert [len(each) for each in found[1:4]] == [len(found[0])] * 3
    ids = [collection.id for collection in await styles.collections()]
    wanted = [ids[:1], ids[1:2], ids[:2], ids[:1], ["col_unknown"]]

    async def slugs(collection_ids: list[str]) -> dict[str, list[str]]:
        by_id = await styles.styles_of(collection_ids)
        return {id: [style.slug for style in group] for id, group in by_id.items()}

    alone = [await slugs(each) for each in wanted]
    assert await asyncio.gather(*map(slugs, wanted)) == alone
    assert alone[0][ids[0]]


@pytest.mark.postgres_only
async def test_read_inside_a_transaction_sees_its_writes_while_others_do_not(database: str) -> None:
    async with open_database(database):
        ids = [(await add_account())[0] for _ in range(2)]
        gallery, newest = GalleryService(), GenerationOrder.NEWEST

        async def count(id: str) -> int:
            return len((await gallery.generations(id, PageRequest(first=20), None, newest)).items)

        async def work() -> list[int]:
            await insert("generations", factories.generation(ids[0]))
            outside = [asyncio.create_task(count(id), context=outside_context) for id in ids]
            return [await count(ids[0]), *await asyncio.gather(*outside)]

        outside_context = copy_context()
        assert await run_tx(work) == [8, 7, 7]


@pytest.mark.postgres_only
async def test_requests_get_the_same_bytes_with_and_without_groups(settings: Settings) -> None:
    async def answers(size: int, tokens: list[str]) -> list[str]:
        changes = {"database_group_size": size, "kept_answers_mib": 0}
        async with running(settings.model_copy(update=changes), idle=True) as server:
            return await asyncio.gather(*(ask_for(server, token) for token in tokens))

    async def ask_for(server: Running, token: str) -> str:
        api, found = Api(server.api.http, server.api.address, token), ""
        for order in ("NEWEST", "OLDEST", "FAVORITES_FIRST"):
            answer = await api.raw(PAGE, order=order)
            data = answer.json()["data"]  # None: the token is refused
            end = data["viewer"]["generations"]["pageInfo"]["endCursor"] if data else None
            found += answer.text + (await api.raw(PAGE, order=order, after=end)).text
        return found

    async with open_database(settings.database):
        tokens = [(await add_account())[1] for _ in range(12)]
        tokens.append((await add_account(suspended_at=factories.NOW))[1])
    expected = await answers(1, [*tokens, "unknown"])
    assert await answers(SIZE, [*tokens, "unknown"]) == expected
    assert len(set(expected)) == 13
