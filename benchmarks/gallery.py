"""Benchmark: gallery pages of an account with 1,000,000 generations compared with 100, on PostgreSQL."""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import tests.support.factories as example
from benchmarks.measure import median_ms, postgres
from models import Generation
from models.database.connection import open_database, rows
from models.database.migrate import migrate
from models.database.postgres import MIGRATION_LIMITS
from models.enum import GenerationStatus
from services.core.pagination import PageRequest
from services.gallery.gallery import FavoriteKey, GalleryService, GenerationFilter, GenerationKey, GenerationOrder
from services.gallery.user_stats import StatsService
from tests.support.factories import insert

SMALL = 100
ROUNDS = 21
STEP = 30  # seconds between two generations of the large account
END = datetime(2026, 1, 1, tzinfo=UTC)

# The first ten characters of an id are a timestamp in milliseconds; the rest is random in real ids.
_FUNCTIONS = """
CREATE FUNCTION bench_id(milliseconds bigint, n bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT 'gen_' || string_agg(substr('0123456789abcdefghjkmnpqrstvwxyz', (milliseconds >> (5 * i) & 31)::int + 1, 1),
        '' ORDER BY i DESC) || substr(md5(n::text), 1, 16) FROM generate_series(0, 9) AS i
$$"""

# Each prompt has some of 4,000 random words. The other words match a fixed share of the account's rows.
_FILL = """
WITH timed AS (
    SELECT n, floor(extract(epoch FROM $4::timestamptz) * 1000)::bigint - ($2::bigint - n) * $5::bigint * 1000 AS at,
        CASE WHEN n % 20 = 7 THEN 'FAILED' ELSE 'COMPLETED' END AS status
    FROM generate_series(1, $2::bigint) AS n
), drawn AS MATERIALIZED (
    SELECT *, bench_id(at, n) AS id FROM timed
)
INSERT INTO generations (id, user_id, batch_id, media, status, stage, progress, version, style_id, collection_slug,
    style_slug, style_title, prompt, full_prompt, variables, size, quality, result_id, priority, cost, paid_by,
    refund_policy, refunded, attempts, fence, provider_calls, error_code, is_favorite, search_text, created_at,
    updated_at, completed_at)
SELECT id, $1, 'bat_' || substr(md5((n / 4)::text), 1, 26), 'IMAGE', status, status, 1, 4, $3,
    CASE WHEN n % 10 = 0 THEN 'avenger' ELSE 'plushify' END, 'cute', '{"en": "Cute", "zh-CN": "可爱"}', '-', '-', '{}',
    'MEDIUM', 'STANDARD', CASE WHEN status = 'COMPLETED' THEN $6 END, 0, 1, 'CREDITS', 'ON_FAILURE', FALSE, 1, 1, 1,
    CASE WHEN status = 'FAILED' THEN 'GENERATION_FAILED' END, n % 100 = 3,
    concat_ws(E'\\n',
        concat_ws(' ', 'a portrait of',
            substr(md5((n * 7 % 4000)::text), 1, 7), substr(md5((n * 11 % 4000 + 1)::text), 1, 5),
            substr(md5((n * 13 % 4000 + 2)::text), 1, 9),
            CASE WHEN n % 100 = 50 THEN 'lighthouse' END, CASE WHEN n = 40 THEN 'zeppelin 独角 猫' END,
            CASE WHEN n > 40 AND n <= $2 / 10 THEN 'winter' END),
        'cute', '可爱', id),
    to_timestamp(at / 1000.0), to_timestamp(at / 1000.0), to_timestamp(at / 1000.0)
FROM drawn"""


async def fill(count: int) -> str:
    """Create an account with `count` finished generations, and return its id."""
    owner = (await insert("users", example.user()))["id"]
    result = (await insert("files", example.file(owner, kind="RESULT")))["id"]
    series = (await insert("collections", example.collection()))["id"]
    style = (await insert("styles", example.style(series)))["id"]
    await rows(_FILL, owner, count, style, END, STEP, result)
    return str(owner)


