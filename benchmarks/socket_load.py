"""Subscribers over WebSockets, and a publisher on Redis, with little CPU of their own; a process of its own.

`python -m benchmarks.socket_load` reads a task as JSON from the first line of its input, opens the subscriptions, and
prints a line. Each further line of its input, a number of seconds, makes it publish for so long and print what arrived.

Every message is published only after the one before it (or `window` before it) has been delivered, so that no server
has a reason to leave any out.
"""

import asyncio
import base64
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from urllib.parse import urlsplit

import orjson
import uvloop

from services.events.payload import GENERATION_FIELDS, GENERATION_TIMES, generation_channel
from tests.support.server_process import HOST

SUBSCRIPTION = """subscription($id: ID!) {
  generationProgress(id: $id) { id status stage progress version attempts }
}"""
OPENING = 64  # handshakes at once
OPEN_SECONDS = 60.0
DELIVERY_SECONDS = 10.0  # without any delivery, after which messages count as lost
_MASK = b"\x00\x00\x00\x00"  # allowed by RFC 6455, and leaves the payload as it is
_VERSION = b'"version":'


@dataclass(frozen=True)
class SocketTask:
    """The subscribers as (token, generation id), and the number of messages that may be on their way."""

    port: int
    redis_url: str
    subscribers: list[tuple[str, str]]
    window: int


@dataclass
class Delivered:
    """What arrived while the load lasted."""

    messages: int = 0
    replaced: int = 0  # left out because a newer one was delivered
    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)  # seconds from publishing


def change_of(generation: str, version: int) -> dict[str, object]:
    """Return a message about a generation, as a worker publishes it."""
    values = {"version": version, "status": "PROCESSING", "stage": "GENERATING", "progress": version % 100 / 100}
    more = {"attempts": 1, "provider": "demo", "model": "demo", "is_loading": False, "is_favorite": False}
    all_fields = dict.fromkeys((*GENERATION_FIELDS, *GENERATION_TIMES))
    return {**all_fields, **values, **more, "updated_at": "2026-01-01T00:00:00+00:00", "id": generation}


def frame(payload: bytes, opcode: int = 1) -> bytes:
    """Return one masked frame of a client."""
    size = len(payload)
    head = bytes([0x80 | opcode, 0x80 | size]) if size < 126 else bytes([0x80 | opcode, 0xFE]) + size.to_bytes(2, "big")
    return head + _MASK + payload


class Subscriber(asyncio.Protocol):
    """One socket with one subscription."""

    def __init__(self, token: str, generation: str, received: Callable[[int, "Subscriber"], None]) -> None:
        self.generation = generation
        self.version = 0  # of the newest message
        self.published_at = 0.0
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._token = token
        self._received = received
        self._buffer = b""
        self._is_open = False
        self._transport: asyncio.WriteTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # of a stream
        key = base64.b64encode(os.urandom(16)).decode()
        lines = ["GET /graphql HTTP/1.1", f"Host: {HOST}", "Upgrade: websocket", "Connection: Upgrade"]
        lines += [
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Protocol: graphql-transport-ws",
        ]
        transport.write("\r\n".join([*lines, "", ""]).encode())  # type: ignore[attr-defined]  # of a stream

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        if not self._is_open:
            end = buffer.find(b"\r\n\r\n")
            if end < 0:
                self._buffer = buffer
                return
            if b" 101 " not in buffer[:16]:
                self._fail(buffer)
                return
            self._is_open, buffer = True, buffer[end + 4 :]
            hello = {"type": "connection_init", "payload": {"Authorization": f"Bearer {self._token}"}}
            self._transport.write(frame(orjson.dumps(hello)))
        at = 0
        while len(buffer) - at >= 2:
            size, start = buffer[at + 1] & 0x7F, at + 2
            if size == 126:
                size, start = int.from_bytes(buffer[at + 2 : at + 4], "big"), at + 4
            if len(buffer) < start + size:
                break
            self._frame(buffer[at] & 15, buffer[start : start + size])
            at = start + size
        self._buffer = buffer[at:]

    def _frame(self, opcode: int, payload: bytes) -> None:
        found = payload.find(_VERSION) if opcode == 1 else -1
        if found >= 0:
            version = int(payload[found + len(_VERSION) : found + 32].split(b",")[0].rstrip(b"}"))
            if not self.opened.done():
                self.opened.set_result(None)
            self._received(version, self)
            self.version = version
        elif opcode == 9:
            self._transport.write(frame(payload, 10))
        elif b"connection_ack" in payload:
            operation = {"query": SUBSCRIPTION, "variables": {"id": self.generation}}
            self._transport.write(frame(orjson.dumps({"id": "1", "type": "subscribe", "payload": operation})))
        elif opcode == 8 or b'"error"' in payload:
            self._fail(payload)

    def _fail(self, reason: bytes) -> None:
        if not self.opened.done():
            self.opened.set_exception(RuntimeError(f"not subscribed: {reason[:500]!r}"))

    def connection_lost(self, error: Exception | None) -> None:
        self._fail(b"the connection was closed")


