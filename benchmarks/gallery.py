"""Benchmark: gallery pages of an account with 1,000,000 generations compared with 100, on PostgreSQL.

What a page costs is the number of 8 KiB buffers that its statements look at, found in memory or read from the disk. It
is the same in every run, whatever else the machine does; milliseconds are not.
"""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial

import tests.support.factories as example
from benchmarks.dataset import add_accounts, add_generations, halfway, without_word_index
from benchmarks.measure import median_ms, postgres
from models import Album, Generation, Tag
from models.database.connection import open_database, rows
from models.database.migrate import migrate
from models.database.postgres import MIGRATION_LIMITS
from models.enum import GenerationStatus
from models.generation_row import GenerationRow
from services.core.pagination import Page, PageRequest
from services.gallery.album import MAX_ENTRIES
from services.gallery.gallery import FavoriteKey, GalleryService, GenerationFilter, GenerationKey, GenerationOrder
from services.gallery.user_stats import StatsService
from tests.support import named_lists
from tests.support.factories import insert

SMALL = 100
ROUNDS = 21
COUNTED = 4  # pages whose buffers are counted
GROWTH_LIMIT = 1.2  # of a page's buffers, at the size of the large account
SIZE = 20  # rows of a page
RARE_WORD = "rare word"  # in the names of pages that may grow
JOINED = 5  # buffers for a row, and for what is joined to it
_BUFFERS = """
SELECT SUM(shared_blks_hit + shared_blks_read)::float AS buffers FROM pg_stat_statements
WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND query LIKE '%"generations"%'"""


ReadPage = Callable[[], Awaitable[Page[GenerationRow, GenerationKey]]]


async def fill(count: int) -> str:
    """Create an account with `count` finished generations, and return its id."""
    (owner,) = await add_accounts(1)
    await add_generations([owner], count)
    for name, row in (("album", named_lists.album(owner)), ("tag", named_lists.tag(owner))):
        # The album has as many of the newest as it may; one in ten has the tag, beginning with the newest.
        await insert(f"{name}s", row)
        await rows(
            f"INSERT INTO {name}_entries ({name}_id, generation_id, is_favorite) SELECT $1, id, is_favorite"  # noqa: S608 - constants
            " FROM (SELECT *, ROW_NUMBER() OVER (ORDER BY id DESC) AS number FROM generations WHERE user_id = $2) AS g"
            " WHERE CASE WHEN $3 THEN number <= $4 ELSE number % 10 = 1 END RETURNING 1 AS done",
            row["id"],
            owner,
            name == "album",
            MAX_ENTRIES,
        )
    return owner


def reader(owner: str) -> Callable[..., ReadPage]:
    """Return what makes queries for pages of an account, by order, cursors and filters."""
    gallery = GalleryService()

    def page(
        order: GenerationOrder = GenerationOrder.NEWEST,
        first: int | None = 20,
        after: GenerationKey | None = None,
        last: int | None = None,
        before: GenerationKey | None = None,
        **filters: object,
    ) -> ReadPage:
        request: PageRequest[GenerationKey] = PageRequest(None if last else first, after, last, before)
        return lambda: gallery.generations(owner, request, GenerationFilter(**filters), order)  # type: ignore[arg-type]  # the callers below pass valid fields

    return page


