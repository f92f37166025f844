"""One PostgreSQL database for all tests of a process, reset for each: a copy would take seven megabytes of disk."""

import asyncio
import io
import os
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import asyncpg

from tests.support.servers import PostgresServer

T = TypeVar("T")

_CLOSE_CONNECTIONS = """
SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""

# Every change of a definition writes or removes a row in these catalogs; changes of table rows do not.
_DEFINITIONS = {
    "attribute": "attrelid >= 16384",  # the first id of user-defined objects
    "constraint": "true",
    "index": "indexrelid >= 16384",
    "trigger": "true",
    "proc": "oid >= 16384",
    "namespace": "true",
    "db_role_setting": "true",
}
_FINGERPRINT = " UNION ALL ".join(
    f"SELECT '{name}', count(*), max(xmin::text::bigint) FROM pg_{name} WHERE {condition}"  # noqa: S608 - the lines above
    for name, condition in _DEFINITIONS.items()
)
# ANALYZE changes query plans, and tables with many dead rows are slow.
_FINGERPRINT += """ UNION ALL
SELECT 'statistics', sum(reltuples)::bigint, div(sum(pg_relation_size(oid)), 1048576)::bigint
FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"""

# Referenced tables are older than those that reference them, so this order satisfies foreign keys.
_TABLES = """
SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY oid
"""


# Of a connection that a test closed with all others.
_CLOSED = (asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError, asyncpg.InterfaceError, OSError)


class ReusedDatabase:
    """A copy of `template`; it is replaced after a test that changes definitions or leaves a megabyte of rows.

    The connection that resets it stays open between tests: a new one needs longer to read what the tables are like
    than to compare and restore their rows.
    """

    def __init__(self, server: PostgresServer, template: str) -> None:
        self._server = server
        self._template = template
        self._thread = ThreadPoolExecutor(1)  # a loop may be running in the caller's
        self._runner: asyncio.Runner | None = None
        self._connection: asyncpg.Connection | None = None
        self._name = f"{template}_{os.getpid()}"
        self._definitions: list[asyncpg.Record] | None = None  # None: not created yet
        self._rows: dict[str, bytes] = {}  # the template's rows by table, in COPY format
        self._states = ""  # a query for each table's fingerprint, which changes with its rows
        self._state: list[asyncpg.Record] = []

    def fresh_url(self) -> str:
        """Return the URL of the database, with the template's content and no open connections but this object's."""
        if self._definitions is None or not self._run(self._restore):
            self._run(self._disconnect)
            self._server.create_database(self._name, self._template)
            self._run(self._snapshot)
        return self._server.url(self._name)

    def close(self) -> None:
        """Close the connection and the thread; to be called before the server stops."""
        self._run(self._disconnect)
        if self._runner is not None:
            self._thread.submit(self._runner.close).result()
        self._thread.shutdown()

    def _run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        def run() -> T:
            self._runner = self._runner or asyncio.Runner()
            return self._runner.run(work())

        return self._thread.submit(run).result()

    async def _connect(self) -> asyncpg.Connection:
        if self._connection is None:
            self._connection = await asyncpg.connect(self._server.url(self._name))
        return self._connection

    async def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def _snapshot(self) -> None:
        connection = await self._connect()
        tables = [table for (table,) in await connection.fetch(_TABLES)]
        self._states = " UNION ALL ".join(
            f"SELECT '{table}', count(*), max(xmin::text::bigint) FROM \"{table}\""  # noqa: S608 - our own tables
            for table in tables
        )
        self._state = await connection.fetch(self._states)
        for table, count, _ in self._state:
            if count:
                copy = io.BytesIO()
                await connection.copy_from_table(table, output=copy, format="binary")
                self._rows[table] = copy.getvalue()
        self._definitions = await connection.fetch(_FINGERPRINT)

    async def _restore(self) -> bool:
        """Restore the template's rows; return False if a new copy is needed."""
        try:
            connection = await self._connect()
            await connection.execute(_CLOSE_CONNECTIONS)
        except _CLOSED:
            await self._disconnect()
            connection = await self._connect()
            await connection.execute(_CLOSE_CONNECTIONS)
        if await connection.fetch(_FINGERPRINT) != self._definitions:
            return False
        now = await connection.fetch(self._states)
        changed = [row[0] for row, before in zip(now, self._state, strict=True) if row != before]
        if changed:
            async with connection.transaction():
                # Foreign keys are not checked meanwhile; the restored rows satisfy them again.
                await connection.execute("SET LOCAL session_replication_role = replica")
                for table in changed:
                    await connection.execute(f'DELETE FROM "{table}"')  # noqa: S608 - our own tables
                for table in changed:
                    if table in self._rows:
                        await connection.copy_to_table(table, source=io.BytesIO(self._rows[table]), format="binary")
            self._state = await connection.fetch(self._states)
        return True
