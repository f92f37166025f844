"""Backups of the database and the stored files, consistent with each other, made beside running servers.

The database is copied first, as of one moment: bytes are stored before the row that refers to them, so everything that
the copy refers to is in the storage at that moment. What is deleted while it is read is missing afterwards; then the
database is copied again, and only the difference is read.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import os
import shutil
from collections.abc import Coroutine, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import models
from models.database.connection import is_postgres, sqlite_path
from models.database.file_copy import CopiedDatabase, CopyBusyError, CopyError, copy_database, seal
from models.database.migrate import all_migrations
from models.database.table_copy import snapshot
from services.integrations.storage.protocol import MissingObjectError, Storage, StorageError
from services.operations.backup.expected_objects import ExpectedObject, Query, expected_objects
from services.operations.backup.manifest import (
    OBJECT_LIST,
    OBJECTS,
    SQLITE_COPY,
    TABLES,
    BackupError,
    Manifest,
    StoredCopy,
    checksum_of,
    write_objects,
)
from services.operations.invariant import INVARIANTS

ALL_TABLES = frozenset(getattr(models, name)._meta.db_table for name in models.__all__)
_PASSES = 5  # copies of the database until nothing is missing
_READS = 8  # objects at once
_TRIES = 4  # of a read that fails
_PAUSE = 1.0  # seconds before the second try, doubled each time


@dataclass(frozen=True)
class _Copy:
    """A copy of the database."""

    made_at: datetime
    migrations: list[str]
    rows: dict[str, int]
    objects: list[ExpectedObject]
    violations: dict[str, int]


class Backup:
    """Makes one backup in `folder`. `storage` None: only the keys of the objects are written down."""

    def __init__(self, url: str, storage: Storage | None, folder: Path) -> None:
        self._url = url
        self._storage = storage
        self._target = folder.resolve()
        self._folder = self._target.parent / f"{self._target.name}.incomplete"
        self._read: dict[str, StoredCopy] = {}

    async def make(self) -> Manifest:
        """Make the backup, and return its manifest. Until it is complete, the folder has another name.

        Raises:
            BackupError: the folder is not empty, or something cannot be read or written.
            DatabaseUnreachableError: the database cannot be opened.
        """
        try:
            self._check_target()
            with self._own_folder():
                copy = await self._copy_until_complete()
                manifest = self._finish(copy)
                manifest.write(self._folder)
                self._folder.replace(self._target)
                _sync_folder(self._target.parent)
        except CopyBusyError:
            raise BackupError("the database is locked by another process") from None
        except CopyError as error:
            raise BackupError(f"the database cannot be copied: {error}") from error
        except OSError as error:
            raise BackupError(f"{self._folder} cannot be written: {error.strerror or error}") from error
        return manifest

    def _check_target(self) -> None:
        """Raise BackupError if the folder is not empty, or if none that was written beside it can take its place."""
        if not self._target.exists():
            return
        if self._target.is_mount() or self._target == Path.cwd():
            kind = "a mount point" if self._target.is_mount() else "the working folder"
            raise BackupError(f"{self._target} is {kind}, which a backup cannot replace: name a folder in it")
        if not self._target.is_dir() or any(self._target.iterdir()):
            raise BackupError(f"{self._target} exists and is not empty")

    @contextlib.contextmanager
    def _own_folder(self) -> Iterator[None]:
        """Create the folder, without what an interrupted backup left in it, while no other process uses it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BackupError(f"another process is writing {self._folder}") from None
            for entry in self._folder.iterdir():
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
            yield
        finally:
            os.close(descriptor)

    async def _copy_until_complete(self) -> _Copy:
        for _ in range(_PASSES):
            copy = await self._copy_database()
            missing = await self._read_objects(copy.objects)
            if not missing:
                return copy
        names = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
        raise BackupError(f"{len(missing)} objects are not in the storage: {names}; `main.py verify` says more (B2)")

    async def _copy_database(self) -> _Copy:
        made_at = datetime.now(UTC)
        if is_postgres(self._url):
            tables = self._folder / TABLES
            shutil.rmtree(tables, ignore_errors=True)
            tables.mkdir()
            async with snapshot(self._url) as opened:
                rows = await opened.write(tables, ALL_TABLES)
                return await _describe(opened.rows, made_at, rows)
        path = self._folder / SQLITE_COPY
        path.unlink(missing_ok=True)
        await copy_database(sqlite_path(self._url), path)
        await seal(path)
        copied = CopiedDatabase(path)
        return await _describe(copied.rows, made_at, await copied.counts(ALL_TABLES))

    async def _read_objects(self, expected: list[ExpectedObject]) -> list[str]:
        """Read the objects that were not read before; return the keys of those that are required and not there."""
        wanted = {each.key for each in expected}
        for key in self._read.keys() - wanted:
            del self._read[key]
            (self._folder / OBJECTS / key).unlink(missing_ok=True)
        if self._storage is None:
            self._read = {each.key: StoredCopy(each.key, each.content_type) for each in expected if each.is_required}
            return []
        waiting = iter([each for each in expected if each.key not in self._read])
        missing: list[str] = []

        async def read_some(storage: Storage) -> None:
            for each in waiting:
                try:
                    self._read[each.key] = await self._read_object(storage, each)
                except MissingObjectError:
                    if each.is_required:
                        missing.append(each.key)

        await together(read_some(self._storage) for _ in range(_READS))
        return missing

    async def _read_object(self, storage: Storage, expected: ExpectedObject) -> StoredCopy:
        data = await _with_patience(storage, expected.key)
        path = self._folder / OBJECTS / expected.key
        await asyncio.to_thread(_write, path, data)
        return StoredCopy(expected.key, expected.content_type, len(data), hashlib.sha256(data).hexdigest())

    def _finish(self, copy: _Copy) -> Manifest:
        objects = [self._read[key] for key in sorted(self._read)]
        write_objects(self._folder, objects)
        tables = sorted((self._folder / TABLES).glob("*"))
        files = tables or [self._folder / SQLITE_COPY]
        return Manifest(
            made_at=copy.made_at.isoformat(timespec="seconds"),
            database="postgres" if tables else "sqlite",
            migrations=copy.migrations,
            rows=copy.rows,
            checksums={
                str(path.relative_to(self._folder)): checksum_of(path) for path in (*files, self._folder / OBJECT_LIST)
            },
            objects=len(objects),
            object_bytes=None if self._storage is None else sum(each.size or 0 for each in objects),
            violations=copy.violations,
        )


