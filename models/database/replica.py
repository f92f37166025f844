"""Reads from a streaming replica of PostgreSQL, where what it has replayed suffices; else from the primary.

A list of one account requires that the replica has reached the version of the account that the operation read from the
primary. Any other list requires that the replica has replayed what the primary had written MAX_LAG seconds ago. Either
is checked on the connection that then reads, so an address may lead to several replicas.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextvars import ContextVar
from typing import NamedTuple, TypeVar

import asyncpg
import structlog
from tortoise.backends.asyncpg.client import TransactionWrapper
from tortoise.backends.base.client import TransactionContext
from tortoise.connection import get_connections
from tortoise.exceptions import BaseORMException

from models.database.connection import POOL_SIZE, current_connection, is_outage, rows
from models.database.connection_pool import CONNECTION_ERRORS, Connection, ConnectionPool
from models.database.postgres import Limits, PostgresClient, server_settings
from telemetry import metric

T = TypeVar("T")

log = structlog.get_logger(__name__)

MAX_LAG = 5.0  # seconds by which a list that is not of one account may be out of date
SLOW = 1.0  # seconds after which a read goes to the primary
_INTERVAL = 1.0  # seconds between two checks of the replica
_KEPT = 60  # positions of the primary, one for each interval
LIMITS = Limits(statement=SLOW, lock=SLOW)

CAUGHT_UP = "SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn"
_REACHED = "SELECT version >= $2 FROM users WHERE id = $1"
_WRITTEN = "SELECT pg_current_wal_lsn()::text AS position"
_REPLAYED = "SELECT pg_last_wal_replay_lsn()::text"

# What the primary may answer nevertheless: a statement that it refuses, too, fails there.
_FAILURES = (*CONNECTION_ERRORS, BaseORMException)
_TIMEOUTS = (TimeoutError, asyncpg.QueryCanceledError)


class ReplicaError(ConnectionError):
    """The server at the replica's address is no streaming replica."""


class _Position(NamedTuple):
    """Where the primary's log ended, at the latest."""

    time: float  # of the monotonic clock, before the primary was asked
    text: str

    @property
    def number(self) -> int:
        return _number(self.text)


def _number(position: str) -> int:
    """Return a position in the log, such as 16/B374D848, as a number of bytes."""
    high, _, low = position.partition("/")
    return int(high, 16) << 32 | int(low, 16)


class _PinnedConnection(TransactionWrapper):
    """One connection to the replica, which Tortoise uses instead of the primary's pool; without a transaction."""

    def __init__(self, primary: PostgresClient, connection: Connection) -> None:
        super().__init__(primary)
        self._connection = connection

    def _in_transaction(self) -> TransactionContext:
        raise RuntimeError("The read replica has no transactions.")