async def pages(owner: str, count: int) -> dict[str, Callable[[], Awaitable[object]]]:
    """Return queries for the first page, one in the middle, and the first page of each filter, order and search."""
    middle = (await Generation.filter(user_id=owner).order_by("id").offset(count // 2).limit(1))[0]
    favorite = FavoriteKey(False, middle.id)
    halfway = END - timedelta(seconds=count * STEP / 2)
    gallery = GalleryService()

    def page(
        order: GenerationOrder = GenerationOrder.NEWEST,
        first: int | None = 20,
        after: GenerationKey | None = None,
        last: int | None = None,
        before: GenerationKey | None = None,
        **filters: object,
    ) -> Callable[[], Awaitable[object]]:
        request: PageRequest[GenerationKey] = PageRequest(None if last else first, after, last, before)
        return lambda: gallery.generations(owner, request, GenerationFilter(**filters), order)  # type: ignore[arg-type]  # the callers below pass valid fields

    favorites = GenerationOrder.FAVORITES_FIRST
    return {
        "first page": page(),
        "page in the middle": page(after=middle.id),
        "page in the middle, backwards": page(last=20, before=middle.id),
        "oldest first": page(GenerationOrder.OLDEST),
        "favorites first": page(favorites),
        "favorites first, in the middle": page(favorites, after=favorite),
        "isFavorite": page(is_favorite=True),
        "status FAILED": page(status=(GenerationStatus.FAILED,)),
        "two statuses": page(status=(GenerationStatus.FAILED, GenerationStatus.COMPLETED)),
        "collection": page(collection="avenger"),
        "style": page(style_id=middle.style_id),
        "batch": page(batch_id=middle.batch_id),
        "createdBefore, halfway": page(created_before=halfway),
        "createdAfter, halfway, oldest first": page(GenerationOrder.OLDEST, created_after=halfway),
        "search: in every prompt": page(search="portrait"),
        "search: in every prompt, 2 Chinese characters": page(search="可爱"),
        "search: in every prompt, in the middle": page(search="portrait", after=middle.id),
        "search: 1 in 100": page(search="lighthouse"),
        "search: in one, near the oldest": page(search="zeppelin"),
        "search: in one, 2 Chinese characters": page(search="独角"),
        "search: in one, 1 Chinese character": page(search="猫"),
        "search: two words, in one": page(search="portrait zeppelin"),
        "search: in none, of common pairs": page(search="portraitable"),
        "search: an id": page(search=middle.id),
        "search: in the oldest tenth only": page(search="winter"),
        "search: 1 in 100, favorites first": page(favorites, search="lighthouse"),
        "search: in one, and FAILED": page(search="zeppelin", status=(GenerationStatus.FAILED,)),
    }


async def index_cost(owner: str) -> dict[str, float]:
    """Return the milliseconds of a generation's final write, with and without the search index."""

    async def finish(count: int) -> float:
        (model,) = [(await insert("generations", example.generation(owner)))["id"]]
        columns = ", ".join(f'"{name}"' for name in example.generation(owner) if name != "id")
        sql = (
            f"INSERT INTO generations (id, {columns}, search_text)"  # noqa: S608 - constant names
            f" SELECT 'gen_' || substr(md5(random()::text), 1, 26), {columns}, $3 || md5(n::text)"
            " FROM generations, generate_series(1, $2::int) AS n WHERE id = $1 RETURNING 1"
        )
        text = "a portrait of a lighthouse keeper who reads a letter in the rain at night, oil on canvas\ncute\n可爱\n"
        await rows(sql, model, count, text)
        started = time.perf_counter()
        await rows(
            "UPDATE generations SET status = 'CANCELED', stage = 'CANCELED', completed_at = NOW()"
            " WHERE user_id = $1 AND status = 'PENDING'",
            owner,
        )
        if indexed:
            await rows("SELECT gin_clean_pending_list('ix_generations_words')")  # includes the deferred index updates
        return (time.perf_counter() - started) * 1000 / count

    indexed = True
    await finish(100)
    durations = {"with the index": await finish(5000)}
    await rows("DROP INDEX ix_generations_words")
    indexed = False
    durations["without it"] = await finish(5000)
    return durations


async def measure(url: str, count: int) -> None:
    await migrate(url)
    async with open_database(url, limits=MIGRATION_LIMITS):
        await rows(_FUNCTIONS)
        started = time.perf_counter()
        (index,) = await rows("SELECT pg_get_indexdef('ix_generations_words'::regclass) AS definition")
        await rows("DROP INDEX ix_generations_words")  # rebuilt after the inserts, which is much faster
        small, large = await fill(SMALL), await fill(count)
        await rows(str(index["definition"]))
        await rows("VACUUM ANALYZE")
        print(f"{count:,} generations of one account and {SMALL} of another in {time.perf_counter() - started:.0f} s")
        (size,) = await rows(
            "SELECT pg_relation_size('ix_generations_words') / 1e6 AS words,"
            " pg_relation_size('generations') / 1e6 AS rows"
        )
        print(f"the search index has {size['words']:.0f} MB, the table {size['rows']:.0f} MB\n")
        print(f"| page of 20 | ms at {SMALL} | ms at {count:,} | ratio |\n| --- | ---: | ---: | ---: |")
        few, many = await pages(small, SMALL), await pages(large, count)
        for name in few:
            one, other = (
                await median_ms(few[name], ROUNDS, 3),
                await median_ms(many[name], ROUNDS, 3),
            )
            print(f"| {name} | {one:.1f} | {other:.1f} | {other / one:.1f} |", flush=True)
        stats = StatsService()
        stats_ms = [await median_ms(partial(stats.by_users, [owner]), ROUNDS, 3) for owner in (small, large)]
        print(f"\nUser.stats: {stats_ms[0]:.1f} ms and {stats_ms[1]:.1f} ms; it counts rows, so it grows")
        print("final write of a generation: ", end="")
        print(", ".join(f"{duration:.2f} ms {name}" for name, duration in (await index_cost(small)).items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="generations of the large account")
    count = parser.parse_args().rows
    with postgres() as url:
        asyncio.run(measure(url, count))


if __name__ == "__main__":
    main()
