"""A temporary PostgreSQL and the timing of calls, used by the benchmarks."""

import contextlib
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator

from tests.support.servers import PostgresServer

_NAME = "darkroom_bench"


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """Yield the URL of an empty database, which is dropped afterwards."""
    server = PostgresServer()
    server.start()
    server.create_database(_NAME)
    try:
        yield server.url(_NAME)
    finally:
        server.drop_database(_NAME)
        server.stop()


async def median_ms(work: Callable[[], Awaitable[object]], rounds: int, warming: int) -> float:
    """Return the median of `rounds` runs in milliseconds, after `warming` runs that do not count."""
    durations = []
    for _ in range(warming + rounds):
        started = time.perf_counter()
        await work()
        durations.append((time.perf_counter() - started) * 1000)
    return statistics.median(durations[warming:])
