"""State that a process keeps in memory: read again when a message says that it has changed, and every few seconds."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from services.integrations.messaging.bus import Bus

_POLL_SECONDS = 2.0  # between two reads, if no message reports a change


@contextlib.asynccontextmanager
async def refreshing(bus: Bus, channel: str, refresh: Callable[[], Awaitable[None]], name: str) -> AsyncIterator[None]:
    """Call `refresh` at once, and in a task of this name after each message of the channel, while the body runs.

    `refresh` handles its own errors.
    """
    await refresh()
    task = asyncio.create_task(_refresh_forever(bus, channel, refresh), name=name)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _refresh_forever(bus: Bus, channel: str, refresh: Callable[[], Awaitable[None]]) -> None:
    async with bus.subscribe(channel) as messages:
        while True:
            await refresh()
            await messages.get(timeout=_POLL_SECONDS)
