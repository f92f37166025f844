"""An HTTP load generator with little CPU of its own: keep-alive connections that repeat prepared requests.

It runs as a process of its own: `python -m benchmarks.http_load` reads a task as JSON and prints what it counted.
"""

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import cycle, islice

import uvloop

from benchmarks.measure import Sample, Server, cpu_of, run_all
from tests.support.server_process import HOST


@dataclass(frozen=True)
class Task:
    """Requests in the bytes of latin-1, sent in turn over `connections` for `seconds`."""

    port: int
    connections: int
    seconds: float
    requests: list[str]
    offset: int = 0  # of the first request, so that several processes send different ones


@dataclass
class Count:
    """What one process has counted; latencies in seconds."""

    answers: int = 0
    failures: int = 0
    first_failure: str = ""
    latencies: list[float] = field(default_factory=list)


class Connection(asyncio.Protocol):
    """One connection: a request is sent as soon as the previous one is answered."""

    def __init__(self, requests: Iterator[bytes], until: float, count: Count, done: asyncio.Future[None]) -> None:
        self._requests = requests
        self._until = until
        self._count = count
        self._done = done
        self._buffer = b""
        self._wanted = 0  # bytes of the answer, its head included; 0: not known yet
        self._sent = 0.0
        self._transport: asyncio.WriteTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # of a stream
        self._send()

    def _send(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(next(self._requests))

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        if not self._wanted:
            end = buffer.find(b"\r\n\r\n")
            if end < 0:
                self._buffer = buffer
                return
            head = buffer[:end].lower()
            start = head.find(b"content-length:")
            if start < 0:
                raise ValueError(f"an answer without Content-Length: {head!r}")
            self._wanted = end + 4 + int(head[start + 15 :].partition(b"\r\n")[0])
        self._buffer = buffer
        if len(buffer) >= self._wanted:
            self._answered(buffer)

    def _answered(self, answer: bytes) -> None:
        now = time.perf_counter()
        count = self._count
        count.answers += 1
        count.latencies.append(now - self._sent)
        if (b" 200 " not in answer[:16] and b" 304 " not in answer[:16]) or b'"errors":[' in answer:
            count.failures += 1
            count.first_failure = count.first_failure or answer[:2000].decode("latin-1")
        self._buffer, self._wanted = b"", 0
        if now < self._until:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if not self._done.done():
            self._done.set_result(None)


async def load(task: Task) -> Count:
    """Send the task's requests and count the answers."""
    loop = asyncio.get_running_loop()
    prepared = cycle(
        islice(cycle([text.encode("latin-1") for text in task.requests]), task.offset, task.offset + len(task.requests))
    )
    count, until = Count(), time.perf_counter() + task.seconds
    ends = [loop.create_future() for _ in range(task.connections)]
    for end in ends:
        await loop.create_connection(lambda end=end: Connection(prepared, until, count, end), HOST, task.port)  # type: ignore[misc]  # the default binds the loop's variable
    await asyncio.gather(*ends)
    return count


def post(path: str, body: bytes, **headers: str) -> str:
    """Return a prepared POST of JSON, for a `Task`. `headers`: with underscores for dashes."""
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    head = [
        "POST " + path + " HTTP/1.1",
        f"host: {HOST}",
        "content-type: application/json",
        f"content-length: {len(body)}",
    ]
    return "\r\n".join([*head, *lines, "", ""]) + body.decode("latin-1")


def get(path: str, **headers: str) -> str:
    """Return a prepared GET, for a `Task`. `headers`: with underscores for dashes."""
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([f"GET {path} HTTP/1.1", f"host: {HOST}", *lines, "", ""])


def measure_http(
    server: Server, requests: list[str], *, connections: int, seconds: float, clients: int, **processes: int
) -> Sample:
    """Load a server from `clients` processes and return what it did. `processes`: further ids whose CPU counts.

    Raises:
        RuntimeError: an answer was no success, or had GraphQL errors.
    """
    share = connections // clients
    tasks = [
        Task(server.port, share, seconds, requests, offset=number * len(requests) // clients)
        for number in range(clients)
    ]
    with cpu_of({"server": server.pid, **processes}) as cpu:
        counts = asyncio.run(run_all(*(("benchmarks.http_load", asdict(task)) for task in tasks)))
    failed = [str(count["first_failure"]) for count in counts if count["failures"]]
    if failed:
        raise RuntimeError(f"an answer was no success: {failed[0]}")
    answers = sum(int(str(count["answers"])) for count in counts)
    latencies = [count["latency_ms"] for count in counts]
    first = latencies[0]
    pair = (float(first[0]), float(first[1])) if isinstance(first, list) else None
    return Sample(answers, seconds, cpu, pair)


def main() -> None:
    task = Task(**json.load(sys.stdin))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        count = runner.run(load(task))
    percentiles = statistics.quantiles(count.latencies, n=100)
    latency = [percentiles[49] * 1000, percentiles[98] * 1000]
    print(
        json.dumps(
            {
                "answers": count.answers,
                "failures": count.failures,
                "first_failure": count.first_failure,
                "latency_ms": latency,
            }
        )
    )


if __name__ == "__main__":
    main()
