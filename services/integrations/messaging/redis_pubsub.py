"""The Redis backend of the bus: acknowledged subscriptions on one connection, which reconnects by itself.

broadcaster's own Redis backends lose messages: they do not wait for SUBSCRIBE to be acknowledged, and their listener
ends with its connection.
"""

import asyncio
import math
import random
from collections import deque
from contextlib import suppress
from typing import Any, ClassVar

import structlog

from services.integrations.messaging.bus import MISSED
from services.integrations.messaging.kept_messages import PUBLISH_AND_KEEP, key_of
from services.integrations.messaging.redis_backend import KEEPALIVE, TIMEOUT, Channel, Outgoing, SharedBackend
from services.integrations.redis_client import (
    Batch,
    BatchParser,
    NoBackoff,
    PubSub,
    Redis,
    ResponseError,
    Retry,
    client_of,
)
from telemetry import metric
from telemetry.outage import REDIS

log = structlog.get_logger(__name__)

MIN_PAUSE = 0.1  # seconds between attempts to connect, doubling up to the maximum
MAX_PAUSE = 5.0  # seconds
BATCH = 256  # messages published in one round trip
# Seconds for which a flood of messages keeps the event loop busy in one step: some messages for 3,000 sockets, whose
# frames then leave in one write for each socket.
_MAX_STEP = 0.005
OUTBOX = 8192  # messages that wait to be published at most; further ones are refused
_KEEP_AGAIN = 60.0  # seconds for which messages are only published after Redis has refused to keep one


_Pending = tuple[str, Channel | None, int]  # a command, the channel that it names, and its attempt


