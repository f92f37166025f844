"""Bytes that come after their row was given up must not stay behind for ever."""

import pytest

from models import File
from models.enum import FileKind
from services.core.error import UploadFailedError
from services.integrations.storage.local import LocalStorage
from services.media.file import FileService
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import photo


class SleepyStorage(LocalStorage):
    """Keeps bytes only after the sweeper has lost its patience with their row."""

    async def put(self, key: str, data: bytes, content_type: str) -> None:
        await File.all().delete()
        await super().put(key, data, content_type)


async def test_bytes_of_a_row_that_was_swept_go_with_it(settings: Settings) -> None:
    async with running(settings, idle=True) as server:
        ada = await server.api.sign_up()
        storage = SleepyStorage(
            server.settings.data_dir / "files", address="http://localhost", secret="x" * 32, link_seconds=60
        )
        files = FileService(storage, server.services.integrations.sanitizer, server.services.media.files.limits)
        image = await files.check_upload(photo())
        with pytest.raises(UploadFailedError):
            await files.store(ada.user["id"], FileKind.ORIGINAL, image)
        assert await storage.keys() == set()
        await _ordinary_files_stay(server, ada.user["id"])


async def _ordinary_files_stay(server: Running, owner: str) -> None:
    files = server.services.media.files
    await files.store(owner, FileKind.ORIGINAL, await files.check_upload(photo()))
    assert len(await server.services.integrations.storage.keys()) == 2
