"""The live-event bus: small messages to current subscribers, in this process or, through Redis, in all processes.

Messages are hints, rows are the source of truth. Where messages may have been lost, a subscriber receives GAP and
reads the rows again, so an outage of Redis raises no error here.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol, Self, TypeAlias

import orjson
import structlog
from broadcaster import Broadcast

from services.integrations.messaging.kept_messages import KeptMessages
from telemetry import metric

if TYPE_CHECKING:  # 7 MiB, which a server without REDIS_URL does not need
    from services.integrations.messaging.redis_backend import SharedBackend

log = structlog.get_logger(__name__)

MISSED: Final = b""  # delivered where messages of a channel may have been lost; no JSON text is empty
_CHECK_TIMEOUT = 2.0  # seconds in which a message of `check` must arrive
MAXSIZE = 256  # messages queued for one subscriber; more are dropped and replaced by a GAP


class Gap(Enum):
    """The type of GAP."""

    GAP = "GAP"


GAP: Final = Gap.GAP  # "messages may have been lost: read the rows again"

Message: TypeAlias = dict[str, object] | Gap
_Queue = asyncio.Queue[str | bytes]


class Listener(Protocol):
    """What receives each message of a channel."""

    def receive(self, message: Message, text: str | bytes = MISSED) -> None:
        """Take a message, decoded from `text`, or GAP. Does not suspend."""


def _put_gap(queue: _Queue) -> None:
    # Reading the rows covers the queued messages, too.
    while not queue.empty():
        queue.get_nowait()
    queue.put_nowait(MISSED)


def _decode(data: str | bytes) -> Message:
    """Decode a message. Anything but a JSON object is GAP: a newer release may have published it."""
    try:
        payload = orjson.loads(data)
    except orjson.JSONDecodeError:
        return GAP
    return payload if type(payload) is dict else GAP


class Subscription:
    """One subscriber's messages of one channel, in the order of publication."""

    def __init__(self, queue: _Queue) -> None:
        self._queue = queue

    async def get(self, timeout: float | None = None) -> Message | None:  # noqa: ASYNC109 - a timeout is a result here, not an error
        """Return the next message, GAP, or None after `timeout` seconds without one. Loses nothing when canceled.

        Every subscriber gets its own objects, in memory too.
        """
        try:
            async with asyncio.timeout(timeout):  # even 0 does not interrupt a get that need not wait
                data = await self._queue.get()
        except TimeoutError:
            return None
        return _decode(data)


