"""Benchmark: gallery pages of an account with 1,000,000 generations compared with 100, on PostgreSQL."""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial

import tests.support.factories as example
from benchmarks.dataset import add_accounts, add_generations, halfway, without_word_index
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


async def fill(count: int) -> str:
    """Create an account with `count` finished generations, and return its id."""
    (owner,) = await add_accounts(1)
    await add_generations([owner], count)
    return owner


async def pages(owner: str, count: int) -> dict[str, Callable[[], Awaitable[object]]]:
    """Return queries for the first page, one in the middle, and the first page of each filter, order and search."""
    middle = (await Generation.filter(user_id=owner).order_by("id").offset(count // 2).limit(1))[0]
    favorite = FavoriteKey(False, middle.id)
    middle_time = halfway(count)
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
        "createdBefore, halfway": page(created_before=middle_time),
        "createdAfter, halfway, oldest first": page(GenerationOrder.OLDEST, created_after=middle_time),
        "search: in every prompt": page(search="portrait"),
        "search: in every prompt, 2 Chinese characters": page(search="可爱"),
        "search: in every prompt, in the middle": page(search="portrait", after=middle.id),
        "search: 1 in 100": page(search="lantern"),
        "search: in one, near the oldest": page(search="zeppelin"),
        "search: in one, 2 Chinese characters": page(search="独角"),
        "search: in one, 1 Chinese character": page(search="猫"),
        "search: two words, in one": page(search="portrait zeppelin"),
        "search: in none, of common pairs": page(search="portraitable"),
        "search: an id": page(search=middle.id),
        "search: in the oldest tenth only": page(search="winter"),
        "search: 1 in 100, favorites first": page(favorites, search="lantern"),
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
        started = time.perf_counter()
        index = await without_word_index()
        small, large = await fill(SMALL), await fill(count)
        await rows(index)
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
