"""Benchmark: progress of generations to many WebSockets, compared with floors and peers that do the same work."""

import argparse
import asyncio
import contextlib
import time
from collections.abc import Callable
from functools import partial

from benchmarks import node_peers
from benchmarks.dataset import add_accounts, add_waiting_generations
from benchmarks.line_process import LineProcess
from benchmarks.measure import (
    Backends,
    Sample,
    Server,
    add_peers_option,
    alternate,
    backends,
    cpu_of,
    darkroom,
    floor,
    memory_mib,
    print_comparison,
)
from benchmarks.socket_load import Delivered, SocketTask
from models.database.connection import open_database
from models.database.migrate import migrate
from models.database.postgres import MIGRATION_LIMITS

FLOOR = "floor: bare ASGI on uvicorn"
PARTS = ("own", "one", "quiet")  # each on a channel of its own, all on one, and without any message
WINDOW = 4  # messages of one channel that may be on their way
Start = Callable[[], contextlib.AbstractContextManager[Server]]
Subscribers = list[tuple[str, str]]  # token, generation id


async def prepare(url: str, count: int) -> Subscribers:
    """Insert accounts with one waiting generation each."""
    await migrate(url)
    async with open_database(url, limits=MIGRATION_LIMITS):
        tokens = await add_accounts(count)
        generations = await add_waiting_generations(list(tokens))
    return list(zip(tokens.values(), generations, strict=True))


def measure(start: Start, found: Backends, subscribers: Subscribers, seconds: float) -> Sample:
    """Start a server, subscribe, publish, and return the deliveries with the server's CPU."""
    with start() as server:
        task = SocketTask(server.port, found.redis_url, subscribers, WINDOW)
        with LineProcess("benchmarks.socket_load", task) as process:
            process.ask("1.0")  # warms the server up
            with cpu_of({"server": server.pid, "database": found.database_pid}) as cpu:
                delivered = Delivered(**process.ask(str(seconds)))
    median, slow = delivered.latencies
    return Sample(delivered.messages, delivered.seconds, cpu, (median * 1000, slow * 1000))


def quiet(start: Start, found: Backends, subscribers: Subscribers, seconds: float) -> tuple[float, float]:
    """Return KiB of memory per subscriber, and the share of a core in percent that 1,000 quiet ones take."""
    with start() as server:
        task = partial(SocketTask, server.port, found.redis_url, window=WINDOW)
        with LineProcess("benchmarks.socket_load", task(subscribers[:1])):
            before = memory_mib(server.pid)
        with LineProcess("benchmarks.socket_load", task(subscribers)):
            memory = memory_mib(server.pid) - before
            with cpu_of({"server": server.pid}) as cpu:
                time.sleep(seconds)
    thousands = len(subscribers) / 1000
    return memory * 1024 / len(subscribers), cpu["server"] * 100 / seconds / thousands


def subjects(found: Backends, workers: int, *, with_peers: bool) -> dict[str, Start]:
    """Return what is measured, by name."""
    starts: dict[str, Start] = {
        "Darkroom": partial(darkroom, found, workers=workers),
        FLOOR: partial(floor, "fan_out", found.redis_url),
    }
    problem = node_peers.install() if with_peers else "not wanted"
    if problem:
        print(f"The peers in Node are skipped: {problem}.")
    else:
        starts["graphql-ws + ioredis"] = partial(node_peers.serving_peer, "fan_out.mjs", found.redis_url)
    return starts


def compare(starts: dict[str, Start], found: Backends, subscribers: Subscribers, options: argparse.Namespace) -> None:
    """Print the tables of one number of subscribers."""
    count = len(subscribers)
    token, generation = subscribers[0]
    modes = {"own": ("own channels", subscribers), "one": ("one channel", [(token, generation)] * count)}
    for part in [part for part in modes if part in options.parts]:
        mode, listening = modes[part]
        measures = {name: partial(measure, start, found, listening, options.seconds) for name, start in starts.items()}
        samples = alternate(measures, options.rounds)
        print_comparison(f"B. {count:,} subscribers on {mode}", samples, FLOOR, "messages/s")
    if "quiet" not in options.parts:
        return
    print(f"\n### B. {count:,} quiet subscribers\n")
    print("| subject | KiB per subscriber | % of a core per 1,000 |\n| --- | ---: | ---: |")
    for name, start in starts.items():
        memory, share = quiet(start, found, subscribers, options.quiet_seconds)
        print(f"| {name} | {memory:.0f} | {share:.1f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subscribers", type=int, nargs="+", default=[1000, 3000])
    parser.add_argument("--seconds", type=float, default=3.0, help="of each round and subject")
    parser.add_argument("--quiet-seconds", type=float, default=10.0)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="what to measure")
    parser.add_argument("--subjects", nargs="+", default=[], help="the beginnings of their names; by default all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1, help="Darkroom's processes on the port")
    add_peers_option(parser)
    options = parser.parse_args()
    with backends() as found:
        subscribers = asyncio.run(prepare(found.database_url, max(options.subscribers)))
        starts = {
            name: start
            for name, start in subjects(found, options.workers, with_peers=options.peers).items()
            if not options.subjects or name.startswith((FLOOR, *options.subjects))
        }
        for count in options.subscribers:
            compare(starts, found, subscribers[:count], options)


if __name__ == "__main__":
    main()