async def pages(owner: str, count: int) -> dict[str, ReadPage]:
    """Return queries for the first page, one in the middle, and the first page of each filter, order and search."""
    page = reader(owner)
    newest = Generation.filter(user_id=owner).order_by("-id")
    middle = (await newest.offset(count // 2).limit(1))[0]
    listed = (await newest.offset(min(count, MAX_ENTRIES) // 2).limit(1))[0]  # in the middle of the album
    favorites, favorite = GenerationOrder.FAVORITES_FIRST, FavoriteKey(False, middle.id)
    completed = (GenerationStatus.COMPLETED,)
    return {
        "first page": page(),
        "page in the middle": page(after=middle.id),
        "page in the middle, backwards": page(last=20, before=middle.id),
        "oldest first": page(GenerationOrder.OLDEST),
        "favorites first": page(favorites),
        "favorites first, in the middle": page(favorites, after=favorite),
        "isFavorite": page(is_favorite=True),
        "status FAILED": page(status=(GenerationStatus.FAILED,)),
        "status COMPLETED, in the middle": page(status=completed, after=middle.id),
        "status COMPLETED, in the middle, backwards": page(status=completed, last=20, before=middle.id),
        "two statuses": page(status=(GenerationStatus.FAILED, GenerationStatus.COMPLETED)),
        "collection": page(collection="avenger"),
        "style": page(style_id=middle.style_id),
        "style, in the middle": page(style_id=middle.style_id, after=middle.id),
        "batch": page(batch_id=middle.batch_id),
        "createdBefore, halfway": page(created_before=halfway(count)),
        "createdAfter, halfway, oldest first": page(GenerationOrder.OLDEST, created_after=halfway(count)),
        **await list_pages(owner, listed.id),
        **searches(page, middle.id),
    }


async def list_pages(owner: str, listed: str) -> dict[str, ReadPage]:
    """Return those of the album and the tag. `listed`: a generation in the middle of the album."""
    page = reader(owner)
    (album,), (tag,) = await Album.filter(user_id=owner), await Tag.filter(user_id=owner)
    favorites, favorite = GenerationOrder.FAVORITES_FIRST, FavoriteKey(False, listed)
    return {
        "album": page(album_id=album.id),
        "album, in the middle": page(album_id=album.id, after=listed),
        "album, oldest first": page(GenerationOrder.OLDEST, album_id=album.id),
        "album, favorites first": page(favorites, album_id=album.id),
        "album, favorites first, in the middle": page(favorites, album_id=album.id, after=favorite),
        "album, isFavorite": page(album_id=album.id, is_favorite=True),
        "album, search, rare word: 1 in 100": page(album_id=album.id, search="lantern"),
        "tag": page(tag_ids=(tag.id,)),
        "tag, in the middle, backwards": page(tag_ids=(tag.id,), last=20, before=listed),
        "tag, in an album": page(tag_ids=(tag.id,), album_id=album.id),
    }


def searches(page: Callable[..., ReadPage], middle: str) -> dict[str, ReadPage]:
    """Return those of words. `middle`: a generation in the middle of the account's."""
    return {
        "search: in every prompt": page(search="portrait"),
        "search: in every prompt, 2 Chinese characters": page(search="可爱"),
        "search: in every prompt, in the middle": page(search="portrait", after=middle),
        "search, rare word: 1 in 100": page(search="lantern"),
        "search, rare word: in one, near the oldest": page(search="zeppelin"),
        "search, rare word: in one, 2 Chinese characters": page(search="独角"),
        "search, rare word: in one, 1 Chinese character": page(search="猫"),
        "search, rare word: one of two, in one": page(search="portrait zeppelin"),
        "search, rare word: in none, of common pairs": page(search="portraitable"),
        "search, rare word: an id": page(search=middle),
        "search, rare word: in the oldest tenth only": page(search="winter"),
        "search, rare word: 1 in 100, favorites first": page(GenerationOrder.FAVORITES_FIRST, search="lantern"),
        "search, rare word: in one, and FAILED": page(search="zeppelin", status=(GenerationStatus.FAILED,)),
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


async def buffers(page: ReadPage) -> tuple[float, int]:
    """Return the buffers that the statements of one page look at, once each is planned for all values, and its rows."""
    await rows("SELECT pg_stat_statements_reset()")
    for _ in range(COUNTED):
        items = len((await page()).items)
    (found,) = await rows(_BUFFERS)
    return float(found["buffers"]) / COUNTED, items


def buffer_limit(at_few: float, few_items: int, items: int) -> float:
    """Return the most buffers of a page with `items` rows, from those of a small account's page.

    For each row, because the small account may have fewer to show; its rows share buffers, and are joined to others by
    hashes or nested loops.
    """
    return GROWTH_LIMIT * (at_few / (few_items + 1) + JOINED) * (items + 1)


async def measure(url: str, count: int, others: int) -> None:
    await migrate(url)
    async with open_database(url, limits=MIGRATION_LIMITS):
        await rows("CREATE EXTENSION pg_stat_statements")
        started = time.perf_counter()
        index = await without_word_index()
        small, large = await fill(SMALL), await fill(count)
        if others:
            await add_generations(list(await add_accounts(others)), SMALL)
        await rows(index)
        await rows("VACUUM ANALYZE")
        print(f"{count:,} generations of one account and {SMALL} of another in {time.perf_counter() - started:.0f} s")
        (size,) = await rows(
            "SELECT pg_relation_size('ix_generations_words') / 1e6 AS words,"
            " pg_relation_size('generations') / 1e6 AS rows"
        )
        print(f"the search index has {size['words']:.0f} MB, the table {size['rows']:.0f} MB\n")
        print(f"| page of {SIZE} | buffers / rows at {SMALL} | at {count:,} | ms at {SMALL} | at {count:,} |")
        print("| --- | ---: | ---: | ---: | ---: |")
        few, many = await pages(small, SMALL), await pages(large, count)
        for name in few:
            one, other = (
                await median_ms(few[name], ROUNDS, 3),
                await median_ms(many[name], ROUNDS, 3),
            )
            (at_few, few_items), (at_many, items) = await buffers(few[name]), await buffers(many[name])
            grows = at_many > buffer_limit(at_few, few_items, items) and RARE_WORD not in name
            mark = " (more than wanted)" if grows else ""
            columns = f"{at_few:.0f} / {few_items} | {at_many:.0f} / {items}{mark} | {one:.1f} | {other:.1f}"
            print(f"| {name} | {columns} |", flush=True)
        stats = StatsService()
        stats_ms = [await median_ms(partial(stats.by_users, [owner]), ROUNDS, 3) for owner in (small, large)]
        print(f"\nUser.stats: {stats_ms[0]:.1f} ms and {stats_ms[1]:.1f} ms; it counts rows, so it grows")
        print("final write of a generation: ", end="")
        print(", ".join(f"{duration:.2f} ms {name}" for name, duration in (await index_cost(small)).items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="generations of the large account")
    parser.add_argument("--others", type=int, default=0, help=f"more accounts, with {SMALL} generations each")
    given = parser.parse_args()
    with postgres("pg_stat_statements") as url:
        asyncio.run(measure(url, given.rows, given.others))


if __name__ == "__main__":
    main()
