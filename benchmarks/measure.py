"""Shared parts of the benchmarks: temporary databases, server processes, CPU seconds, alternating rounds and tables.

A machine's other load changes milliseconds, but hardly the CPU seconds of a process: compare those, within one run.
"""

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from tests.support.server_process import HOST, free_port
from tests.support.servers import PostgresServer, RedisServer

ROOT = Path(__file__).parents[1]
START_TIMEOUT = 60.0  # seconds for a server to migrate and start
_TICKS = os.sysconf("SC_CLK_TCK")
_NAME = "darkroom_bench"


def add_peers_option(parser: argparse.ArgumentParser) -> None:
    """Add `--no-peers`, without which the programs of others are installed and measured, too."""
    parser.add_argument("--no-peers", dest="peers", action="store_false", help="install and measure no peers")


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds that a process and its descendants have used, those that have ended included."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        own = sum(int(value) for value in fields[11:15]) / _TICKS  # utime, stime and those of awaited children
        return own + sum(cpu_seconds(child) for child in children(pid))
    return 0.0


def children(pid: int) -> list[int]:
    """Return the ids of a process's children."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found += [int(child) for child in (task / "children").read_text().split()]
    return found


def memory_mib(pid: int) -> float:
    """Return the resident memory (RSS) of a process in MiB, without its children."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@dataclass(frozen=True)
class Backends:
    """A temporary PostgreSQL and Redis; the process ids count the CPU of their connections, too."""

    database_url: str
    redis_url: str
    database_pid: int
    redis_pid: int


@contextlib.contextmanager
def backends(libraries: str = "") -> Iterator[Backends]:
    """Start PostgreSQL with an empty database, and Redis; stop them afterwards. `libraries`: that PostgreSQL loads."""
    database, redis = PostgresServer(own=True, libraries=libraries), RedisServer(own=True)
    try:
        database.start()
        database.create_database(_NAME)
        redis.start()
        yield Backends(database.url(_NAME), redis.url, database.pid, redis.pid)
    finally:
        redis.stop()
        database.stop()


@contextlib.contextmanager
def postgres(libraries: str = "") -> Iterator[str]:
    """Yield the URL of an empty database, which is dropped afterwards. `libraries`: that a server of its own loads."""
    server = PostgresServer(own=bool(libraries), libraries=libraries)
    server.start()
    server.create_database(_NAME)
    try:
        yield server.url(_NAME)
    finally:
        server.drop_database(_NAME)
        server.stop()


@dataclass(frozen=True)
class Server:
    """A server process under measurement."""

    port: int
    pid: int
    seconds_to_answer: float  # from its start to its first successful answer

    @property
    def address(self) -> str:
        """Return the base URL."""
        return f"http://{HOST}:{self.port}"


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310 - our own http:// address
            return bool(response.status < 400)
    except OSError:  # also urllib's errors
        return False


@contextlib.contextmanager
def serving(
    command: Sequence[str | Path], port: int, env: Mapping[str, str] | None = None, ready: str = "/", cwd: Path = ROOT
) -> Iterator[Server]:
    """Run a server until the end of the block; enter it once the path `ready` answers.

    Raises:
        RuntimeError: the server exited or did not answer; its output is in the message.
    """
    with tempfile.TemporaryFile() as log:
        started = time.perf_counter()
        process = subprocess.Popen([str(part) for part in command], cwd=cwd, env=env, stdout=log, stderr=log)  # noqa: S603 - the benchmarks' own commands
        try:
            while not _answers(f"http://{HOST}:{port}{ready}"):
                if process.poll() is not None or time.perf_counter() - started > START_TIMEOUT:
                    log.seek(0)
                    raise RuntimeError(f"{command} did not start:\n{log.read().decode(errors='replace')[-3000:]}")
                time.sleep(0.01)
            yield Server(port, process.pid, time.perf_counter() - started)
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def python_environment(**more: str) -> dict[str, str]:
    """Return the environment of a Python process of the project that reads nothing from the shell."""
    return {"PATH": os.defpath, "PYTHONPATH": str(ROOT), **more}


@contextlib.contextmanager
def darkroom(
    found: Backends,
    *arguments: str,
    workers: int = 1,
    command: str = "serve",
    settings: Mapping[str, str] = MappingProxyType({}),
    program: Sequence[str] = ("main.py",),
) -> Iterator[Server]:
    """Run Darkroom on these backends, without rate limits and with a folder of its own.

    `settings`: environment variables, in lower case; `workers`: processes on the port; `program`: what Python runs.
    """
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        values = {
            "port": str(port),
            "database_url": found.database_url,
            "redis_url": found.redis_url,
            "data_dir": folder,
            "image_provider": "demo",
            "rate_limits": "off",
            "max_connections_per_client": "10000",
            "max_sockets_per_client": "0",
            "log_level": "error",
            **settings,
        }
        env = python_environment(**{name.upper(): value for name, value in values.items()})
        several = ["--workers", str(workers)] if workers > 1 else []
        with serving([sys.executable, *program, command, *several, *arguments], port, env, "/health/ready") as server:
            yield server