async def _describe(query: Query, made_at: datetime, rows: dict[str, int]) -> _Copy:
    applied = [row["version"] for row in await query("SELECT version FROM aerich WHERE app = 'models' ORDER BY id")]
    # The invariants are of this release's tables.
    broken = await violations(query) if set(applied) == set(all_migrations()) else {}
    return _Copy(made_at, applied, rows, await expected_objects(query), broken)


async def violations(query: Query) -> dict[str, int]:
    """Return the invariants that do not hold, with the number of violations.

    Those about time are left out: what is late in a copy ends once a worker runs on it.
    """
    found = {}
    for invariant in INVARIANTS:
        if "$1" not in invariant.sql and (number := len(await query(invariant.sql))):
            found[invariant.name] = number
    return found


async def _with_patience(storage: Storage, key: str) -> bytes:
    pause = _PAUSE
    for _ in range(_TRIES - 1):
        try:
            return await storage.get(key)
        except MissingObjectError:
            raise
        except StorageError:
            await asyncio.sleep(pause)
            pause *= 2
    try:
        return await storage.get(key)
    except MissingObjectError:
        raise
    except StorageError as error:
        raise BackupError(f"{key} cannot be read: {error}") from error


async def together(works: Iterable[Coroutine[None, None, None]]) -> None:
    """Run all until they end, or one fails: then cancel the others, and raise its error."""
    try:
        async with asyncio.TaskGroup() as group:
            for work in works:
                group.create_task(work)
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
