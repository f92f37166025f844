"""Benchmark: a message of Redis to the bytes of its subscribers' sockets, without network and database.

CPU microseconds and function calls for each delivery, of one process: the bus, the topic, the execution of the event,
its JSON and the frames. What is left out is the parsing of Redis' replies and the system calls.
"""

import argparse
import asyncio
import os
import sys
import time
from collections import Counter
from types import SimpleNamespace
from typing import Any, cast

import orjson
import uvloop
from uvicorn.config import Config
from uvicorn.server import ServerState

import models
from benchmarks.socket_load import SUBSCRIPTION, change_of
from models import enum
from models.generation_row import GENERATIONS
from schema.root import schema
from schema.runtime.access import Audience
from schema.runtime.context import Context
from schema.runtime.event_executor import EventOperation
from schema.runtime.feed import Feed, as_it_is
from schema.runtime.instrumentation import Instrumentation
from services.accounts.connection_registry import ConnectionRegistry
from services.accounts.result_mail.presence import Presence
from services.events.generation_topic import GenerationTopic
from services.events.payload import generation_channel
from services.events.topic import Topics
from services.integrations.messaging.bus import Bus
from services.operations.query_slots import QuerySlots
from tests.support.socket_peer import HANDSHAKE
from web.live_subscriber import LiveSubscriber
from web.server import tune_garbage_collection
from web.socket_protocol import SERVER_SOCKET, SocketProtocol

SESSION = "abc"
BATCH = 100  # messages in one step of the event loop, as in one packet of Redis


class Transport(asyncio.Transport):
    """A transport that counts what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes += 1

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        pass

    def abort(self) -> None:
        pass


class Socket:
    """A server's end of an accepted WebSocket."""

    def __init__(self, config: Config, state: ServerState) -> None:
        self.transport = Transport()
        self.protocol = SocketProtocol(config, state, {})
        self.protocol.connection_made(self.transport)
        self.protocol.data_received(HANDSHAKE)
        self.writer = self.protocol.writer

    async def send_text(self, text: str) -> None:
        raise RuntimeError("every message can be written")

    def forget(self, operation_id: str) -> None:
        pass


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Accept a socket, and leave it open."""
    await receive()
    await send({"type": "websocket.accept"})
    scope["extensions"][SERVER_SOCKET]["protocol"].serve_with(_nothing)


async def _nothing() -> None:
    pass


def context(services: Any, number: int) -> Context:
    """Return the context of a signed-in user."""
    made = Context(
        services, token=SESSION, is_cookie=False, client="127.0.0.1", accept_language="en", is_socket=True,
        introspection=Audience.NONE,
    )  # fmt: skip
    made.set_viewer(models.User(id=f"usr_{number}", email="a@example.com", locale="en", role=enum.Role.USER))
    return made


class Fleet:
    """Sockets with one subscription each, of a generation of its own or of the same."""

    def __init__(self, count: int, *, is_shared: bool) -> None:
        self.count = count
        self.ids = [f"gen_{number}" for number in range(1 if is_shared else count)]
        self.bus = Bus()
        self.topics = Topics(self.bus, 3600)
        self.version = 1
        self.sockets: list[Socket] = []

    async def open(self) -> None:
        """Open everything."""
        await self.bus.connect()
        none = cast(Any, None)
        presence = Presence(is_needed=False)
        registry = ConnectionRegistry(self.bus, none, none, none, presence, every=3600, max_subscriptions=None)
        services: Any = SimpleNamespace(
            accounts=SimpleNamespace(connections=registry),
            operations=SimpleNamespace(query_slots=QuerySlots(has_pauses=False)),
            events=SimpleNamespace(topics=self.topics),
            products=SimpleNamespace(profile=SimpleNamespace(locale="en")),
        )
        config, state = Config(app, log_config=None, ws_ping_interval=None), ServerState()
        config.load()
        for number in range(self.count):
            generation_id = self.ids[number % len(self.ids)]
            topic = await self.topics.join(generation_id, lambda id=generation_id: GenerationTopic(id))  # type: ignore[misc]
            topic.show(_row(generation_id))
            feed = Feed(context(services, number % len(self.ids)), topic, as_it_is, is_for_admins=False)
            feed.position = (1,)
            prepared = schema.documents.prepare(SUBSCRIPTION, None)
            schema.plans.compile(prepared.document, prepared.operation, {"id": generation_id})
            operation = EventOperation(schema, prepared, {"id": generation_id}, 6)
            socket = Socket(config, state)
            self.sockets.append(socket)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            LiveSubscriber(socket, "1", feed, operation, Instrumentation(None, None)).start()

    async def deliver(self) -> float:
        """Deliver a message to every subscriber, and return the seconds of CPU that it took."""
        self.version += 1
        messages = [(generation_channel(id), orjson.dumps(change_of(id, self.version))) for id in self.ids]
        begun = time.process_time()
        for start in range(0, len(messages), BATCH):
            for channel, text in messages[start : start + BATCH]:
                self.bus._deliver(channel, text)
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        return time.process_time() - begun

    def writes(self) -> int:
        """Count what the sockets were given."""
        return sum(socket.transport.writes for socket in self.sockets)


def _row(generation_id: str) -> Any:
    moment = "2026-01-01T00:00:00+00:00"
    return GENERATIONS.plain(
        {**change_of(generation_id, 1), "status": enum.GenerationStatus.PROCESSING, "created_at": moment}
    )


async def measure(name: str, fleet: Fleet, rounds: int) -> None:
    """Print one line."""
    await fleet.open()
    tune_garbage_collection()
    for _ in range(3):
        await fleet.deliver()
    before, found = fleet.writes(), []
    for _ in range(rounds):
        found.append(await fleet.deliver())
    if fleet.writes() - before != rounds * fleet.count:
        raise RuntimeError(f"{fleet.writes() - before} of {rounds * fleet.count} messages were written")
    calls: Counter[str] = Counter()
    sys.setprofile(lambda frame, event, called: calls.update((event,)))
    await fleet.deliver()
    sys.setprofile(None)
    python, native = calls["call"] / fleet.count, calls["c_call"] / fleet.count
    print(f"{name:16}{min(found) / fleet.count * 1e6:10.2f}{python:10.1f}{native:10.1f}", flush=True)


async def main(count: int, rounds: int) -> None:
    print(f"{'microseconds':16}{'CPU':>10}{'calls':>10}{'of C':>10}")
    await measure("own channels", Fleet(count, is_shared=False), rounds)
    await measure("one channel", Fleet(count, is_shared=True), rounds)
    sys.stdout.flush()
    os._exit(0)  # thousands of sockets need not be closed


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subscribers", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=30, help="of one message for each, of which the fastest counts")
    options = parser.parse_args()
    uvloop.run(main(options.subscribers, options.rounds))