class ReadReplica:
    """The read replica of one process. After a failure all reads go to the primary, until a check succeeds."""

    def __init__(self, url: str, pool_size: int = POOL_SIZE) -> None:
        self.url = url
        settings = {**server_settings(url, LIMITS), "default_transaction_read_only": "on"}
        self._pool = ConnectionPool(url, pool_size, LIMITS.client, server_settings=settings)
        self._positions: deque[_Position] = deque(maxlen=_KEPT)
        self._is_usable = False  # until the first check
        self._lost_at: float | None = None
        self._check_now = asyncio.Event()

    @contextlib.asynccontextmanager
    async def watched(self) -> AsyncIterator["ReadReplica"]:
        """Check the replica regularly while the body runs; the database is open."""
        watching = asyncio.create_task(self._watch(), name="replica")
        try:
            yield self
        finally:
            watching.cancel()
            await asyncio.wait([watching])
            self.close()

    def close(self) -> None:
        """Close all connections."""
        self._pool.terminate()

    @contextlib.contextmanager
    def read_by(self, account_id: str | None, version: int) -> Iterator[None]:
        """Let `read` use the replica in the body, which only reads. `version`: of the account, on the primary."""
        token = _reader.set(_Reader(self, account_id, version))
        try:
            yield
        finally:
            _reader.reset(token)

    @property
    def position(self) -> str | None:
        """What the replica must have replayed for a list that may be out of date; None: the primary must be read."""
        oldest = time.monotonic() - MAX_LAG
        return next((each.text for each in self._positions if each.time >= oldest), None) if self._is_usable else None

    async def run(self, work: Callable[[], Awaitable[T]], check: str, *values: object) -> T:
        """Return the result of `work`, of which every statement goes to the replica if `check` is true there."""
        primary = current_connection()
        if not isinstance(primary, PostgresClient):
            return await work()  # inside a transaction, or on the replica already
        if self._is_usable:
            answers = False
            try:
                async with asyncio.timeout(SLOW), self._connection() as connection:
                    if await connection.fetchval(check, *values):
                        answers = True
                        result = await _on(_PinnedConnection(primary, connection), work)
                        metric.replica_reads.labels("replica").inc()
                        return result
                metric.replica_reads.labels("behind").inc()
            except _FAILURES as error:
                self.note_failure(error, is_slow=answers and is_outage(error, _TIMEOUTS))
        else:
            metric.replica_reads.labels("down").inc()
        return await work()

    def note_failure(self, error: Exception, *, is_slow: bool = False) -> None:
        """Use the primary until the next check, which is made at once, unless a statement alone was refused.

        `is_slow`: the statement took too long on a replica that answers, so that the others' lists stay there.
        """
        metric.replica_reads.labels("failed").inc()
        log.debug("replica.read_failed", error=error)
        if self._is_usable and not is_slow and is_outage(error):
            self._is_usable = False
            self._check_now.set()

    async def check(self) -> float | None:
        """Return the seconds by which the replica lags, at most; None: unknown.

        Raises:
            ReplicaError: it is no streaming replica.
            NoConnectionError, TimeoutError: it does not respond.
        """
        with contextlib.suppress(*_FAILURES):  # the primary's own outage, which its users see
            asked = time.monotonic()
            (found,) = await rows(_WRITTEN)
            self._positions.append(_Position(asked, found["position"]))
        async with asyncio.timeout(SLOW), self._connection() as connection:
            replayed = await connection.fetchval(_REPLAYED)
        if replayed is None:
            raise ReplicaError("it is no streaming replica: pg_last_wal_replay_lsn() is null")
        reached = _number(replayed)
        if not self._positions or reached >= self._positions[-1].number:
            return 0.0 if self._positions else None
        passed = [each.time for each in self._positions if each.number <= reached]
        return time.monotonic() - max(passed, default=self._positions[0].time)

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        connection = await self._pool.acquire()
        try:
            yield connection
        except BaseException as error:
            self._pool.discard_after(connection, error)
            raise
        finally:
            await self._pool.release(connection)

    async def _watch(self) -> None:
        while True:
            try:
                lag = await self.check()
            except _FAILURES as error:
                self._set_lost(error)
            else:
                self._set_usable(lag)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._check_now.wait(), _INTERVAL)
            self._check_now.clear()

    def _set_lost(self, error: Exception) -> None:
        self._is_usable = False
        metric.replica_lost.set(1)
        if self._lost_at is None:
            self._lost_at = time.monotonic()
            log.warning("replica.lost", error=f"{type(error).__name__}: {error}", hint="the primary serves its reads")

    def _set_usable(self, lag: float | None) -> None:
        self._is_usable = True
        metric.replica_lost.set(0)
        if lag is not None:
            metric.replica_lag.set(lag)
        if self._lost_at is not None:
            log.info("replica.recovered", seconds=round(time.monotonic() - self._lost_at, 1))
            self._lost_at = None


class _Reader(NamedTuple):
    """Whose operation reads."""

    replica: ReadReplica
    account_id: str | None
    version: int


_reader: ContextVar[_Reader | None] = ContextVar("reader", default=None)


async def read(work: Callable[[], Awaitable[T]], account_id: str | None = None) -> T:
    """Return the result of `work`, which only reads, from the replica if it suffices and the operation may use it.

    `account_id`: whose data it is; the primary is read if it is another account than the operation's. None: the data
    may be out of date by MAX_LAG. `work` is run again if the replica fails.
    """
    reader = _reader.get()
    if reader is None:
        return await work()
    if account_id is None:
        position = reader.replica.position
        return await reader.replica.run(work, CAUGHT_UP, position)
    if account_id != reader.account_id:
        return await work()
    return await reader.replica.run(work, _REACHED, account_id, reader.version)


def has_reader() -> bool:
    """Whether the operation may use a replica."""
    return _reader.get() is not None


async def _on(connection: _PinnedConnection, work: Callable[[], Awaitable[T]]) -> T:
    connections = get_connections()
    token = connections.set(connection.connection_name, connection)
    try:
        return await work()
    finally:
        connections.reset(token)


@contextlib.asynccontextmanager
async def open_replica(url: str | None, pool_size: int) -> AsyncIterator[ReadReplica | None]:
    """Return the read replica, if there is one; it may be down."""
    if url is None:
        yield None
        return
    async with ReadReplica(url, pool_size).watched() as replica:
        yield replica
