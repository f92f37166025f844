"""Benchmark: `main.py verify` at 1,000,000 generations: seconds by invariant, and the process's memory.

Each account has a sign-up bonus, a hundred generations, each with its ledger line and its picture, and one refund.
"""

import argparse
import asyncio
import resource
import tempfile
import time
from pathlib import Path

from benchmarks.measure import postgres
from models.database.connection import dialect, open_database, rows
from models.database.migrate import migrate
from models.database.postgres import MIGRATION_LIMITS
from services.operations.integrity_audit import IntegrityAudit

EACH = 100  # generations of one account
LIMIT = 60.0  # seconds that the whole audit may take

_SERIES = "WITH RECURSIVE series(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM series WHERE n + 1 < $1)"
_PAD = {"postgres": "LPAD(CAST({} AS TEXT), 8, '0')", "sqlite": "PRINTF('%08d', {})"}

_USERS = """
INSERT INTO users (id, email, password_hash, role, is_member, email_verified, credits, overdraft_allowed, version,
    ledger_sequence, created_at, updated_at)
{series} SELECT 'usr_' || {n}, 'p' || n || '@example.com', '-', 'USER', FALSE, FALSE, 901, FALSE, 102, 102, NOW(), NOW()
FROM series
"""
_FILES = """
INSERT INTO files (id, owner_id, kind, state, content_type, byte_size, width, height, sha256, thumbnail_widths,
    placeholder, created_at, updated_at)
{series} SELECT 'fil_' || {n}, 'usr_' || {user}, 'RESULT', 'LIVE', 'image/jpeg', 1, 1, 1, '-', '[320]', 'data:,',
    NOW(), NOW()
FROM series WHERE n % 100 <> 99
"""
_GENERATIONS = """
INSERT INTO generations (id, user_id, batch_id, media, status, stage, progress, version, collection_slug, style_slug,
    style_title, full_prompt, variables, earlier_prompts, size, quality, result_id, priority, cost, paid_by,
    refund_policy, refunded, attempts, fence, provider_calls, provider_called_at, provider, provider_cost, error_code,
    is_favorite, search_text, created_at, updated_at, completed_at)
{series} SELECT 'gen_' || {n}, 'usr_' || {user}, 'bat_' || {n}, 'IMAGE', status, status, 1, 4, 'plushify', 'cute',
    '{{}}', 'a portrait of a lighthouse keeper who reads a letter', '{{}}', '[]', 'MEDIUM', 'STANDARD',
    CASE WHEN status = 'COMPLETED' THEN 'fil_' || {n} END, 0, 1, 'CREDITS', 'ON_FAILURE', status = 'FAILED', 1, 1, 1,
    NOW(), 'openrouter', 0.039, CASE WHEN status = 'FAILED' THEN 'GENERATION_FAILED' END, FALSE, 'a portrait', NOW(),
    NOW(), NOW()
FROM (SELECT n, CASE WHEN n % 100 = 99 THEN 'FAILED' ELSE 'COMPLETED' END AS status FROM series) AS drawn
"""
_LINE = """
INSERT INTO credit_transactions (id, user_id, sequence, type, status, amount, balance, account_version, reference,
    generation_id, created_at)
{series} SELECT"""
_LINES = (
    f"{_LINE} 'txn_s' || {{n}}, 'usr_' || {{n}}, 1, 'BONUS', 'COMPLETED', 1000, 1000, 1, 'signup:usr_' || {{n}}, NULL,"
    " NOW() FROM series",
    f"{_LINE} 'txn_d' || {{n}}, 'usr_' || {{user}}, 2 + n % 100, 'DEDUCTION', 'COMPLETED', -1, 999 - n % 100,"
    " 2 + n % 100, 'deduct:gen_' || {n}, 'gen_' || {n}, NOW() FROM series",
    f"{_LINE} 'txn_r' || {{n}}, 'usr_' || {{n}}, 102, 'REFUND', 'COMPLETED', 1, 901, 102, 'refund:gen_' || {{last}},"
    " 'gen_' || {last}, NOW() FROM series",
)


async def fill(count: int) -> None:
    """Insert `count` generations, their accounts, files and ledger lines."""
    pad = _PAD[dialect()]
    fragments = {
        "series": _SERIES,
        "n": pad.format("n"),
        "user": pad.format(f"n / {EACH}"),
        "last": pad.format(f"n * {EACH} + {EACH - 1}"),
    }
    users = count // EACH
    bonus, deductions, refunds = (line.format(**fragments) for line in _LINES)
    for statement, number in (
        (_USERS.format(**fragments), users),
        (_FILES.format(**fragments), count),
        (_GENERATIONS.format(**fragments), count),
        (bonus, users),
        (deductions, count),
        (refunds, users),
    ):
        await rows(statement, number)


async def storage_keys(count: int) -> set[str]:
    """Return the keys of all pictures and thumbnails, as the storage lists them."""
    keys = (f"generated/usr_{n // EACH:08}/fil_{n:08}" for n in range(count) if n % EACH != EACH - 1)
    return {listed for key in keys for listed in (key, f"{key}-thumbnail")}


def elapsed(start: tuple[float, float], end: tuple[float, float]) -> str:
    return f"{end[0] - start[0]:.1f} | {end[1] - start[1]:.1f}"


async def measure(url: str, count: int) -> None:
    await migrate(url)
    async with open_database(url, limits=MIGRATION_LIMITS):
        started = time.perf_counter()
        if dialect() == "postgres":
            await rows("DROP INDEX ix_generations_words")  # not used by the audit, and slow to fill
        await fill(count)
        await rows("VACUUM ANALYZE" if dialect() == "postgres" else "ANALYZE")
        print(f"\n{dialect()}: {count:,} generations in {time.perf_counter() - started:.0f} s\n", flush=True)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        audit = IntegrityAudit(
            lambda: storage_keys(count), generation_seconds=86_400, file_seconds=86_400, upload_seconds=86_400
        )
        print("| invariant | s | CPU s of the audit's process |\n| --- | ---: | ---: |")
        first = last = (time.perf_counter(), time.process_time())
        async for result in audit.results():
            now = (time.perf_counter(), time.process_time())
            violations = f" ({len(result.violations)} violations)" if result.violations else ""
            print(f"| {result.name} {result.statement}{violations} | {elapsed(last, now)} |", flush=True)
            last = now
        more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before
        print(f"| together, at most {LIMIT:.0f} | {elapsed(first, last)} |")
        print(f"\nThe audit took {more:.0f} MiB of memory at most.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="generations")
    parser.add_argument("--database", choices=("postgres", "sqlite", "both"), default="both")
    given = parser.parse_args()
    if given.database != "sqlite":
        with postgres() as url:
            asyncio.run(measure(url, given.rows))
    if given.database != "postgres":
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(measure(f"sqlite://{Path(folder) / 'bench.sqlite3'}", given.rows))


if __name__ == "__main__":
    main()
