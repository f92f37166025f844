"""Benchmark: generations per second from the request to the result, without provider, pictures and storage.

One process requests them, one works, on PostgreSQL and Redis. The peer is docket's own loop, from its own environment.
"""

import argparse
import asyncio
import time
from contextlib import ExitStack
from functools import partial

from benchmarks import docket_peer
from benchmarks.dataset import add_accounts
from benchmarks.life_process import LifeTask
from benchmarks.line_process import LineProcess
from benchmarks.measure import Backends, Sample, add_peers_option, alternate, backends, cpu_of, print_comparison
from logs import configure_logs
from main import prepare
from models.database.connection import open_database, rows
from models.database.postgres import MIGRATION_LIMITS
from setting_types import LogLevel
from settings import load_settings

USERS = 200
CONCURRENCY = 8  # of the worker
WAIT = 60.0  # seconds for the worker to end what was requested
PROGRAM = "benchmarks.life_process"
OWN, PEER = "Darkroom", "docket's own loop"
_PAY = """
WITH paid AS (
    UPDATE users SET credits = 1000000, ledger_sequence = 1, version = 1 WHERE id = ANY($1) RETURNING id
)
INSERT INTO credit_transactions (id, user_id, sequence, type, status, amount, balance, account_version, reference,
    created_at)
SELECT 'txn_' || substr(id, 5), id, 1, 'BONUS', 'COMPLETED', 1000000, 1000000, 1, 'bench:' || id, now() FROM paid"""
_UNFINISHED = "SELECT count(*) AS number FROM generations WHERE status IN ('PENDING', 'PROCESSING')"
_ENDED = "SELECT count(*) AS number FROM generations WHERE status = 'COMPLETED'"


async def fill(found: Backends) -> list[str]:
    """Migrate, seed, and insert accounts that can pay; return their ids."""
    settings = load_settings(_env_file=None, database_url=found.database_url, log_level=LogLevel.ERROR)
    configure_logs(settings)
    await prepare(settings)
    async with open_database(found.database_url, limits=MIGRATION_LIMITS):
        users = list(await add_accounts(USERS))
        await rows(_PAY, users)
    return users


async def _number(sql: str) -> int:
    (row,) = await rows(sql)
    return int(row["number"])


async def _ended(url: str) -> int:
    async with open_database(url, limits=MIGRATION_LIMITS):
        return await _number(_ENDED)


async def _wait_for_all(url: str, count: int) -> None:
    async with open_database(url, limits=MIGRATION_LIMITS), asyncio.timeout(WAIT):
        while await _number(_UNFINISHED):  # noqa: ASYNC110 - database rows set no event
            await asyncio.sleep(0.02)
        if (ended := await _number(_ENDED)) < count:
            raise RuntimeError(f"only {ended} of {count} generations have completed")


class Life:
    """A producer and a worker, already running."""

    def __init__(self, found: Backends, producer: LineProcess, worker: LineProcess, count: int) -> None:
        self._found = found
        self._producer = producer
        self._worker = worker
        self._count = count

    def measure(self) -> Sample:
        """Request generations and wait until all have completed."""
        found = self._found
        processes = {"server": self._producer.pid, "worker": self._worker.pid, "database": found.database_pid}
        with cpu_of(processes) as cpu:
            started = time.perf_counter()
            before = asyncio.run(_ended(found.database_url))
            self._producer.ask(str(self._count))
            asyncio.run(_wait_for_all(found.database_url, before + self._count))
            seconds = time.perf_counter() - started
        cpu["server"] += cpu["worker"]
        return Sample(self._count, seconds, cpu)


def start(stack: ExitStack, found: Backends, count: int) -> Life:
    """Start Darkroom's producer and worker."""
    task = partial(LifeTask, database_url=found.database_url, redis_url=found.redis_url, concurrency=CONCURRENCY)
    users = asyncio.run(fill(found))
    producer = stack.enter_context(LineProcess(PROGRAM, task(role="producer", users=users)))
    return Life(found, producer, stack.enter_context(LineProcess(PROGRAM, task(role="worker"))), count)


def start_peer(stack: ExitStack, found: Backends, count: int) -> Life:
    """Start docket's producer and worker, on Darkroom's tables."""
    urls = {"database_url": found.database_url, "redis_url": found.redis_url}
    task = partial(docket_peer.DocketTask, **urls, concurrency=CONCURRENCY, sql=docket_peer.statements())
    process = partial(LineProcess, docket_peer.PROGRAM, python=docket_peer.PYTHON)
    users = asyncio.run(fill(found))
    producer = stack.enter_context(process(task=task(role="producer", users=users)))
    return Life(found, producer, stack.enter_context(process(task=task(role="worker"))), count)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--generations", type=int, default=1000, help="of each round")
    parser.add_argument("--rounds", type=int, default=3)
    add_peers_option(parser)
    options = parser.parse_args()
    # docket has databases of its own, so that no worker takes the other's generations.
    with backends() as found, backends() as others, ExitStack() as stack:
        subjects = {OWN: start(stack, found, options.generations)}
        if problem := docket_peer.install() if options.peers else "not wanted":
            print(f"docket is skipped: {problem}.")
        else:
            subjects[PEER] = start_peer(stack, others, options.generations)
        for life in subjects.values():
            life.measure()  # warms up
        samples = alternate({name: life.measure for name, life in subjects.items()}, options.rounds)
        floor = PEER if PEER in samples else OWN
        print_comparison("C. Generations, from request to result", samples, floor, "generations/s")


if __name__ == "__main__":
    main()
