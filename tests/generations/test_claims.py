"""Claims for several slots together: their order, the limit per account, one claim each, and their cost."""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from models import Generation, User
from models.database.connection import in_dialect, is_postgres, open_database, rows, run_tx
from models.enum import ErrorCode, GenerationStatus
from services.events import account_change
from services.generations import claim_statement
from services.generations.queue.next_claims import Claims, take_next
from services.operations.provider_pause import Claimable
from tests.generations.test_queue_order import account
from tests.support import factories
from tests.support.factories import insert

PER_USER = 4
MANY = 10_000  # waiting generations


@pytest.fixture(autouse=True)
async def _opened(database: str) -> AsyncIterator[None]:
    async with open_database(database):
        yield


async def take(limit: int, per_user: int = PER_USER) -> Claims:
    return await take_next("worker", 60, per_user, limit)


async def taken_together(limit: int, per_user: int = PER_USER) -> list[str]:
    return [each.generation.id for each in (await take(limit, per_user)).claims]


async def taken_one_by_one(count: int) -> list[str]:
    return [id for _ in range(count) for id in await taken_together(1)]


async def test_claims_for_several_slots_are_in_the_order_of_claims_one_by_one() -> None:
    async def line() -> list[str]:
        """Fill the line, and return the order in which all that may start are claimed."""
        busy = await account(running=2, waiting=5)
        first, second = await account(running=0, waiting=6), await account(running=0, waiting=2)
        paid = await account(running=3, waiting=2, priority=1)
        await account(running=PER_USER, waiting=3, priority=2)
        return [paid[0], first[0], second[0], first[1], second[1], busy[0], first[2], busy[1], first[3]]

    expected = await line()
    assert await taken_together(100) == expected
    await rows("DELETE FROM generations RETURNING id")
    expected = await line()
    assert await taken_one_by_one(len(expected) + 2) == expected


async def test_claims_are_made_for_free_slots_only() -> None:
    waiting = await account(running=0, waiting=3)
    assert await taken_together(2) == waiting[:2]
    assert await taken_together(2) == waiting[2:]
    assert await take(2) == Claims()


async def test_what_a_paused_provider_would_make_is_not_claimed(database: str) -> None:
    other, paused, unnamed, held, video = await account(running=0, waiting=5)
    for id, model in ((other, "b/two"), (paused, "a/one"), (held, "b/two"), (video, "c/film")):
        await rows("UPDATE generations SET requested_model = $2 WHERE id = $1 RETURNING id", id, model)
    await rows("UPDATE generations SET media = 'VIDEO' WHERE id = $1 RETURNING id", video)
    crowd = [(await account(running=0, waiting=1))[0] for _ in range(3)]
    await Generation.filter(id__in=crowd).update(requested_model="a/one")

    async def claimed(claimable: Claimable) -> list[str]:
        return [each.generation.id for each in (await take_next("w", 60, 9, 9, only=claimable)).claims]

    known = ["a/one", "b/two", "c/film"]
    assert await claimed(Claimable([], known, [], [])) == []
    assert await claimed(Claimable(["b/two"], known, [], [held])) == [other]
    assert await claimed(Claimable(["c/film"], known, ["VIDEO"], [])) == [video]
    assert await claimed(Claimable(["b/two"], known, ["IMAGE"], [])) == [unnamed, held]
    assert sorted(await taken_together(9, 9)) == sorted([paused, *crowd])


async def test_account_with_a_large_backlog_does_not_hide_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim_statement, "_CLAIM", claim_statement._CLAIM.replace("200", "3"))
    flood = await account(running=1, waiting=12)
    others = [(await account(running=0, waiting=1))[0] for _ in range(5)]
    assert await taken_together(100) == [*others, *flood[: PER_USER - 1]]


async def test_claimed_generation_is_complete_and_has_its_original() -> None:
    (waiting,) = await account(running=0, waiting=1)
    owner = (await Generation.get(id=waiting)).user_id
    photo = (await insert("files", factories.file(owner)))["id"]
    await rows("UPDATE generations SET original_id = $2 WHERE id = $1 RETURNING id", waiting, photo)
    (taken,) = (await take(1)).claims
    stored = await Generation.get(id=waiting).select_related("original")
    names = Generation._meta.fields_db_projection
    assert {name: getattr(taken.generation, name) for name in names} == {name: getattr(stored, name) for name in names}
    assert taken.generation.original == stored.original
    assert (stored.status, stored.attempts, stored.fence) == (GenerationStatus.PROCESSING, 1, 1)
    taken.generation.prompt = "changed"
    await taken.generation.save(update_fields=["prompt"])
    assert (await Generation.get(id=waiting)).prompt == "changed"


