"""WebSocket subscribers that reconnect after every disconnect and record what they received, and how late."""

import asyncio
import random
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx
import websockets

from tests.support.client import Api, Socket

FINAL = ("COMPLETED", "FAILED", "CANCELED")
RECONNECT = 0.1  # seconds before a subscriber reconnects, at least; at most twice that
CREDITS = """
subscription($after: ID) {
  creditsChanged(after: $after) { version transaction { id sequence createdAt } }
}"""
PROGRESS = "subscription($id: ID!) { generationProgress(id: $id) { version status completedAt } }"
NEWEST_LINE = "{ viewer { transactions(first: 1) { nodes { id sequence } } } }"


def seconds_since(moment: str) -> float:
    """Return the seconds since a timestamp of the server, whose clock is that of this machine."""
    return time.time() - datetime.fromisoformat(moment).timestamp()


async def subscription_values(socket: Socket, query: str, **variables: Any) -> AsyncIterator[Any]:
    """Yield the values of one subscription until it completes, fails, or its socket closes."""
    stream = await socket.subscribe(query, **variables)
    closed = asyncio.ensure_future(socket.connection.wait_closed())
    try:
        while True:
            message = asyncio.ensure_future(socket.inbox[stream.id].get())
            await asyncio.wait([closed, message], return_when=asyncio.FIRST_COMPLETED)
            if not message.done():
                message.cancel()
                return
            found = message.result()
            if found["type"] != "next" or "errors" in found["payload"]:
                return
            (value,) = found["payload"]["data"].values()
            yield value
    finally:
        closed.cancel()


@dataclass
class Subscriber(ABC):
    """A subscriber that keeps one subscription open, at any server, until it has received everything."""

    apis: Sequence[Api]
    rng: random.Random
    connections: int = 0
    delays: list[float] = field(default_factory=list)  # seconds from a commit to its arrival here
    faults: list[str] = field(default_factory=list)  # messages that were duplicated, out of order or missing
    subscribed: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        while not self.is_done():
            try:
                async with self.rng.choice(self.apis).socket() as socket:
                    self.connections += 1
                    await self.consume(socket)
            except (OSError, httpx.TransportError, websockets.WebSocketException):
                pass  # disconnected, or no server: reconnect, as after everything that ends early
            await asyncio.sleep(0 if self.is_done() else self.rng.uniform(RECONNECT, 2 * RECONNECT))

    @abstractmethod
    def is_done(self) -> bool:
        """Return whether everything has been received."""

    @abstractmethod
    async def consume(self, socket: Socket) -> None:
        """Consume the subscription until everything is received or it ends."""


@dataclass
class LedgerSubscriber(Subscriber):
    """Follows an account's ledger from a known line, and resumes after the last line received."""

    last_id: str = ""
    sequences: list[int] = field(default_factory=list)
    last_sequence: int | None = None  # of the last line to expect

    def is_done(self) -> bool:
        return self.last_sequence is not None and bool(self.sequences) and self.sequences[-1] >= self.last_sequence

    async def consume(self, socket: Socket) -> None:
        version, began = 0, time.time()
        async for value in subscription_values(socket, CREDITS, after=self.last_id):
            self.subscribed.set()
            if value["version"] < version:
                self.faults.append(f"version {value['version']} after {version}")
            version = value["version"]
            if (line := value["transaction"]) is None:
                continue
            if line["sequence"] != (self.sequences[-1] + 1 if self.sequences else 2):
                self.faults.append(f"line {line['sequence']} after {self.sequences[-1:]}")
            self.sequences.append(line["sequence"])
            self.last_id = line["id"]
            if (
                datetime.fromisoformat(line["createdAt"]).timestamp() >= began
            ):  # older lines are replayed after a reconnect
                self.delays.append(seconds_since(line["createdAt"]))
            if self.is_done():
                return


@dataclass
class ProgressSubscriber(Subscriber):
    """Follows one generation until it has a final status."""

    generation_id: str = ""
    final_status: str | None = None

    def is_done(self) -> bool:
        return self.final_status is not None

    async def consume(self, socket: Socket) -> None:
        version, began = 0, time.time()
        async for value in subscription_values(socket, PROGRESS, id=self.generation_id):
            self.subscribed.set()
            if value["version"] <= version:
                self.faults.append(f"{self.generation_id}: version {value['version']} after {version}")
            version = value["version"]
            if value["status"] in FINAL:
                self.final_status = value["status"]
                if datetime.fromisoformat(value["completedAt"]).timestamp() >= began:
                    self.delays.append(seconds_since(value["completedAt"]))


class SubscriberGroup:
    """Subscribers that run while the body of `async with` runs."""

    def __init__(self) -> None:
        self.subscribers: list[Subscriber] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "SubscriberGroup":
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)

    def add(self, *subscribers: Subscriber) -> None:
        self.subscribers += subscribers
        self._tasks += [asyncio.create_task(subscriber.run()) for subscriber in subscribers]

    async def wait_until_done(self, patience: float) -> None:
        """Return when every subscriber has received everything; fail after `patience` seconds."""
        deadline = time.monotonic() + patience
        while waiting := [subscriber for subscriber in self.subscribers if not subscriber.is_done()]:
            for task in self._tasks:
                if task.done():
                    task.result()
            assert time.monotonic() < deadline, f"{len(waiting)} incomplete after {patience} s: {waiting[0]}"
            await asyncio.sleep(0.02)

    @property
    def delays(self) -> list[float]:
        return [delay for subscriber in self.subscribers for delay in subscriber.delays]

    @property
    def faults(self) -> list[str]:
        return [fault for subscriber in self.subscribers for fault in subscriber.faults]
