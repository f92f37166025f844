"""Redis as the carrier of live events: acknowledged subscriptions on one connection that mends itself.

broadcaster's own Redis backends lose messages: they do not wait for SUBSCRIBE to be acknowledged, and their listener
ends for good with its connection.
"""

import asyncio
import random
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import structlog
from broadcaster import BroadcastBackend, Event
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from telemetry import metric

log = structlog.get_logger(__name__)

MISSED = ""  # stands among the messages of a channel where some may be missing; no JSON text is empty

PATIENCE = 1.0  # seconds that Redis may keep anybody waiting
KEEPALIVE = 2.0  # seconds of silence before a ping, and once more before the connection counts as dead
SHORTEST_PAUSE = 0.1  # seconds between two attempts to connect, doubling
LONGEST_PAUSE = 5.0
BATCH = 256  # messages published in one round trip


async def ping(url: str) -> None:
    """Return when the Redis at `url` answers.

    Raises:
        RedisError, OSError: it does not answer, or refuses.
    """
    async with Redis.from_url(url, socket_connect_timeout=2) as client:
        await client.ping()


@dataclass(eq=False)
class _Topic:
    """One channel that somebody here listens to."""

    channel: str
    acknowledged: asyncio.Event = field(default_factory=asyncio.Event)  # Redis knows of us, on this connection
    missed: bool = False  # somebody listened while Redis did not know of us


@dataclass(frozen=True)
class _Letter:
    """One message on its way out."""

    channel: str
    text: str
    sent: asyncio.Future[None]


