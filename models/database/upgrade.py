"""Applies missing migrations by aerich, under a lock. Runs as a process of its own, whose memory ends with it.

Standard input: one JSON object, {"url": the database's, "only": [names] or null}. Standard output: another one,
{"applied": [names]}, {"unreachable": message} or {"failed": name, "problem": message}.
"""

import asyncio
import contextlib
import fcntl
import json
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import AsyncIterator, Collection, Iterator
from pathlib import Path
from typing import Any

from aerich import Command
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.exceptions import DBConnectionError, OperationalError

from models.database.connection import is_postgres, migration_config, sqlite_path
from models.database.migrate import LOCATION, DatabaseUnreachableError, connect
from models.database.postgres import MIGRATION_LIMITS

_LOCK_KEY = 4_077_010_001  # any constant that no other application with advisory locks in this database uses
_LOCK_SECONDS = 60.0  # to wait for another process's migration
_MAX_PROBLEM = 500  # characters


@contextlib.asynccontextmanager
async def _postgres_lock(url: str) -> AsyncIterator[None]:
    connection = await connect(url)
    try:
        # Session-scoped: released when the process dies.
        try:
            await connection.execute("SELECT pg_advisory_lock($1)", _LOCK_KEY, timeout=_LOCK_SECONDS)
        except TimeoutError:
            raise DatabaseUnreachableError(f"another process has migrated it for {_LOCK_SECONDS:.0f} s") from None
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


class FailedMigrationError(Exception):
    """One migration failed: its name, and why, in one line."""

    def __init__(self, name: str, cause: Exception) -> None:
        text = " ".join(f"{type(cause).__name__}: {cause}".split())
        super().__init__(text[:_MAX_PROBLEM])
        self.name = name


class _NamedCommand(Command):
    """Aerich, which says which migration failed."""

    async def _upgrade(self, conn: BaseDBAsyncClient, version_file: str, *rest: Any, **more: Any) -> None:
        try:
            await super()._upgrade(conn, version_file, *rest, **more)
        except Exception as error:
            raise FailedMigrationError(version_file, error) from error


@contextlib.contextmanager
def _location(only: Collection[str] | None) -> Iterator[Path]:
    """Return the folder of migrations; with `only`, a temporary one of these alone."""
    if only is None:
        yield LOCATION
        return
    with tempfile.TemporaryDirectory(prefix="darkroom-migrations-") as folder:
        (Path(folder) / "models").mkdir()
        for path in (LOCATION / "models").glob("*.py"):
            if path.name in only or not path.name[0].isdigit():
                shutil.copy(path, Path(folder) / "models")
        yield Path(folder)


@contextlib.asynccontextmanager
async def _connections() -> AsyncIterator[None]:
    """Close them also if aerich does not start: SQLite's has a thread, without whose end no process ends.

    Raises:
        DatabaseUnreachableError: the database, or its file, cannot be used.
    """
    try:
        yield
    except (DBConnectionError, OperationalError, OSError, sqlite3.Error) as error:
        raise DatabaseUnreachableError(error) from error
    finally:
        await Command.aclose()


async def upgrade(url: str, only: Collection[str] | None = None) -> list[str]:
    """Apply missing migrations under a lock, which aerich does not have, and return their names.

    Raises:
        DatabaseUnreachableError: the database cannot be opened, or another process migrates for too long.
        FailedMigrationError: a migration failed.
    """
    lock = _postgres_lock(url) if is_postgres(url) else _file_lock(Path(f"{sqlite_path(url)}.migrating"))
    config = migration_config(url, MIGRATION_LIMITS)
    with _location(only) as location:
        async with lock, _connections(), _NamedCommand(config, app="models", location=str(location)) as command:
            applied: list[str] = await command.upgrade(run_in_transaction=True)
            return applied


def main() -> None:
    try:
        given = json.loads(sys.stdin.read())
        result: dict[str, object] = {"applied": asyncio.run(upgrade(given["url"], given["only"]))}
    except DatabaseUnreachableError as error:
        result = {"unreachable": str(error)}
    except FailedMigrationError as error:
        result = {"failed": error.name, "problem": str(error)}
    sys.stdout.write(json.dumps(result))


if __name__ == "__main__":
    main()
