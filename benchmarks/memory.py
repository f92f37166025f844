"""Benchmark: a server's time to its first answer, its idle memory, and whether mixed load makes it grow.

The load is queries, orders with photos, and subscriptions that open and close. The first minute begins when every
client has had its second result: by then everything has been imported, and both threads of the demo provider have
drawn. Each of them needs up to 65 MiB while it draws, so a minute's memory is the median of its seconds. With
`--minutes 60` the last should be within 10 % of the first.
"""

import argparse
import asyncio
import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from benchmarks.measure import Backends, Server, backends, cpu_seconds, darkroom, python_environment, serving
from tests.support.client import Api, photo
from tests.support.server_process import free_port

USERS = 8
GROWTH_LIMIT = 1.10  # of the first minute's memory
START_LIMIT = 2.0  # seconds to the first answer, on a migrated database
IDLE_LIMIT = 90.0  # MiB
SETTLE_SECONDS = 3.0
WARM_UP_ORDERS = 2  # of each client, before the first minute


def memory(pid: int) -> tuple[float, float]:
    """Return RSS and PSS of a process in MiB, without its children."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    kib = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines[1:])}
    return kib["Rss"] / 1024, kib["Pss"] / 1024


@contextlib.contextmanager
def on_defaults(folder: str) -> Iterator[Server]:
    """Run a server with the default settings: SQLite, the demo provider, the worker inside."""
    port = free_port()
    env = python_environment(
        PORT=str(port), DATA_DIR=folder, LOG_LEVEL="error", RATE_LIMITS="off", SIGNUP_CREDITS="1000000"
    )
    with serving([sys.executable, "main.py", "serve"], port, env, "/health/ready") as server:
        yield server


def print_start(name: str, server: Server) -> None:
    time.sleep(SETTLE_SECONDS)
    rss, pss = memory(server.pid)
    seconds, cpu = server.seconds_to_answer, cpu_seconds(server.pid)
    print(f"| {name} | {seconds:.1f} | {cpu:.1f} | {rss:.1f} | {pss:.1f} |", flush=True)


def measure_starts(found: Backends) -> None:
    """Print the first and a second start of a server on defaults, and of one on PostgreSQL and Redis."""
    print(f"at most {START_LIMIT} s on a migrated database, and {IDLE_LIMIT:.0f} MiB\n")
    print("| start | s to the first answer | CPU s | RSS MiB | PSS MiB |")
    print("| --- | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        for name in ("defaults, empty database", "defaults"):
            with on_defaults(folder) as server:
                print_start(name, server)
    for name in ("PostgreSQL and Redis, empty database", "PostgreSQL and Redis"):
        with darkroom(found) as server:
            print_start(name, server)


async def wait_for_end(api: Api, id: str, pause: float) -> None:
    """Ask for a generation until it has ended, as long as that takes on a busy machine."""
    while (await api.generation(id))["status"] in ("PENDING", "PROCESSING"):  # noqa: ASYNC110 - in another process
        await asyncio.sleep(pause)


async def use(api: Api, until: float, pause: float, counts: dict[str, int]) -> None:
    """Do everything that a client does, once and then again until that time, with a pause between two steps."""
    number = 0
    while number == 0 or time.monotonic() < until:
        number += 1
        order = await api.create(photo(colour=f"#{number % 256:02x}8050"), prompt="A fox in the snow")
        id = order["generations"][0]["id"]
        async with api.socket() as socket:
            stream = await socket.subscribe(
                "subscription($id: ID!) { generationProgress(id: $id) { status progress } }", id=id
            )
            await stream.next()
            await asyncio.sleep(pause)
        for _ in range(5):
            await api.one("{ viewer { credits generations(first: 20) { nodes { id status result { url } } } } }")
            await asyncio.sleep(pause)
        await wait_for_end(api, id, pause)
        counts["orders"] += 1
        counts["queries"] += 5


async def memory_of_a_minute(pid: int, using: asyncio.Future[list[None]]) -> list[tuple[float, float]]:
    """Return RSS and PSS at each second of a minute, or until the load has ended."""
    until = time.monotonic() + 60
    samples: list[tuple[float, float]] = []
    while not samples or (time.monotonic() < until and not using.done()):
        await asyncio.wait([using], timeout=1)
        samples.append(memory(pid))
    return samples


async def load(server: Server, minutes: float, pause: float) -> None:
    async with httpx.AsyncClient(base_url=server.address, timeout=60) as http:
        api = Api(http, server.address)
        users = [await api.sign_up(f"user-{number}@example.com") for number in range(USERS)]
        for _ in range(WARM_UP_ORDERS):
            await asyncio.gather(*(use(user, 0, pause, {"orders": 0, "queries": 0}) for user in users))
        counts = {"orders": 0, "queries": 0}
        until = time.monotonic() + minutes * 60
        using = asyncio.gather(*(use(user, until, pause, counts) for user in users))
        print("\n| minute | RSS MiB, median | most | PSS MiB, median | orders | queries |")
        print("| ---: | ---: | ---: | ---: | ---: | ---: |")
        found: list[float] = []
        for minute in range(1, int(minutes) + 1):
            rss, pss = zip(*await memory_of_a_minute(server.pid, using), strict=True)
            found.append(statistics.median(rss))
            columns = f"{found[-1]:.1f} | {max(rss):.1f} | {statistics.median(pss):.1f}"
            print(f"| {minute} | {columns} | {counts['orders']} | {counts['queries']} |", flush=True)
        await using
        print(f"\nlast / first minute: {found[-1] / found[0]:.2f}, at most {GROWTH_LIMIT}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=6, help="of mixed load; 0: only starts")
    parser.add_argument("--pause", type=float, default=0.2, help="seconds between two steps of a client")
    given = parser.parse_args()
    with backends() as found:
        measure_starts(found)
    if given.minutes:
        with tempfile.TemporaryDirectory() as folder, on_defaults(folder) as server:
            asyncio.run(load(server, given.minutes, given.pause))


if __name__ == "__main__":
    main()
