"""Who gets the next connection: a fair line, waited in while it moves and left when it stands still."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator

_TICK = 0.1  # seconds between two looks at who has waited too long


class QueueStalledError(Exception):
    """Nobody was served for as long as one waits."""


class ConnectionQueue:
    """A number of places, given to those who ask in the order they came.

    A bound on the wait alone would be wrong twice: ten thousand who ask a database that is well need longer than the
    moment after which those who ask one that is away must be told. So what counts is whether anybody is served at all.
    `patience`: seconds without that. `limit`: seconds that nobody waits longer than, even in a line that moves.

    Seconds are those that the event loop has lived through: while it is busy with a thousand requests, answers of the
    database lie unread, and that is no fault of the database.
    """

    def __init__(self, places: int, *, patience: float, limit: float) -> None:
        self._free = places
        self._patience = patience
        self._limit = limit
        self._line: deque[tuple[float, asyncio.Future[None]]] = deque()
        self._served_at = 0.0
        self._now = 0.0  # of the lived time, which goes on only while somebody waits
        self._looked_at = 0.0  # of the loop's time
        self._watch: asyncio.TimerHandle | None = None
        self._timeouts: dict[asyncio.Timeout, float] = {}

    async def enter(self) -> float:
        """Take a place, and answer until when it should have been of use (for `within`); `leave` gives it back.

        Raises:
            StandstillError: the line did not move.
        """
        arrived = self._now
        if self._free:
            self._free -= 1
            return arrived + self._patience
        place = asyncio.get_running_loop().create_future()
        self._line.append((arrived, place))
        self._keep_looking()
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled() and place.exception() is None:
                self.leave()  # it was given to somebody who is gone
            raise
        return max(arrived, self._served_at) + self._patience

    @contextlib.asynccontextmanager
    async def within(self, deadline: float) -> AsyncIterator[None]:
        """Raise TimeoutError when the body takes longer."""
        async with asyncio.timeout(None) as timeout:
            self._timeouts[timeout] = deadline
            self._keep_looking()
            try:
                yield
            finally:
                self._timeouts.pop(timeout, None)

    def served(self) -> None:
        """Say that a place was of use: the line moves."""
        self._served_at = self._now

    def dismiss(self) -> None:
        """Send away everybody in the line: there is nothing to wait for."""
        while self._line:
            self._send_away_the_first()

    def leave(self) -> None:
        """Give a place back, to the next in the line."""
        while self._line:
            _, place = self._line.popleft()
            if not place.done():  # else its owner was cancelled
                place.set_result(None)
                return
        self._free += 1

    def _keep_looking(self) -> None:
        if self._watch is None:
            loop = asyncio.get_running_loop()
            self._looked_at = loop.time()
            self._watch = loop.call_later(_TICK, self._look)

    def _look(self) -> None:
        """Let go everybody who has waited too long."""
        loop = asyncio.get_running_loop()
        self._now += min(loop.time() - self._looked_at, 2 * _TICK)
        while self._line:
            arrived, place = self._line[0]
            due = min(max(arrived, self._served_at) + self._patience, arrived + self._limit)
            if due > self._now and not place.done():
                break
            self._send_away_the_first()
        for timeout, deadline in list(self._timeouts.items()):
            if deadline <= self._now:
                del self._timeouts[timeout]
                timeout.reschedule(loop.time())
        self._watch = None
        if self._line or self._timeouts:
            self._keep_looking()

    def _send_away_the_first(self) -> None:
        _, place = self._line.popleft()
        if not place.done():
            place.set_exception(QueueStalledError())
