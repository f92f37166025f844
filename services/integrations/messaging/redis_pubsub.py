"""The Redis backend of the bus: acknowledged subscriptions on one connection, which reconnects by itself.

broadcaster's own Redis backends lose messages: they do not wait for SUBSCRIBE to be acknowledged, and their listener
ends with its connection.
"""

import asyncio
import math
import random
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import structlog
from broadcaster import BroadcastBackend, Event

from services.integrations.messaging.bus import MISSED
from services.integrations.redis_client import NoBackoff, PubSub, Redis, Retry, client_of
from telemetry import metric

log = structlog.get_logger(__name__)

TIMEOUT = 1.0  # seconds for every wait on Redis
KEEPALIVE = 2.0  # seconds without a reply before a ping, and then until the connection counts as dead
MIN_PAUSE = 0.1  # seconds between attempts to connect, doubling up to the maximum
MAX_PAUSE = 5.0  # seconds
BATCH = 256  # messages published in one round trip
_MAX_STEP = 0.002  # seconds for which a flood of messages keeps the event loop busy in one step
OUTBOX = 8192  # messages that wait to be published at most; further ones are refused


async def ping(url: str) -> None:
    """Return once the Redis at `url` responds.

    Raises:
        RedisError, OSError: it does not respond, or refuses.
    """
    async with client_of(url, socket_connect_timeout=2) as client:
        await client.ping()


@dataclass(eq=False)
class _Channel:
    """One channel with subscribers in this process."""

    name: str
    acknowledged: asyncio.Event = field(default_factory=asyncio.Event)  # subscribed on the present connection
    missed: bool = False  # had subscribers here while Redis was not subscribed


@dataclass(frozen=True)
class _Outgoing:
    """One message to be published. `sent`: of a caller that waits for it."""

    channel: str
    text: str
    sent: asyncio.Future[None] | None = None


