"""Data exports while files are deleted, the database is busy, and other processes give them up."""

import asyncio
import io
import logging
import zipfile
from pathlib import Path

import pytest

from models import DataExport, File, User
from models.database.connection import rows, run_tx
from services.events import account_change
from services.integrations.storage.local import LocalStorage
from services.integrations.storage.protocol import MissingObjectError
from tests.accounts.test_data_export import CountingStorage, exports_of, request_export
from tests.conftest import Running
from tests.support.client import photo


class DisappearingStorage(LocalStorage):
    """A local storage whose files are deleted while they are read: a large one after its first part."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, address="", secret="unused", link_seconds=60)

    async def get_part(self, key: str, start: int, size: int) -> bytes:
        if start or size < 2**20:
            raise MissingObjectError(key)
        return bytes(size)


@pytest.mark.parametrize(
    ("locale", "missing", "cut"),
    [
        ("en", "These could not be read:", "These are incomplete, because they could not be read to their end:"),
        ("zh-CN", "以下图片无法读取", "以下图片不完整"),
    ],
)
async def test_files_deleted_during_an_export_are_named_in_it(
    idle_server: Running, tmp_path: Path, locale: str, missing: str, cut: str
) -> None:
    ada = await idle_server.api.sign_up()
    await User.filter(id=ada.user["id"]).update(locale=locale)
    for colour in ("#00ff00", "#0000ff"):
        await ada.create(photo(colour=colour), prompt="A fox")
    large, small = await File.all().order_by("id")
    await File.filter(id=large.id).update(byte_size=40 * 2**20)
    await request_export(ada)
    storage = DisappearingStorage(tmp_path / "missing")
    await exports_of(idle_server, storage).build_pending()
    (row,) = await DataExport.all()
    archive = zipfile.ZipFile(io.BytesIO(await storage.get(row.key)))
    _, begun, notes = archive.namelist()
    assert (large.id[-12:] in begun, notes) == (True, "missing.txt")
    lines = archive.read(notes).decode().splitlines()
    assert (lines[0].startswith(missing), small.id[-12:] in lines[1]) == (True, True)
    assert (lines[2].startswith(cut), lines[3:]) == (True, [f"  {begun}"])


async def test_lease_is_not_renewed_with_every_part(
    idle_server: Running, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ada = await idle_server.api.sign_up()
    await ada.create(photo(), prompt="A fox")
    await File.all().update(byte_size=40 * 2**20)
    await request_export(ada)
    storage = CountingStorage(tmp_path / "large")
    with caplog.at_level(logging.DEBUG, logger="tortoise.db_client"):
        await exports_of(idle_server, storage, lease=60).build_pending()
    statements = [str(record.args[0]) for record in caplog.records if isinstance(record.args, tuple) and record.args]
    renewals = [sql for sql in statements if sql.startswith("UPDATE data_exports SET lease_until") and "+ 1" not in sql]
    assert (len(storage.chunks) > 40, len(renewals)) == (True, 1)


async def test_export_that_another_process_gave_up_does_not_begin_the_pause_again(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    await request_export(ada)
    await rows("UPDATE data_exports SET attempts = 3 RETURNING id")
    locked, ended = asyncio.Event(), asyncio.Event()

    async def give_up() -> None:
        await account_change.lock_account(ada.user["id"])
        locked.set()
        await ended.wait()
        await rows("UPDATE data_exports SET state = 'DELETING' RETURNING id")

    other = asyncio.create_task(run_tx(give_up))
    await locked.wait()
    building = asyncio.create_task(idle_server.services.accounts.exports.build_pending())
    await asyncio.sleep(0.2)  # it has found the export, and waits for the account
    ended.set()
    await asyncio.gather(other, building)
    assert (await User.get(id=ada.user["id"])).export_failed_at is None
