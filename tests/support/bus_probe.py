"""What the bus's tests listen with: messages as plain values, waits that end, and a count of what is left over."""

import asyncio
import gc
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from services.integrations.messaging.bus import Bus, Subscription

DEADLINE = 8.0  # seconds for what must happen; reconnecting takes 0.1 s, so a test only waits this long to fail


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not await condition():  # noqa: ASYNC110 - Redis sends no event for what we ask it
            await asyncio.sleep(0.005)


async def wait_until_disconnected(bus: Bus) -> None:
    async def is_down() -> bool:
        return not bus.is_connected

    await until(is_down)


async def received_numbers(subscription: Subscription, count: int) -> list[object]:
    """The `n` of the next messages; GAP stands for itself."""
    found: list[object] = []
    for _ in range(count):
        got = await subscription.get(DEADLINE)
        found.append(got["n"] if isinstance(got, dict) else got)
    return found


async def first_message(bus: Bus, subscription: Subscription, channel: str) -> object:
    """What comes after any GAPs when somebody goes on publishing."""
    async with asyncio.timeout(DEADLINE):
        while True:
            await bus.publish(channel, {"n": "back"})
            got = await subscription.get(0.2)
            if isinstance(got, dict):
                return got["n"]


@asynccontextmanager
async def assert_no_leaks() -> AsyncIterator[None]:
    """The block leaves no task, and no queue, lock, event or subscription alive."""
    kinds = (asyncio.Queue, asyncio.Lock, asyncio.Event, Subscription)

    def census() -> Counter[str]:
        gc.collect()
        found = [type(thing) for thing in gc.get_objects()]  # isinstance would wake up lazily imported modules
        return Counter(kind.__name__ for kind in found if issubclass(kind, kinds))

    before, tasks = census(), len(asyncio.all_tasks())
    yield

    async def as_before() -> bool:  # the loop lets go of a finished task's things some steps later
        return not census() - before

    await until(as_before)
    assert len(asyncio.all_tasks()) == tasks