class RedisBackend(BroadcastBackend):
    """One connection for all subscriptions, and one for all publishing.

    Only the backend's own tasks write to them: redis-py drops a connection when the task that is writing to it is
    canceled, and callers are canceled often. No call waits longer than TIMEOUT.
    `keepalive`: seconds; a server that hangs is detected after twice as long.
    `deliver` is called with the channel and the JSON, or MISSED, of each message, by the task that reads them.
    """

    def __init__(self, url: str, keepalive: float = KEEPALIVE) -> None:
        self.deliver: Callable[[str, bytes], None] = lambda channel, data: None
        options: dict[str, Any] = {
            "protocol": 2,
            # Without supported errors redis-py neither retries nor reconnects by itself.
            "retry": Retry(NoBackoff(), 0, supported_errors=()),
            "socket_connect_timeout": TIMEOUT,
            # Every wait has a timeout here. redis-py would use asyncio.wait_for, which in Python 3.11 can swallow a
            # cancellation; closing the bus would then never end.
            "socket_timeout": None,
        }
        self._client: Redis = client_of(url, **options)
        self._keepalive = keepalive
        self._responding = asyncio.Event()
        self._channels: dict[str, _Channel] = {}
        self._commands: asyncio.Queue[tuple[str, list[_Channel]]] | None = None  # None: no connection
        self._replied = 0.0  # when Redis last sent anything; seconds of the event loop
        self._outgoing: asyncio.Queue[_Outgoing] = asyncio.Queue(OUTBOX)
        self._tasks: list[asyncio.Task[None]] = []
        self._closing = False

    @property
    def is_connected(self) -> bool:
        """Whether Redis responded to the last command."""
        return self._responding.is_set()

    async def connect(self) -> None:
        """Start the tasks, and wait up to TIMEOUT for Redis; start without it if it does not respond."""
        self._tasks = [
            asyncio.create_task(self._keep_connected(), name="bus-subscriber"),
            asyncio.create_task(self._publish_outgoing(), name="bus-publisher"),
        ]
        with suppress(TimeoutError):
            async with asyncio.timeout(TIMEOUT):
                await self._responding.wait()

    async def disconnect(self) -> None:
        """Stop; messages not yet sent are sent within TIMEOUT if Redis responds, else dropped."""
        if self.is_connected:
            with suppress(TimeoutError):
                async with asyncio.timeout(TIMEOUT):
                    await self._outgoing.join()
        # A cancellation that coincides with an error is lost (a TaskGroup of Python 3.11 raises only the error), so
        # the tasks check this flag as well.
        self._closing = True
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        await self._client.aclose()

    async def subscribe(self, group: str) -> None:
        """Return once Redis has acknowledged the subscription; concurrent calls share it.

        Raises:
            ConnectionError: Redis has not acknowledged it in time. The subscription is kept, and MISSED is delivered
                once it is acknowledged.
        """
        channel = self._channels.get(group)
        if channel is None:
            channel = self._channels[group] = _Channel(group)
            self._command("SUBSCRIBE", channel)
        if channel.acknowledged.is_set():
            return
        if self.is_connected:
            with suppress(TimeoutError):
                async with asyncio.timeout(TIMEOUT):
                    await channel.acknowledged.wait()
                return
        channel.missed = True
        raise ConnectionError("Redis has not acknowledged the subscription")

    async def unsubscribe(self, group: str) -> None:
        """Unsubscribe from the channel. Never suspends, so it is safe in a task that is being canceled."""
        self._command("UNSUBSCRIBE", self._channels.pop(group))

    async def publish(self, channel: str, message: str) -> None:
        """Publish one message; fails at once while Redis is known to be unreachable.

        Raises:
            OSError: it was not sent, or it is unknown whether it was.
        """
        sent = asyncio.get_running_loop().create_future()
        self._put(_Outgoing(channel, message, sent))
        async with asyncio.timeout(TIMEOUT):
            await sent

    def post(self, channel: str, message: str) -> None:
        """Hand one message over, to be sent in the order of these calls; it may still be lost.

        Raises:
            OSError: Redis is known to be unreachable, or too many messages wait to be sent.
        """
        self._put(_Outgoing(channel, message))

    def _put(self, outgoing: _Outgoing) -> None:
        if not self.is_connected:
            raise ConnectionError("Redis is unreachable")
        try:
            self._outgoing.put_nowait(outgoing)
        except asyncio.QueueFull:
            raise ConnectionError("too many messages wait to be sent") from None

    async def next_published(self) -> Event:
        """Never return: messages are passed to `deliver` without a queue between."""
        never: asyncio.Future[Event] = asyncio.get_running_loop().create_future()
        return await never

    def _command(self, name: str, *channels: _Channel) -> None:
        # Without a connection the command is dropped: the next connection starts by subscribing to all channels.
        if self._commands is not None:
            self._commands.put_nowait((name, list(channels)))

    async def _publish_outgoing(self) -> None:
        while not self._closing:
            batch = await self._next_batch()
            # The callers of some may have timed out.
            await self._publish_batch([each for each in batch if each.sent is None or not each.sent.done()])
            for _ in batch:
                self._outgoing.task_done()

    async def _next_batch(self) -> list[_Outgoing]:
        batch = [await self._outgoing.get()]
        while len(batch) < BATCH and not self._outgoing.empty():
            batch.append(self._outgoing.get_nowait())
        return batch

    async def _publish_batch(self, batch: list[_Outgoing]) -> None:
        error: ConnectionError | None = None
        try:
            async with asyncio.timeout(TIMEOUT), self._client.pipeline(transaction=False) as pipeline:
                for outgoing in batch:
                    pipeline.publish(outgoing.channel, outgoing.text)
                await pipeline.execute()
        except Exception as cause:  # noqa: BLE001 - whatever redis-py raises, the next messages are tried
            error = ConnectionError(repr(cause))
            if posted := sum(outgoing.sent is None for outgoing in batch):
                log.warning("bus.publish_failed", messages=posted, error=repr(cause))
            # Only a reply on the other connection shows that Redis is reachable: until then, publish fails at once.
            self._responding.clear()
            self._command("PING")
        for outgoing in batch:
            if outgoing.sent is None or outgoing.sent.done():
                continue
            if error is None:
                outgoing.sent.set_result(None)
            else:
                outgoing.sent.set_exception(error)

    async def _keep_connected(self) -> None:
        loop = asyncio.get_running_loop()
        pause = 0.0
        while not self._closing:
            started = loop.time()
            try:
                await self._run_connection()
            except Exception as error:  # noqa: BLE001 - whatever redis-py raises, the bus reconnects
                if self._closing:
                    return
                if loop.time() - started > MAX_PAUSE:
                    pause = 0.0  # the connection was stable: reconnect at once
                metric.bus_reconnects.inc()
                log.warning("bus.disconnected", error=repr(error), pause=pause)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(max(2 * pause, MIN_PAUSE), MAX_PAUSE)

    async def _run_connection(self) -> None:
        """Run one connection until an error ends it."""
        pubsub = self._client.pubsub()
        # Redis replies in the order of the commands, so the first reply belongs to the first entry. Matching by name
        # would mistake the reply to an earlier SUBSCRIBE for that to a later one.
        pending_replies: deque[_Channel | None] = deque()
        try:
            async with asyncio.timeout(TIMEOUT):
                await pubsub.connect()  # type: ignore[no-untyped-call]  # redis-py leaves it untyped
            self._commands = asyncio.Queue()
            self._command("PING")
            if self._channels:
                self._command("SUBSCRIBE", *self._channels.values())
            async with asyncio.TaskGroup() as group:
                group.create_task(self._write(pubsub, self._commands, pending_replies))
                group.create_task(self._read(pubsub, pending_replies))
                group.create_task(self._keep_alive())
        finally:
            self._commands = None
            self._responding.clear()
            metric.bus_connected.set(0)
            for channel in self._channels.values():
                channel.missed = channel.missed or channel.acknowledged.is_set()
                channel.acknowledged.clear()
            await pubsub.aclose()  # type: ignore[no-untyped-call]  # redis-py leaves it untyped

    async def _write(
        self,
        pubsub: PubSub,
        commands: asyncio.Queue[tuple[str, list[_Channel]]],
        pending_replies: deque[_Channel | None],
    ) -> None:
        while True:
            name, channels = await commands.get()
            pending_replies.extend(channels if name == "SUBSCRIBE" else [None] * max(len(channels), 1))
            # Not pubsub.subscribe(): it keeps its own list of channels and would resubscribe by itself.
            await pubsub.execute_command(name, *[channel.name for channel in channels])
            del channels  # the next command may come much later

    async def _read(self, pubsub: PubSub, pending_replies: deque[_Channel | None]) -> None:
        # Not pubsub.get_message(), which takes eight times as long; all replies of one packet are read in one step.
        connection, now = pubsub.connection, asyncio.get_running_loop().time
        assert connection is not None  # noqa: S101 - connected above
        step_end = 0.0
        while True:
            reply = await connection.read_response(timeout=math.inf, disconnect_on_error=False)
            self._replied = now()
            if isinstance(reply, list) and reply[0] == b"message":
                # Foreign bytes must not end the connection; anything but JSON is read as MISSED.
                self.deliver(reply[1].decode(errors="replace"), reply[2])
            else:
                if not self.is_connected:
                    self._responding.set()
                    metric.bus_connected.set(1)
                    log.info("bus.connected")
                self._acknowledge(pending_replies.popleft())
            if self._replied > step_end:
                await asyncio.sleep(0)
                step_end = now() + _MAX_STEP

    async def _keep_alive(self) -> None:
        """Ping Redis when it has been silent. Raises TimeoutError if it stays silent."""
        now = self._replied = asyncio.get_running_loop().time()
        while True:
            await asyncio.sleep(self._replied + self._keepalive - now)
            now = asyncio.get_running_loop().time()
            if now >= self._replied + self._keepalive:
                self._command("PING")
                await asyncio.sleep(self._keepalive)
                if self._replied <= now:
                    raise TimeoutError("Redis did not reply to a ping")
                now = asyncio.get_running_loop().time()

    def _acknowledge(self, channel: _Channel | None) -> None:
        if channel is None:
            return
        channel.acknowledged.set()
        if channel.missed:
            channel.missed = False
            self.deliver(channel.name, MISSED)