async def test_claims_of_one_account_are_published_in_one_version(database: str) -> None:
    first, second = await account(running=0, waiting=2), await account(running=0, waiting=1)
    changes = [each.account for each in (await take(9)).claims if each.account is not None]
    published = [change.generation_id for each in changes for change in each.generations]
    assert sorted(published) == sorted([*first, *second])
    versions = {user.id: user.version for user in await User.all()}
    assert {each.user_id: each.version for each in changes}.items() <= versions.items()
    if is_postgres(database):
        assert sorted(len(each.generations) for each in changes) == [1, 2]


@pytest.mark.parametrize("slots", [1, 5])
async def test_concurrent_claims_take_each_generation_once_within_the_limit_of_its_account(slots: int) -> None:
    waiting = [id for _ in range(4) for id in await account(running=1, waiting=9)]
    taken: list[str] = []

    async def work() -> None:
        """Claim and end generations, as one process does, until nothing can be claimed."""
        while (found := await take(slots)).claims or found.contended:
            counts = await rows(
                "SELECT COUNT(*) AS running FROM generations WHERE status = 'PROCESSING' GROUP BY user_id"
            )
            assert max(int(row["running"]) for row in counts) <= PER_USER
            for each in found.claims:
                taken.append(each.generation.id)
                await each.fail(ErrorCode.UNAVAILABLE, called=False)

    await asyncio.gather(*(work() for _ in range(6)))
    left = await rows("SELECT id FROM generations WHERE status = 'PENDING'")
    assert sorted([*taken, *(row["id"] for row in left)]) == sorted(waiting)
    assert Counter(taken).most_common(1)[0][1] == 1
    # A process that finds nothing to claim ends, although another one ends the last in progress only afterwards.
    assert len(left) <= PER_USER * 6


@pytest.mark.postgres_only  # SQLite has one writer at a time
async def test_account_that_is_being_changed_is_passed_over_and_not_waited_for() -> None:
    (locked,), (free,) = await account(running=0, waiting=1), await account(running=0, waiting=1)
    owner = (await Generation.get(id=locked)).user_id
    changing, done = asyncio.Event(), asyncio.Event()

    async def change() -> None:
        await account_change.bump_version(owner)
        changing.set()
        await done.wait()

    change_task = asyncio.create_task(run_tx(change))
    await changing.wait()
    found = await take(9)
    assert [each.generation.id for each in found.claims] == [free]
    assert found.contended
    done.set()
    await change_task
    assert await taken_together(9) == [locked]


class _RollbackError(Exception):
    pass


async def cost_of_a_claim() -> int:
    """Return the number of rows of tables that a claim for eight slots reads, changes and discards."""
    statement = in_dialect(claim_statement.claim_sql(), "postgres")
    plans = []

    async def explain() -> None:
        plans.extend(await rows("EXPLAIN (ANALYZE, FORMAT JSON) " + statement, "worker", 60.0, PER_USER, 8, "demo"))
        raise _RollbackError

    with contextlib.suppress(_RollbackError):
        await run_tx(explain)

    def read(node: dict[str, Any]) -> int:
        removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
        own = (node["Actual Rows"] + removed) * node["Actual Loops"] if node.get("Relation Name") else 0
        return int(own) + sum(read(child) for child in node.get("Plans", []))

    return read(json.loads(plans[0]["QUERY PLAN"])[0]["Plan"])


_COPY = """
INSERT INTO {table} (id, {new}, {copied}) SELECT '{prefix}' || lpad(n::text, 8, '0'), {value}, {copied}
FROM {table}, generate_series($2::int, $3::int) AS n WHERE id = $1 RETURNING id"""


def _copy(table: str, row: factories.Row, prefix: str, new: str, value: str) -> str:
    copied = ", ".join(f'"{name}"' for name in row if name not in ("id", new))
    return _COPY.format(table=table, new=new, copied=copied, prefix=prefix, value=value)


@pytest.mark.postgres_only  # SQLite claims one by one
@pytest.mark.parametrize(("running", "accounts"), [(0, 1), (1, 1), (0, MANY)])
async def test_cost_of_a_claim_does_not_depend_on_the_backlog(running: int, accounts: int) -> None:
    (model,) = await account(running=running, waiting=1)
    owner = (await Generation.get(id=model)).user_id
    if accounts > 1:
        email = "n || '@many.example'"
        await rows(_copy("users", factories.user(), "usr_", "email", email), owner, 1, accounts)
    one = "user_id" if accounts == 1 else "'usr_' || lpad(n::text, 8, '0')"
    copy = _copy("generations", factories.generation(owner), "gen_", "user_id", one)

    costs = []
    for first, last in ((1, 300), (301, MANY)):
        await rows(copy, model, first, last)
        await rows("ANALYZE")
        costs.append(await cost_of_a_claim())
    assert costs[1] <= costs[0] + 10
