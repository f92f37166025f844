"""What the figures of a window cost at 1,000,000 generations, against counting the window's rows, on each database.

The counting is the floor: whoever wants a figure of a window has to see its rows once.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import tests.support.factories as example
from benchmarks.timing import median_ms, postgres
from models.database.connection import dialect, open_database, rows
from models.database.migrate import migrate
from models.database.postgres import MIGRATION_LIMITS
from models.database.read_only import ReadOnlyDatabase
from services.operations.analytics import AnalyticsService
from tests.support.factories import insert

ROUNDS = 5
PEOPLE = 10_000
END = datetime(2026, 1, 1, tzinfo=UTC)
SPAN = timedelta(days=365)
WINDOWS = {"a day": timedelta(days=1), "30 days": timedelta(days=30), "everything": SPAN * 2}
WRITES = 2000
DEADLINE = 600.0  # seconds of a statement; a server gives less

_SERIES = "WITH RECURSIVE series(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < $1)"
_AGO = {
    "postgres": "CAST('2026-01-01T00:00Z' AS TIMESTAMPTZ) - MAKE_INTERVAL(secs => CAST({} AS FLOAT))",
    "sqlite": "STRFTIME('%Y-%m-%d %H:%M:%f', '2026-01-01', (-({})) || ' seconds') || '+00:00'",
}

_PEOPLE = """
INSERT INTO users (id, email, password_hash, role, is_member, email_verified, credits, overdraft_allowed, version,
    ledger_sequence, created_at, updated_at)
{series} SELECT 'usr_' || n, 'p' || n || '@example.com', '-', 'USER', FALSE, FALSE, 0, FALSE, 0, 0, {end}, {end}
FROM series
"""

# In the order of their moments, as rows come; every twentieth fails, and 40 styles are drawn unevenly.
_ORDERS = """
INSERT INTO generations (id, user_id, batch_id, media, status, stage, progress, version, collection_slug, style_slug,
    style_title, full_prompt, variables, earlier_prompts, size, quality, result_id, priority, cost, paid_by,
    refund_policy, refunded, attempts, fence, provider_calls, provider, provider_cost, error_code, is_favorite,
    search_text, created_at, updated_at, completed_at)
{series} SELECT 'gen_' || n, 'usr_' || (1 + n % 10000 * 7919 % 10000), 'bat_' || n, 'IMAGE', status, status, 1, 4,
    CASE WHEN n % 3 = 0 THEN 'avenger' ELSE 'plushify' END, 'style-' || (n % 40 * n % 40), '{{}}', $3, '{{}}', '[]',
    'MEDIUM', 'STANDARD', CASE WHEN status = 'COMPLETED' THEN $2 END, 0, 1, 'CREDITS', 'ON_FAILURE',
    status = 'FAILED', 1, 1, 1, 'openrouter', 0.039, CASE WHEN status = 'FAILED' THEN 'GENERATION_FAILED' END, FALSE,
    $3, {begun}, {ended}, {ended}
FROM (SELECT n, CASE WHEN n % 20 = 7 THEN 'FAILED' ELSE 'COMPLETED' END AS status FROM series) AS drawn
"""

_LINES = """
INSERT INTO credit_transactions (id, user_id, sequence, type, status, amount, balance, account_version, reference,
    created_at)
{series} SELECT 'txn_' || n, 'usr_' || (1 + n % 10000), 1 + n / 10000,
    CASE WHEN n % 10 = 0 THEN 'PURCHASE' ELSE 'BONUS' END, 'COMPLETED', 5, 5, 1, 'bench:' || n, {begun}
FROM series
"""


async def fill(count: int) -> None:
    """`count` generations and lines of 10,000 accounts, over the year before `END`."""
    ago, step = _AGO[dialect()], SPAN.total_seconds() / count
    spelled = {
        "series": _SERIES,
        "end": ago.format("0"),
        "begun": ago.format(f"({count} - n) * {step}"),
        "ended": ago.format(f"({count} - n) * {step} - 4 - n * 37 % 9000 / 1000.0"),
    }
    await rows(_PEOPLE.format(**spelled), PEOPLE)
    picture = (await insert("files", example.file("usr_1", kind="RESULT")))["id"]
    text = "a portrait of a lighthouse keeper who reads a letter in the rain at night, oil on canvas; " * 4
    await rows(_ORDERS.format(**spelled), count, picture, text)
    await rows(_LINES.format(**spelled), count)


def figures(windows: AnalyticsService, window: tuple[datetime, datetime]) -> dict[str, Callable[[], Awaitable[object]]]:
    """Each figure by itself, all together as the API asks for them, and the floor."""

    async def everything() -> None:
        metrics = windows.between(*window)
        await asyncio.gather(
            metrics.outcomes, metrics.by_hour, metrics.durations, metrics.users, metrics.ledger, metrics.plans
        )

    floor = "SELECT COUNT(*) FROM generations WHERE created_at >= $1 AND created_at < $2"
    return {
        "counting the rows": lambda: rows(floor, *window),
        "outcomes, styles, providers, errors": lambda: windows.between(*window).outcomes,
        "hours": lambda: windows.between(*window).by_hour,
        "seconds": lambda: windows.between(*window).durations,
        "people": lambda: windows.between(*window).users,
        "credits": lambda: windows.between(*window).ledger,
        "all together": everything,
    }


async def write_cost() -> float:
    """Milliseconds that an order, its claim and its end cost the database."""
    begun = time.perf_counter()
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
    return (time.perf_counter() - begun) * 1000 / WRITES


async def measure(url: str, count: int) -> None:
    await migrate(url)
    async with open_database(url, limits=MIGRATION_LIMITS):
        begun = time.perf_counter()
        if dialect() == "postgres":
            await rows("DROP INDEX ix_generations_words")  # no figure reads it, and every row fills it
        await fill(count)
        await rows("VACUUM ANALYZE" if dialect() == "postgres" else "ANALYZE")
        print(f"\n{dialect()}: {count:,} generations of {PEOPLE:,} accounts in {time.perf_counter() - begun:.0f} s\n")
        windows = AnalyticsService(ReadOnlyDatabase(url, DEADLINE))
        found = {name: figures(windows, (END - length, END + timedelta(days=1))) for name, length in WINDOWS.items()}
        print(f"| figure | {' | '.join(f'{name}, ms | times the counting' for name in found)} |")
        print("| --- |" + " ---: |" * (2 * len(found)))
        floors: dict[str, float] = {}
        for figure in found["a day"]:
            cells = []
            for window, works in found.items():
                taken = await median_ms(works[figure], ROUNDS, 1)
                cells.append(f"{taken:.1f} | {taken / floors.setdefault(window, taken):.1f}")
            print(f"| {figure} | {' | '.join(cells)} |", flush=True)
        with_indexes = await write_cost()
        for index in ("ix_generations_figures", "ix_generations_seen"):
            await rows(f"DROP INDEX {index}")
        print(f"\nan order, its claim and its end: {with_indexes:.2f} ms with the indexes of figures, ", end="")
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
