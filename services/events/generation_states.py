"""The states of a generation as they follow each other, for callers that wait for its end."""

import asyncio
from collections.abc import AsyncGenerator
from functools import partial
from typing import Any

from models.generation_row import GenerationRow, generations_by_id
from services.events.generation_topic import GenerationTopic
from services.events.topic import Position, Topics


class _WakeUp:
    """A follower that notes that there is something new."""

    def __init__(self) -> None:
        self.event = asyncio.Event()

    def changed(self) -> None:
        self.event.set()

    def replaced(self, position: Position, columns: dict[str, Any]) -> None:
        self.event.set()


async def states(topics: Topics, generation_id: str) -> AsyncGenerator[GenerationRow, None]:
    """Yield the present state of a generation, then the newest one after each change, up to a final status.

    It ends without a final status where the generation is deleted.
    """
    topic = await topics.join((GenerationTopic, generation_id), partial(GenerationTopic, generation_id))
    wake_up = _WakeUp()
    topic.follow(wake_up)
    try:
        async with topics.opening:
            for row in await generations_by_id([generation_id]):
                topic.show(row)
        position: Position = ()
        while True:
            wake_up.event.clear()
            for item in topic.items_after(position):
                position = item.position
                yield item.value
            if topic.has_ended or not position:
                return
            await wake_up.event.wait()
    finally:
        topic.unfollow(wake_up)
        topic.leave()
