"""Applies migrations, once, however many processes start at the same time."""

import asyncio
import contextlib
import fcntl
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
from aerich import Command
from tortoise.exceptions import OperationalError

from models.database.connection import is_postgres, rows, sqlite_path, tortoise_config
from models.database.postgres import MIGRATION_LIMITS

LOCATION = Path(__file__).parents[2] / "migrations"
_LOCK_KEY = 4_077_010_001  # any constant that no other application with advisory locks in this database uses
_CONNECT_SECONDS = 10.0
_LOCK_SECONDS = 60.0  # to wait for another process's migration


class DatabaseUnreachableError(Exception):
    """The database cannot be opened; the message is one line with the cause."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(f"{type(cause).__name__}: {cause}".splitlines()[0])


@contextlib.asynccontextmanager
async def _postgres_lock(url: str) -> AsyncIterator[None]:
    try:
        connection = await asyncpg.connect(url, timeout=_CONNECT_SECONDS)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise DatabaseUnreachableError(error) from error
    try:
        # Session-scoped: released when the process dies.
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK_KEY, timeout=_LOCK_SECONDS)
        yield
    finally:
        await connection.close()


@contextlib.asynccontextmanager
async def _file_lock(path: Path) -> AsyncIterator[None]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = path.open("w")
    except OSError as error:
        raise DatabaseUnreachableError(error) from error
    with handle:
        await asyncio.to_thread(fcntl.flock, handle, fcntl.LOCK_EX)
        yield


async def migrate(url: str) -> list[str]:
    """Apply missing migrations under a lock, which aerich does not have, and return their names.

    Opens and closes connections of its own: call it before `open_database`.

    Raises:
        DatabaseUnreachableError: the database cannot be opened.
    """
    lock = _postgres_lock(url) if is_postgres(url) else _file_lock(Path(f"{sqlite_path(url)}.migrating"))
    async with lock:
        # In a task of its own: aerich leaves its Tortoise context in the context in which it ran.
        return await asyncio.create_task(_upgrade(url))


async def _upgrade(url: str) -> list[str]:
    async with Command(tortoise_config(url, limits=MIGRATION_LIMITS), app="models", location=str(LOCATION)) as command:
        applied: list[str] = await command.upgrade(run_in_transaction=True)
        return applied


async def missing_migrations() -> list[str]:
    """Return the names of migrations missing in the open database; all of them if it is empty.

    Raises:
        OperationalError, OSError, asyncpg.PostgresError: the database does not respond; nothing is known.
    """
    try:
        seen = {row["version"] for row in await rows("SELECT version FROM aerich WHERE app = $1", "models")}
    except OperationalError as error:
        # SQLite has one code for all errors in a statement.
        if not (isinstance(error.__cause__, asyncpg.UndefinedTableError) or "no such table" in str(error)):
            raise
        seen = set()
    return [name for name in all_migrations() if name not in seen]


def all_migrations() -> list[str]:
    """Return the names of all migrations, in the order of their numbers."""
    names = (path.name for path in (LOCATION / "models").glob("[0-9]*_*.py"))
    return sorted(names, key=lambda name: int(name.partition("_")[0]))