class RedisBackend(SharedBackend):
    """One connection for all subscriptions, and one for all publishing.

    Only the backend's own tasks write to them: redis-py drops a connection when the task that is writing to it is
    canceled, and callers are canceled often. No call waits longer than TIMEOUT.
    `keepalive`: seconds; a server that hangs is detected after twice as long.
    """

    publish_command = "PUBLISH"
    keeps_messages = True  # unless the list of a channel is on another server than its messages
    redirections: ClassVar[tuple[type[Exception], ...]] = ()  # replies that another server has to be asked
    outage_scope = "bus"  # which server's outage it is

    def __init__(self, url: str, keepalive: float = KEEPALIVE) -> None:
        super().__init__()
        options: dict[str, Any] = {
            "protocol": 2,
            "parser_class": BatchParser,
            # Without supported errors redis-py neither retries nor reconnects by itself.
            "retry": Retry(NoBackoff(), 0, supported_errors=()),
            "socket_connect_timeout": TIMEOUT,
            # Every wait has a timeout here. redis-py would use asyncio.wait_for, which in Python 3.11 can swallow a
            # cancellation; closing the bus would then never end.
            "socket_timeout": None,
        }
        self.client: Redis = client_of(url, **options)
        self._keepalive = keepalive
        self._responding = asyncio.Event()
        self._channels: dict[str, Channel] = {}
        self._commands: asyncio.Queue[tuple[str, list[Channel]]] | None = None  # None: no connection
        self._replied = 0.0  # when Redis last sent anything; seconds of the event loop
        self._outgoing: asyncio.Queue[Outgoing] = asyncio.Queue(OUTBOX)
        self._tasks: list[asyncio.Task[None]] = []
        self._closing = False
        self._keeps_from = 0.0  # seconds of the event loop

    @property
    def is_connected(self) -> bool:
        """Whether Redis responded to the last command."""
        return self._responding.is_set()

    async def connect(self) -> None:
        """Start, and wait up to TIMEOUT for Redis; start without it if it does not respond."""
        self.start()
        with suppress(TimeoutError):
            async with asyncio.timeout(TIMEOUT):
                await self._responding.wait()

    def start(self) -> None:
        """Start the tasks, which connect."""
        self._tasks = [
            asyncio.create_task(self._keep_connected(), name="bus-subscriber"),
            asyncio.create_task(self._publish_outgoing(), name="bus-publisher"),
        ]

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
        REDIS.forget(self.outage_scope)
        await self.client.aclose()

    async def subscribe(self, group: str) -> None:
        """Return once Redis has acknowledged the subscription; concurrent calls share it.

        Raises:
            ConnectionError: Redis has not acknowledged it in time. The subscription is kept, and MISSED is delivered
                once it is acknowledged.
        """
        channel = self._channels.get(group)
        if channel is None:
            channel = Channel(group)
            self.add(channel)
        await channel.wait(is_connected=self.is_connected)

    def add(self, channel: Channel) -> None:
        """Subscribe to the channel, now and on each new connection."""
        channel.attempt += 1
        self._channels[channel.name] = channel
        self._command("SUBSCRIBE", channel)

    async def unsubscribe(self, group: str) -> None:
        """Unsubscribe from the channel. Never suspends, so it is safe in a task that is being canceled."""
        self.remove(group)

    def remove(self, name: str) -> None:
        """Unsubscribe from the channel, if it is subscribed to here."""
        channel = self._channels.pop(name, None)
        if channel is not None:
            self._command("UNSUBSCRIBE", channel)

    def put(self, outgoing: Outgoing) -> None:
        """Hand one message over, as SharedBackend says."""
        if not self.is_connected:
            raise ConnectionError("Redis is unreachable")
        try:
            self._outgoing.put_nowait(outgoing)
        except asyncio.QueueFull:
            raise ConnectionError("too many messages wait to be sent") from None

    async def kept(self, channel: str) -> list[bytes | str]:
        async with asyncio.timeout(TIMEOUT):
            return await self.client.lrange(key_of(channel), 0, -1)

    def _command(self, name: str, *channels: Channel) -> None:
        # Without a connection the command is dropped: the next connection starts by subscribing to all channels.
        if self._commands is not None:
            self._commands.put_nowait((name, list(channels)))

    async def _publish_outgoing(self) -> None:
        while not self._closing:
            batch = await self._next_batch()
            # The callers of some may have timed out.
            await self._publish_batch([each for each in batch if not each.is_abandoned])
            for _ in batch:
                self._outgoing.task_done()

    async def _next_batch(self) -> list[Outgoing]:
        batch = [await self._outgoing.get()]
        while len(batch) < BATCH and not self._outgoing.empty():
            batch.append(self._outgoing.get_nowait())
        return batch

    async def _publish_batch(self, batch: list[Outgoing]) -> None:
        try:
            async with asyncio.timeout(TIMEOUT):
                results = await self._send_batch(batch)
                refused = [place for place, result in enumerate(results) if self._refuses_to_keep(batch[place], result)]
                if refused:  # at once, so that the order of messages remains
                    for place, result in zip(refused, await self._send_batch([batch[i] for i in refused]), strict=True):
                        results[place] = result
            self._finish(batch, results)
        except Exception as error:  # noqa: BLE001 - whatever redis-py raises, the next messages are tried
            REDIS.failed(error, self.outage_scope)
            if posted := sum(outgoing.sent is None for outgoing in batch):
                log.warning("bus.publish_failed", messages=posted, error=error)
            # Only a reply on the other connection shows that Redis is reachable: until then, publish fails at once.
            self._set_connected(False)
            self._command("PING")
            for outgoing in batch:
                outgoing.fail(error)

    def _publishing(self, outgoing: Outgoing) -> tuple[str | int, ...]:
        """Return the command that publishes a message, and keeps what is to be kept of it."""
        channel, text, kept = outgoing.channel, outgoing.text, outgoing.kept
        if kept is None or not self.keeps_messages or asyncio.get_running_loop().time() < self._keeps_from:
            return (self.publish_command, channel, text)
        return ("EVAL", PUBLISH_AND_KEEP, 1, key_of(channel), self.publish_command, channel, text, kept)

    async def _send_batch(self, batch: list[Outgoing]) -> list[Any]:
        async with self.client.pipeline(transaction=False) as pipeline:
            for outgoing in batch:
                pipeline.execute_command(*self._publishing(outgoing))
            return await pipeline.execute(raise_on_error=False)

    def _refuses_to_keep(self, outgoing: Outgoing, result: Any) -> bool:
        """Whether a message has to be published alone, and those of the next minute: Redis refused to keep it.

        It may forbid scripts, or be moving the slot of the list to another server.
        """
        if outgoing.kept is None or not isinstance(result, ResponseError) or isinstance(result, self.redirections):
            return False
        now = asyncio.get_running_loop().time()
        if now >= self._keeps_from:
            log.warning("bus.message_not_kept", error=result)
        self._keeps_from, outgoing.kept = now + _KEEP_AGAIN, None
        return True

    def _finish(self, batch: list[Outgoing], results: list[Any]) -> None:
        """End the waits of the callers. Raises the first error among the results."""
        for result in results:
            if isinstance(result, Exception):
                raise result
        for outgoing in batch:
            outgoing.succeed()

    def _refuse(self, channel: Channel, error: ResponseError) -> None:
        """Handle the refusal of a subscription."""
        raise error

    def _lose(self, name: str) -> None:
        """Handle the end of a subscription that was not asked for. Only a cluster sends it."""

    def _set_connected(self, connected: bool) -> None:
        if connected:
            self._responding.set()
        else:
            self._responding.clear()
        metric.bus_connected.set(connected)

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
                REDIS.failed(error, self.outage_scope)
                log.warning("bus.disconnected", error=error, pause=pause)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(max(2 * pause, MIN_PAUSE), MAX_PAUSE)

    async def _run_connection(self) -> None:
        """Run one connection until an error ends it."""
        pubsub = self.client.pubsub()
        # Redis replies in the order of the commands, so the first reply belongs to the first entry. Matching by name
        # would mistake the reply to an earlier SUBSCRIBE for that to a later one.
        pending_replies: deque[_Pending] = deque()
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
            self._set_connected(False)
            for channel in self._channels.values():
                channel.lose()
            await pubsub.aclose()  # type: ignore[no-untyped-call]  # redis-py leaves it untyped

    async def _write(
        self, pubsub: PubSub, commands: asyncio.Queue[tuple[str, list[Channel]]], pending_replies: deque[_Pending]
    ) -> None:
        while True:
            name, channels = await commands.get()
            pending_replies.extend([(name, channel, channel.attempt) for channel in channels] or [(name, None, 0)])
            # Not pubsub.subscribe(): it keeps its own list of channels and would resubscribe by itself.
            await self._send(pubsub, name, [channel.name for channel in channels])
            del channels  # the next command may come much later

    async def _send(self, pubsub: PubSub, name: str, channels: list[str]) -> None:
        await pubsub.execute_command(name, *channels)

    async def _read(self, pubsub: PubSub, pending_replies: deque[_Pending]) -> None:
        # Not pubsub.get_message(), which takes eight times as long; all messages of one packet are read in one step.
        connection, now = pubsub.connection, asyncio.get_running_loop().time
        assert connection is not None  # noqa: S101 - connected above
        step_end = 0.0
        while True:
            try:
                reply = await connection.read_response(timeout=math.inf, disconnect_on_error=False)
            except ResponseError as error:
                reply = error
            self._replied = now()
            is_batch = isinstance(reply, Batch)
            for one in reply if is_batch else (reply,):
                if is_batch:  # foreign bytes must not end the connection; anything but JSON is read as MISSED
                    self.deliver(str(one[1], "utf-8", "replace"), one[2])
                else:
                    self._handle_reply(one, pending_replies)
                if now() > step_end:
                    await asyncio.sleep(0)
                    step_end = now() + _MAX_STEP

    def _handle_reply(self, reply: Any, pending_replies: deque[_Pending]) -> None:
        if isinstance(reply, list) and reply[0] == b"sunsubscribe":
            name = reply[1].decode(errors="replace")
            expected = pending_replies[0] if pending_replies else ("", None, 0)
            if expected[0] != "UNSUBSCRIBE" or expected[1] is None or expected[1].name != name:
                self._lose(name)
                return
        command, channel, attempt = pending_replies.popleft()
        if channel is None and isinstance(reply, ResponseError):
            raise reply
        if not self.is_connected:
            self._set_connected(True)
            REDIS.worked(self.outage_scope)
            log.info("bus.connected")
        if channel is None or command == "UNSUBSCRIBE" or attempt != channel.attempt:
            return
        if isinstance(reply, ResponseError):
            self._refuse(channel, reply)
        else:
            self._acknowledge(channel)

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

    def _acknowledge(self, channel: Channel) -> None:
        channel.acknowledged.set()
        if channel.missed:
            channel.missed = False
            self.deliver(channel.name, MISSED)
