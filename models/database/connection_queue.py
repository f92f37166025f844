"""The queue for connections: first come, first served; all waits fail when no connection becomes available."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator

_TICK = 0.1  # seconds between two checks for expired waits


class QueueStalledError(Exception):
    """No waiter was served within the time that waiters accept."""


class ConnectionQueue:
    """A number of slots, given to waiters in the order of arrival.

    A fixed timeout would fail twice: ten thousand requests to a healthy database wait longer than the time after which
    requests to one that is down must be refused. So what counts is whether any waiter is served.
    `stall_timeout`: seconds without that. `wait_limit`: seconds that no waiter exceeds, even while others are served.

    Time is counted in the seconds that the event loop was responsive: while it handles a thousand requests, the
    database's responses are waiting to be read, and do not count as a stall.
    """

    def __init__(self, slots: int, *, stall_timeout: float, wait_limit: float) -> None:
        self._free = slots
        self._stall_timeout = stall_timeout
        self._wait_limit = wait_limit
        self._waiters: deque[tuple[float, asyncio.Future[None]]] = deque()
        self._served_at = 0.0
        self._now = 0.0  # responsive time, which passes only while there are waiters
        self._checked_at = 0.0  # the loop's time
        self._timer: asyncio.TimerHandle | None = None
        self._timeouts: dict[asyncio.Timeout, float] = {}

    @property
    def waiting(self) -> int:
        """The number of waiters."""
        return len(self._waiters)

    async def acquire(self) -> float:
        """Take a slot, and return the deadline for its first use (see `deadline`); `release` returns the slot.

        Raises:
            QueueStalledError: no waiter was served in time.
        """
        arrived = self._now
        if self.try_acquire():
            return arrived + self._stall_timeout
        slot = asyncio.get_running_loop().create_future()
        self._waiters.append((arrived, slot))
        self._start_timer()
        try:
            await slot
        except asyncio.CancelledError:
            if slot.done() and not slot.cancelled() and slot.exception() is None:
                self.release()  # it was given to a waiter that has been canceled
            raise
        return max(arrived, self._served_at) + self._stall_timeout

    def try_acquire(self) -> bool:
        """Take a slot if one is free, which it is not while others wait; return whether it was taken."""
        if not self._free:
            return False
        self._free -= 1
        return True

    @contextlib.asynccontextmanager
    async def deadline(self, when: float) -> AsyncIterator[None]:
        """Raise TimeoutError if the body is not done at `when`."""
        async with asyncio.timeout(None) as timeout:
            self._timeouts[timeout] = when
            self._start_timer()
            try:
                yield
            finally:
                self._timeouts.pop(timeout, None)

    def mark_served(self) -> None:
        """Record that a slot led to a connection: the queue is moving."""
        self._served_at = self._now

    def reject_all(self) -> None:
        """Fail all waiters: there is no connection to wait for."""
        while self._waiters:
            self._reject_first()

    def release(self) -> None:
        """Return a slot, which goes to the next waiter."""
        while self._waiters:
            _, slot = self._waiters.popleft()
            if not slot.done():  # else its waiter was canceled
                slot.set_result(None)
                return
        self._free += 1

    def _start_timer(self) -> None:
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._checked_at = loop.time()
            self._timer = loop.call_later(_TICK, self._check)

    def _check(self) -> None:
        """Fail waiters whose time has expired."""
        loop = asyncio.get_running_loop()
        self._now += min(loop.time() - self._checked_at, 2 * _TICK)
        while self._waiters:
            arrived, slot = self._waiters[0]
            due = min(max(arrived, self._served_at) + self._stall_timeout, arrived + self._wait_limit)
            if due > self._now and not slot.done():
                break
            self._reject_first()
        for timeout, deadline in list(self._timeouts.items()):
            if deadline <= self._now:
                del self._timeouts[timeout]
                timeout.reschedule(loop.time())
        self._timer = None
        if self._waiters or self._timeouts:
            self._start_timer()

    def _reject_first(self) -> None:
        _, slot = self._waiters.popleft()
        if not slot.done():
            slot.set_exception(QueueStalledError())
