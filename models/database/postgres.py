"""PostgreSQL as Tortoise's backend: bounded waits, no leaked connections, and none kept that is broken."""

import contextlib
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import (
    PoolConnectionWrapper,
    TransactionalDBClient,
    TransactionContext,
    TransactionContextPooled,
)

from models.database.connection_queue import ConnectionQueue, QueueStalledError

_STALL_TIMEOUT = 2.0  # seconds without a served connection; requests are refused within 3 s of an outage
_CONNECT_TIMEOUT = 10.0  # seconds, in case no request is still waiting for the connection
_WAIT_LIMIT = 60.0  # seconds in a moving queue; reverse proxies usually wait as long for a response
_IDLE = 300.0  # seconds after which an unused connection is closed

# Errors of a connection that is lost or cannot be opened.
_CONNECTION_ERRORS = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)

Connection = PoolConnectionProxy  # generic in the stubs only


@dataclass(frozen=True)
class Limits:
    """Time limits of PostgreSQL, in seconds."""

    statement: float = 5.0
    lock: float = 2.0  # within a statement
    idle: float = 10.0  # in a transaction, between statements; transactions wait for nothing but the database

    @property
    def client(self) -> float:
        """The client's timeout: later than the server's, so that the server's error arrives if possible."""
        return self.statement + 1


REQUEST_LIMITS = Limits()
MIGRATION_LIMITS = Limits(statement=900.0, lock=60.0, idle=900.0)  # for migrations and audits, which read whole tables


class NoConnectionError(ConnectionError):
    """No connection was available in time: all are busy, or none can be opened."""


class _Pool(asyncpg.Pool):
    """asyncpg's pool behind a fair queue. It opens connections on demand."""

    def __init__(self, dsn: str, size: int, **options: Any) -> None:
        super().__init__(
            dsn,
            min_size=0,  # so that the pool can be created while PostgreSQL is down
            max_size=size,
            max_queries=50_000,
            max_inactive_connection_lifetime=_IDLE,
            reset=_skip_reset,
            loop=None,
            connection_class=asyncpg.Connection,
            record_class=asyncpg.Record,
            **options,
        )
        self._connection_queue = ConnectionQueue(size, stall_timeout=_STALL_TIMEOUT, wait_limit=_WAIT_LIMIT)

    async def acquire(self) -> Connection:  # type: ignore[override]  # Tortoise only awaits it
        """Return a connection within the queue's time limits.

        Raises:
            NoConnectionError: none was available in time.
        """
        try:
            deadline = await self._connection_queue.acquire()
        except QueueStalledError:
            raise NoConnectionError("All connections to the database are busy.") from None
        try:
            # One deadline for both waits, so that a request that waited in vain does not wait twice.
            async with self._connection_queue.deadline(deadline):
                connection = await super().acquire()
        except BaseException as error:
            self._connection_queue.release()
            if isinstance(error, _CONNECTION_ERRORS):
                if self.get_size() == 0:
                    self._connection_queue.reject_all()  # or the waiters would fail one after another
                raise NoConnectionError(f"{type(error).__name__}: {error}") from error
            raise
        self._connection_queue.mark_served()
        return connection

    async def release(self, connection: Connection) -> None:  # type: ignore[override]  # as Tortoise calls it
        """Return a connection to the pool; closing a broken one raises no error in its user."""
        try:
            with contextlib.suppress(*_CONNECTION_ERRORS):
                await super().release(connection, timeout=_STALL_TIMEOUT)
        finally:
            self._connection_queue.release()

    async def discard_after(self, connection: asyncpg.Connection | Connection, error: BaseException) -> bool:
        """Close the connection if the error means that it is unusable; return whether it was closed."""
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, (TimeoutError, asyncpg.ReadOnlySQLTransactionError)):
            cause = cause.__cause__
        if cause is None:
            return False
        if not isinstance(cause, TimeoutError):
            await self.expire_connections()  # the server was demoted: all connections lead to it
        with contextlib.suppress(asyncpg.InterfaceError):  # it is closed already
            connection.terminate()
        return True


async def _skip_reset(connection: asyncpg.Connection) -> None:
    """Replace asyncpg's reset, which costs a second round trip after each statement.

    Connections carry no state: no LISTEN, no SET, no cursor, no session lock. A transaction that is still open has been
    rolled back when this is called.
    """


class _SingleStatement(PoolConnectionWrapper[Connection]):
    """A connection for one statement."""

    async def __aexit__(self, exc_type: Any, exc_val: Any, exc_tb: Any) -> None:
        if exc_val is not None and self.connection is not None:
            await self.client._pool.discard_after(self.connection, exc_val)
        await super().__aexit__(exc_type, exc_val, exc_tb)


class _Transaction(TransactionContextPooled):
    """A connection for one transaction; returned also if BEGIN fails, where Tortoise 1.1.9 leaks it."""

    client: TransactionWrapper

    async def __aenter__(self) -> TransactionalDBClient:
        try:
            return await super().__aenter__()
        except BaseException as error:
            if self.client._connection is not None:
                self.client._finalized = True  # there is nothing to roll back
                await self.__aexit__(type(error), error, error.__traceback__)
            raise

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        pool: _Pool | None = self.client._parent._pool  # type: ignore[assignment]  # PostgresClient creates no other
        if exc_val is not None and pool and await pool.discard_after(self.client._connection, exc_val):
            self.client._finalized = True  # PostgreSQL rolls back when the client disconnects
        await super().__aexit__(exc_type, exc_val, exc_tb)


class PostgresClient(AsyncpgDBClient):
    """Tortoise's connection `postgres`: a pool that asyncpg opens from the unmodified DATABASE_URL."""

    _pool: _Pool | None

    def __init__(self, dsn: str, pool_size: int, limits: Limits, **options: Any) -> None:
        super().__init__(**options)
        self._dsn = dsn
        self._size = pool_size
        self._limits = limits

    async def create_connection(self, with_db: bool) -> None:
        self._pool = await _Pool(
            self._dsn,
            self._size,
            timeout=_CONNECT_TIMEOUT,
            command_timeout=self._limits.client,
            server_settings=server_settings(self._dsn, self._limits),
        )
        await self._post_connect()

    def acquire_connection(self) -> PoolConnectionWrapper[Connection]:
        return _SingleStatement(self, self._pool_init_lock)

    def _in_transaction(self) -> TransactionContext:
        return _Transaction(TransactionWrapper(self), self._pool_init_lock)


def server_settings(dsn: str, limits: Limits) -> dict[str, str]:
    """Return the settings of each connection; those in the DATABASE_URL take precedence."""
    defaults = {
        "application_name": "darkroom",
        "statement_timeout": f"{limits.statement * 1000:.0f}",
        "lock_timeout": f"{limits.lock * 1000:.0f}",
        "idle_in_transaction_session_timeout": f"{limits.idle * 1000:.0f}",
    }
    given = parse_qs(urlsplit(dsn).query)
    return {name: value for name, value in defaults.items() if name not in given}


client_class = PostgresClient
