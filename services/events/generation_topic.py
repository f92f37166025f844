"""The topic of one generation: its newest state, from messages that are applied to its row."""

from typing import ClassVar, Self

from models import Generation
from models.enum import GenerationStatus
from models.generation_row import GenerationRow, generations_by_id
from services.events.payload import apply_update, generation_channel
from services.events.topic import Item, Topic
from services.integrations.messaging.bus import GAP, Message


class GenerationTopic(Topic[GenerationRow]):
    """A generation as its newest message or its row describes it; the topic ends after a final status."""

    table: ClassVar = Generation
    keeps_newest: ClassVar = True

    __slots__ = ()

    def __init__(self, generation_id: str) -> None:
        super().__init__(generation_channel(generation_id), generation_id)

    def show(self, row: GenerationRow) -> None:
        """Send a state to all subscribers, if it is newer than what they have."""
        version = row.version
        if version > self.version:
            self.version = version
            self.has_ended = row.status.is_final
            self.add(Item((version,), row))

    def receive(self, message: Message) -> None:
        updated = None
        if message is not GAP and self.items:
            version = message.get("version")
            if isinstance(version, int) and version <= self.version:
                return  # late, or a duplicate
            updated = apply_update(self.items[-1].value, message)
        if updated is None:  # a gap, another release's message, or a final status, whose row has more fields
            self.read_again()
        else:
            self.version = version = updated["version"]
            self.add(Item((version,), updated))

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
