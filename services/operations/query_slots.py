"""Slots for expensive queries, so that those of one caller do not fill the server's event loop and its database."""

import contextlib
from collections.abc import AsyncIterator

from services.core.error import RateLimitedError
from services.integrations.fair_slots import FairSlots

_TOTAL = 16  # in one process
_PER_CALLER = 2
_MAX_WAITING = 30  # of one caller


class QuerySlots:
    """Lets each caller execute a few expensive queries at once; further ones wait, and callers take turns."""

    def __init__(self) -> None:
        self._slots = FairSlots(_TOTAL, _PER_CALLER)

    def waiting(self, caller: str) -> int:
        """Return how many queries of a caller wait for a slot."""
        return self._slots.waiting_with(caller)

    @contextlib.asynccontextmanager
    async def slot(self, caller: str) -> AsyncIterator[None]:
        """Hold a slot while the body runs.

        Raises:
            RateLimitedError: too many queries of this caller are waiting.
        """
        if self.waiting(caller) >= _MAX_WAITING:
            raise RateLimitedError(1)
        async with self._slots.slot(caller):
            yield
