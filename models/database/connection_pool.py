"""The connections of one process to PostgreSQL: bounded, given out in the order of arrival, none kept that is broken.

A statement that is run alone takes a connection, waits for its rows and gives the connection back, without a task, a
proxy or a timer for it. asyncpg's pool needs all three for each statement, which costs about as much as the statement.
"""

import asyncio
import contextlib
import functools
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

import asyncpg

from models.database.connection_queue import ConnectionQueue, QueueStalledError
from telemetry.outage import Outage

STALL_TIMEOUT = 2.0  # seconds without a served connection; requests are refused within 3 s of an outage
_CONNECT_TIMEOUT = 10.0  # seconds, in case no request is still waiting for the connection
_WAIT_LIMIT = 60.0  # seconds in a moving queue; reverse proxies usually wait as long for a response
_IDLE = 300.0  # seconds after which an unused connection is closed
_TICK = 0.5  # seconds between two looks for statements that take too long
_MAX_USES = 50_000  # of a connection, because PostgreSQL's process grows with what it has cached

# Errors of a connection that is lost or cannot be opened.
CONNECTION_ERRORS = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)

R = TypeVar("R", bound=asyncpg.Record)


class NoConnectionError(ConnectionError):
    """No connection was available in time: all are busy, or none can be opened."""


def _limited(method: Callable[..., Awaitable[Any]]) -> Any:
    @functools.wraps(method)
    async def call(connection: "Connection", *args: Any, **options: Any) -> Any:
        return await method(connection, *args, **{"timeout": connection.limit, **options})

    return call


class Connection(asyncpg.Connection):
    """A connection whose statements have a time limit, kept by a timer for each; ConnectionPool.fetch needs none."""

    limit: float | None = None  # seconds
    execute = _limited(asyncpg.Connection.execute)
    executemany = _limited(asyncpg.Connection.executemany)
    fetch = _limited(asyncpg.Connection.fetch)
    fetchrow = _limited(asyncpg.Connection.fetchrow)


_fetch = asyncpg.Connection.fetch  # without a timer: the pool watches the statement itself


class _Entry:
    """What the pool knows of one connection."""

    __slots__ = ("connection", "generation", "idle_since", "is_overdue", "needs_check", "started", "uses")

    def __init__(self, connection: Connection, generation: int) -> None:
        self.connection = connection
        self.generation = generation  # of the pool when it was opened
        self.uses = 0
        self.idle_since = 0.0  # the loop's time
        self.needs_check = False  # whether a cancel request may still reach it
        self.started = 0  # the pool's tick at which a statement began; 0: none is watched
        self.is_overdue = False


