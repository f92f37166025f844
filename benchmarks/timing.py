"""What the benchmarks have in common: a PostgreSQL of their own, and how long something takes on it."""

import contextlib
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator

from tests.support.servers import PostgresServer

_NAME = "darkroom_bench"


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """The URL of an empty database, which is gone afterwards."""
    server = PostgresServer()
    server.start()
    server.create_database(_NAME)
    try:
        yield server.url(_NAME)
    finally:
        server.drop_database(_NAME)
        server.stop()


async def median_ms(work: Callable[[], Awaitable[object]], rounds: int, warming: int) -> float:
    """The median of so many rounds, after some that warm everything up."""
    taken = []
    for _ in range(warming + rounds):
        begun = time.perf_counter()
        await work()
        taken.append((time.perf_counter() - begun) * 1000)
    return statistics.median(taken[warming:])
