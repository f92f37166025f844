"""`main.py backup` and `restore` where something fails: one line with the reason, and nothing that looks whole."""

import asyncio
import contextlib
import shutil
import sqlite3
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, BinaryIO

import asyncpg
import pytest

from models.database.connection import is_postgres, open_database, rows
from models.database.migrate import migrate
from services.integrations.storage.local import LocalStorage
from services.operations.backup.manifest import BackupError
from services.operations.backup.restore import Restore
from settings import Settings
from tests.conftest import running
from tests.operations.conftest import Run
from tests.operations.test_backup import fill_little, seen
from tests.support.client import Api, until


@pytest.mark.any_database
async def test_folder_that_no_backup_can_replace_is_refused(
    settings: Settings, tmp_path: Path, command: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    await migrate(settings.database)
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    monkeypatch.chdir(tmp_path / "empty")
    for folder, problem in ((".", f"{tmp_path / 'empty'} is the working folder"), ("/", "/ is a mount point")):
        assert await command(settings, "backup", folder) == (
            1, "", f"backup: {problem}, which a backup cannot replace: name a folder in it.\n"
        )  # fmt: skip
    assert list((tmp_path / "empty").iterdir()) == []
    monkeypatch.chdir(tmp_path)
    assert (await command(settings, "backup", "link"))[0] == 0
    assert (tmp_path / "link" / "manifest.json").is_file()


async def test_backup_of_a_database_that_cannot_be_read_ends_with_the_reason(
    settings: Settings, tmp_path: Path, command: Run
) -> None:
    async with running(settings, idle=True) as server:
        await fill_little(server)
    if not is_postgres(settings.database):
        damage(Path(settings.database.removeprefix("sqlite://")))
        code, _, problem = await command(settings, "backup", str(tmp_path / "backup"))
    else:
        code, _, problem = await lose_connection(command(settings, "backup", str(tmp_path / "backup")), settings)
    assert (code, problem.startswith("backup: the database cannot be copied: ")) == (1, True), problem
    assert len(problem.splitlines()) == 1
    assert not (tmp_path / "backup").exists()


def damage(path: Path) -> None:
    """Overwrite the first page of the accounts."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        ((page,),) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'users'")
        ((size,),) = connection.execute("PRAGMA page_size")
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"?" * size)


async def lose_connection(backup: Coroutine[Any, Any, Any], settings: Settings) -> Any:
    """Begin a backup, and end its connection while it waits for a table."""
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'COPY%'"
    holder, reader = await asyncpg.connect(settings.database), await asyncpg.connect(settings.database)
    try:
        await holder.execute("BEGIN; LOCK TABLE users")
        running_backup = asyncio.create_task(backup)

        async def is_ended() -> bool:
            return bool(await reader.fetch(end))

        await until(is_ended)
        return await running_backup
    finally:
        await holder.close()
        await reader.close()


class _Starting(LocalStorage):
    """A storage in which a worker starts while files are stored."""

    database: str
    _start: asyncio.Task[None] | None = None

    async def put_file(self, key: str, file: BinaryIO, content_type: str) -> None:
        if self._start is None:
            self._start = asyncio.create_task(self._start_worker())
        await self._start
        await super().put_file(key, file, content_type)

    async def _start_worker(self) -> None:
        async with open_database(self.database):
            await rows("INSERT INTO workers (name, concurrency, seen_at) VALUES ('w1', 1, NOW()) RETURNING name")


async def test_worker_that_starts_while_files_are_stored_stops_the_restore(
    settings: Settings, tmp_path: Path, command: Run
) -> None:
    async with running(settings, idle=True) as server:
        ada = await fill_little(server)
        assert (await command(settings, "backup", str(tmp_path / "backup")))[0] == 0
        await ada.create(prompt="A green boat")
        before = await seen(ada)
    shutil.rmtree(settings.data_dir / "files")
    storage = _Starting(settings.data_dir / "files", address="", secret="x" * 32, link_seconds=60)
    storage.database = settings.database
    with pytest.raises(BackupError, match="worker w1 is running: stop every server and worker first"):
        await Restore(settings.database, storage, tmp_path / "backup").run(force=True)
    async with running(settings, idle=True) as server:
        assert await seen(Api(server.api.http, server.api.address, ada.token, ada.user)) == before
