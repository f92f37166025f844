"""Copies of all tables of PostgreSQL: written from one snapshot, and loaded in one transaction, by COPY."""

import contextlib
from collections.abc import AsyncIterator, Collection, Iterable
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import asyncpg

from models.database.connection import in_dialect
from models.database.file_copy import CopyError, one_line
from models.database.migrate import connect

_LOCK = "10s"  # to wait for transactions of processes that should have been stopped
_COLUMNS = """
    SELECT c.relname AS name, array_agg(a.attname::text ORDER BY a.attnum) AS columns
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
        AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
    GROUP BY c.relname
"""
_REFERENCES = """
    SELECT conrelid::regclass::text AS name, confrelid::regclass::text AS referred
    FROM pg_constraint WHERE contype = 'f' AND connamespace = current_schema()::regnamespace
"""
_SEQUENCES = """
    SELECT a.attname AS name, pg_get_serial_sequence(quote_ident($1), a.attname) AS sequence
    FROM pg_attribute a WHERE a.attrelid = to_regclass(quote_ident($1)) AND a.attnum > 0 AND NOT a.attisdropped
"""
# What a role must be able to change for a restore, with the migrations that come with it.
_CLOSED = """
    SELECT current_user || ' may not create tables' AS problem
    WHERE NOT COALESCE(has_schema_privilege(current_schema(), 'CREATE'), FALSE)
    UNION ALL
    SELECT current_user || ' does not own ' || relname FROM pg_class
    WHERE relnamespace = current_schema()::regnamespace AND relname = ANY($1) AND NOT pg_has_role(relowner, 'USAGE')
    LIMIT 1
"""
_LOST = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, ConnectionError)


class Snapshot:
    """One moment of a database, which later commits do not change."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """Return the rows of one SELECT, in the syntax of `models.database.connection.rows`."""
        return [dict(row) for row in await self._connection.fetch(in_dialect(sql, "postgres"), *values)]

    async def write(self, folder: Path, names: Collection[str]) -> dict[str, int]:
        """Write a file for each of the tables into `folder`, and return the numbers of their rows."""
        written = {}
        for name, columns in (await _tables(self._connection, names)).items():
            query = f"SELECT {_quoted(columns)} FROM {_quoted([name])}"  # noqa: S608 - names from the catalogue
            status = await self._connection.copy_from_query(query, output=folder / f"{name}.copy")
            (folder / f"{name}.columns").write_text("\n".join(columns), encoding="utf-8")
            written[name] = int(status.split()[-1])
        return written


@contextlib.asynccontextmanager
async def snapshot(url: str) -> AsyncIterator[Snapshot]:
    """Open a snapshot, while the server works.

    Raises:
        CopyError: the connection was lost, or the role may not read a table.
        DatabaseUnreachableError: the database cannot be opened.
    """
    connection = await connect(url)
    try:
        await _without_limits(connection)
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            await connection.execute("SELECT 1")  # the snapshot is of the first statement
            yield Snapshot(connection)
    except _LOST as error:
        raise CopyError(one_line(error)) from error
    finally:
        await connection.close()


async def load(url: str, folder: Path, expected: dict[str, int]) -> None:
    """Replace the rows of all tables by those in `folder`, in one transaction: all of them or none.

    Raises:
        CopyError: a file has another number of rows than `expected`, or does not fit to its table.
        DatabaseUnreachableError: the database cannot be opened.
    """
    connection = await connect(url)
    try:
        await _without_limits(connection)
        async with connection.transaction():
            await connection.execute(f"SET LOCAL lock_timeout = '{_LOCK}'")
            tables = await _in_order(connection, expected)
            if set(tables) != set(expected):
                raise CopyError(f"other tables: {', '.join(sorted(set(tables) ^ set(expected)))}")
            # Triggers guard changes, of which loading is none; foreign keys are still checked.
            for name in tables:
                await connection.execute(f"ALTER TABLE {_quoted([name])} DISABLE TRIGGER USER")
            await connection.execute(f"TRUNCATE {_quoted(tables)}")
            for name in tables:
                columns = (folder / f"{name}.columns").read_text(encoding="utf-8").split("\n")
                status = await connection.copy_to_table(name, source=folder / f"{name}.copy", columns=columns)
                if int(status.split()[-1]) != expected[name]:
                    raise CopyError(f"{name} has {status.split()[-1]} rows instead of {expected[name]}")
            for name in tables:
                await _advance_sequences(connection, name)
                await connection.execute(f"ALTER TABLE {_quoted([name])} ENABLE TRIGGER USER")
    except asyncpg.LockNotAvailableError:
        raise CopyError("the tables are in use: stop every server and worker first") from None
    except _LOST as error:
        raise CopyError(one_line(error)) from error
    finally:
        await connection.close()


async def check_owner(url: str, names: Iterable[str]) -> None:
    """Check that the role can replace these tables, as far as they exist, and apply migrations.

    Raises:
        CopyError: it is another role.
        DatabaseUnreachableError: the database cannot be opened.
    """
    connection = await connect(url)
    try:
        if problem := await connection.fetchval(_CLOSED, list(names)):
            raise CopyError(f"{problem}: restore as the role that applies migrations")
    except _LOST as error:
        raise CopyError(one_line(error)) from error
    finally:
        await connection.close()


async def _without_limits(connection: asyncpg.Connection) -> None:
    """Lift the limits that the role may have for requests: whole tables take longer."""
    await connection.execute("SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0")


async def _tables(connection: asyncpg.Connection, names: Collection[str]) -> dict[str, list[str]]:
    """Return those of the tables that exist, with the columns that are not generated."""
    found = {row["name"]: row["columns"] for row in await connection.fetch(_COLUMNS)}
    return {name: found[name] for name in sorted(names) if name in found}


async def _in_order(connection: asyncpg.Connection, names: Collection[str]) -> list[str]:
    """Return the tables, each after those that it refers to."""
    tables = await _tables(connection, names)
    graph: dict[str, set[str]] = {name: set() for name in tables}
    for row in await connection.fetch(_REFERENCES):
        name, referred = row["name"].strip('"'), row["referred"].strip('"')
        if name != referred and name in graph and referred in graph:
            graph[name].add(referred)
    return list(TopologicalSorter(graph).static_order())


async def _advance_sequences(connection: asyncpg.Connection, table: str) -> None:
    for row in await connection.fetch(_SEQUENCES, table):
        if row["sequence"] is not None:
            column, name = _quoted([row["name"]]), _quoted([table])
            newest = f"(SELECT MAX({column}) FROM {name})"  # noqa: S608 - names from the catalogue
            await connection.execute(f"SELECT setval($1, COALESCE({newest}, 1), {newest} IS NOT NULL)", row["sequence"])


def _quoted(names: Iterable[str]) -> str:
    return ", ".join('"' + name.replace('"', '""') + '"' for name in names)
