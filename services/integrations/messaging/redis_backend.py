"""What the Redis backends of the bus share: channels with subscribers, and messages that wait to be published."""

import asyncio
from abc import abstractmethod
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from broadcaster import BroadcastBackend, Event

from services.integrations.lazy_event import LazyEvent

TIMEOUT = 1.0  # seconds for every wait on Redis
KEEPALIVE = 2.0  # seconds without a reply before a ping, and then until the connection counts as dead


@dataclass(eq=False)
class Channel:
    """One channel with subscribers in this process."""

    name: str
    acknowledged: LazyEvent = field(default_factory=LazyEvent)  # subscribed on the present connection
    missed: bool = False  # had subscribers here while Redis was not subscribed
    attempt: int = 0  # how often a subscription was asked for; the reply to an earlier one counts for nothing

    async def wait(self, *, is_connected: bool) -> None:
        """Return once Redis has acknowledged the subscription.

        Raises:
            ConnectionError: Redis is not connected, or has not acknowledged it within TIMEOUT.
        """
        if self.acknowledged.is_set():
            return
        if is_connected:
            with suppress(TimeoutError):
                async with asyncio.timeout(TIMEOUT):
                    await self.acknowledged.wait()
                return
        self.missed = True
        raise ConnectionError("Redis has not acknowledged the subscription")

    def lose(self) -> None:
        """Note that Redis is not subscribed any more."""
        self.missed = self.missed or self.acknowledged.is_set()
        self.acknowledged.clear()


@dataclass(eq=False)
class Outgoing:
    """One message to be published. `sent`: of a caller that waits for it. `kept`: what the channel keeps of it."""

    channel: str
    text: str
    sent: asyncio.Future[None] | None = None
    kept: str | None = None
    redirects: int = 0  # how often a server of a cluster refused it, because another one owns the channel

    @property
    def is_abandoned(self) -> bool:
        """Whether its caller no longer waits."""
        return self.sent is not None and self.sent.done()

    def succeed(self) -> None:
        """Let the caller go on, if it still waits."""
        if self.sent is not None and not self.sent.done():
            self.sent.set_result(None)

    def fail(self, error: Exception) -> None:
        """Raise ConnectionError where the caller waits, if it still does."""
        if self.sent is not None and not self.sent.done():
            self.sent.set_exception(ConnectionError(repr(error)))


class SharedBackend(BroadcastBackend):
    """A backend that reaches other processes.

    `deliver` is called with the channel and the JSON, or MISSED, of each message, by the task that reads them.
    """

    def __init__(self) -> None:
        self.deliver: Callable[[str, bytes], None] = lambda channel, data: None

    @property
    @abstractmethod
    def is_connected(self) -> bool:
        """Whether Redis responded to the last command; of a cluster, every server that is used."""

    @abstractmethod
    def put(self, outgoing: Outgoing) -> None:
        """Hand one message over.

        Raises:
            OSError: Redis is known to be unreachable, or too many messages wait to be sent.
        """

    async def publish(self, channel: str, message: str) -> None:
        """Publish one message; fails at once while Redis is known to be unreachable.

        Raises:
            OSError: it was not sent, or it is unknown whether it was.
        """
        sent = asyncio.get_running_loop().create_future()
        self.put(Outgoing(channel, message, sent))
        async with asyncio.timeout(TIMEOUT):
            await sent

    def post(self, channel: str, message: str, kept: str | None = None) -> None:
        """Hand one message over, to be sent in the order of these calls; it may still be lost.

        `kept`: what is kept of it for `kept`, if anything; where it cannot be, the message is published alone.

        Raises:
            OSError: as `put`.
        """
        self.put(Outgoing(channel, message, kept=kept))

    @abstractmethod
    async def kept(self, channel: str) -> list[bytes | str]:
        """Return what was kept of the channel's last messages, the oldest first.

        Raises:
            Exception: whatever redis-py raises, or TimeoutError after TIMEOUT.
        """

    async def next_published(self) -> Event:
        """Never return: messages are passed to `deliver` without a queue between."""
        never: asyncio.Future[Event] = asyncio.get_running_loop().create_future()
        return await never
