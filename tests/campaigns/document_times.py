"""Print the CPU time of each hostile document: `python -m tests.campaigns.document_times`."""

import asyncio
import logging
import statistics
import time

import structlog

from tests.schema.test_hostile_documents import executed
from tests.support.hostile_documents import Shape, shapes

_REPETITIONS = 3  # the least counts: other processes take time, too
_PRINTED = 10


async def measure() -> list[tuple[float, str]]:
    """Return the milliseconds of CPU time and the name of every shape, the longest first."""
    found = []
    for shape in shapes():
        taken = []
        for number in range(_REPETITIONS):
            another = Shape(shape.name, shape.query + " " * number, shape.variables)  # not cached
            started = time.process_time()
            await executed(another)
            taken.append((time.process_time() - started) * 1000)
        found.append((min(taken), shape.name))
    return sorted(found, reverse=True)


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    times = asyncio.run(measure())
    for milliseconds, name in times[:_PRINTED]:
        print(f"{milliseconds:6.1f} ms  {name}")  # noqa: T201 - the report
    print(f"{len(times)} documents, median {statistics.median(one for one, _ in times):.1f} ms")  # noqa: T201 - the report
