"""The event that takes memory only while it is awaited."""

import asyncio

from services.integrations.lazy_event import LazyEvent


async def test_event_that_is_set_does_not_wait() -> None:
    event = LazyEvent(is_set=True)
    await event.wait()
    assert event.is_set()


async def test_waiting_tasks_go_on_even_where_the_event_is_cleared_at_once() -> None:
    event = LazyEvent()
    waiting = [asyncio.create_task(event.wait()) for _ in range(2)]
    await asyncio.sleep(0)
    event.set()
    event.clear()
    later = asyncio.create_task(event.wait())
    await asyncio.gather(*waiting)
    assert not later.done()
    event.set()
    await later


async def test_canceled_task_does_not_keep_others_waiting() -> None:
    event = LazyEvent()
    first, second = (asyncio.create_task(event.wait()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    event.set()
    await second
