"""Applies missing migrations by aerich, under a lock. Runs as a process of its own, whose memory ends with it.

Standard input: the database's URL. Standard output: one JSON object, {"applied": [names]} or {"unreachable": message}.
"""

import asyncio
import contextlib
import fcntl
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from aerich import Command

from models.database.connection import is_postgres, migration_config, sqlite_path
from models.database.migrate import LOCATION, DatabaseUnreachableError, connect
from models.database.postgres import MIGRATION_LIMITS

_LOCK_KEY = 4_077_010_001  # any constant that no other application with advisory locks in this database uses
_LOCK_SECONDS = 60.0  # to wait for another process's migration


@contextlib.asynccontextmanager
async def _postgres_lock(url: str) -> AsyncIterator[None]:
    connection = await connect(url)
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


async def upgrade(url: str) -> list[str]:
    """Apply missing migrations under a lock, which aerich does not have, and return their names.

    Raises:
        DatabaseUnreachableError: the database cannot be opened.
    """
    lock = _postgres_lock(url) if is_postgres(url) else _file_lock(Path(f"{sqlite_path(url)}.migrating"))
    config = migration_config(url, MIGRATION_LIMITS)
    async with lock, Command(config, app="models", location=str(LOCATION)) as command:
        applied: list[str] = await command.upgrade(run_in_transaction=True)
        return applied


def main() -> None:
    try:
        result: dict[str, object] = {"applied": asyncio.run(upgrade(sys.stdin.read()))}
    except DatabaseUnreachableError as error:
        result = {"unreachable": str(error)}
    sys.stdout.write(json.dumps(result))


if __name__ == "__main__":
    main()
