"""Topics: channels of the bus that have subscribers in this process, each decoded and applied once for all of them."""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar

import structlog

from models import Generation, User
from models.database.fixed_sql import fetch, places_of
from models.generation_row import GENERATIONS
from services.integrations.messaging.bus import GAP, MAXSIZE, MISSED, Bus, Message

V = TypeVar("V")
T = TypeVar("T", bound="Topic[Any]")

log = structlog.get_logger(__name__)

Position = tuple[float, ...]  # of an item in its topic; a later one is greater

_BATCH = 500  # rows in one statement
_READS = 100  # rows that are read with everything that displays them, in one statement
_OPENINGS = 16  # at once: the rows of a thousand that are read at the same time would stay allocated
_RETRY_SECONDS = 1.0
_CHECKS = 4  # of quiet topics in the time after which a topic counts as quiet


class Item(NamedTuple, Generic[V]):
    """A value for all subscribers of a topic that have not reached its position."""

    position: Position
    value: V


class Follower(Protocol):
    """A subscriber of a topic, or several that are sent the same."""

    def changed(self) -> None:
        """Take the topic's newest items; called after each change. Never raises."""

    def replaced(self, position: Position, columns: dict[str, Any]) -> None:
        """As `changed`, of a topic that keeps its newest item: this one, and the topic goes on.

        `columns`: what has changed in its row, as JSON has it, of which the topic's `value_of` makes the value.
        """


class Topic(ABC, Generic[V]):
    """What the subscribers of one channel are sent: the last items, in the order of their positions.

    A subscriber that reads too slowly finds that `items` has moved on: it missed what came before. Where
    `keeps_newest`, an item replaces the one before, so that it is not missed.
    """

    table: ClassVar[type[Generation] | type[User] | None] = None  # whose `version` moves with every change
    keeps_newest: ClassVar[bool] = False
    max_items: ClassVar[int] = 64

    __slots__ = (
        "_kept",
        "awaited",
        "channel",
        "followers",
        "has_ended",
        "heard",
        "key",
        "missed",
        "row_id",
        "seen",
        "topics",
        "users",
        "version",
    )

    def __init__(self, channel: str, row_id: str) -> None:
        self.channel = channel
        self.row_id = row_id
        self.version = 0  # of the row, as far as it was applied
        self.awaited = 0  # the row's version at the last check, whose message had not arrived
        self.seen = 0  # the version at the last check, or of the row that was read since
        self.heard = 0.0  # the check that found another version, or compared the row; seconds of time.monotonic
        self._kept: list[Item[V]] = []
        self.missed: Position = ()  # of the newest item that is gone
        self.has_ended = False  # no further item will come
        self.followers: tuple[Follower, ...] = ()  # in the memory of one object, which each message reads
        self.users = 0  # subscribers, also those that are opening
        self.topics: Topics
        self.key: Hashable  # in `topics`

    @property
    def items(self) -> list[Item[V]]:
        """The items that are kept, in the order of their positions."""
        return self._kept

    @abstractmethod
    def receive(self, message: Message, text: str | bytes = MISSED) -> None:
        """Apply a message of the channel, decoded from `text`; called for every message. Does not suspend."""

    @abstractmethod
    def read_again(self) -> None:
        """Let the rows be read again soon: messages were lost."""

    @classmethod
    async def read_rows(cls, topics: list[Any]) -> None:
        """Read the rows of several topics of this class with one statement, and apply them."""
        raise NotImplementedError

    async def missed_items(self, position: Position) -> list[Item[V]]:
        """Return what stands for the items after `position`, of which some are gone."""
        return self.items_after(position)

    def is_behind(self, version: int | None) -> bool:
        """Compare the topic with its row. The message of a change may be on its way: it is missing at a second check.

        `version`: of the row; None: it is gone.
        """
        if version is None or self.version < self.awaited:
            self.awaited = 0
            return True
        if version > self.version:
            self.awaited = version
        else:
            self.heard = time.monotonic()
        return False

    def value_of(self, columns: dict[str, Any]) -> V | None:
        """Return the newest item's value with these columns; None: its row has to be read, which will follow."""
        raise NotImplementedError

    def is_due(self) -> bool:
        """Whether something has changed by time alone."""
        return False

    def next_item(self, position: Position) -> Item[V] | None:
        """Return the first item that a subscriber at `position` has not received."""
        return next(iter(self.items_after(position)), None)

    def items_after(self, position: Position) -> list[Item[V]]:
        """Return the items that a subscriber at `position` has not received."""
        items = self.items
        if not items or items[-1].position <= position:
            return []
        return [item for item in items if item.position > position]

    def has_missed(self, position: Position) -> bool:
        """Whether items after `position` are gone."""
        return self.missed > position

    def add(self, item: Item[V]) -> None:
        """Add an item, and let all subscribers take it."""
        self._kept.append(item)
        if len(self._kept) > self.max_items:
            self.missed = self._kept.pop(0).position
        self.notify()

    def end(self) -> None:
        """End the streams of all subscribers after the items that are left."""
        self.has_ended = True
        self.notify()

    def notify(self) -> None:
        """Let all subscribers take what is new."""
        for follower in self.followers:
            follower.changed()

    def follow(self, follower: Follower) -> None:
        """Call the follower after each change, until `unfollow`."""
        self.followers = (*self.followers, follower)

    def unfollow(self, follower: Follower) -> None:
        """Do not call the follower any more, if it was called."""
        self.followers = tuple(other for other in self.followers if other is not follower)

    def leave(self) -> None:
        """Count a subscriber less; without any, the channel is left."""
        self.users -= 1
        if not self.users:
            self.topics.forget(self)


