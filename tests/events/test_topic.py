"""Topics whose rows cannot be read for a while."""

import asyncio
from contextlib import aclosing
from functools import partial

import pytest

from services.events import topic as topic_module
from services.events.topic import Item, Topic, Topics
from services.integrations.messaging.bus import GAP, MISSED, Bus, Message
from tests.support.client import until


class Failing(Topic[str]):
    """A topic whose rows are read at the second attempt."""

    attempts: list[list[str]]
    __slots__ = ()

    def receive(self, message: Message, text: str | bytes = MISSED) -> None:
        self.read_again()

    def read_again(self) -> None:
        self.topics.read_soon(self)

    @classmethod
    async def read_rows(cls, topics: list["Failing"]) -> None:
        cls.attempts.append([topic.row_id for topic in topics])
        if len(cls.attempts) == 1:
            raise OSError("The database is away.")
        for topic in topics:
            topic.add(Item((1,), topic.row_id))


async def test_rows_that_could_not_be_read_are_read_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topic_module, "_RETRY_SECONDS", 0.01)
    monkeypatch.setattr(Failing, "attempts", [], raising=False)
    async with Bus.open(None) as bus, aclosing(Topics(bus, every=3600)) as topics:
        one, two, left = [await topics.join(name, partial(Failing, name, name)) for name in ("one", "two", "left")]

        async def are_read() -> bool:
            return bool(one.items and two.items)

        for topic in (one, two, left):
            topic.receive(GAP)
        await asyncio.sleep(0)
        left.leave()
        await until(are_read)
        assert Failing.attempts == [["one", "two", "left"], ["one", "two"]]
        assert left.items == []
        for topic in (one, two):
            topic.leave()
