"""The topic of one generation: its newest state, from messages that are applied to its row."""

from typing import Any, ClassVar, Self

import orjson

from models import Generation
from models.enum import GenerationStatus
from models.generation_row import GenerationRow, generations_by_id
from services.events.payload import apply_update, generation_channel, updated_columns
from services.events.topic import Item, Position, Topic
from services.integrations.messaging.bus import GAP, MISSED, Message


class GenerationTopic(Topic[GenerationRow]):
    """A generation as its newest message or its row describes it; the topic ends after a final status.

    Of a message it keeps the text, which is one object instead of fifteen: the state that it describes is sent as soon
    as it arrives, and made again only for a subscriber that could not take it then.

    A position is the version, and how often a state was sent again without a change of the row.
    """

    table: ClassVar = Generation
    keeps_newest: ClassVar = True

    __slots__ = ("_must_repeat", "_row", "_text", "repeats")

    def __init__(self, generation_id: str) -> None:
        super().__init__(generation_channel(generation_id), generation_id)
        self._row: GenerationRow | None = None  # as it was read
        self._text: str | bytes | None = None  # of the newest message since
        self.repeats = 0
        self._must_repeat = False

    @property
    def items(self) -> list[Item[GenerationRow]]:
        row = self._row
        if row is not None and self._text is not None:
            row = apply_update(row, orjson.loads(self._text))
        return [] if row is None else [Item(self.position, row)]

    @property
    def position(self) -> Position:
        """The position of the newest state."""
        return (self.version, self.repeats)

    def items_after(self, position: Position) -> list[Item[GenerationRow]]:
        return self.items if position < self.position else []

    def show(self, row: GenerationRow) -> None:
        """Send a state to all subscribers, if it is newer than what they have."""
        version = row.version
        if version == self.version and self._must_repeat and row.status is GenerationStatus.PENDING:
            self.repeats += 1
            self._row, self._text = row, None
            self.notify()
        self._must_repeat = self._must_repeat and version < self.version
        if version > self.version:
            self.version = self.seen = version
            self._row, self._text = row, None
            self.has_ended = row.status.is_final
            self.notify()

    def receive(self, message: Message, text: str | bytes = MISSED) -> None:
        columns = None
        if message is not GAP and self._row is not None:
            version = message.get("version")
            if type(version) is int and version <= self.version:
                return  # late, or a duplicate
            columns = updated_columns(message)
        if columns is None:  # a gap, another release's message, or a final status, whose row has more fields
            self.read_again()
            return
        self.version = version = columns["version"]
        self._text = text
        for follower in self.followers:
            follower.replaced(self.position, columns)

    def value_of(self, columns: dict[str, Any]) -> GenerationRow | None:
        updated = None if self._row is None else apply_update(self._row, columns)
        if updated is None:  # a moment of another release's format
            self.version, self._text = self.version - 1, None
            self.read_again()
        return updated

    def repeat(self) -> None:
        """Send the state again if it still waits: what is said about it has changed, though its row has not."""
        self._must_repeat = True
        self.read_again()

    def read_again(self) -> None:
        self.topics.read_soon(self)

    @classmethod
    async def read_rows(cls, topics: list[Self]) -> None:
        by_id = {topic.row_id: topic for topic in topics}
        for row in await generations_by_id(list(by_id)):
            topic = by_id.pop(row.id)
            if row.deleted_at is not None and row.status is not GenerationStatus.CANCELED:
                topic.end()  # ended and then deleted: there is nothing to show
            else:
                topic.show(row)
        for topic in by_id.values():
            topic.end()
