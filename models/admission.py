"""Who gets the next connection: a fair line, waited in while it moves and left when it stands still."""

import asyncio
from collections import deque


class StandstillError(Exception):
    """Nobody was served for as long as one waits."""


class Admission:
    """A number of places, given to those who ask in the order they came.

    A bound on the wait alone would be wrong twice: ten thousand who ask a database that is well need longer than the
    moment after which those who ask one that is away must be told. So what counts is whether anybody is served at all.
    `patience`: seconds without that. `limit`: seconds that nobody waits longer than, even in a line that moves.
    """

    def __init__(self, places: int, *, patience: float, limit: float) -> None:
        self._free = places
        self._patience = patience
        self._limit = limit
        self._line: deque[tuple[float, asyncio.Future[None]]] = deque()
        self._served_at = 0.0
        self._watch: asyncio.TimerHandle | None = None

    async def enter(self) -> float:
        """Take a place, and answer until when (on the loop's clock) it should have been of use; `leave` gives it back.

        Raises:
            StandstillError: the line did not move.
        """
        loop = asyncio.get_running_loop()
        arrived = loop.time()
        if self._free:
            self._free -= 1
            return arrived + self._patience
        place = loop.create_future()
        self._line.append((arrived, place))
        if self._watch is None:
            self._watch = loop.call_later(self._patience, self._send_away)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled() and place.exception() is None:
                self.leave()  # it was given to somebody who is gone
            raise
        return max(arrived, self._served_at) + self._patience

    def served(self) -> None:
        """Say that a place was of use: the line moves."""
        self._served_at = asyncio.get_running_loop().time()

    def leave(self) -> None:
        """Give a place back, to the next in the line."""
        while self._line:
            _, place = self._line.popleft()
            if not place.done():  # else its owner was cancelled
                place.set_result(None)
                return
        self._free += 1

    def _send_away(self) -> None:
        """Let go everybody who has waited too long, and look again when the next one will have."""
        loop = asyncio.get_running_loop()
        now, self._watch = loop.time(), None
        while self._line:
            arrived, place = self._line[0]
            due = min(max(arrived, self._served_at) + self._patience, arrived + self._limit)
            if due > now and not place.done():
                self._watch = loop.call_at(due, self._send_away)
                return
            self._line.popleft()
            if not place.done():
                place.set_exception(StandstillError())