class Fleet:
    """All subscribers, and the publisher."""

    def __init__(self, task: SocketTask) -> None:
        self._task = task
        self._subscribers: list[Subscriber] = []
        self._version = self._first = 1
        self._delivered = Delivered()
        self._until = 0.0
        self._waiting = 0  # deliveries of published messages that have not arrived
        self._sent_at: dict[int, float] = {}
        self._outstanding: dict[int, int] = {}  # deliveries that are missing, by version of a message to all
        self._pending: list[bytes] = []
        self._idle = asyncio.Event()
        self._publisher: asyncio.StreamWriter
        self._is_shared = len({generation for _, generation in task.subscribers}) == 1

    async def open(self) -> None:
        """Open all subscriptions, and the connection to Redis."""
        loop = asyncio.get_running_loop()
        slots = asyncio.Semaphore(OPENING)

        async def one(token: str, generation: str) -> None:
            async with slots:
                make = Subscriber(token, generation, self._received)
                self._subscribers.append(make)
                await loop.create_connection(lambda: make, HOST, self._task.port)
                await make.opened

        async with asyncio.timeout(OPEN_SECONDS):
            await asyncio.gather(*(one(token, generation) for token, generation in self._task.subscribers))
        parts = urlsplit(self._task.redis_url)
        reader, self._publisher = await asyncio.open_connection(parts.hostname, parts.port)
        self._reading = asyncio.create_task(_discard(reader))

    async def publish(self, seconds: float) -> Delivered:
        """Publish for so long, wait for the last deliveries, and return what arrived.

        Raises:
            RuntimeError: messages were lost.
        """
        self._delivered = Delivered()
        started = time.perf_counter()
        self._until = started + seconds
        self._first = self._version  # messages up to this one belong to an earlier call
        self._idle.clear()
        if self._is_shared:
            for _ in range(self._task.window):
                self._publish_to_all()
        else:
            for subscriber in self._subscribers:
                self._publish_to(subscriber)
        before = -1
        while not self._idle.is_set():
            try:
                await asyncio.wait_for(self._idle.wait(), DELIVERY_SECONDS)
            except TimeoutError:
                if self._delivered.messages == before:
                    raise RuntimeError(f"{self._waiting} messages were not delivered") from None
                before = self._delivered.messages
        self._delivered.seconds = time.perf_counter() - started
        return self._delivered

    def _publish_to(self, subscriber: Subscriber) -> None:
        subscriber.published_at = time.perf_counter()
        self._waiting += 1
        self._send(subscriber.generation, max(subscriber.version, 1) + 1)

    def _publish_to_all(self) -> None:
        self._version += 1
        self._sent_at[self._version] = time.perf_counter()
        self._outstanding[self._version] = len(self._subscribers)
        self._waiting += len(self._subscribers)
        self._send(self._subscribers[0].generation, self._version)

    def _received(self, version: int, subscriber: Subscriber) -> None:
        sent_at = self._sent_at.get(version, 0.0) if self._is_shared else subscriber.published_at
        if not sent_at:
            return  # the first state
        now = time.perf_counter()
        self._delivered.messages += 1
        self._delivered.latencies.append(now - sent_at)
        if self._is_shared:
            self._received_by_one(version, subscriber.version, now)
        else:
            self._waiting -= 1
            subscriber.published_at = 0.0
            subscriber.version = version
            if now < self._until:
                self._publish_to(subscriber)
        if not self._waiting:
            self._idle.set()

    def _received_by_one(self, version: int, before: int, now: float) -> None:
        for done in range(max(before, self._first) + 1, version + 1):
            self._delivered.replaced += done < version
            self._waiting -= 1
            self._outstanding[done] -= 1
            if not self._outstanding[done]:
                del self._outstanding[done]
                if now < self._until:
                    self._publish_to_all()

    def _send(self, generation: str, version: int) -> None:
        payload = orjson.dumps(change_of(generation, version))
        channel = generation_channel(generation).encode()
        lengths = (len(channel), channel, len(payload), payload)
        if not self._pending:
            asyncio.get_running_loop().call_soon(self._flush)
        self._pending.append(b"*3\r\n$7\r\nPUBLISH\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n" % lengths)

    def _flush(self) -> None:
        self._publisher.write(b"".join(self._pending))
        self._pending.clear()


async def _discard(reader: asyncio.StreamReader) -> None:
    while await reader.read(65536):
        pass


async def run() -> None:
    read = sys.stdin.readline
    task = json.loads(await asyncio.to_thread(read))
    fleet = Fleet(SocketTask(**task))
    await fleet.open()
    print("{}", flush=True)
    while line := await asyncio.to_thread(read):
        delivered = await fleet.publish(float(line))
        percentiles = statistics.quantiles(delivered.latencies, n=100)
        delivered.latencies = [percentiles[49], percentiles[98]]
        print(json.dumps(asdict(delivered)), flush=True)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