@contextlib.contextmanager
def floor(module: str, *arguments: str) -> Iterator[Server]:
    """Run one of the floors, whose first argument is the port."""
    port = free_port()
    command = [sys.executable, "-m", f"benchmarks.floors.{module}", str(port), *arguments]
    with serving(command, port, python_environment()) as server:
        yield server


@dataclass(frozen=True)
class Sample:
    """One round of one subject: work done, seconds that it took, and CPU seconds by process, such as `server`."""

    operations: int
    seconds: float
    cpu: Mapping[str, float]
    latency_ms: tuple[float, float] | None = None  # median and 99th percentile

    @property
    def rate(self) -> float:
        """Operations per second."""
        return self.operations / self.seconds

    def cpu_per_1000(self, name: str) -> float:
        """CPU seconds of one process per 1,000 operations; 0 if it was not measured."""
        return self.cpu.get(name, 0.0) * 1000 / self.operations


@contextlib.contextmanager
def cpu_of(processes: Mapping[str, int]) -> Iterator[dict[str, float]]:
    """Yield a dictionary that holds, after the block, the CPU seconds that each process used in it."""
    used: dict[str, float] = {}
    before = {name: cpu_seconds(pid) for name, pid in processes.items()}
    yield used
    used.update({name: cpu_seconds(pid) - before[name] for name, pid in processes.items()})


def alternate(subjects: Mapping[str, Callable[[], Sample]], rounds: int) -> dict[str, list[Sample]]:
    """Measure the subjects in turn (A B A B), so that a change of the machine's load meets all of them."""
    samples: dict[str, list[Sample]] = {name: [] for name in subjects}
    for _ in range(rounds):
        for name, measure in subjects.items():
            samples[name].append(measure())
    return samples


def median(values: Iterable[float]) -> float:
    """Return the median, or 0 of nothing."""
    return statistics.median(list(values) or [0.0])


def print_comparison(title: str, samples: Mapping[str, Sequence[Sample]], floor: str, unit: str = "req/s") -> None:
    """Print medians per subject: rate, CPU per 1,000 operations, and ratios to the subject `floor` (1.0 is equal).

    A ratio above 1 is better than the floor in both columns.
    """
    base_rate = median(sample.rate for sample in samples[floor])
    base_cpu = median(sample.cpu_per_1000("server") for sample in samples[floor])
    print(f"\n### {title}\n")
    print(f"| subject | {unit} | x floor | CPU s per 1000 | x floor by CPU | PostgreSQL CPU | p50/p99 ms |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name, found in samples.items():
        rate = median(sample.rate for sample in found)
        cpu = median(sample.cpu_per_1000("server") for sample in found)
        database = median(sample.cpu_per_1000("database") for sample in found)
        timed = [sample.latency_ms for sample in found if sample.latency_ms]
        latency = "/".join(f"{median(column):.1f}" for column in zip(*timed, strict=True)) if timed else "-"
        by_cpu = base_cpu / cpu if cpu else 0.0
        ratios = f"{rate / base_rate:.2f} | {cpu:.3f} | {by_cpu:.2f}"
        print(f"| {name} | {rate:,.0f} | {ratios} | {database:.3f} | {latency} |", flush=True)


async def median_ms(work: Callable[[], Awaitable[object]], rounds: int, warming: int) -> float:
    """Return the median of `rounds` runs in milliseconds, after `warming` runs that do not count."""
    durations = []
    for _ in range(warming + rounds):
        started = time.perf_counter()
        await work()
        durations.append((time.perf_counter() - started) * 1000)
    return statistics.median(durations[warming:])


def run_json(module: str, task: object) -> dict[str, object]:
    """Run a program of the project in a process, with `task` as JSON on its input, and return its JSON output.

    Raises:
        RuntimeError: the program failed; its output is in the message.
    """
    done = subprocess.run(  # noqa: S603 - the benchmarks' own programs
        [sys.executable, "-m", module],
        input=json.dumps(task).encode(),
        capture_output=True,
        cwd=ROOT,
        env=python_environment(),
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{module} failed:\n{done.stderr.decode(errors='replace')[-3000:]}")
    found: dict[str, object] = json.loads(done.stdout)
    return found


async def run_all(*tasks: tuple[str, object]) -> list[dict[str, object]]:
    """Run several programs at the same time; see `run_json`."""
    return await asyncio.gather(*(asyncio.to_thread(run_json, module, task) for module, task in tasks))