class QueuedTopic(Topic[V]):
    """A topic whose messages may need rows: they are applied one by one, by a task that ends when there are no more."""

    __slots__ = ("_applying", "_began", "_queue")

    def __init__(self, channel: str, row_id: str) -> None:
        super().__init__(channel, row_id)
        self._queue: list[Message] = []
        self._began: int | None = None  # the row's version from which on every change is an item
        self._applying: asyncio.Task[None] | None = None

    @abstractmethod
    async def apply(self, message: Message) -> None:
        """Apply a message; GAP: read the rows."""

    def opened(self, version: int) -> None:
        """Begin to apply messages: the first subscriber has read the rows, in this version."""
        self.version = self._began = version
        self._apply_soon()

    def began_after(self, version: int) -> bool:
        """Whether a subscriber that has read the rows in this version would miss changes: another was faster."""
        return self._began is not None and self._began > version

    def receive(self, message: Message, text: str | bytes = MISSED) -> None:
        if message is GAP or len(self._queue) >= MAXSIZE:
            self._queue = [GAP]  # reading the rows covers the messages before, too
        else:
            self._queue.append(message)
        self._apply_soon()

    def read_again(self) -> None:
        self.receive(GAP)

    def _apply_soon(self) -> None:
        if self._began is not None and self._queue and self._applying is None:
            self._applying = asyncio.create_task(self._apply_all())

    async def _apply_all(self) -> None:
        try:
            while self._queue and self.users:
                await self.apply(self._queue.pop(0))
        except Exception as error:  # noqa: BLE001 - the database is away
            log.warning("topic.not_read", channel=self.channel, error=error)
            self._queue = [GAP]
            asyncio.get_running_loop().call_later(_RETRY_SECONDS, self._apply_soon)
        finally:
            self._applying = None


