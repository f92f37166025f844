"""Benchmark: connections and memory of a server, of `serve --workers 2` and of a worker, idle and at work.

They run on PostgreSQL, Redis and an S3 server, with a provider that answers at once. Clients order pictures with photos
of 12 megapixels, follow them on sockets and read pages. Connections are the established ones of a process; memory is
the proportional set size (PSS) of a process with its children, which counts shared pages once.
"""

import argparse
import asyncio
import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from benchmarks.measure import Backends, backends, children, python_environment, serving
from tests.support.client import PROGRESS, Api, photo
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.s3_server import BUCKET, KEY_ID, REGION, SECRET, s3_server
from tests.support.server_process import HOST, free_port

SETTLE_SECONDS = 5.0
SAMPLE_SECONDS = 0.2
_ESTABLISHED = "01"  # include/net/tcp_states.h
_PAGE = "{ viewer { credits generations(first: 20) { totalCount nodes { id status result { url } } } } }"
_KINDS = ("memory", "largest child", "PostgreSQL", "Redis", "S3")


@dataclass
class Subject:
    """One command and its processes, and the most that was seen of each kind while idle and at work."""

    title: str
    pid: int
    address: str
    most: dict[str, dict[str, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Place:
    """What the subjects run on. `ports`: of PostgreSQL, Redis and S3."""

    settings: dict[str, str]
    ports: dict[str, int]


def pss_mib(pid: int) -> float:
    """Return the PSS of a process in MiB; 0 of one that has ended."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
    return 0.0


def descendants(pid: int) -> list[int]:
    """Return the ids of the processes below this one."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return [found for child in children(pid) for found in (child, *descendants(child))]
    return []


def connections(pids: list[int], port: int) -> int:
    """Count the established TCP connections of these processes to a port of this machine."""
    sockets = set()
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for descriptor in Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(FileNotFoundError):
                    sockets.add(str(descriptor.readlink()))
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return sum(
        f"socket:[{row[9]}]" in sockets and row[3] == _ESTABLISHED and int(row[2].partition(":")[2], 16) == port
        for row in rows
    )


def sample(subjects: list[Subject], place: Place, phase: str) -> None:
    """Compare what each subject has at this moment with the most that it had in this phase."""
    for subject in subjects:
        below = descendants(subject.pid)
        sizes = [pss_mib(pid) for pid in (subject.pid, *below)]
        found = {"memory": sum(sizes), "largest child": max(sizes[1:], default=0.0)}
        found |= {name: connections([subject.pid, *below], port) for name, port in place.ports.items()}
        most = subject.most.setdefault(phase, dict.fromkeys(_KINDS, 0.0))
        for name, value in found.items():
            most[name] = max(most[name], value)


async def use(api: Api, until: float, picture: bytes) -> int:
    """Order, follow and read until that time; return the number of orders."""
    orders = 0
    async with api.socket() as socket:
        while time.monotonic() < until:
            (made,) = (await api.create(picture, prompt="A fox in the snow"))["generations"]
            await (await socket.subscribe(PROGRESS, id=made["id"])).rest()
            for _ in range(5):
                await api.one(_PAGE)
            orders += 1
    return orders


@contextlib.contextmanager
def running(place: Place, folder: str) -> Iterator[list[Subject]]:
    """Run a server, one of two processes, and a worker."""
    with contextlib.ExitStack() as stack:

        def start(title: str, *command: str, ready: str = "/health/live", port_name: str = "PORT") -> Subject:
            port = free_port()
            environment = python_environment(DATA_DIR=folder, **place.settings, **{port_name: str(port)})
            server = stack.enter_context(serving([sys.executable, "main.py", *command], port, environment, ready))
            return Subject(title, server.pid, server.address)

        yield [
            start("`serve`", "serve"),
            start("`serve --workers 2`", "serve", "--workers", "2"),
            start("`worker`, 8 slots", "worker", ready="/metrics", port_name="WORKER_METRICS_PORT"),
        ]


async def load(clients: int, seconds: float, subjects: list[Subject], place: Place) -> int:
    """Use both servers, each by half of the clients, and sample meanwhile; return the number of orders."""
    picture = photo(4000, 3000)
    async with contextlib.AsyncExitStack() as stack:
        users = []
        for number in range(clients):
            address = subjects[number % 2].address
            # A pool of connections for each, so that both processes of one port are used.
            http = await stack.enter_async_context(httpx.AsyncClient(base_url=address, timeout=120))
            users.append(await Api(http, address).sign_up(f"user-{time.time()}-{number}@example.com"))
        until = time.monotonic() + seconds
        using = asyncio.gather(*(use(user, until, picture) for user in users))
        while not using.done():
            await asyncio.wait([using], timeout=SAMPLE_SECONDS)
            sample(subjects, place, "at work")
        return sum(await using)


def print_table(subjects: list[Subject]) -> None:
    print("\n| process | | PSS MiB, children included | largest child | PostgreSQL | Redis | S3 |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    for subject in subjects:
        for phase, most in subject.most.items():
            print(f"| {subject.title} | {phase} | " + " | ".join(f"{most[kind]:.0f}" for kind in _KINDS) + " |")


async def measure(found: Backends, clients: int, seconds: float) -> None:
    """Print the table of one run."""
    async with ScriptedOpenRouter() as openrouter:
        with s3_server() as s3, tempfile.TemporaryDirectory() as folder:
            ports = {"PostgreSQL": found.database_url, "Redis": found.redis_url, "S3": s3.url}
            settings = {
                "DATABASE_URL": found.database_url, "REDIS_URL": found.redis_url, "SECRET_KEY": "footprint" * 4,
                "S3_BUCKET": BUCKET, "S3_ENDPOINT_URL": s3.url, "S3_REGION": REGION,
                "AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET,
                "OPENROUTER_API_KEY": openrouter.key, "OPENROUTER_BASE_URL": openrouter.base_url,
                "RATE_LIMITS": "off", "SIGNUP_CREDITS": "1000000", "LOG_LEVEL": "error", "HOST": HOST,
            }  # fmt: skip
            place = Place(settings, {name: urlsplit(url).port or 0 for name, url in ports.items()})
            with contextlib.ExitStack() as stack:
                # In a thread, because the provider answers in this one.
                subjects = await asyncio.to_thread(stack.enter_context, running(place, folder))
                await asyncio.sleep(SETTLE_SECONDS)
                sample(subjects, place, "idle")
                orders = await load(clients, seconds, subjects, place)
                print_table(subjects)
                print(f"\n{orders} orders with photos of 12 megapixels by {clients} clients in {seconds:.0f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=30)
    given = parser.parse_args()
    with backends() as found:
        asyncio.run(measure(found, given.clients, given.seconds))


if __name__ == "__main__":
    main()