class Bus(Broadcast):
    """broadcaster's Broadcast with bounded queues, and with subscriptions that survive an outage.

    A channel has subscribers, each with a queue of its own, and listeners, which are called with each message, decoded
    once for all of them. Their sets are only changed without suspending, so concurrent first ones need no lock.
    """

    def __init__(self, backend: "SharedBackend | None" = None, maxsize: int = MAXSIZE) -> None:
        super().__init__("memory://", backend=backend)
        self._redis = backend
        self._kept = KeptMessages()  # without Redis
        self._maxsize = maxsize
        self._queues: dict[str, set[_Queue]] = {}
        self._listeners: dict[str, tuple[Listener, ...]] = {}
        self._subscribed: set[str] = set()  # channels that the backend subscribes to
        self._unsubscribing: set[asyncio.Task[None]] = set()
        if backend is not None:
            backend.deliver = self._deliver

    @classmethod
    def open(cls, url: str | None) -> Self:
        """Return a bus to enter with `async with`. `url`: REDIS_URL; None: this process only."""
        if url is None:
            return cls()
        from services.integrations.redis_client import is_cluster

        if is_cluster(url):
            from services.integrations.messaging.redis_cluster import ClusterBackend

            return cls(ClusterBackend(url))
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
        return self._redis is not None or self._is_used(channel)

    def subscriber_count(self, *, without: frozenset[str] = frozenset()) -> int:
        """Count the subscribers and listeners in this process, without those of some channels."""
        queues = sum(len(found) for channel, found in self._queues.items() if channel not in without)
        return queues + sum(len(found) for channel, found in self._listeners.items() if channel not in without)

    async def __aenter__(self) -> Self:
        await self.connect()
        metric.bus_connected.set(self.is_connected)
        return self

    async def disconnect(self) -> None:
        self._listener_task.cancel()
        await asyncio.wait([self._listener_task, *self._unsubscribing])
        await self._backend.disconnect()

    async def publish(self, channel: str, payload: dict[str, object]) -> None:
        """Send a message to all subscribers. An outage is logged, never raised, and costs a second at most.

        Raises:
            TypeError: `payload` is not serializable as JSON (integers up to 64 bits).
        """
        await self._publish(channel, payload, self._backend.publish)

    async def post(self, channel: str, payload: dict[str, object], kept: str | None = None) -> None:
        """Hand a message over to all subscribers without waiting for Redis; for hints, which may be lost.

        Messages arrive in the order in which they were handed over. An outage is logged, never raised.
        `kept`: what `kept` returns of the message for some minutes, if anything.

        Raises:
            TypeError: as `publish`.
        """
        await self._publish(channel, payload, partial(self._hand_over, kept=kept))

    async def kept(self, channel: str) -> Sequence[bytes | str]:
        """Return what was kept of the channel's last messages, the oldest first; nothing where Redis does not respond.

        Some may be missing between the others, and messages that were just handed over may be missing still.
        """
        if self._redis is None:
            return self._kept.of(channel)
        if not self._redis.is_connected:
            return []
        try:
            return await self._redis.kept(channel)
        except Exception as error:  # noqa: BLE001 - whatever redis-py raises, the rows say what the messages would
            log.warning("bus.kept_not_read", channel=channel, error=error)
            return []

    async def _hand_over(self, channel: str, text: str, *, kept: str | None) -> None:
        if self._redis is not None:
            self._redis.post(channel, text, kept)
            return
        if kept is not None:
            self._kept.add(channel, kept)
        await self._backend.publish(channel, text)

    @staticmethod
    async def _publish(channel: str, payload: dict[str, object], send: Callable[[str, str], Awaitable[None]]) -> None:
        text = orjson.dumps(payload).decode()
        try:
            await send(channel, text)
        except OSError as error:
            log.warning("bus.publish_failed", channel=channel, error=error)
        await asyncio.sleep(0)  # the memory backend never suspends: a burst would overflow queues before they are read

    async def check(self) -> None:
        """Publish a message that must arrive.

        Raises:
            OSError: Redis cannot be reached, or the message did not arrive in time (TimeoutError).
        """
        channel = f"check:{secrets.token_hex(8)}"
        async with asyncio.timeout(_CHECK_TIMEOUT), self._subscription(channel) as messages:
            await self._backend.publish(channel, "{}")
            while await messages.get() is GAP:
                pass

    def subscribe(self, channel: str) -> AbstractAsyncContextManager[Subscription]:  # type: ignore[override]  # ours has another `get`
        """Subscribe to `channel` for the duration of the `async with` block.

        The block is entered once no later message can be missed. If Redis does not respond, it is entered after a
        second at most, with GAP as the first message and another GAP when Redis is back.
        """
        return self._subscription(channel)

    async def listen(self, channel: str, listener: Listener) -> None:
        """Call the listener with every message of `channel`, and with GAP, until `unlisten`.

        Returns once no later message can be missed; if Redis does not respond, after a second at most, with a GAP for
        now and another one when Redis is back. All listeners share the message's objects, and must not change them.
        """
        listeners = self._listeners.get(channel, ())
        if listener not in listeners:
            self._listeners[channel] = (*listeners, listener)
        try:
            await self._subscribe(channel)
        except OSError:
            listener.receive(GAP, MISSED)

    def unlisten(self, channel: str, listener: Listener) -> None:
        """Do not call the listener any more."""
        if channel not in self._listeners:
            return
        self._listeners[channel] = tuple(other for other in self._listeners[channel] if other is not listener)
        if not self._listeners[channel]:
            del self._listeners[channel]
            # As a task, because the backend's method is a coroutine function; the channel may be used again by then.
            task = asyncio.create_task(self._unsubscribe_unused(channel))
            self._unsubscribing.add(task)
            task.add_done_callback(self._unsubscribing.discard)

    @asynccontextmanager
    async def _subscription(self, channel: str) -> AsyncIterator[Subscription]:
        queue: _Queue = asyncio.Queue(self._maxsize)
        self._queues.setdefault(channel, set()).add(queue)
        try:
            try:
                await self._subscribe(channel)
            except OSError:
                _put_gap(queue)
            yield Subscription(queue)
        finally:
            queues = self._queues[channel]
            queues.remove(queue)
            if not queues:
                del self._queues[channel]
                await self._unsubscribe_unused(channel)

    def _is_used(self, channel: str) -> bool:
        return channel in self._queues or channel in self._listeners

    async def _subscribe(self, channel: str) -> None:
        self._subscribed.add(channel)
        await self._backend.subscribe(channel)

    async def _unsubscribe_unused(self, channel: str) -> None:
        if channel in self._subscribed and not self._is_used(channel):
            self._subscribed.remove(channel)
            await self._backend.unsubscribe(channel)  # suspends in neither backend: it completes in a canceled task

    async def _listener(self) -> None:
        while True:
            event = await self._backend.next_published()
            self._deliver(event.channel, event.message)

    def _deliver(self, channel: str, data: str | bytes) -> None:
        if channel in self._queues:
            self._put_all(self._queues[channel], data)
        listeners = self._listeners.get(channel)
        if not listeners:
            return
        message = _decode(data)
        for listener in listeners:
            try:
                listener.receive(message, data)
            except Exception:  # the others, and the connection, must go on
                log.exception("bus.listener_failed", channel=channel)

    @staticmethod
    def _put_all(queues: set[_Queue], data: str | bytes) -> None:
        for queue in queues:
            if data == MISSED or queue.full():
                _put_gap(queue)
            else:
                queue.put_nowait(data)
