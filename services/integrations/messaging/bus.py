"""The live-event bus: small messages to whoever listens now, in this process or, through Redis, in all of them.

Messages are hints and rows are the truth. One that may have been lost is announced as GAP, and its reader looks at the
rows again; so nothing here ever fails because of Redis.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from enum import Enum
from typing import Final, Self

import orjson
import structlog
from broadcaster import Broadcast, BroadcastBackend, Event

from services.integrations.messaging.redis_pubsub import MISSED, RedisBackend
from telemetry import metric

log = structlog.get_logger(__name__)

MAXSIZE = 256  # messages that wait for one reader before they are thrown away for a GAP


class Gap(Enum):
    """The type of GAP."""

    GAP = "GAP"


GAP: Final = Gap.GAP  # "messages may have been lost: read the rows again"

_Queue = asyncio.Queue[Event | None]  # broadcaster's type; None is never put here


def _put_gap(queue: _Queue, channel: str) -> None:
    # The rows will tell all that was waiting, too.
    while not queue.empty():
        queue.get_nowait()
    queue.put_nowait(Event(channel, MISSED))


class Subscription:
    """One listener's own messages of one channel, in the order they were published."""

    def __init__(self, queue: _Queue) -> None:
        self._queue = queue

    async def get(self, timeout: float | None = None) -> dict[str, object] | Gap | None:  # noqa: ASYNC109 - silence is an answer here, not an error
        """The next message, GAP, or None when `timeout` seconds passed in silence. Loses nothing when cancelled.

        Every listener gets objects of its own, in memory too. What is no JSON object is read as GAP: a newer
        release may be speaking.
        """
        try:
            async with asyncio.timeout(timeout):  # does not interrupt a get that need not wait, be it 0
                event = await self._queue.get()
        except TimeoutError:
            return None
        try:
            payload = orjson.loads(event.message if event else MISSED)
        except orjson.JSONDecodeError:
            return GAP
        return payload if isinstance(payload, dict) else GAP

    def interrupt(self) -> None:
        """Let whoever waits for a message look up; it reads GAP, and loses what it has not read yet."""
        _put_gap(self._queue, "")


class Bus(Broadcast):
    """broadcaster's Broadcast with bounded queues, and with subscriptions that survive an outage.

    Between two suspensions of a task the sets of listeners are always whole, so first subscribers need no lock and
    none waits for another.
    """

    def __init__(self, backend: BroadcastBackend | None = None, maxsize: int = MAXSIZE) -> None:
        super().__init__("memory://", backend=backend)
        self._maxsize = maxsize

    @classmethod
    def open(cls, url: str | None) -> Self:
        """A bus to enter with `async with`. `url`: redis://, rediss:// or unix://; None: this process only."""
        return cls(None if url is None else RedisBackend(url))

    @property
    def is_shared(self) -> bool:
        """Whether messages are carried by Redis, so that other processes may receive them."""
        return isinstance(self._backend, RedisBackend)

    @property
    def is_connected(self) -> bool:
        """Whether messages reach other processes right now; always true in memory."""
        return not isinstance(self._backend, RedisBackend) or self._backend.is_connected

    def is_heard(self, channel: str) -> bool:
        """Whether anybody may be listening to `channel`; of other processes nobody here knows."""
        return isinstance(self._backend, RedisBackend) or channel in self._subscribers

    async def __aenter__(self) -> Self:
        await self.connect()
        metric.bus_connected.set(self.is_connected)
        return self

    async def disconnect(self) -> None:
        self._listener_task.cancel()
        await asyncio.wait([self._listener_task])
        await self._backend.disconnect()

    async def publish(self, channel: str, payload: dict[str, object]) -> None:
        """Tell whoever listens. An outage is logged, never raised, and costs a second at most.

        Raises:
            TypeError: `payload` cannot be written as JSON (integers end at 64 bits).
        """
        text = orjson.dumps(payload).decode()
        try:
            await self._backend.publish(channel, text)
        except OSError as fault:
            log.warning("bus.publish_failed", channel=channel, fault=repr(fault))
        await asyncio.sleep(0)  # memory never suspends: a burst would overflow queues before anybody could read

    def subscribe(self, channel: str) -> AbstractAsyncContextManager[Subscription]:  # type: ignore[override]  # ours has another `get`
        """Listen to `channel` for the length of the `async with` block.

        Entered only when nothing that is published from then on is missed. Where Redis does not answer, entered
        after a second at most, with GAP as the first message and another GAP when it is back.
        """
        return self._subscription(channel)

    @asynccontextmanager
    async def _subscription(self, channel: str) -> AsyncIterator[Subscription]:
        queue: _Queue = asyncio.Queue(self._maxsize)
        self._subscribers.setdefault(channel, set()).add(queue)
        try:
            try:
                await self._backend.subscribe(channel)
            except OSError:
                _put_gap(queue, channel)
            yield Subscription(queue)
        finally:
            listeners = self._subscribers[channel]
            listeners.remove(queue)
            if not listeners:
                del self._subscribers[channel]
                await self._backend.unsubscribe(channel)  # suspends in neither backend: a cancelled task gets through

    async def _listener(self) -> None:
        while True:
            event = await self._backend.next_published()
            for queue in self._subscribers.get(event.channel, ()):
                if event.message == MISSED or queue.full():
                    _put_gap(queue, event.channel)
                else:
                    queue.put_nowait(event)
