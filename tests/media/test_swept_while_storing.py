"""A file whose row the sweeper deletes while its bytes are written leaves no bytes behind."""

import pytest

from models import File
from models.enum import FileKind
from services.core.error import UploadFailedError
from services.integrations.storage.local import LocalStorage
from services.media.file import FileService
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import photo


class SlowStorage(LocalStorage):
    """Stores bytes after the sweeper has deleted their row."""

    async def put(self, key: str, data: bytes, content_type: str) -> None:
        await File.all().delete()
        await super().put(key, data, content_type)


async def test_bytes_are_removed_when_their_row_was_swept_while_storing(settings: Settings) -> None:
    async with running(settings, idle=True) as server:
        ada = await server.api.sign_up()
        storage = SlowStorage(
            server.settings.data_dir / "files", address="http://localhost", secret="x" * 32, link_seconds=60
        )
        files = FileService(
            storage, server.services.integrations.sanitizers.uploads, server.services.media.files.limits
        )
        image = await files.check_upload(photo(), account="usr_ada")
        with pytest.raises(UploadFailedError):
            await files.store(ada.user["id"], FileKind.ORIGINAL, image)
        assert await storage.keys() == set()
        await _check_other_files_are_kept(server, ada.user["id"])


async def _check_other_files_are_kept(server: Running, owner: str) -> None:
    files = server.services.media.files
    await files.store(owner, FileKind.ORIGINAL, await files.check_upload(photo(), account=owner))
    assert len(await server.services.integrations.storage.keys()) == 2
