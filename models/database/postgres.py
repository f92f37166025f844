"""PostgreSQL as Tortoise's backend: bounded waits, no leaked connections, and none kept that is broken."""

from dataclasses import dataclass
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import (
    PoolConnectionWrapper,
    TransactionalDBClient,
    TransactionContext,
    TransactionContextPooled,
)

from models.database.connection_pool import Connection, ConnectionPool
from models.database.read_groups import ReadGroups
from telemetry import outage
from telemetry.process import process_kind


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


class _SingleStatement(PoolConnectionWrapper[Connection]):
    """A connection for one statement."""

    async def __aexit__(self, exc_type: Any, exc_val: Any, exc_tb: Any) -> None:
        if exc_val is not None and self.connection is not None:
            self.client._pool.discard_after(self.connection, exc_val)
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
        pool: ConnectionPool | None = self.client._parent._pool  # type: ignore[assignment]  # PostgresClient creates no other
        if exc_val is not None and pool and pool.discard_after(self.client._connection, exc_val):
            self.client._finalized = True  # PostgreSQL rolls back when the client disconnects
        await super().__aexit__(exc_type, exc_val, exc_tb)


class PostgresClient(AsyncpgDBClient):
    """Tortoise's connection `postgres`: a pool that asyncpg opens from the unmodified DATABASE_URL."""

    _pool: ConnectionPool | None  # type: ignore[assignment]  # Tortoise names asyncpg's, and uses what this has, too

    def __init__(self, dsn: str, pool_size: int, limits: Limits, group_size: int, **options: Any) -> None:
        super().__init__(**options)
        self._dsn = dsn
        self._size = pool_size
        self._group_size = group_size
        self._limits = limits
        self._groups: ReadGroups | None = None

    async def create_connection(self, with_db: bool) -> None:
        self._pool = ConnectionPool(
            self._dsn,
            self._size,
            self._limits.client,
            outage.DATABASE,
            server_settings=server_settings(self._dsn, self._limits),
        )
        self._groups = ReadGroups(self._pool, self._group_size)
        await self._post_connect()

    async def pool(self) -> ConnectionPool:
        """Return the pool, which Tortoise makes when it is first used."""
        if self.open_pool is None:
            async with self._pool_init_lock:
                if self.open_pool is None:
                    await self.create_connection(with_db=True)
        assert self.open_pool is not None  # noqa: S101 - made above
        return self.open_pool

    async def read_groups(self) -> ReadGroups:
        """Return the groups of reads, which are made with the pool."""
        await self.pool()
        assert self.open_groups is not None  # noqa: S101 - made with the pool
        return self.open_groups

    @property
    def open_groups(self) -> ReadGroups | None:
        """The groups of reads, if the pool was used before."""
        return self._groups if self._pool is not None else None

    @property
    def open_pool(self) -> ConnectionPool | None:
        """The pool, if it was used before."""
        return self._pool

    def acquire_connection(self) -> PoolConnectionWrapper[Connection]:
        return _SingleStatement(self, self._pool_init_lock)

    def _in_transaction(self) -> TransactionContext:
        return _Transaction(TransactionWrapper(self), self._pool_init_lock)


def server_settings(dsn: str, limits: Limits | None = None) -> dict[str, str]:
    """Return the settings of each connection; those in the DATABASE_URL take precedence. `limits` None: the role's."""
    defaults = {"application_name": f"darkroom {process_kind()}"}
    if limits is not None:
        defaults |= {
            "statement_timeout": f"{limits.statement * 1000:.0f}",
            "lock_timeout": f"{limits.lock * 1000:.0f}",
            "idle_in_transaction_session_timeout": f"{limits.idle * 1000:.0f}",
        }
    given = parse_qs(urlsplit(dsn).query)
    return {name: value for name, value in defaults.items() if name not in given}


client_class = PostgresClient
