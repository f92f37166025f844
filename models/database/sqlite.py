"""SQLite as Tortoise's backend: transactions take the write lock at once, and failures release everything."""

import sqlite3

import aiosqlite
from tortoise.backends.base.client import ConnectionWrapper, TransactionalDBClient, TransactionContext
from tortoise.backends.sqlite.client import SqliteClient, SqliteTransactionContext, SqliteTransactionWrapper
from tortoise.connection import get_connections


class _Immediate(SqliteTransactionWrapper):
    """BEGIN IMMEDIATE, because a transaction that reads before it writes fails under contention."""

    async def begin(self) -> None:
        await self._connection.commit()
        await self._connection.execute("BEGIN IMMEDIATE")


class _Transaction(SqliteTransactionContext):
    """Releases the process's lock also if BEGIN fails, where Tortoise 1.1.9 keeps it."""

    async def __aenter__(self) -> TransactionalDBClient:
        await self._trxlock.acquire()
        try:
            await self.ensure_connection()
            await self.connection.begin()
        except BaseException:
            self._trxlock.release()
            raise
        self.token = get_connections().set(self.connection_name, self.connection)
        return self.connection  # type: ignore[no-any-return]  # untyped in Tortoise


class _Connection(ConnectionWrapper[aiosqlite.Connection]):
    """Releases the process's lock also if the file cannot be opened, where Tortoise 1.1.9 keeps it."""

    async def __aenter__(self) -> aiosqlite.Connection:
        await self._lock.acquire()
        try:
            await self.ensure_connection()
        except BaseException:
            self._lock.release()
            raise
        return self.connection


class DarkroomSqliteClient(SqliteClient):
    """Tortoise's connection `sqlite`."""

    async def create_connection(self, with_db: bool) -> None:
        """Open the file; if it is no database, end the connection's thread, without which no process ends."""
        # Where the file cannot be opened, aiosqlite does not wait for its thread, which would outlive the event loop.
        sqlite3.connect(self.filename).close()
        try:
            await super().create_connection(with_db)
        except BaseException:
            await self.close()
            raise

    def acquire_connection(self) -> ConnectionWrapper[aiosqlite.Connection]:
        return _Connection(self._lock, self)

    def _in_transaction(self) -> TransactionContext:
        return _Transaction(_Immediate(self), self._lock)


client_class = DarkroomSqliteClient
