"""Read-only queries over whole tables, each on a connection of its own and with a deadline.

The pool's connections are for short statements, and SQLite's single connection would block all requests.
"""

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any, overload

import asyncpg

from models.database.connection import in_dialect, is_postgres, sqlite_path
from models.database.connection_pool import CONNECTION_ERRORS
from models.database.replica import CAUGHT_UP, ReadReplica
from telemetry import metric

_CONNECT = 10.0  # seconds
_THREADS = 4  # of SQLite: the queries of analytics, and one of the audit
_BUSY = 5.0  # seconds that SQLite waits for a checkpoint of the write-ahead log


class QueryTimeoutError(Exception):
    """The query did not finish in time."""


class ReadOnlyDatabase:
    """Runs statements in the syntax of `models.database.connection.rows`. `seconds`: the deadline of each.

    `replica`: where they are run if it lags by a few seconds at most.
    """

    def __init__(self, url: str, seconds: float, replica: ReadReplica | None = None) -> None:
        self._url = url
        self._replica = replica
        self._seconds = seconds
        # Threads of their own: these queries take up to a minute, and the event loop's threads read and write files.
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="read-only")

    async def rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """Return the rows of one SELECT.

        Raises:
            QueryTimeoutError: it did not finish in time.
        """
        if is_postgres(self._url):
            statement = in_dialect(sql, "postgres")
            found = await self._query_replica(statement, values)
            return await self._query_postgres(self._url, statement, values) if found is None else found
        return await self._query_sqlite(in_dialect(sql, "sqlite"), values)

    async def _query_replica(self, sql: str, values: tuple[Any, ...]) -> list[dict[str, Any]] | None:
        """Return the rows from the replica; None: the primary must be queried."""
        replica, position = self._replica, self._replica.position if self._replica else None
        if replica is None or position is None:
            return None
        try:
            found = await self._query_postgres(replica.url, sql, values, position)
        except CONNECTION_ERRORS as error:
            replica.note_failure(error)
            return None
        metric.replica_reads.labels("behind" if found is None else "replica").inc()
        return found

    @overload
    async def _query_postgres(self, url: str, sql: str, values: tuple[Any, ...]) -> list[dict[str, Any]]: ...

    @overload
    async def _query_postgres(
        self, url: str, sql: str, values: tuple[Any, ...], position: str
    ) -> list[dict[str, Any]] | None: ...

    async def _query_postgres(
        self, url: str, sql: str, values: tuple[Any, ...], position: str | None = None
    ) -> list[dict[str, Any]] | None:
        """Return the rows; None: the server has not replayed the primary's log up to `position`."""
        connection = await asyncpg.connect(
            url,
            timeout=_CONNECT,
            command_timeout=self._seconds + 1,
            server_settings={
                "application_name": "darkroom audit",
                "statement_timeout": f"{self._seconds * 1000:.0f}",
                "default_transaction_read_only": "on",
            },
        )
        try:
            if position is not None and not await connection.fetchval(CAUGHT_UP, position):
                return None
            return [dict(row) for row in await connection.fetch(sql, *values)]
        except (asyncpg.QueryCanceledError, TimeoutError) as error:
            raise QueryTimeoutError from error
        finally:
            connection.terminate()  # it may still be busy, and a regular close would wait for it

    async def _query_sqlite(self, sql: str, values: tuple[Any, ...]) -> list[dict[str, Any]]:
        import sqlite3  # 1.3 MiB, which a server on PostgreSQL does not need

        address = f"{sqlite_path(self._url).absolute().as_uri()}?mode=ro"
        connection = sqlite3.connect(address, uri=True, timeout=_BUSY, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        reading = asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: [*map(dict, connection.execute(sql, values))]
        )
        try:
            done, _ = await asyncio.wait([reading], timeout=self._seconds)
            if not done:
                raise QueryTimeoutError
            return reading.result()
        finally:
            connection.interrupt()  # ends the thread at once, also after a cancellation
            with contextlib.suppress(Exception):
                await asyncio.wait([reading])
            connection.close()
            if reading.done() and not reading.cancelled():
                reading.exception()  # mark as retrieved
