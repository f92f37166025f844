"""Removal of discarded files: by several processes, several at once, and no account's behind all of another's."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from models import File
from models.database.connection import rows
from models.enum import FileKind, FileState
from services.core import chore
from services.core.chore import Lane, chore_for_each
from services.integrations.storage.local import LocalStorage
from services.integrations.storage.protocol import StorageError
from services.media.file import FileService
from tests.background.test_sweeper import make_orphan
from tests.conftest import Running
from tests.support.client import Api, until

PATIENCE = 10.0


async def discard(server: Running, api: Api, count: int, age: float = 1.0) -> set[str]:
    """Store files and discard them, `age` seconds ago."""
    made = [await make_orphan(server, api, age, FileKind.RESULT) for _ in range(count)]
    found = {file.id for file in made}
    await File.filter(id__in=list(found)).update(state=FileState.DELETING)
    return found


async def test_processes_find_different_files_and_those_of_a_dead_one_again(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    discarded = await discard(idle_server, ada, 8)
    files = idle_server.services.media.files
    batches = await asyncio.gather(*(files.find_removable(3, PATIENCE) for _ in range(4)))
    assert sorted(file.id for batch in batches for file in batch) == sorted(discarded)
    assert await files.find_removable(100, PATIENCE) == []
    await rows("UPDATE files SET updated_at = LATER($1) RETURNING id", -1.0)  # the claims have expired
    assert {file.id for file in await files.find_removable(100, PATIENCE)} == discarded


async def test_deletion_of_one_picture_is_not_behind_a_deletion_of_many(idle_server: Running) -> None:
    ada, bob = await idle_server.api.sign_up(), await idle_server.api.sign_up("bob@example.com")
    many = await discard(idle_server, ada, 12, age=600)
    one = await discard(idle_server, bob, 1)
    found = await idle_server.services.media.files.find_removable(4, PATIENCE)
    assert one < {file.id for file in found}
    assert len(many & {file.id for file in found}) == 3


async def test_newest_files_that_cannot_be_removed_leave_their_place_to_others(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    oldest = await discard(idle_server, ada, 2, age=600)
    newest = await discard(idle_server, ada, 2)
    stubborn = await discard(idle_server, ada, 2, age=0)
    await File.filter(id__in=list(stubborn)).update(removal_failed_at=datetime.now(UTC))
    found = await idle_server.services.media.files.find_removable(4, PATIENCE)
    assert {file.id for file in found} == oldest | newest


class SlowStorage(LocalStorage):
    """A local storage whose deletions wait for `opened`. `running`: how many do at present."""

    def __init__(self, server: Running) -> None:
        super().__init__(server.settings.data_dir / "files", address="", secret="unused", link_seconds=60)
        self.running, self.fails, self.opened = 0, False, asyncio.Event()

    async def delete(self, key: str) -> None:
        self.running += 1
        await self.opened.wait()
        self.running -= 1
        if self.fails:
            raise StorageError("does not respond")
        await super().delete(key)


def removal(server: Running, storage: SlowStorage) -> chore.Chore:
    """Return the chore that removes files, with another storage."""
    media = server.services.media
    files = FileService(storage, server.services.integrations.sanitizers.uploads, media.files.limits)
    return replace(media, files=files).chores[0]


async def test_objects_of_several_files_are_deleted_at_once(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    await discard(idle_server, ada, 6)
    storage = SlowStorage(idle_server)
    removing = asyncio.ensure_future(removal(idle_server, storage).run())

    async def several_are_running() -> bool:
        return storage.running == 8  # the thumbnails and the previews of four files

    await until(several_are_running)
    storage.opened.set()
    await removing
    assert await File.all().count() == 0
    assert await storage.keys() == set()


async def test_files_that_were_not_tried_in_an_outage_are_found_again_after_it(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    await discard(idle_server, ada, 12)
    storage = SlowStorage(idle_server)
    storage.fails = True
    storage.opened.set()
    await removal(idle_server, storage).run()
    assert await File.filter(removal_failed_at__isnull=False).count() < 12
    storage.fails = False
    await removal(idle_server, storage).run()
    assert await File.all().count() == 0


async def test_chore_that_has_run_for_long_leaves_its_lane_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    handled = 0

    async def find(limit: int) -> list[int]:
        return list(range(limit))

    async def handle(_: int) -> bool:
        nonlocal handled
        handled += 1
        return True

    monkeypatch.setattr(chore, "_RUN_SECONDS", 0.0)
    endless = chore_for_each("endless", Lane.CLEAN_UP, find, handle, until_empty=True, at_once=3)
    async with asyncio.timeout(PATIENCE):
        await endless.run()
    assert handled == 100
