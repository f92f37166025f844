"""Slots of a scarce resource, shared fairly between keys: clients or accounts take turns, and none holds them all."""

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import AsyncIterator


class FairSlots:
    """At most `total` holders at once, of them `per_key` with the same key; waiting keys are served in turn."""

    def __init__(self, total: int, per_key: int) -> None:
        self._free = total
        self._per_key = per_key
        self._held: Counter[str] = Counter()
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}  # the key whose turn it is comes first

    @property
    def waiting(self) -> int:
        """How many wait for a slot."""
        return sum(map(len, self._waiting.values()))

    def waiting_with(self, key: str) -> int:
        """Return how many with this key wait for a slot."""
        return len(self._waiting.get(key, ()))

    @contextlib.asynccontextmanager
    async def slot(self, key: str) -> AsyncIterator[None]:
        """Hold a slot while the body runs."""
        await self.acquire(key)
        try:
            yield
        finally:
            self.release(key)

    async def acquire(self, key: str) -> None:
        """Wait for a slot; the caller must `release` it with the same key."""
        if self._free and self._held[key] < self._per_key and key not in self._waiting:
            self._take(key)
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._forget(key, turn)
            else:  # the slot was handed over in the same moment
                self.release(key)
            raise

    def release(self, key: str) -> None:
        """Return a slot and hand it to the key whose turn it is; this key comes last."""
        self._free += 1
        self._held[key] -= 1
        if not self._held[key]:
            del self._held[key]
        if key in self._waiting:
            self._waiting[key] = self._waiting.pop(key)
        while self._free and (following := self._next_key()) is not None:
            turn = self._waiting[following].popleft()
            turns = self._waiting.pop(following)
            if turns:
                self._waiting[following] = turns  # at the end: the other keys come first
            if not turn.done():
                self._take(following)
                turn.set_result(None)

    def _take(self, key: str) -> None:
        self._free -= 1
        self._held[key] += 1

    def _next_key(self) -> str | None:
        return next((key for key in self._waiting if self._held[key] < self._per_key), None)

    def _forget(self, key: str, turn: asyncio.Future[None]) -> None:
        turns = self._waiting.get(key)
        if turns is not None and turn in turns:
            turns.remove(turn)
            if not turns:
                del self._waiting[key]
