"""Copies of a SQLite database, made and loaded by its online backup, beside processes that use it."""

import asyncio
import contextlib
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from models.database.connection import in_dialect

_DONE = 101  # SQLITE_DONE, which Python's module does not name
_PATIENCE = 10.0  # seconds to wait for transactions of other processes


class CopyError(Exception):
    """A database cannot be copied; the message is one line with the reason."""


class CopyBusyError(CopyError):
    """Other processes have kept the database locked for too long."""


def one_line(error: Exception) -> str:
    """Return the text of an error in one line, or its kind if it has none."""
    return " ".join(str(error).split()) or type(error).__name__


@contextlib.contextmanager
def _as_copy_errors(path: Path) -> Iterator[None]:
    import sqlite3  # 1.3 MiB, which a server on PostgreSQL does not need

    try:
        yield
    except sqlite3.Error as error:
        raise CopyError(f"{path}: {one_line(error)}") from error


async def copy_database(source: Path, target: Path) -> None:
    """Copy one moment of a database into another, in one transaction: killed in the middle, the target is as before.

    Raises:
        CopyBusyError: another process does not release its lock.
        CopyError: a file is no database, or cannot be written.
    """
    await asyncio.to_thread(_copy, source, target)


def _copy(source: Path, target: Path) -> None:
    import sqlite3

    deadline = time.monotonic() + _PATIENCE

    def check_deadline(status: int, remaining: int, total: int) -> None:
        if status != _DONE and time.monotonic() > deadline:
            raise CopyBusyError

    with (
        _as_copy_errors(target),
        contextlib.closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=rw", uri=True)) as read,
        contextlib.closing(sqlite3.connect(target)) as written,
    ):
        # All pages in one step: in several, a commit by another process would begin the copy again, for ever.
        read.backup(written, pages=-1, progress=check_deadline, sleep=0.1)


async def seal(path: Path) -> None:
    """Make a copy one file that needs no other beside it, and check it. Raises CopyError."""
    await asyncio.to_thread(_seal, path)


def _seal(path: Path) -> None:
    import sqlite3

    with _as_copy_errors(path), contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        ((found,),) = connection.execute("PRAGMA quick_check(1)")
        if found != "ok":
            raise sqlite3.DatabaseError(found)


class CopiedDatabase:
    """A sealed copy, to read."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """Return the rows of one SELECT, in the syntax of `models.database.connection.rows`. Raises CopyError."""
        return await asyncio.to_thread(self._rows, in_dialect(sql, "sqlite"), values)

    async def counts(self, names: Collection[str]) -> dict[str, int]:
        """Return the numbers of rows of tables."""
        counted = {}
        for name in sorted(names):
            ((found,),) = [row.values() for row in await self.rows(f'SELECT COUNT(*) AS n FROM "{name}"')]  # noqa: S608 - our tables
            counted[name] = found
        return counted

    def _rows(self, sql: str, values: tuple[Any, ...]) -> list[dict[str, Any]]:
        import sqlite3

        address = f"{self._path.absolute().as_uri()}?mode=ro&immutable=1"
        with _as_copy_errors(self._path), contextlib.closing(sqlite3.connect(address, uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(sql, values)]
