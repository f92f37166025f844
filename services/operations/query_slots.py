"""Slots for operations, so that those of one caller do not fill the server's event loop and its database."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable

from services.core.error import RateLimitedError
from services.integrations.fair_slots import FairSlots

PREPARATION, QUERY, MUTATION = "preparation", "query", "mutation"  # the kinds of slots
_ANY = 1_000_000  # any number
_TOTAL = {PREPARATION: 1, QUERY: 16, MUTATION: _ANY}  # that run at once in one process
# Of one caller: mutations mostly wait themselves, for photos to be decoded and for each other's transactions.
_PER_CALLER = {PREPARATION: 1, QUERY: 1, MUTATION: 16}
_MAX_WAITING = {PREPARATION: _ANY, QUERY: 200, MUTATION: _ANY}  # of one caller; connections limit the others
_PAUSE = 2.0  # for each second that an operation took: a caller uses up to a third of the time
_MIN_PAUSE = 0.1  # without it, those that do not wait for anything would run in one step of the event loop
_BURST_SECONDS = 0.5 * _PAUSE  # half a second of operations without pauses: a page that sends several at once
_MAX_PAUSE_SECONDS = 2.0
REQUEST_SECONDS = 0.004  # of a short operation besides its preparation: the request, its token, the response
UPLOAD_SECONDS = 0.015  # the same of a request with files
_PREPARED_SECONDS = 0.001  # the same of a short operation whose document is known; what it costs adds to it
_ACTIVE_SECONDS = 2.0  # for which a caller counts as active after an operation
_SECONDS_OF_COST = 15e-6  # of CPU time; a page of 100 generations costs 7,200 and takes 0.1 s
_EVENT_BURST_SECONDS = 0.1  # of events that a caller's subscriptions execute at once
_MAX_FORGOTTEN = 1000  # callers who have the whole burst again, before they are removed


class QuerySlots:
    """Lets each caller prepare (parse, validate) one operation at a time, and execute one that is expensive.

    A caller who sends more than a few has pauses between them, as long as other callers are active. Preparations,
    queries and mutations do not wait for each other. Of mutations, several of a caller run at once, without pauses.
    `has_pauses`: otherwise they only take turns.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, has_pauses: bool = True) -> None:
        self.clock = clock
        self._has_pauses = has_pauses
        self._turns = {kind: FairSlots(_ANY, per_key) for kind, per_key in _PER_CALLER.items()}
        self._running = {kind: asyncio.Semaphore(total) for kind, total in _TOTAL.items()}
        self._due: dict[str, float] = {}  # when a caller with pauses would have come so far; seconds of the clock
        self._max_due = _MAX_FORGOTTEN  # entries, after which those in the past are removed
        self._event_turns: dict[str, EventTurns] = {}
        self._max_event_turns = _MAX_FORGOTTEN
        self._admitted: set[str] = set()  # callers with an operation in this step of the event loop
        self._last_caller = ""
        self._last_seen = self._other_seen = float("-inf")  # of the last caller, and of any other

    def waiting(self, caller: str, kind: str = QUERY) -> int:
        """Return how many operations of a caller wait."""
        return self._turns[kind].waiting_with(caller)

    def note(self, caller: str) -> None:
        """Note that a caller is active."""
        if caller != self._last_caller:
            self._last_caller, self._other_seen = caller, self._last_seen
        self._last_seen = self.clock()

    def admits(self, caller: str, cost: int | None) -> bool:
        """Count an operation that needs no preparation; False if it has to take a slot of PREPARATION all the same.

        That is so once the caller is due for a pause, or has another operation in preparation or in this step of the
        event loop. `cost`: of a query; None of a mutation, which counts as if it was prepared.
        """
        if caller in self._admitted or self._turns[PREPARATION].is_used_by(caller):
            return False
        now, key = self.clock(), f"{caller} {PREPARATION}"
        seconds = REQUEST_SECONDS
        if cost is not None:
            seconds = min(_PREPARED_SECONDS + cost * _SECONDS_OF_COST, REQUEST_SECONDS)
        due = max(self._due.get(key, 0.0), now) + seconds * _PAUSE
        if due - now > _BURST_SECONDS and self.has_others(caller, now):
            return False
        self._set_due(key, min(due, now + _BURST_SECONDS + _MAX_PAUSE_SECONDS), now)
        if not self._admitted:
            asyncio.get_running_loop().call_soon(self._admitted.clear)
        self._admitted.add(caller)
        return True

    @contextlib.asynccontextmanager
    async def slot(self, caller: str, kind: str = QUERY, besides: float = 0.0) -> AsyncIterator[None]:
        """Hold a slot while the body runs, and let the caller's next operation of this kind wait for a pause after it.

        `besides`: seconds that the operation takes before and after; they count for the pause.

        Raises:
            RateLimitedError: too many operations of this caller are waiting.
        """
        if self.waiting(caller, kind) >= _MAX_WAITING[kind]:
            raise RateLimitedError(1)
        turns, pause = self._turns[kind], 0.0
        await turns.acquire(caller)
        try:
            async with self._running[kind]:
                started = self.clock()
                try:
                    yield
                finally:
                    pause = 0.0 if kind == MUTATION else self.pause_after(caller, kind, started, besides)
        finally:
            asyncio.get_running_loop().call_later(pause, turns.release, caller)

    def event_turns(self, caller: str) -> "EventTurns":
        """Return the turns of the events of a caller's subscriptions, kept until its `close`."""
        turns = self._event_turns.get(caller)
        if turns is None:
            if len(self._event_turns) >= self._max_event_turns:
                now = self.clock()
                self._event_turns = {key: kept for key, kept in self._event_turns.items() if kept.is_needed(now)}
                self._max_event_turns = max(2 * len(self._event_turns), _MAX_FORGOTTEN)
            turns = self._event_turns[caller] = EventTurns(self, caller)
        turns.users += 1
        return turns

    async def wait_for_event(self, caller: str, cost: int) -> None:
        """Wait until one of the caller's subscriptions may execute its next event, which costs `cost`.

        One change can be an event of two hundred subscriptions. Their events are spread, with pauses as above.
        """
        turns = self.event_turns(caller)
        turns.close()
        await asyncio.sleep(turns.count(cost))

    def pause_after(self, caller: str, kind: str, started: float, besides: float = 0.0) -> float:
        """Count an operation that has just ended; return the seconds until the caller's next one of this kind."""
        now, key = self.clock(), f"{caller} {kind}"
        took = now - started
        due = max(self._due.get(key, 0.0), started) + took + (took + besides) * _PAUSE
        due = min(due, now + _BURST_SECONDS + _MAX_PAUSE_SECONDS)
        self._set_due(key, due, now)
        return max(due - now - _BURST_SECONDS if self.has_others(caller, now) else 0.0, took * _MIN_PAUSE)

    def _set_due(self, key: str, due: float, now: float) -> None:
        self._due[key] = due
        if len(self._due) > self._max_due:
            self._due = {each: when for each, when in self._due.items() if when > now}
            self._max_due = max(2 * len(self._due), _MAX_FORGOTTEN)

    def has_others(self, caller: str, now: float) -> bool:
        """Return whether another caller was active a moment ago."""
        if not self._has_pauses or now - self._last_seen >= _ACTIVE_SECONDS:
            return False
        return caller != self._last_caller or now - self._other_seen < _ACTIVE_SECONDS


class EventTurns:
    """The turns of the events of one caller's subscriptions; see `QuerySlots.wait_for_event`."""

    __slots__ = ("_caller", "_due", "_slots", "users")

    def __init__(self, slots: QuerySlots, caller: str) -> None:
        self._slots = slots
        self._caller = caller
        self._due = 0.0  # when the caller would have come so far; seconds of the clock
        self.users = 0

    def count(self, cost: int) -> float:
        """Count an event that costs `cost`; return the seconds until its turn."""
        now = self._slots.clock()
        start = self._due if self._due > now else now
        share = 1 + _PAUSE if self._slots.has_others(self._caller, now) else 1.0
        self._due = start + cost * _SECONDS_OF_COST * share
        delay = start - now - _EVENT_BURST_SECONDS
        return delay if delay > 0 else 0.0

    def close(self) -> None:
        """Note that a user counts no more events."""
        self.users -= 1

    def is_needed(self, now: float) -> bool:
        """Whether new ones would not allow the same."""
        return self.users > 0 or self._due > now
