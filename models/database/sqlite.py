"""SQLite as Tortoise's backend: transactions take the write lock at once, and release everything on failure."""

from tortoise.backends.base.client import TransactionalDBClient, TransactionContext
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


class DarkroomSqliteClient(SqliteClient):
    """Tortoise's connection `sqlite`."""

    def _in_transaction(self) -> TransactionContext:
        return _Transaction(_Immediate(self), self._lock)


client_class = DarkroomSqliteClient
