"""Benchmark: analytics of a time window at 1,000,000 generations, compared with counting its rows, on each database.

Counting is the lower bound, because every statistic of a window reads its rows once.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import tests.support.factories as example
from benchmarks.measure import median_ms, postgres
from models.database.connection import dialect, open_database, rows
from models.database.migrate import migrate
from models.database.postgres import MIGRATION_LIMITS
from models.database.read_only import ReadOnlyDatabase
from services.operations.analytics import AnalyticsService
from tests.support.factories import insert

ROUNDS = 5
USERS = 10_000
END = datetime(2026, 1, 1, tzinfo=UTC)
SPAN = timedelta(days=365)
WINDOWS = {"a day": timedelta(days=1), "30 days": timedelta(days=30), "everything": SPAN * 2}
WRITES = 2000
TIMEOUT = 600.0  # seconds per statement; the server's timeout is shorter

_SERIES = "WITH RECURSIVE series(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < $1)"
_AGO = {
    "postgres": "CAST('2026-01-01T00:00Z' AS TIMESTAMPTZ) - MAKE_INTERVAL(secs => CAST({} AS FLOAT))",
    "sqlite": "STRFTIME('%Y-%m-%d %H:%M:%f', '2026-01-01', (-({})) || ' seconds') || '+00:00'",
}

_USERS = """
INSERT INTO users (id, email, password_hash, role, is_member, email_verified, credits, overdraft_allowed, version,
    ledger_sequence, created_at, updated_at)
{series} SELECT 'usr_' || n, 'p' || n || '@example.com', '-', 'USER', FALSE, FALSE, 0, FALSE, 0, 0, {end}, {end}
FROM series
"""

# In chronological order; every twentieth fails, and 40 styles are used unevenly.
_GENERATIONS = """
INSERT INTO generations (id, user_id, batch_id, media, status, stage, progress, version, collection_slug, style_slug,
    style_title, full_prompt, variables, earlier_prompts, size, quality, result_id, priority, cost, paid_by,
    refund_policy, refunded, attempts, fence, provider_calls, provider, provider_cost, error_code, is_favorite,
    search_text, created_at, updated_at, completed_at)
{series} SELECT 'gen_' || n, 'usr_' || (1 + n % 10000 * 7919 % 10000), 'bat_' || n, 'IMAGE', status, status, 1, 4,
    CASE WHEN n % 3 = 0 THEN 'avenger' ELSE 'plushify' END, 'style-' || (n % 40 * n % 40), '{{}}', $3, '{{}}', '[]',
    'MEDIUM', 'STANDARD', CASE WHEN status = 'COMPLETED' THEN $2 END, 0, 1, 'CREDITS', 'ON_FAILURE',
    status = 'FAILED', 1, 1, 1, 'openrouter', 0.039, CASE WHEN status = 'FAILED' THEN 'GENERATION_FAILED' END, FALSE,
    $3, {started}, {ended}, {ended}
FROM (SELECT n, CASE WHEN n % 20 = 7 THEN 'FAILED' ELSE 'COMPLETED' END AS status FROM series) AS drawn
"""

_LINES = """
INSERT INTO credit_transactions (id, user_id, sequence, type, status, amount, balance, account_version, reference,
    created_at)
{series} SELECT 'txn_' || n, 'usr_' || (1 + n % 10000), 1 + n / 10000,
    CASE WHEN n % 10 = 0 THEN 'PURCHASE' ELSE 'BONUS' END, 'COMPLETED', 5, 5, 1, 'bench:' || n, {started}
