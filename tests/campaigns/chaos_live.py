"""Subscribers on real WebSockets who come back when they are cut off, and write down what they were told and when."""

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
RECONNECT = 0.1  # seconds before a subscriber comes back, and up to twice that
CREDITS = """
subscription($after: ID) {
  creditsChanged(after: $after) { version transaction { id sequence createdAt } }
}"""
PROGRESS = "subscription($id: ID!) { generationProgress(id: $id) { version status completedAt } }"
LAST_LINE = "{ viewer { transactions(first: 1) { nodes { id sequence } } } }"


def seconds_since(moment: str) -> float:
    """From a moment that the server told until now; both clocks are this machine's."""
    return time.time() - datetime.fromisoformat(moment).timestamp()


async def told(socket: Socket, query: str, **variables: Any) -> AsyncIterator[Any]:
    """The values of one subscription until it ends, however it ends: the socket closed, an error, its completion."""
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
    """What every subscriber does: keep a subscription, at any server, until it has heard all."""

    apis: Sequence[Api]
    dice: random.Random
    connections: int = 0
    delays: list[float] = field(default_factory=list)  # seconds from a commit to its arrival here
    faults: list[str] = field(default_factory=list)  # told twice, out of order, or never
    listening: asyncio.Event = field(default_factory=asyncio.Event)

    async def follow(self) -> None:
        while not self.is_done():
            try:
                async with self.dice.choice(self.apis).socket() as socket:
                    self.connections += 1
                    await self.listen(socket)
            except (OSError, httpx.TransportError, websockets.WebSocketException):
                pass  # cut off, or nobody there: like everything that ends early, a reason to come back
            await asyncio.sleep(0 if self.is_done() else self.dice.uniform(RECONNECT, 2 * RECONNECT))

    @abstractmethod
    def is_done(self) -> bool:
        """Whether it has heard all."""

    @abstractmethod
    async def listen(self, socket: Socket) -> None:
        """Follow until all is heard or this socket tells nothing more."""


@dataclass
class LedgerReader(Subscriber):
    """Follows an account's ledger from a known line on, and comes back with the last line it knows."""

    last_id: str = ""
    sequences: list[int] = field(default_factory=list)
    wanted: int | None = None  # the sequence after which there is nothing more to hear

    def is_done(self) -> bool:
        return self.wanted is not None and bool(self.sequences) and self.sequences[-1] >= self.wanted

    async def listen(self, socket: Socket) -> None:
        version, began = 0, time.time()
        async for value in told(socket, CREDITS, after=self.last_id):
            self.listening.set()
            if value["version"] < version:
                self.faults.append(f"version {value['version']} after {version}")
            version = value["version"]
            if (line := value["transaction"]) is None:
                continue
            if line["sequence"] != (self.sequences[-1] + 1 if self.sequences else 2):
                self.faults.append(f"line {line['sequence']} after {self.sequences[-1:]}")
            self.sequences.append(line["sequence"])
            self.last_id = line["id"]
            if datetime.fromisoformat(line["createdAt"]).timestamp() >= began:  # older ones are a reconnection's
                self.delays.append(seconds_since(line["createdAt"]))
            if self.is_done():
                return


@dataclass
class ProgressReader(Subscriber):
    """Follows one generation to its end."""

    generation_id: str = ""
    end: str | None = None

    def is_done(self) -> bool:
        return self.end is not None

    async def listen(self, socket: Socket) -> None:
        version, began = 0, time.time()
        async for value in told(socket, PROGRESS, id=self.generation_id):
            self.listening.set()
            if value["version"] <= version:
                self.faults.append(f"{self.generation_id}: version {value['version']} after {version}")
            version = value["version"]
            if value["status"] in FINAL:
                self.end = value["status"]
                if datetime.fromisoformat(value["completedAt"]).timestamp() >= began:
                    self.delays.append(seconds_since(value["completedAt"]))


class Audience:
    """Subscribers who follow while the body of `async with` runs."""

    def __init__(self) -> None:
        self.subscribers: list[Subscriber] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Audience":
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)

    def admit(self, *subscribers: Subscriber) -> None:
        self.subscribers += subscribers
        self._tasks += [asyncio.create_task(subscriber.follow()) for subscriber in subscribers]

    async def heard_all(self, patience: float) -> None:
        """Return when every subscriber has heard what there was to hear."""
        deadline = time.monotonic() + patience
        while waiting := [subscriber for subscriber in self.subscribers if not subscriber.is_done()]:
            for task in self._tasks:
                if task.done():
                    task.result()
            assert time.monotonic() < deadline, f"{len(waiting)} still wait after {patience} s: {waiting[0]}"
            await asyncio.sleep(0.02)

    @property
    def delays(self) -> list[float]:
        return [delay for subscriber in self.subscribers for delay in subscriber.delays]

    @property
    def faults(self) -> list[str]:
        return [fault for subscriber in self.subscribers for fault in subscriber.faults]
