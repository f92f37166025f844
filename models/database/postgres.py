"""PostgreSQL as Tortoise's backend: no wait without an end, and no connection that is lost or kept when it is bad."""

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

_PATIENCE = 2.0  # seconds for a connection, old or new; then those who wait are told, within the 3 s that were promised
_CONNECT = 10.0  # seconds by the clock, in case nobody waits any more
_LIMIT = 60.0  # seconds in a line that moves: the proxies in front of a server wait as long for an answer, as a rule
_IDLE = 300.0  # seconds after which a connection that nobody needs is closed

# What a connection is lost by, or does not come about by.
_LOST = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)

Connection = PoolConnectionProxy  # generic in the stubs only


@dataclass(frozen=True)
class Limits:
    """How long PostgreSQL may take, in seconds."""

    statement: float = 5.0
    lock: float = 2.0  # within a statement
    idle: float = 10.0  # in a transaction, between statements; our transactions wait for nothing else

    @property
    def client(self) -> float:
        """When we stop listening: after the server should have given up, so that it answers if it can."""
        return self.statement + 1


REQUEST_LIMITS = Limits()
MIGRATION_LIMITS = Limits(statement=900.0, lock=60.0, idle=900.0)  # for migrations and audits, which read whole tables


class NoConnectionError(ConnectionError):
    """No connection to the database could be had in time, because all are busy or because no new one comes about."""


class _Pool(asyncpg.Pool):
    """asyncpg's pool, with a fair line before it. It opens connections when they are needed, none before."""

    def __init__(self, dsn: str, size: int, **options: Any) -> None:
        super().__init__(
            dsn,
            min_size=0,  # so that there is a pool while there is no PostgreSQL
            max_size=size,
            max_queries=50_000,
            max_inactive_connection_lifetime=_IDLE,
            reset=_keep,
            loop=None,
            connection_class=asyncpg.Connection,
            record_class=asyncpg.Record,
            **options,
        )
        self._admission = ConnectionQueue(size, patience=_PATIENCE, limit=_LIMIT)

    async def acquire(self) -> Connection:  # type: ignore[override]  # Tortoise awaits it, and says nothing more
        """A connection, within the line's own time.

        Raises:
            NoConnectionError: there is none.
        """
        try:
            deadline = await self._admission.enter()
        except QueueStalledError:
            raise NoConnectionError("All connections to the database are busy.") from None
        try:
            # One deadline for both waits, or those who waited in vain once would do so again.
            async with self._admission.within(deadline):
                connection = await super().acquire()
        except BaseException as error:
            self._admission.leave()
            if isinstance(error, _LOST):
                if self.get_size() == 0:
                    self._admission.dismiss()  # or all who wait would find out one after another
                raise NoConnectionError(f"{type(error).__name__}: {error}") from error
            raise
        self._admission.served()
        return connection

    async def release(self, connection: Connection) -> None:  # type: ignore[override]  # as Tortoise calls it
        """Take a connection back; one that cannot be used any more is closed, and that is no error of its user's."""
        try:
            with contextlib.suppress(*_LOST):
                await super().release(connection, timeout=_PATIENCE)
        finally:
            self._admission.leave()

    async def forsake_after(self, connection: asyncpg.Connection | Connection, error: BaseException) -> bool:
        """Whether the error says that the connection is of no use any more; then it is closed, rather than asked."""
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, (TimeoutError, asyncpg.ReadOnlySQLTransactionError)):
            cause = cause.__cause__
        if cause is None:
            return False
        if not isinstance(cause, TimeoutError):
            await self.expire_connections()  # a server that was demoted: all of them lead there
        with contextlib.suppress(asyncpg.InterfaceError):  # it is closed already
            connection.terminate()
        return True


async def _keep(connection: asyncpg.Connection) -> None:
    """In place of asyncpg's reset, a second round trip after each statement.

    Nobody here leaves anything on a connection: no LISTEN, no SET, no cursor, no lock of a session. A transaction that
    is still open has been rolled back when this is called.
    """


class _Borrowed(PoolConnectionWrapper[Connection]):
    """A connection for one statement."""

    async def __aexit__(self, exc_type: Any, exc_val: Any, exc_tb: Any) -> None:
        if exc_val is not None and self.connection is not None:
            await self.client._pool.forsake_after(self.connection, exc_val)
        await super().__aexit__(exc_type, exc_val, exc_tb)


class _Transaction(TransactionContextPooled):
    """A connection for one transaction; given back also when BEGIN fails, which Tortoise 1.1.9 forgets."""

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
        pool: _Pool | None = self.client._parent._pool  # type: ignore[assignment]  # PostgresClient makes no other
        if exc_val is not None and pool and await pool.forsake_after(self.client._connection, exc_val):
            self.client._finalized = True  # PostgreSQL rolls back what its client has left
        await super().__aexit__(exc_type, exc_val, exc_tb)


class PostgresClient(AsyncpgDBClient):
    """Tortoise's connection `postgres`: a pool that asyncpg makes from the DATABASE_URL as it was written."""

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
            timeout=_CONNECT,
            command_timeout=self._limits.client,
            server_settings=server_settings(self._dsn, self._limits),
        )
        await self._post_connect()

    def acquire_connection(self) -> PoolConnectionWrapper[Connection]:
        return _Borrowed(self, self._pool_init_lock)

    def _in_transaction(self) -> TransactionContext:
        return _Transaction(TransactionWrapper(self), self._pool_init_lock)


def server_settings(dsn: str, limits: Limits) -> dict[str, str]:
    """What each connection starts with; what the DATABASE_URL says itself is left to it."""
    ours = {
        "application_name": "darkroom",
        "statement_timeout": f"{limits.statement * 1000:.0f}",
        "lock_timeout": f"{limits.lock * 1000:.0f}",
        "idle_in_transaction_session_timeout": f"{limits.idle * 1000:.0f}",
    }
    theirs = parse_qs(urlsplit(dsn).query)
    return {name: value for name, value in ours.items() if name not in theirs}


client_class = PostgresClient
