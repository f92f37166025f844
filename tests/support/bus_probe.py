"""Helpers of the bus tests: messages as plain values, waits with a timeout, and a check for leaks."""

import asyncio
import gc
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from services.integrations.messaging.bus import Bus, Subscription

DEADLINE = 8.0  # seconds; reconnecting takes 0.1 s, so only a failing test waits this long


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not await condition():  # noqa: ASYNC110 - Redis sends no event for this
            await asyncio.sleep(0.005)


async def wait_until_disconnected(bus: Bus) -> None:
    async def is_down() -> bool:
        return not bus.is_connected

    await until(is_down)


async def received_numbers(subscription: Subscription, count: int) -> list[object]:
    """Return the field `n` of the next messages, or GAP where a message is that."""
    found: list[object] = []
    for _ in range(count):
        received = await subscription.get(DEADLINE)
        found.append(received["n"] if isinstance(received, dict) else received)
    return found


async def first_message(bus: Bus, subscription: Subscription, channel: str) -> object:
    """Publish repeatedly and return the first message after any GAPs."""
    async with asyncio.timeout(DEADLINE):
        while True:
            await bus.publish(channel, {"n": "back"})
            received = await subscription.get(0.2)
            if isinstance(received, dict):
                return received["n"]


@asynccontextmanager
async def assert_no_leaks() -> AsyncIterator[None]:
    """Assert that the block leaves no task, queue, lock, event or subscription behind."""
    kinds = (asyncio.Queue, asyncio.Lock, asyncio.Event, Subscription)

    def count_objects() -> Counter[str]:
        gc.collect()
        found = [type(thing) for thing in gc.get_objects()]  # isinstance would wake up lazily imported modules
        return Counter(kind.__name__ for kind in found if issubclass(kind, kinds))

    before, tasks = count_objects(), len(asyncio.all_tasks())
    yield

    async def as_before() -> bool:  # the loop releases a finished task and its objects some steps later
        return not count_objects() - before and len(asyncio.all_tasks()) <= tasks

    await until(as_before)
