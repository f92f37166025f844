"""One PostgreSQL database for all tests of a process, made as new for each: copies cost seven megabytes of disk."""

import asyncio
import io
import os
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import asyncpg

from tests.support.servers import PostgresServer

_SEND_AWAY = """
SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""

# Every change of a definition writes or removes a row of these; changes of rows in tables leave them alone.
_DEFINITIONS = {
    "attribute": "attrelid >= 16384",  # the first that is ours
    "constraint": "true",
    "index": "indexrelid >= 16384",
    "trigger": "true",
    "proc": "oid >= 16384",
    "namespace": "true",
    "db_role_setting": "true",
}
_FINGERPRINT = " UNION ALL ".join(
    f"SELECT '{name}', count(*), max(xmin::text::bigint) FROM pg_{name} WHERE {ours}"  # noqa: S608 - the lines above
    for name, ours in _DEFINITIONS.items()
)
# After ANALYZE rows are found in other ways, and tables full of rows that are gone are slow.
_FINGERPRINT += """ UNION ALL
SELECT 'statistics', sum(reltuples)::bigint, div(sum(pg_relation_size(oid)), 1048576)::bigint
FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"""

# Parents are older than their children, so this is an order in which foreign keys are content.
_TABLES = """
SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY oid
"""


class ReusedDatabase:
    """A copy of `template`; a test that changes tables themselves, or leaves a megabyte of rows, costs a new one."""

    def __init__(self, server: PostgresServer, template: str) -> None:
        self._server = server
        self._template = template
        self._name = f"{template}_{os.getpid()}"
        self._definitions: list[asyncpg.Record] | None = None  # None: there is no copy yet
        self._rows: dict[str, bytes] = {}  # of each table that is not empty, as COPY writes them
        self._states = ""  # a query: each table, and what tells whether its rows are those of the template
        self._state: list[asyncpg.Record] = []

    def renewed(self) -> str:
        """The URL of the database; in it is what the template has, and nobody is connected to it."""
        if self._definitions is None or not _in_thread(self._renew()):
            self._server.create_database(self._name, self._template)
            _in_thread(self._remember())
        return self._server.url(self._name)

    async def _remember(self) -> None:
        connection = await asyncpg.connect(self._server.url(self._name))
        try:
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
        finally:
            await connection.close()

    async def _renew(self) -> bool:
        """False where only a new copy will do."""
        connection = await asyncpg.connect(self._server.url(self._name))
        try:
            await connection.execute(_SEND_AWAY)
            if await connection.fetch(_FINGERPRINT) != self._definitions:
                return False
            now = await connection.fetch(self._states)
            changed = [row[0] for row, before in zip(now, self._state, strict=True) if row != before]
            if changed:
                async with connection.transaction():
                    # Of references, which come again with the rows, nothing is asked meanwhile.
                    await connection.execute("SET LOCAL session_replication_role = replica")
                    for table in changed:
                        await connection.execute(f'DELETE FROM "{table}"')  # noqa: S608 - our own tables
                    for table in changed:
                        if table in self._rows:
                            await connection.copy_to_table(table, source=io.BytesIO(self._rows[table]), format="binary")
                self._state = await connection.fetch(self._states)
            return True
        finally:
            await connection.close()


def _in_thread(work: Coroutine[Any, Any, Any]) -> Any:
    with ThreadPoolExecutor(1) as thread:  # a loop may be running in this one
        return thread.submit(asyncio.run, work).result()
