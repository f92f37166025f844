"""Slots for expensive queries, so that those of one caller do not fill the server's event loop and its database."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from services.core.error import RateLimitedError
from services.integrations.fair_slots import FairSlots

_TOTAL = 16  # in one process
_MAX_WAITING = 30  # of one caller
_PAUSE = 2.0  # for each second that a query took: a caller uses up to a third of the time
_MAX_PAUSE_SECONDS = 2.0


class QuerySlots:
    """Lets each caller execute one expensive query at a time, with pauses; further ones wait."""

    def __init__(self) -> None:
        self._slots = FairSlots(_TOTAL, per_key=1)

    def waiting(self, caller: str) -> int:
        """Return how many queries of a caller wait for a slot."""
        return self._slots.waiting_with(caller)

    @contextlib.asynccontextmanager
    async def slot(self, caller: str) -> AsyncIterator[None]:
        """Hold a slot while the body runs, and for a pause after it that the body's response does not wait for.

        Raises:
            RateLimitedError: too many queries of this caller are waiting.
        """
        if self.waiting(caller) >= _MAX_WAITING:
            raise RateLimitedError(1)
        await self._slots.acquire(caller)
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            yield
        finally:
            pause = min((loop.time() - started) * _PAUSE, _MAX_PAUSE_SECONDS)
            loop.call_later(pause, self._slots.release, caller)