class RedisBackend(BroadcastBackend):
    """One connection for everything that is listened to, and one for everything that is published.

    All writing is done by tasks of our own: redis-py drops a connection when the task that is writing to it is
    cancelled, and callers are cancelled all the time. Nobody waits longer than PATIENCE.
    `keepalive`: seconds; a server that hangs is noticed after twice as long.
    """

    def __init__(self, url: str, keepalive: float = KEEPALIVE) -> None:
        options: dict[str, Any] = {
            "protocol": 2,
            # Without supported errors nothing is retried and, above all, nothing reconnects behind our back.
            "retry": Retry(NoBackoff(), 0, supported_errors=()),
            "socket_connect_timeout": PATIENCE,
            # Our own timeouts stand around every wait. redis-py would use asyncio.wait_for, which in Python 3.11
            # can swallow a cancellation; closing the bus then never ended.
            "socket_timeout": None,
        }
        self._client: Redis = Redis.from_url(url, **options)
        self._client.connection_pool.connection_kwargs.update(options)  # over those in the URL's query
        self._keepalive = keepalive
        self._answering = asyncio.Event()
        self._topics: dict[str, _Topic] = {}
        self._commands: asyncio.Queue[tuple[str, list[_Topic]]] | None = None  # None: no connection
        self._arrived: asyncio.Queue[Event] = asyncio.Queue(1024)  # bounded, so that a flood lets others run
        self._outbox: asyncio.Queue[_Letter] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._closing = False

    @property
    def is_connected(self) -> bool:
        """Whether Redis answered the last time it was asked."""
        return self._answering.is_set()

    async def connect(self) -> None:
        """Start, and give Redis PATIENCE to answer; without it we start all the same."""
        self._tasks = [
            asyncio.create_task(self._stay_connected(), name="bus-subscriber"),
            asyncio.create_task(self._send_letters(), name="bus-publisher"),
        ]
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await self._answering.wait()

    async def disconnect(self) -> None:
        """Stop; messages not yet sent are dropped."""
        # A cancellation that meets an error on its way is lost (a TaskGroup of Python 3.11 raises only the error):
        # so the tasks also ask.
        self._closing = True
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        await self._client.aclose()

    async def subscribe(self, group: str) -> None:
        """Return once Redis has acknowledged the subscription; a second call joins the first.

        Raises:
            ConnectionError: it has not, and it may be a while. The subscription stands all the same, and MISSED
                will be delivered as soon as it works.
        """
        topic = self._topics.get(group)
        if topic is None:
            topic = self._topics[group] = _Topic(group)
            self._command("SUBSCRIBE", topic)
        if topic.acknowledged.is_set():
            return
        if self.is_connected:
            with suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    await topic.acknowledged.wait()
                return
        topic.missed = True
        raise ConnectionError("Redis has not acknowledged the subscription")

    async def unsubscribe(self, group: str) -> None:
        """Forget the channel. Never suspends, so it is safe in a task that is being cancelled."""
        self._command("UNSUBSCRIBE", self._topics.pop(group))

    async def publish(self, channel: str, message: str) -> None:
        """Send one message; at once in vain while Redis is known not to answer.

        Raises:
            OSError: it was not sent, or it is not known whether it was.
        """
        if not self.is_connected:
            raise ConnectionError("Redis does not answer")
        letter = _Letter(channel, message, asyncio.get_running_loop().create_future())
        self._outbox.put_nowait(letter)
        async with asyncio.timeout(PATIENCE):
            await letter.sent

    async def next_published(self) -> Event:
        """The next message, or MISSED, of any channel."""
        return await self._arrived.get()

    def _command(self, name: str, *topics: _Topic) -> None:
        # Without a connection there is nothing to say: the next one begins with all topics of that moment.
        if self._commands is not None:
            self._commands.put_nowait((name, list(topics)))

    async def _send_letters(self) -> None:
        while not self._closing:
            await self._deliver(await self._next_letters())

    async def _next_letters(self) -> list[_Letter]:
        letters = [await self._outbox.get()]
        while len(letters) < BATCH and not self._outbox.empty():
            letters.append(self._outbox.get_nowait())
        return [letter for letter in letters if not letter.sent.done()]  # the others were given up

    async def _deliver(self, letters: list[_Letter]) -> None:
        fault: ConnectionError | None = None
        try:
            async with asyncio.timeout(PATIENCE), self._client.pipeline(transaction=False) as pipeline:
                for letter in letters:
                    pipeline.publish(letter.channel, letter.text)
                await pipeline.execute()
        except Exception as cause:  # noqa: BLE001 - whatever redis-py raises, the next letters are tried
            fault = ConnectionError(repr(cause))
            # Only the other connection can tell whether Redis is gone: until it has answered, nobody waits again.
            self._answering.clear()
            self._command("PING")
        for letter in letters:
            if letter.sent.done():
                continue
            if fault is None:
                letter.sent.set_result(None)
            else:
                letter.sent.set_exception(fault)

    async def _stay_connected(self) -> None:
        loop = asyncio.get_running_loop()
        pause = 0.0
        while not self._closing:
            started = loop.time()
            try:
                await self._connection()
            except Exception as fault:  # noqa: BLE001 - whatever redis-py raises, the bus connects again
                if self._closing:
                    return
                if loop.time() - started > LONGEST_PAUSE:
                    pause = 0.0  # it was a good connection, and the next may be had at once
                metric.bus_reconnects.inc()
                log.warning("bus.disconnected", fault=repr(fault), pause=pause)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(max(2 * pause, SHORTEST_PAUSE), LONGEST_PAUSE)

    async def _connection(self) -> None:
        """Live through one connection, from its beginning to the error that ends it."""
        pubsub = self._client.pubsub()
        # Redis answers commands in the order they were sent, so the first answer belongs to the first entry. Matching
        # by name instead would take the answer to an old SUBSCRIBE for the answer to a new one.
        unanswered: deque[_Topic | None] = deque()
        try:
            async with asyncio.timeout(PATIENCE):
                await pubsub.connect()  # type: ignore[no-untyped-call]  # redis-py leaves it untyped
            self._commands = asyncio.Queue()
            self._command("PING")
            if self._topics:
                self._command("SUBSCRIBE", *self._topics.values())
            async with asyncio.TaskGroup() as group:
                group.create_task(self._write(pubsub, self._commands, unanswered))
                group.create_task(self._read(pubsub, unanswered))
        finally:
            self._commands = None
            self._answering.clear()
            metric.bus_connected.set(0)
            for topic in self._topics.values():
                topic.missed = topic.missed or topic.acknowledged.is_set()
                topic.acknowledged.clear()
            await pubsub.aclose()  # type: ignore[no-untyped-call]  # redis-py leaves it untyped

    async def _write(
        self,
        pubsub: PubSub,
        commands: asyncio.Queue[tuple[str, list[_Topic]]],
        unanswered: deque[_Topic | None],
    ) -> None:
        while True:
            name, topics = await commands.get()
            unanswered.extend(topics if name == "SUBSCRIBE" else [None] * max(len(topics), 1))
            # Not pubsub.subscribe(): it keeps lists of its own and would subscribe again without a word.
            await pubsub.execute_command(name, *[topic.channel for topic in topics])
            del topics  # the next command may be long in coming

    async def _read(self, pubsub: PubSub, unanswered: deque[_Topic | None]) -> None:
        silent = False
        while True:
            reply = await pubsub.get_message(timeout=self._keepalive)
            if reply is None:
                if silent:
                    raise TimeoutError("Redis did not answer a ping")
                silent = True
                self._command("PING")
                continue
            silent = False
            if reply["type"] == "message":
                # A stranger's bytes must not end the connection; what is no JSON is read as MISSED.
                text = reply["data"].decode(errors="replace")
                await self._arrived.put(Event(reply["channel"].decode(errors="replace"), text))
                continue
            if not self.is_connected:
                self._answering.set()
                metric.bus_connected.set(1)
                log.info("bus.connected")
            await self._acknowledge(unanswered.popleft())

    async def _acknowledge(self, topic: _Topic | None) -> None:
        if topic is None:
            return
        topic.acknowledged.set()
        if topic.missed:
            topic.missed = False
            await self._arrived.put(Event(topic.channel, MISSED))
