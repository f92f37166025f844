"""A cached value: read once for all concurrent callers (single-flight), and reused until its TTL has passed."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class CachedValue(Generic[T]):
    """The result of `read`, reused for `seconds`. A failure is not cached; concurrent callers share it."""

    def __init__(self, read: Callable[[], Awaitable[T]], seconds: float) -> None:
        self._read = read
        self._seconds = seconds
        self._reading: asyncio.Task[T] | None = None
        self._expires_at = 0.0

    async def get(self) -> T:
        """Return the value. Raises what `read` raises."""
        if self._reading is None or (self._reading.done() and time.monotonic() >= self._expires_at):
            self._reading = asyncio.create_task(self._refresh())
        return await asyncio.shield(self._reading)  # a caller that is canceled does not cancel it for the others

    async def _refresh(self) -> T:
        self._expires_at = 0.0
        value = await self._read()
        self._expires_at = time.monotonic() + self._seconds
        return value
