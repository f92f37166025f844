"""Read-only queries over whole tables, each on a connection of its own and with a deadline.

The pool's connections are for short statements, and SQLite's single connection would block all requests.
"""

import asyncio
import contextlib
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import asyncpg

from models.database.connection import in_dialect, is_postgres, sqlite_path

_CONNECT = 10.0  # seconds
_THREADS = 4  # of SQLite: the queries of analytics, and one of the audit
_BUSY = 5.0  # seconds that SQLite waits for a checkpoint of the write-ahead log


class QueryTimeoutError(Exception):
    """The query did not finish in time."""


class ReadOnlyDatabase:
    """Runs statements in the syntax of `models.database.connection.rows`. `seconds`: the deadline of each."""

    def __init__(self, url: str, seconds: float) -> None:
        self._url = url
        self._seconds = seconds
        # Threads of their own: these queries take up to a minute, and the event loop's threads read and write files.
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="read-only")

    async def rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """Return the rows of one SELECT.

        Raises:
            QueryTimeoutError: it did not finish in time.
        """
        if is_postgres(self._url):
            return await self._query_postgres(in_dialect(sql, "postgres"), values)
        return await self._query_sqlite(in_dialect(sql, "sqlite"), values)

    async def _query_postgres(self, sql: str, values: tuple[Any, ...]) -> list[dict[str, Any]]:
        connection = await asyncpg.connect(
            self._url,
            timeout=_CONNECT,
            command_timeout=self._seconds + 1,
            server_settings={
                "application_name": "darkroom audit",
                "statement_timeout": f"{self._seconds * 1000:.0f}",
                "default_transaction_read_only": "on",
            },
        )
        try:
            return [dict(row) for row in await connection.fetch(sql, *values)]
        except (asyncpg.QueryCanceledError, TimeoutError) as error:
            raise QueryTimeoutError from error
        finally:
            connection.terminate()  # it may still be busy, and a regular close would wait for it

    async def _query_sqlite(self, sql: str, values: tuple[Any, ...]) -> list[dict[str, Any]]:
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
