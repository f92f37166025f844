"""Finds the migrations that a database lacks, and applies them in a process of their own (upgrade.py)."""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Collection, Iterable
from pathlib import Path

import asyncpg
from tortoise.exceptions import OperationalError

from models.database.connection import is_postgres, rows, sqlite_path
from models.database.postgres import server_settings

ROOT = Path(__file__).parents[2]
LOCATION = ROOT / "migrations"
_APPLIED = "SELECT version FROM aerich WHERE app = 'models'"
_CONNECT_SECONDS = 10.0
_BUSY_SECONDS = 20.0  # to wait for another process's write, as models/database/connection.py does
_NO_TABLE = "no such table"  # SQLite has one code for all errors in a statement


class DatabaseUnreachableError(Exception):
    """The database cannot be opened; the message is one line with the cause."""

    def __init__(self, cause: Exception | str) -> None:
        text = cause if isinstance(cause, str) else f"{type(cause).__name__}: {cause}"
        super().__init__(text.splitlines()[0])


class MigrationError(Exception):
    """A migration failed, or the process that applies them; the message is one line with the migration's name."""


async def migrate(url: str, only: Collection[str] | None = None) -> list[str]:
    """Apply missing migrations, once however many processes start at the same time, and return their names.

    A database that has all of them costs one statement. Opens and closes connections of its own. `only`: no others,
    for the tables of an earlier release.

    Raises:
        DatabaseUnreachableError: the database cannot be opened.
        MigrationError: a migration failed.
    """
    missing = _missing(await applied_migrations(url))
    if not (missing if only is None else set(missing) & set(only)):
        return []
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "models.database.upgrade"),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    given = {"url": url, "only": None if only is None else sorted(only)}
    output, _ = await process.communicate(json.dumps(given).encode())
    if process.returncode != 0:
        raise MigrationError(f"the process that applies migrations ended with {process.returncode}")
    result = json.loads(output)
    if "unreachable" in result:
        raise DatabaseUnreachableError(result["unreachable"])
    if "failed" in result:
        raise MigrationError(f"migration {result['failed']} failed: {result['problem']}")
    names: list[str] = result["applied"]
    return names


async def applied_migrations(url: str) -> set[str]:
    """Return the names of the migrations that a database has. Raises DatabaseUnreachableError."""
    return await _applied_in_postgres(url) if is_postgres(url) else _applied_in_sqlite(sqlite_path(url))


async def connect(url: str) -> asyncpg.Connection:
    """Open a connection to PostgreSQL. Raises DatabaseUnreachableError."""
    try:
        return await asyncpg.connect(url, timeout=_CONNECT_SECONDS, server_settings=server_settings(url))
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise DatabaseUnreachableError(error) from error


async def _applied_in_postgres(url: str) -> set[str]:
    connection = await connect(url)
    try:
        return {row["version"] for row in await connection.fetch(_APPLIED, timeout=_CONNECT_SECONDS)}
    except asyncpg.UndefinedTableError:
        return set()
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise DatabaseUnreachableError(error) from error
    finally:
        await connection.close()


def _applied_in_sqlite(path: Path) -> set[str]:
    """Return the applied migrations; none if the file does not exist yet."""
    import sqlite3  # 1.3 MiB, which a server on PostgreSQL does not need

    if not os.path.lexists(path):  # False also where its folder cannot be read, which the upgrade reports
        return set()
    # For writing, as far as the file allows: what a killed process has left is rolled back first.
    address = f"{path.absolute().as_uri()}?mode=rw"
    try:
        with contextlib.closing(sqlite3.connect(address, uri=True, timeout=_BUSY_SECONDS)) as connection:
            return {version for (version,) in connection.execute(_APPLIED)}
    except sqlite3.Error as error:
        if _NO_TABLE in str(error):
            return set()
        raise DatabaseUnreachableError(error) from error


async def missing_migrations() -> list[str]:
    """Return the names of migrations missing in the open database; all of them if it is empty.

    Raises:
        OperationalError, OSError, asyncpg.PostgresError: the database does not respond; nothing is known.
    """
    try:
        applied = {row["version"] for row in await rows(_APPLIED)}
    except OperationalError as error:
        if not (isinstance(error.__cause__, asyncpg.UndefinedTableError) or _NO_TABLE in str(error)):
            raise
        applied = set()
    return _missing(applied)


def _missing(applied: set[str]) -> list[str]:
    return [name for name in all_migrations() if name not in applied]


def all_migrations() -> list[str]:
    """Return the names of all migrations, in the order of their numbers."""
    return by_number(path.name for path in (LOCATION / "models").glob("[0-9]*_*.py"))


def by_number(names: Iterable[str]) -> list[str]:
    """Return the names of migrations in the order of their numbers."""
    return sorted(names, key=lambda name: int(name.partition("_")[0]))
