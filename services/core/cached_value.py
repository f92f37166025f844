"""A figure that many ask for at once: read by the first, waited for by the others, and told again for a while."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class CachedValue(Generic[T]):
    """What `read` answers, used again for `seconds`. Of a failure nothing is remembered; those who waited share it."""

    def __init__(self, read: Callable[[], Awaitable[T]], seconds: float) -> None:
        self._read = read
        self._seconds = seconds
        self._reading: asyncio.Task[T] | None = None
        self._until = 0.0

    async def get(self) -> T:
        """The figure. Raises what `read` raises."""
        if self._reading is None or (self._reading.done() and time.monotonic() >= self._until):
            self._reading = asyncio.create_task(self._read_anew())
        return await asyncio.shield(self._reading)  # whoever goes away takes it from nobody

    async def _read_anew(self) -> T:
        self._until = 0.0
        found = await self._read()
        self._until = time.monotonic() + self._seconds
        return found
