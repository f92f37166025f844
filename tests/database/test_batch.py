"""Batches of writes: what is written together, what is left out, and what failures and cancellations do."""

import asyncio
from collections.abc import Mapping

import pytest

from models.database.batch import Batch


class Written:
    """Records what is written; `gate` is awaited first."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.gate = asyncio.Event()
        self.begun = asyncio.Event()
        self.error: Exception | None = None
        self.left_out: set[str] = set()

    async def write(self, items: Mapping[str, int]) -> Mapping[str, int]:
        self.batches.append(list(items))
        self.begun.set()
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return {key: value * 2 for key, value in items.items() if key not in self.left_out}


async def submit_all(batch: Batch[int, int], keys: str) -> list[int | BaseException | None]:
    return await asyncio.gather(*(batch.submit(key, ord(key)) for key in keys), return_exceptions=True)


async def test_items_of_one_moment_are_one_write_and_later_ones_the_next() -> None:
    written = Written()
    batch = Batch(written.write)
    first = asyncio.create_task(submit_all(batch, "abc"))
    await written.begun.wait()
    others = asyncio.create_task(submit_all(batch, "de"))
    await asyncio.sleep(0)
    written.gate.set()
    assert await first == [2 * ord(key) for key in "abc"]
    assert await others == [2 * ord(key) for key in "de"]
    assert written.batches == [["a", "b", "c"], ["d", "e"]]
    assert await submit_all(batch, "f") == [2 * ord("f")]


async def test_item_that_is_left_out_or_submitted_twice_returns_none() -> None:
    written = Written()
    written.gate.set()
    written.left_out = {"b"}
    batch = Batch(written.write)
    assert await submit_all(batch, "aba") == [2 * ord("a"), None, None]


async def test_refused_batch_returns_none_and_an_outage_is_raised() -> None:
    written = Written()
    written.gate.set()
    batch = Batch(written.write)
    written.error = ValueError("one item is invalid")
    assert await submit_all(batch, "ab") == [None, None]
    written.error = ConnectionError("the database is down")
    assert await submit_all(batch, "ab") == [written.error, written.error]


async def test_canceled_caller_waits_for_a_write_that_has_begun_and_takes_back_others() -> None:
    written = Written()
    batch = Batch(written.write)
    first = asyncio.create_task(batch.submit("a", 1))
    await written.begun.wait()
    second = asyncio.create_task(batch.submit("b", 2))
    await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    first.cancel()
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    assert not first.done()
    written.gate.set()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert written.batches == [["a"]]


async def test_cancellation_of_what_is_being_written_leaves_what_waits_with_the_same_key() -> None:
    written = Written()
    batch = Batch(written.write)
    first = asyncio.create_task(batch.submit("a", 1))
    await written.begun.wait()
    second = asyncio.create_task(batch.submit("a", 2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    assert not first.done(), "its write is finished first"
    written.gate.set()
    assert await second == 4
    with pytest.raises(asyncio.CancelledError):
        await first
    assert written.batches == [["a"], ["a"]]
