"""Benchmark: what each index, and all CHECK constraints of each table, cost per generation: WAL and PostgreSQL's CPU.

Each is dropped in turn, generations are made from request to result, and it is created again. Rounds with everything in
place come between.
"""

import argparse
import asyncio
from dataclasses import dataclass
from functools import partial

import asyncpg

from benchmarks.life import CONCURRENCY, Life, fill
from benchmarks.life_process import LifeTask
from benchmarks.line_process import LineProcess
from benchmarks.measure import Backends, backends

TABLES = ("generations", "credit_transactions", "files", "users")
_INDEXES = """
SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition, indrelid::regclass::text AS of
FROM pg_index WHERE indrelid::regclass::text = $1 AND NOT indisprimary
    AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = indexrelid) ORDER BY 1"""
_CHECKS = """
SELECT conname AS name, pg_get_constraintdef(oid) AS definition FROM pg_constraint
WHERE conrelid = $1::regclass AND contype = 'c' ORDER BY 1"""
_WAL = "SELECT pg_current_wal_insert_lsn() - '0/0' AS bytes"


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


async def _run(url: str, statement: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetch(statement)
    finally:
        await connection.close()


async def _parts(url: str) -> list[Part]:
    connection = await asyncpg.connect(url)
    try:
        return await parts(connection)
    finally:
        await connection.close()


def measure(found: Backends, life: Life, count: int) -> Cost:
    """Make `count` generations and return the cost of one."""
    run = partial(_run, found.database_url)
    before = asyncio.run(run(_WAL))[0]["bytes"]
    sample = life.measure()
    wal = asyncio.run(run(_WAL))[0]["bytes"] - before
    return Cost(float(wal) / count, sample.cpu["database"] * 1000 / count)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--generations", type=int, default=400, help="of each round")
    options = parser.parse_args()
    count = options.generations
    with backends() as found:
        users = asyncio.run(fill(found))
        # Full pages after a checkpoint would hide the rest.
        asyncio.run(_run(found.database_url, "ALTER SYSTEM SET full_page_writes = off"))
        asyncio.run(_run(found.database_url, "SELECT pg_reload_conf()"))
        task = partial(LifeTask, database_url=found.database_url, redis_url=found.redis_url, concurrency=CONCURRENCY)
        with (
            LineProcess("benchmarks.life_process", task(role="producer", users=users)) as producer,
            LineProcess("benchmarks.life_process", task(role="worker")) as worker,
        ):
            life = Life(found, producer, worker, count)
            life.measure()  # warms up
            everything = measure(found, life, count)
            print(f"everything: {everything.wal:.0f} bytes of WAL, {everything.cpu:.2f} ms of CPU")
            print("| left out | bytes of WAL | ms of CPU |\n| --- | ---: | ---: |")
            for part in asyncio.run(_parts(found.database_url)):
                asyncio.run(_run(found.database_url, part.drop))
                without = measure(found, life, count)
                asyncio.run(_run(found.database_url, part.create))
                before, everything = everything, measure(found, life, count)
                wal, cpu = (
                    (before.wal + everything.wal) / 2 - without.wal,
                    (before.cpu + everything.cpu) / 2 - without.cpu,
                )
                print(f"| {part.name} | {wal:.0f} | {cpu:.2f} |", flush=True)


if __name__ == "__main__":
    main()
