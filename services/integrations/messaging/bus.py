"""The live-event bus: small messages to current subscribers, in this process or, through Redis, in all processes.

Messages are hints, rows are the source of truth. Where messages may have been lost, a subscriber receives GAP and
reads the rows again, so an outage of Redis raises no error here.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from enum import Enum
from typing import TYPE_CHECKING, Final, Self

import orjson
import structlog
from broadcaster import Broadcast, Event

from telemetry import metric

if TYPE_CHECKING:  # 7 MiB, which a server without REDIS_URL does not need
    from services.integrations.messaging.redis_pubsub import RedisBackend

log = structlog.get_logger(__name__)

MISSED = ""  # delivered where messages of a channel may have been lost; no JSON text is empty
MAXSIZE = 256  # messages queued for one subscriber; more are dropped and replaced by a GAP


class Gap(Enum):
    """The type of GAP."""

    GAP = "GAP"


GAP: Final = Gap.GAP  # "messages may have been lost: read the rows again"

_Queue = asyncio.Queue[Event | None]  # broadcaster's type; None is never put here


def _put_gap(queue: _Queue, channel: str) -> None:
    # Reading the rows covers the queued messages, too.
    while not queue.empty():
        queue.get_nowait()
    queue.put_nowait(Event(channel, MISSED))


class Subscription:
    """One subscriber's messages of one channel, in the order of publication."""

    def __init__(self, queue: _Queue) -> None:
        self._queue = queue

    async def get(self, timeout: float | None = None) -> dict[str, object] | Gap | None:  # noqa: ASYNC109 - a timeout is a result here, not an error
        """Return the next message, GAP, or None after `timeout` seconds without one. Loses nothing when canceled.

        Every subscriber gets its own objects, in memory too. Anything but a JSON object is returned as GAP: a newer
        release may have published it.
        """
        try:
            async with asyncio.timeout(timeout):  # even 0 does not interrupt a get that need not wait
                event = await self._queue.get()
        except TimeoutError:
            return None
        try:
            payload = orjson.loads(event.message if event else MISSED)
        except orjson.JSONDecodeError:
            return GAP
        return payload if isinstance(payload, dict) else GAP

    def interrupt(self) -> None:
        """Wake the waiting reader with a GAP, which replaces the messages that it has not read yet."""
        _put_gap(self._queue, "")


class Bus(Broadcast):
    """broadcaster's Broadcast with bounded queues, and with subscriptions that survive an outage.

    The sets of subscribers are only changed without suspending, so concurrent first subscribers need no lock.
    """

    def __init__(self, backend: "RedisBackend | None" = None, maxsize: int = MAXSIZE) -> None:
        super().__init__("memory://", backend=backend)
        self._redis = backend
        self._maxsize = maxsize

    @classmethod
    def open(cls, url: str | None) -> Self:
        """Return a bus to enter with `async with`. `url`: redis://, rediss:// or unix://; None: this process only."""
        if url is None:
            return cls()
        from services.integrations.messaging.redis_pubsub import RedisBackend

        return cls(RedisBackend(url))

    @property
    def is_shared(self) -> bool:
        """Whether messages are carried by Redis, so that other processes may receive them."""
        return self._redis is not None

    @property
    def is_connected(self) -> bool:
        """Whether Redis is reachable right now; always true in memory."""
        return self._redis is None or self._redis.is_connected

    def may_have_subscribers(self, channel: str) -> bool:
        """Return whether `channel` may have subscribers; on Redis always true, as other processes may subscribe."""
        return self._redis is not None or channel in self._subscribers

    async def __aenter__(self) -> Self:
        await self.connect()
        metric.bus_connected.set(self.is_connected)
        return self

    async def disconnect(self) -> None:
        self._listener_task.cancel()
        await asyncio.wait([self._listener_task])
        await self._backend.disconnect()

    async def publish(self, channel: str, payload: dict[str, object]) -> None:
        """Send a message to all subscribers. An outage is logged, never raised, and costs a second at most.

        Raises:
            TypeError: `payload` is not serializable as JSON (integers up to 64 bits).
        """
        text = orjson.dumps(payload).decode()
        try:
            await self._backend.publish(channel, text)
        except OSError as error:
            log.warning("bus.publish_failed", channel=channel, error=repr(error))
        await asyncio.sleep(0)  # the memory backend never suspends: a burst would overflow queues before they are read

    def subscribe(self, channel: str) -> AbstractAsyncContextManager[Subscription]:  # type: ignore[override]  # ours has another `get`
        """Subscribe to `channel` for the duration of the `async with` block.

        The block is entered once no later message can be missed. If Redis does not respond, it is entered after a
        second at most, with GAP as the first message and another GAP when Redis is back.
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
            queues = self._subscribers[channel]
            queues.remove(queue)
            if not queues:
                del self._subscribers[channel]
                await self._backend.unsubscribe(
                    channel
                )  # suspends in neither backend, so it completes in a canceled task

    async def _listener(self) -> None:
        while True:
            event = await self._backend.next_published()
            for queue in self._subscribers.get(event.channel, ()):
                if event.message == MISSED or queue.full():
                    _put_gap(queue, event.channel)
                else:
                    queue.put_nowait(event)
