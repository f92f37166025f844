"""Slots of a scarce resource, shared fairly between keys: clients or accounts take turns, and none holds them all."""

import asyncio
import contextlib
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable

_MAX_KNOWN = 1000  # keys, after which those with less than a second of use are dropped


class RecentUse:
    """How long each key has held slots lately: seconds, of which half are forgotten in each `half_life` seconds."""

    def __init__(self, half_life: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._half_life = half_life
        self._clock = clock
        self._used: dict[str, tuple[float, float]] = {}  # seconds, and when they were as many
        self._since: dict[str, list[float]] = {}  # when the slots in use were taken

    def begin(self, key: str) -> None:
        self._since.setdefault(key, []).append(self._clock())

    def end(self, key: str) -> None:
        now, since = self._clock(), self._since[key]
        self._used[key] = (self._seconds(key, now) + now - since.pop(0), now)
        if not since:
            del self._since[key]
        if len(self._used) > _MAX_KNOWN:
            self._used = {each: use for each, use in self._used.items() if self._seconds(each, now) >= 1}

    def whole_seconds(self, key: str) -> int:
        """Return the key's use in whole seconds, so that short uses leave the order as it is."""
        return int(self._seconds(key, self._clock()))

    def _seconds(self, key: str, now: float) -> float:
        used, at = self._used.get(key, (0.0, now))
        return float(used * 0.5 ** ((now - at) / self._half_life))


class FairSlots:
    """At most `total` holders at once, of them `per_key` with the same key; waiting keys are served in turn.

    With `use`, those come first that have held slots for less time lately: where the work takes longer for some keys
    than for others, a turn for each would give them most of the time.
    """

    def __init__(self, total: int, per_key: int, use: RecentUse | None = None) -> None:
        self._free = total
        self._per_key = per_key
        self._use = use
        self._held: Counter[str] = Counter()
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}  # the key whose turn it is comes first

    @property
    def waiting(self) -> int:
        """How many wait for a slot."""
        return sum(map(len, self._waiting.values()))

    def waiting_with(self, key: str) -> int:
        """Return how many with this key wait for a slot."""
        return len(self._waiting.get(key, ()))

    def is_used_by(self, key: str) -> bool:
        """Return whether this key holds a slot, or waits for one."""
        return key in self._held or key in self._waiting

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
        if self._use is not None:
            self._use.end(key)
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
        if self._use is not None:
            self._use.begin(key)

    def _next_key(self) -> str | None:
        ready = (key for key in self._waiting if self._held[key] < self._per_key)
        return next(ready, None) if self._use is None else min(ready, key=self._use.whole_seconds, default=None)

    def _forget(self, key: str, turn: asyncio.Future[None]) -> None:
        turns = self._waiting.get(key)
        if turns is not None and turn in turns:
            turns.remove(turn)
            if not turns:
                del self._waiting[key]
