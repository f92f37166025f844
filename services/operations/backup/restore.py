"""Restoring a backup: the files first, the database last and in one transaction.

Killed in the middle, the database is as it was, and the storage has objects that no row refers to; both are repaired by
restoring again.
"""

import asyncio
import hashlib
from dataclasses import dataclass
from pathlib import Path

from models.database.connection import is_postgres, open_database, rows, sqlite_path
from models.database.file_copy import CopyBusyError, CopyError, copy_database
from models.database.migrate import all_migrations, applied_migrations, by_number, migrate
from models.database.table_copy import check_owner, load
from services.integrations.storage.protocol import Storage, StorageError
from services.operations.backup.backup import together, violations
from services.operations.backup.manifest import (
    OBJECTS,
    SQLITE_COPY,
    TABLES,
    BackupError,
    Manifest,
    StoredCopy,
    read_objects,
)
from services.operations.storage_comparison import compare_storage

_WRITES = 8  # objects at once
_ALIVE = 30.0  # seconds since a worker's heartbeat
_EMPTY = ("users", "generations", "credit_transactions")  # a database without rows in these has nothing to lose


@dataclass(frozen=True)
class Restored:
    """The result of a restore. `orphans`: objects that no row refers to."""

    stored: int
    migrations: list[str]  # applied after the backup's own
    violations: dict[str, int]
    missing: list[str]  # ids of files without their bytes
    orphans: int


class Restore:
    """Restores one backup from `folder` to a database and a storage."""

    def __init__(self, url: str, storage: Storage, folder: Path) -> None:
        self._url = url
        self._storage = storage
        self._folder = folder

    async def run(self, *, force: bool) -> Restored:
        """Replace the database by the backup's, after storing its files. `force`: also if the database is not empty.

        Raises:
            BackupError: nothing was changed, but for files that were stored; or what was restored cannot be verified.
            DatabaseUnreachableError: the database cannot be opened.
            MigrationError: a migration failed.
        """
        manifest = Manifest.read(self._folder)
        self._check_backup(manifest)
        await self._check_database(manifest, force=force)
        stored = await self._store_objects()
        applied = await self._check_database(manifest, force=force)  # again: storing files may have taken hours
        await self._load(manifest, applied)
        added = await migrate(self._url)
        return await self._verify(stored, added)

    def _check_backup(self, manifest: Manifest) -> None:
        manifest.check_files(self._folder)
        kind = "postgres" if is_postgres(self._url) else "sqlite"
        if manifest.database != kind:
            raise BackupError(f"the backup is of {manifest.database}, the database is {kind}")
        if unknown := [name for name in manifest.migrations if name not in all_migrations()]:
            raise BackupError(f"the backup was made by a later release, which had {unknown[-1]}")

    async def _check_database(self, manifest: Manifest, *, force: bool) -> set[str]:
        """Check that the database can and may be replaced; return the migrations that it has."""
        applied = await applied_migrations(self._url)
        self._check_migrations(manifest, applied)
        if is_postgres(self._url):
            try:
                await check_owner(self._url, manifest.rows)
            except CopyError as error:
                raise BackupError(str(error)) from error
        if applied:
            await self._check_target(force=force)
        return applied

    def _check_migrations(self, manifest: Manifest, applied: set[str]) -> None:
        if is_postgres(self._url) and (later := by_number(applied - set(manifest.migrations))):
            raise BackupError(f"the database has {later[-1]}, the backup has not: restore to a new, empty database")

    async def _check_target(self, *, force: bool) -> None:
        async with open_database(self._url):
            if found := await rows("SELECT name FROM workers WHERE seen_at > LATER($1)", -_ALIVE):
                raise BackupError(f"worker {found[0]['name']} is running: stop every server and worker first")
            if not force:
                for table in _EMPTY:
                    if await rows(f"SELECT 1 AS found FROM {table} LIMIT 1"):  # noqa: S608 - our tables
                        raise BackupError(f"the database is not empty: it has {table}; --force replaces them")

    async def _store_objects(self) -> int:
        """Store the objects that are not there; return their number. Objects never change, so those there are right."""
        try:
            there = await self._storage.keys()
        except StorageError as error:
            raise BackupError(f"the storage does not respond: {error}") from error
        objects = [each for each in read_objects(self._folder) if each.key not in there]
        absent = [each.key for each in objects if each.sha256 is None]
        if absent:
            raise BackupError(f"{len(absent)} objects are neither in the backup nor in the storage: {absent[0]}")
        waiting = iter(objects)

        async def store_some() -> None:
            for each in waiting:
                await self._store(each)

        await together(store_some() for _ in range(_WRITES))
        return len(objects)

    async def _store(self, each: StoredCopy) -> None:
        path = self._folder / OBJECTS / each.key
        try:
            with path.open("rb") as file:
                digest = await asyncio.to_thread(hashlib.file_digest, file, "sha256")
                if digest.hexdigest() != each.sha256:
                    raise BackupError(f"{path} is damaged")
                await self._storage.put_file(each.key, file, each.content_type)
        except OSError as error:
            raise BackupError(f"{path} cannot be read: {error.strerror}") from None
        except StorageError as error:
            raise BackupError(f"{each.key} cannot be stored: {error}") from error

    async def _load(self, manifest: Manifest, applied: set[str]) -> None:
        try:
            if is_postgres(self._url):
                if applied != set(manifest.migrations):
                    await migrate(self._url, only=manifest.migrations)
                await load(self._url, self._folder / TABLES, manifest.rows)
            else:
                path = sqlite_path(self._url)
                path.parent.mkdir(parents=True, exist_ok=True)
                await copy_database(self._folder / SQLITE_COPY, path)
        except CopyBusyError:
            raise BackupError("the database is locked: stop every server and worker first") from None
        except (CopyError, OSError) as error:
            raise BackupError(f"the database was not replaced: {error}") from error

    async def _verify(self, stored: int, added: list[str]) -> Restored:
        async with open_database(self._url):
            # Their bytes are in no backup, and the user can request another.
            await rows("UPDATE data_exports SET state = 'DELETING' WHERE state = 'READY' RETURNING id")
            await rows("DELETE FROM workers RETURNING name")  # of the time of the backup
            found = await violations(rows)
            try:
                orphans, missing = await compare_storage(self._storage.keys)
            except StorageError as error:
                broken = f", and {', '.join(sorted(found))} are violated" if found else ""
                problem = f"restored{broken}, but the storage cannot be compared with it: {error}"
                raise BackupError(problem) from error
        return Restored(stored, added, found, missing, len(orphans))