FROM series
"""


async def fill(count: int) -> None:
    """Insert `count` generations and ledger lines of 10,000 accounts, over the year before `END`."""
    ago, step = _AGO[dialect()], SPAN.total_seconds() / count
    fragments = {
        "series": _SERIES,
        "end": ago.format("0"),
        "started": ago.format(f"({count} - n) * {step}"),
        "ended": ago.format(f"({count} - n) * {step} - 4 - n * 37 % 9000 / 1000.0"),
    }
    await rows(_USERS.format(**fragments), USERS)
    picture = (await insert("files", example.file("usr_1", kind="RESULT")))["id"]
    text = "a portrait of a lighthouse keeper who reads a letter in the rain at night, oil on canvas; " * 4
    await rows(_GENERATIONS.format(**fragments), count, picture, text)
    await rows(_LINES.format(**fragments), count)


def statistics(
    windows: AnalyticsService, window: tuple[datetime, datetime]
) -> dict[str, Callable[[], Awaitable[object]]]:
    """Return a query per statistic, one for all as the API runs them, and the count of the rows."""

    async def everything() -> None:
        metrics = windows.between(*window, admin_id="usr_benchmark")
        await asyncio.gather(
            metrics.outcomes, metrics.by_hour, metrics.durations, metrics.users, metrics.ledger, metrics.plans
        )

    count = "SELECT COUNT(*) FROM generations WHERE created_at >= $1 AND created_at < $2"
    return {
        "counting the rows": lambda: rows(count, *window),
        "outcomes, styles, providers, errors": lambda: windows.between(*window, admin_id="usr_benchmark").outcomes,
        "hours": lambda: windows.between(*window, admin_id="usr_benchmark").by_hour,
        "seconds": lambda: windows.between(*window, admin_id="usr_benchmark").durations,
        "users": lambda: windows.between(*window, admin_id="usr_benchmark").users,
        "credits": lambda: windows.between(*window, admin_id="usr_benchmark").ledger,
        "all together": everything,
    }


async def write_cost() -> float:
    """Return the milliseconds of creating, claiming and finishing a generation in the database."""
    started = time.perf_counter()
    for n in range(WRITES):
        row = await insert("generations", example.generation("usr_1", style_slug=f"style-{n % 40}"))
        await rows(
            "UPDATE generations SET status = 'PROCESSING', stage = 'GENERATING', lease_until = NOW() WHERE id = $1",
            row["id"],
        )
        await rows(
            "UPDATE generations SET status = 'CANCELED', stage = 'CANCELED', lease_until = NULL, completed_at = NOW()"
            " WHERE id = $1",
            row["id"],
        )
    return (time.perf_counter() - started) * 1000 / WRITES


async def measure(url: str, count: int) -> None:
    await migrate(url)
    async with open_database(url, limits=MIGRATION_LIMITS):
        started = time.perf_counter()
        if dialect() == "postgres":
            await rows("DROP INDEX ix_generations_words")  # unused by analytics, and slow to fill
        await fill(count)
        await rows("VACUUM ANALYZE" if dialect() == "postgres" else "ANALYZE")
        print(f"\n{dialect()}: {count:,} generations of {USERS:,} accounts in {time.perf_counter() - started:.0f} s\n")
        windows = AnalyticsService(ReadOnlyDatabase(url, TIMEOUT))
        queries = {
            name: statistics(windows, (END - length, END + timedelta(days=1))) for name, length in WINDOWS.items()
        }
        print(f"| statistic | {' | '.join(f'{name}, ms | times the count' for name in queries)} |")
        print("| --- |" + " ---: |" * (2 * len(queries)))
        counts: dict[str, float] = {}
        for statistic in queries["a day"]:
            cells = []
            for window, by_statistic in queries.items():
                duration = await median_ms(by_statistic[statistic], ROUNDS, 1)
                cells.append(f"{duration:.1f} | {duration / counts.setdefault(window, duration):.1f}")
            print(f"| {statistic} | {' | '.join(cells)} |", flush=True)
        with_indexes = await write_cost()
        for index in ("ix_generations_figures", "ix_generations_seen"):
            await rows(f"DROP INDEX {index}")
        print(
            f"\ncreating, claiming and finishing a generation: {with_indexes:.2f} ms with the analytics indexes, ",
            end="",
        )
        print(f"{await write_cost():.2f} ms without")


async def both(count: int) -> None:
    with postgres() as url:
        await measure(url, count)
    with tempfile.TemporaryDirectory() as folder:
        await measure(f"sqlite://{Path(folder) / 'bench.sqlite3'}", count)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="generations, over a year")
    asyncio.run(both(parser.parse_args().rows))


if __name__ == "__main__":
    main()
