"""Benchmark: what each index, and all CHECK constraints of each table, cost per generation: WAL and PostgreSQL's CPU.

Each is dropped in turn, generations are made from request to result, and it is created again. Rounds with everything in
place come between. `--only` names the parts to leave out; the rounds of one part show what lies within the noise.
"""

import argparse
import asyncio
from dataclasses import dataclass
from itertools import cycle, islice

import asyncpg

from benchmarks.life import fill
from benchmarks.measure import Backends, backends, cpu_seconds
from models import File, Generation, ids
from models.database.connection import open_database
from models.enum import FileKind, Quality, RefundPolicy, Size
from services.core.idempotency import IdempotencyTicket
from services.generations.queue.next_claims import take_next
from services.generations.specification import search_text
from services.generations.submission import accept
from services.integrations.providers.protocol import FinalImage

TABLES = ("generations", "credit_transactions", "files", "users")
_INDEXES = """
SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition, indrelid::regclass::text AS of
FROM pg_index WHERE indrelid::regclass::text = $1 AND NOT indisprimary
    AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = indexrelid) ORDER BY 1"""
_CHECKS = """
SELECT conname AS name, pg_get_constraintdef(oid) AS definition FROM pg_constraint
WHERE conrelid = $1::regclass AND contype = 'c' ORDER BY 1"""
_HOT = """
SELECT relname AS name, n_tup_upd AS updates, round(100.0 * n_tup_hot_upd / n_tup_upd) AS percent
FROM pg_stat_user_tables WHERE n_tup_upd > 0 AND relname = ANY (ARRAY['generations', 'files', 'users']) ORDER BY 1"""
WAL = "SELECT pg_current_wal_insert_lsn() - '0/0' AS bytes"


@dataclass(frozen=True)
class Part:
    """Something that can be left out: the statements that drop it and create it again."""

    name: str
    drop: str
    create: str


@dataclass(frozen=True)
class Cost:
    """Of one generation: bytes of WAL, and milliseconds of PostgreSQL's CPU."""

    wal: float
    cpu: float


async def parts(connection: asyncpg.Connection) -> list[Part]:
    """Return each index, and the CHECK constraints of each table together."""
    found = []
    for table in TABLES:
        for row in await connection.fetch(_INDEXES, table):
            found.append(Part(row["name"], f"DROP INDEX {row['name']}", row["definition"]))
        checks = await connection.fetch(_CHECKS, table)
        drop = ", ".join(f'DROP CONSTRAINT "{row["name"]}"' for row in checks)
        create = ", ".join(f'ADD CONSTRAINT "{row["name"]}" {row["definition"]}' for row in checks)
        name = f"{len(checks)} CHECKs of {table}"
        found.append(Part(name, f"ALTER TABLE {table} {drop}", f"ALTER TABLE {table} {create}"))
    return found


async def without_full_pages(connection: asyncpg.Connection) -> None:
    """Switch off what would hide the rest: full pages after a checkpoint, and vacuuming."""
    for setting in ("full_page_writes", "autovacuum"):
        await connection.execute(f"ALTER SYSTEM SET {setting} = off")
    await connection.execute("SELECT pg_reload_conf()")


def new_generation(user_id: str) -> Generation:
    """Return a generation from a prompt, not yet written."""
    id, title = ids.new_id(ids.GENERATION), {"en": "Free prompt"}
    return Generation(
        id=id,
        user_id=user_id,
        batch_id=ids.new_id(ids.BATCH),
        collection_slug="sandbox",
        style_slug="free",
        style_title=title,
        prompt="a fox in the rain",
        full_prompt="Make one picture of a fox in the rain.",
        variables={},
        size=Size.MEDIUM,
        quality=Quality.STANDARD,
        cost=1,
        refund_policy=RefundPolicy.ON_FAILURE,
        search_text=search_text(id, "a fox in the rain", title),
    )


def _file(user_id: str) -> File:
    numbers = {"byte_size": 100_000, "width": 1024, "height": 1024}
    return File(
        owner_id=user_id,
        kind=FileKind.RESULT,
        content_type="image/webp",
        sha256="0" * 64,
        placeholder="data:,",
        thumbnail_widths=[320],
        **numbers,
    )


async def make(users: list[str], count: int) -> None:
    """Take generations of the accounts in turn from the request to the result, one after another."""
    for user_id in islice(cycle(users), count):
        await accept(user_id, [new_generation(user_id)], IdempotencyTicket("bench", None, ""), 0)
        (claim,) = (await take_next("bench", 60, 4, 1, "demo")).claims
        await claim.record_call("demo")
        file = _file(user_id)
        await claim.store_row(file, 0.95)
        await claim.complete(file.id, FinalImage(b"", "demo", None, None))


async def compare(found: Backends, users: list[str], options: argparse.Namespace) -> None:
    """Print what each part costs: the least and the most of the rounds, each between two with everything in place."""
    count: int = options.generations
    connection = await asyncpg.connect(found.database_url)

    async def measure() -> Cost:
        await connection.execute("CHECKPOINT")
        before, used = await connection.fetchval(WAL), cpu_seconds(found.database_pid)
        await make(users, count)
        wal = await connection.fetchval(WAL) - before
        return Cost(float(wal) / count, (cpu_seconds(found.database_pid) - used) * 1000 / count)

    await make(users, 200)  # warms up
    everything = await measure()
    print(f"everything: {everything.wal:.0f} bytes of WAL, {everything.cpu:.2f} ms of CPU")
    print("| left out | bytes of WAL | ms of CPU |\n| --- | ---: | ---: |")
    for part in await parts(connection):
        if not any(name in part.name for name in options.only):
            continue
        saved = []
        for _ in range(options.rounds):
            await connection.execute(part.drop)
            without = await measure()
            await connection.execute(part.create)
            before, everything = everything, await measure()
            wal = (before.wal + everything.wal) / 2 - without.wal
            saved.append(Cost(wal, (before.cpu + everything.cpu) / 2 - without.cpu))
        wals, cpus = sorted(cost.wal for cost in saved), sorted(cost.cpu for cost in saved)
        print(f"| {part.name} | {wals[0]:.0f} to {wals[-1]:.0f} | {cpus[0]:.2f} to {cpus[-1]:.2f} |", flush=True)
    for row in await connection.fetch(_HOT):
        print(f"{row['name']}: {row['updates']} updates, {row['percent']} percent heap-only")
    await connection.close()


async def _measure_all(found: Backends, options: argparse.Namespace) -> None:
    users = await fill(found)
    connection = await asyncpg.connect(found.database_url)
    await without_full_pages(connection)
    await connection.close()
    async with open_database(found.database_url):
        await compare(found, users, options)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--generations", type=int, default=400, help="of each round")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=[""], help="parts of the names to leave out, such as CHECKs")
    options = parser.parse_args()
    with backends() as found:
        asyncio.run(_measure_all(found, options))


if __name__ == "__main__":
    main()
