"""Benchmark: what one page, generation, picture, delivery and subscriber cost; writes benchmarks/costs.json.

`benchmarks/scaling.py` computes from that file what gives way first under a larger load.
"""

import argparse
import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from benchmarks import fan_out, life, pages
from benchmarks.http_load import measure_http
from benchmarks.life_process import LifeTask
from benchmarks.line_process import LineProcess
from benchmarks.measure import ROOT, Backends, Sample, backends, cpu_of, darkroom
from benchmarks.picture_versions import Sanitizing, corpus
from models.database.connection import open_database, rows
from models.database.postgres import MIGRATION_LIMITS
from settings import Settings

FILE = Path(__file__).with_name("costs.json")
PARTS = ["picture", "page", "generation", "delivery"]
LIBRARY = "pg_stat_statements"
Costs = dict[str, dict[str, float]]
_STATE = """
SELECT (SELECT coalesce(sum(calls), 0)::float8 FROM pg_stat_statements) AS statements,
    (pg_current_wal_lsn() - '0/0'::pg_lsn)::float8 AS wal, pg_database_size(current_database())::float8 AS size"""


@dataclass(frozen=True)
class DatabaseState:
    """Statements that PostgreSQL has run, bytes of WAL that it has written, and bytes of the database."""

    statements: float
    wal: float
    size: float

    @classmethod
    async def read(cls, url: str) -> "DatabaseState":
        async with open_database(url, limits=MIGRATION_LIMITS):
            await rows(f"CREATE EXTENSION IF NOT EXISTS {LIBRARY}")
            (found,) = await rows(_STATE)
        return cls(**found)


def _milliseconds(sample: Sample, name: str) -> float:
    return round(sample.cpu_per_1000(name), 4)


def page(found: Backends, seconds: float) -> dict[str, float]:
    """Return the costs of a real gallery page that is executed, not sent again as it was."""
    tokens = asyncio.run(pages.prepare(found, accounts=100, each=100))
    with darkroom(found, settings={"kept_answers_mib": "0"}) as server:
        prepared = pages.requests(pages.REAL, tokens)
        load = partial(measure_http, server, prepared, connections=16, clients=1, database=found.database_pid)
        load(seconds=1.0)
        before = asyncio.run(DatabaseState.read(found.database_url))
        sample = load(seconds=seconds)
        after = asyncio.run(DatabaseState.read(found.database_url))
        size = len(json.dumps(pages.answer(server, pages.REAL, tokens[0])))
    return {
        "server_ms": _milliseconds(sample, "server"),
        "database_ms": _milliseconds(sample, "database"),
        "statements": round((after.statements - before.statements) / sample.operations, 2),
        "bytes": size,
    }


def generation(found: Backends, count: int) -> dict[str, float]:
    """Return the costs of a generation without its pictures."""
    users = asyncio.run(life.fill(found))
    task = partial(LifeTask, database_url=found.database_url, redis_url=found.redis_url, concurrency=life.CONCURRENCY)
    with (
        LineProcess("benchmarks.life_process", task(role="producer", users=users)) as producer,
        LineProcess("benchmarks.life_process", task(role="worker")) as worker,
    ):
        run = life.Life(found, producer, worker, count)
        run.measure()
        before = asyncio.run(DatabaseState.read(found.database_url))
        with cpu_of({"redis": found.redis_pid}) as redis:
            sample = run.measure()
        after = asyncio.run(DatabaseState.read(found.database_url))
    return {
        "server_ms": round(sample.cpu_per_1000("server") - sample.cpu_per_1000("worker"), 4),
        "worker_ms": _milliseconds(sample, "worker"),
        "database_ms": _milliseconds(sample, "database"),
        "redis_ms": round(redis["redis"] * 1000 / count, 4),
        "statements": round((after.statements - before.statements) / count, 1),
        "wal_bytes": round((after.wal - before.wal) / count),
        "row_bytes": round((after.size - before.size) / count),
    }


def delivery(found: Backends, subscribers: int, seconds: float) -> tuple[dict[str, float], dict[str, float]]:
    """Return the costs of one delivery, and of one quiet subscriber."""
    listening = asyncio.run(fan_out.prepare(found.database_url, subscribers))
    start = partial(darkroom, found)
    with cpu_of({"redis": found.redis_pid}) as redis:
        sample = fan_out.measure(start, found, listening, seconds)
    kib, percent = fan_out.quiet(start, found, listening, 10.0)
    costs = {"server_ms": _milliseconds(sample, "server")}
    costs["redis_ms"] = round(redis["redis"] * 1000 / (sample.operations * (1 + 1 / seconds)), 5)  # with the warm-up
    return costs, {"kib": round(kib, 1), "server_ms_per_second": round(percent / 100, 4)}


def picture(count: int) -> dict[str, float]:
    """Return the CPU milliseconds of a 12-megapixel photo and of a result of 1024 pixels, and the bytes kept."""
    costs: dict[str, float] = {}
    child, pictures = Sanitizing(ROOT), corpus()
    png_as = Settings.model_fields["png_results"].default  # as the product stores results
    for kind, name in (("photo", "JPEG, 12 megapixels, grain"), ("result", "PNG 1024 x 1024")):
        cleaned = child.clean(pictures[name], png_as)
        costs[f"{kind}_ms"] = round(min(child.timed(pictures[name], png_as) for _ in range(count)), 1)
        costs[f"{kind}_bytes"] = cleaned.byte_size
    child.close()
    return costs


def measure(parts: list[str], options: argparse.Namespace) -> Costs:
    """Measure the parts, each with databases of its own."""
    costs: Costs = {}
    if "picture" in parts:
        costs["picture"] = picture(options.pictures)
    if "page" in parts:
        with backends(LIBRARY) as found:
            costs["page"] = page(found, options.seconds)
    if "generation" in parts:
        with backends(LIBRARY) as found:
            costs["generation"] = generation(found, options.generations)
    if "delivery" in parts:
        with backends() as found:
            costs["delivery"], costs["subscriber"] = delivery(found, options.subscribers, options.seconds)
    return costs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--generations", type=int, default=500)
    parser.add_argument("--subscribers", type=int, default=1000)
    parser.add_argument("--pictures", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="the others keep their costs")
    options = parser.parse_args()
    measured = {"measured": datetime.now(UTC).date().isoformat(), **measure(options.only, options)}
    before = json.loads(FILE.read_text()) if FILE.exists() else {}  # afterwards: another part may have been written
    text = json.dumps(before | measured, indent=2)
    FILE.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