class Topics:
    """All topics of this process.

    Messages may be lost, so topics that were quiet for `every` seconds are compared with their rows, hundreds with
    one statement, and read again where the version has moved. `opening`: held while a subscription reads its first row.
    """

    def __init__(self, bus: Bus, every: float) -> None:
        self._bus = bus
        self._every = every
        self._topics: dict[Hashable, Topic[Any]] = {}
        self._checking: asyncio.Task[None] | None = None
        self._due: dict[Topic[Any], None] = {}
        self._reading: asyncio.Task[None] | None = None
        self._retry: asyncio.TimerHandle | None = None  # of reading, while the database is away
        self.opening = asyncio.Semaphore(_OPENINGS)

    def subscriber_count(self) -> int:
        """Count the subscribers of all topics."""
        return sum(topic.users for topic in self._topics.values())

    async def join(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return the topic of `key` with one subscriber more, who calls its `leave`; `make` returns a new one.

        When this returns, no later message of its channel is missed.
        """
        topic = self._topics.get(key)
        if topic is None:
            topic = self._topics[key] = make()
            topic.topics, topic.key, topic.heard = self, key, time.monotonic()
        topic.users += 1
        try:
            await self._bus.listen(topic.channel, topic)
        except BaseException:
            topic.leave()
            raise
        if self._checking is None or self._checking.done():
            self._checking = asyncio.create_task(self._check_forever(), name="quiet-topics")
        return topic  # type: ignore[return-value]  # a key belongs to one class of topics

    def forget(self, topic: "Topic[Any]") -> None:
        """Stop following a topic without subscribers."""
        del self._topics[topic.key]
        self._bus.unlisten(topic.channel, topic)

    def open_topics(self, kind: type[T]) -> list[T]:
        """Return the topics of one class."""
        return [topic for topic in self._topics.values() if type(topic) is kind]

    def read_soon(self, topic: "Topic[Any]") -> None:
        """Read the row of a topic with the next statement, by `read_rows` of its class."""
        self._due[topic] = None
        if self._retry is None:
            self._start_reading()

    async def aclose(self) -> None:
        """Stop the tasks."""
        if self._retry is not None:
            self._retry.cancel()
        tasks = [task for task in (self._checking, self._reading) if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _start_reading(self) -> None:
        if self._due and self._reading is None:
            self._reading = asyncio.create_task(self._read_due())

    async def _read_due(self) -> None:
        batch: list[Topic[Any]] = []
        try:
            while self._due:
                kind = type(next(iter(self._due)))
                batch = [topic for topic in self._due if type(topic) is kind][:_READS]
                for topic in batch:
                    del self._due[topic]
                await kind.read_rows(batch)
        except Exception as error:  # noqa: BLE001 - as in QueuedTopic
            log.warning("topic.not_read", error=error)
            self._due.update(dict.fromkeys(batch))
            self._retry = asyncio.get_running_loop().call_later(_RETRY_SECONDS, self._read_again)
        finally:
            self._reading = None

    def _read_again(self) -> None:
        self._retry = None
        self._due = {topic: None for topic in self._due if topic.users}
        self._start_reading()

    async def _check_forever(self) -> None:
        while self._topics:
            await asyncio.sleep(self._every / _CHECKS)
            now = time.monotonic()
            for topic in self._topics.values():
                if topic.version != topic.seen:
                    topic.seen, topic.heard = topic.version, now
            before = now - self._every / 2
            quiet = [topic for topic in self._topics.values() if topic.heard <= before and topic.table is not None]
            try:
                for table in (Generation, User):
                    await self._compare(table, [topic for topic in quiet if topic.table is table])
            except Exception as error:  # noqa: BLE001 - the next check comes when the database is back
                log.warning("topic.check_failed", error=error)

    async def _compare(self, table: type[Generation] | type[User], topics: "list[Topic[Any]]") -> None:
        for start in range(0, len(topics), _BATCH):
            batch = topics[start : start + _BATCH]
            found = await _versions(table, list({topic.row_id for topic in batch}))
            for topic in batch:
                if topic.is_behind(found.get(topic.row_id)) or topic.is_due():
                    topic.heard = time.monotonic()
                    topic.read_again()


async def _versions(table: type[Generation] | type[User], ids: list[str]) -> dict[str, int]:
    places, values = places_of(ids)
    sql = f'SELECT "id", "version" FROM "{table._meta.db_table}" WHERE "id" IN ({places})'  # noqa: S608 - a table and placeholders
    return {row["id"]: row["version"] for row in await fetch(GENERATIONS, sql, values)}