class ConnectionPool:
    """At most `size` connections, opened on demand, so that the pool can be made while PostgreSQL is down.

    `limit`: seconds of a statement, later than PostgreSQL's own limit, so that its error arrives if possible.
    `outage`: learns when no connection can be opened, and when one is again. `options`: of `asyncpg.connect`.
    Connections carry no state between uses: no LISTEN, no SET, no cursor, no session lock; so nothing is reset, and one
    that is given back inside a transaction is closed.
    """

    def __init__(self, dsn: str, size: int, limit: float, outage: Outage | None = None, **options: Any) -> None:
        self._dsn = dsn
        self._limit = limit
        self._outage = outage
        self._options = options
        self._queue = ConnectionQueue(size, stall_timeout=STALL_TIMEOUT, wait_limit=_WAIT_LIMIT)
        self._entries: dict[asyncpg.Connection[Any], _Entry] = {}
        self._idle: list[_Entry] = []  # used from the end, so that those at the beginning become superfluous
        self._idle_timer: asyncio.TimerHandle | None = None
        self._generation = 0
        self._in_use = 0  # slots that are taken
        self._checks: set[asyncio.Task[None]] = set()
        self._tick = 1
        self._tick_timer: asyncio.TimerHandle | None = None  # runs while statements are watched
        self._all_returned: asyncio.Event | None = None  # set once the pool is closing

    async def fetch(self, sql: str, values: Iterable[object], record_class: type[R]) -> list[R]:
        """Return the rows of one statement, outside any transaction.

        Raises:
            NoConnectionError: no connection was available in time.
            TimeoutError: the statement took longer than the limit, by up to a second.
        """
        entry = self._take_now() or self._entries[await self.acquire()]
        entry.started = self._tick
        if self._tick_timer is None:
            self._tick_timer = asyncio.get_running_loop().call_later(_TICK, self._end_overdue)
        try:
            found: list[R] = await _fetch(entry.connection, sql, *values, record_class=record_class)
        except BaseException as error:
            entry.started = 0
            self.discard_after(entry.connection, error)
            self._give_back(entry)
            if entry.is_overdue and isinstance(error, CONNECTION_ERRORS):
                raise TimeoutError from error
            raise
        entry.started = 0
        self._give_back(entry)
        return found

    async def acquire(self) -> Connection:
        """Return a connection within the queue's time limits; `release` gives it back.

        Raises:
            NoConnectionError: none was available in time.
        """
        if self._all_returned is not None:
            raise NoConnectionError("The pool is closed.")
        try:
            deadline = await self._queue.acquire()
        except QueueStalledError:
            raise NoConnectionError("All connections to the database are busy.") from None
        self._in_use += 1
        try:
            entry = self._take_idle()
            if entry is None:
                # One deadline for both waits, so that a request that waited in vain does not wait twice.
                async with self._queue.deadline(deadline):
                    entry = await self._open()
        except BaseException as error:
            self._release_slot()
            if isinstance(error, CONNECTION_ERRORS):
                if self.get_size() == 0:
                    if self._outage is not None:
                        self._outage.failed(error)
                    self._queue.reject_all()  # or the waiters would fail one after another
                raise NoConnectionError(f"{type(error).__name__}: {error}") from error
            raise
        self._queue.mark_served()
        return entry.connection

    async def release(self, connection: Connection) -> None:
        """Give a connection back; asynchronous because Tortoise awaits it."""
        self._give_back(self._entries[connection])

    def discard_after(self, connection: "asyncpg.Connection[Any]", error: BaseException) -> bool:
        """Close the connection if the error means that it is unusable; return whether it was closed.

        After a cancellation it is kept, but checked before it is used again.
        """
        if isinstance(error, asyncio.CancelledError):
            self._entries[connection].needs_check = True
            return False
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, (TimeoutError, asyncpg.ReadOnlySQLTransactionError)):
            cause = cause.__cause__
        if cause is None:
            return False
        if not isinstance(cause, TimeoutError):
            self._expire()  # the server was demoted: all connections lead to it
        connection.terminate()
        return True

    async def expire_connections(self) -> None:
        """Close every connection, those in use when they are given back."""
        self._expire()

    def _expire(self) -> None:
        self._generation += 1
        while self._idle:
            self._close(self._idle.pop())

    async def close(self) -> None:
        """Wait until every connection was given back, then close all."""
        self._all_returned = self._all_returned or asyncio.Event()
        self._queue.reject_all()
        if self._in_use:
            await self._all_returned.wait()
        for timer in (self._idle_timer, self._tick_timer):
            if timer is not None:
                timer.cancel()
        idle, self._idle = self._idle, []
        for entry in idle:
            del self._entries[entry.connection]
            with contextlib.suppress(*CONNECTION_ERRORS):
                await entry.connection.close(timeout=STALL_TIMEOUT)

    def terminate(self) -> None:
        """Close all connections at once, used or not."""
        while self._idle:
            self._close(self._idle.pop())
        for connection in self._entries:  # their users give them back
            connection.terminate()

    def get_size(self) -> int:
        """Return the number of open connections."""
        return sum(not connection.is_closed() for connection in self._entries)

    def get_idle_size(self) -> int:
        """Return the number of open connections that are not in use."""
        return sum(not entry.connection.is_closed() for entry in self._idle)

    def usage(self) -> dict[str, int]:
        """Return the connections in use and idle, and the callers that wait for one."""
        return {"in_use": self._in_use, "idle": self.get_idle_size(), "waiting": self._queue.waiting}

    async def _open(self) -> _Entry:
        generation = self._generation
        connection: Connection = await asyncpg.connect(
            self._dsn, timeout=_CONNECT_TIMEOUT, connection_class=Connection, **self._options
        )
        connection.limit = self._limit
        if self._outage is not None:
            self._outage.worked()
        entry = self._entries[connection] = _Entry(connection, generation)
        return entry

    def _take_now(self) -> _Entry | None:
        """Return a connection if one can be used without waiting."""
        if not self._idle or self._all_returned is not None or not self._queue.try_acquire():
            return None
        entry = self._take_idle()
        if entry is None:
            self._queue.release()
            return None
        self._in_use += 1
        self._queue.mark_served()
        return entry

    def _take_idle(self) -> _Entry | None:
        """Return a usable connection that waits for work; the caller has taken a slot."""
        while self._idle:
            entry = self._idle.pop()
            if not entry.connection.is_closed():
                return entry
            self._close(entry)
        return None

    def _give_back(self, entry: _Entry) -> None:
        if entry.needs_check and not entry.connection.is_closed():
            entry.needs_check = False
            check = asyncio.ensure_future(self._check(entry))
            self._checks.add(check)
            check.add_done_callback(self._checks.discard)
            return
        connection = entry.connection
        entry.uses += 1
        if (
            connection.is_closed()
            or connection.is_in_transaction()
            or entry.generation != self._generation
            or entry.uses >= _MAX_USES
        ):
            self._close(entry)
        else:
            loop = asyncio.get_running_loop()
            entry.idle_since = loop.time()
            self._idle.append(entry)
            if self._idle_timer is None:
                self._idle_timer = loop.call_later(_IDLE, self._close_unused)
        self._release_slot()

    async def _check(self, entry: _Entry) -> None:
        """Give a connection back whose statement was canceled, once the cancel request can no longer reach another."""
        try:
            async with asyncio.timeout(STALL_TIMEOUT):
                await entry.connection.execute("SELECT 1")  # asyncpg first waits for the canceled statement
        except BaseException as error:
            entry.connection.terminate()
            if not isinstance(error, (TimeoutError, *CONNECTION_ERRORS)):
                raise
        finally:
            self._give_back(entry)

    def _end_overdue(self) -> None:
        """Close the connections whose statement has exceeded the limit."""
        self._tick += 1
        watched = [entry for entry in self._entries.values() if entry.started]
        for entry in watched:
            if (self._tick - entry.started - 1) * _TICK > self._limit:
                entry.is_overdue = True
                entry.connection.terminate()
        self._tick_timer = asyncio.get_running_loop().call_later(_TICK, self._end_overdue) if watched else None

    def _release_slot(self) -> None:
        self._in_use -= 1
        if self._all_returned is not None and not self._in_use:
            self._all_returned.set()
        self._queue.release()

    def _close(self, entry: _Entry) -> None:
        self._entries.pop(entry.connection, None)
        entry.connection.terminate()

    def _close_unused(self) -> None:
        """Close connections that were not used for a while."""
        loop = asyncio.get_running_loop()
        self._idle_timer = None
        while self._idle and self._idle[0].idle_since + _IDLE <= loop.time():
            self._close(self._idle.pop(0))
        if self._idle:
            self._idle_timer = loop.call_at(self._idle[0].idle_since + _IDLE, self._close_unused)
