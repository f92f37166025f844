"""`main.py backup`, `restore` and `orphans`: what comes back, and what an interruption leaves behind."""

import asyncio
import json
import os
import shutil
import sys
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from main import prepare
from models.database.connection import is_postgres, open_database, rows
from models.database.migrate import all_migrations, migrate
from services.integrations.storage.local import LocalStorage
from services.operations.backup.backup import Backup
from services.operations.backup.manifest import Manifest, read_objects
from settings import ROOT, Settings
from tests.conftest import Running, running
from tests.operations.conftest import Run
from tests.support.client import Api, photo, until
from tests.support.integrity import assert_invariants, stored_keys
from tests.support.s3_server import BUCKET, KEY_ID, REGION, SECRET, S3Server, s3_server

FAVORITE = "mutation($id: ID!) { setFavorite(id: $id, isFavorite: true) { errors { code } } }"
SHARE = "mutation($id: ID!) { shareGeneration(id: $id) { generation { shareUrl } errors { code } } }"
DELETE = "mutation($ids: [ID!]!) { deleteGenerations(ids: $ids) { deletedIds errors { code } } }"
SEEN = """
{ viewer { credits version generations { totalCount nodes {
  id status media prompt isFavorite shareUrl original { id } result { id byteSize width height } } } } }"""


async def fill(api: Api) -> Api:
    """Return a user with a favorite, a shared video, a failed and a deleted generation, and an upload."""
    ada = await api.sign_up()
    style = await ada.style("cute", "plushify")
    (first,) = (await ada.create(photo(), styleId=style))["generations"]
    (video,) = (await ada.create(prompt="A fox in the snow", media="VIDEO"))["generations"]
    (gone,) = (await ada.create(prompt="A red boat"))["generations"]
    ends = await ada.wait_for_all([first["id"], video["id"], gone["id"]])
    assert [end["status"] for end in ends] == ["COMPLETED"] * 3
    await ada.one(FAVORITE, id=first["id"])
    await ada.one(SHARE, id=video["id"])
    await ada.one(DELETE, ids=[gone["id"]])
    return ada


async def fill_little(server: Running) -> Api:
    """Return a user with one picture made from a photo; the server has no worker."""
    ada = await server.api.sign_up()
    (made,) = (await ada.create(photo(), prompt="A red boat"))["generations"]
    await server.services.generations.worker.process(made["id"])
    return ada


async def seen(api: Api) -> tuple[Any, Any]:
    """Return what the user sees: the gallery and the ledger; of links to shared pages, the end only."""
    found = await api.execute(SEEN)
    for generation in found["viewer"]["generations"]["nodes"]:
        generation["shareUrl"] = generation["shareUrl"] and generation["shareUrl"].rpartition("/")[2]
    return found, await api.ledger()


async def as_before(server: Running, ada: Api, expected: tuple[Any, Any]) -> None:
    """Assert that the user, still signed in, sees the same, pictures included, and that everything holds."""
    api = Api(server.api.http, server.api.address, ada.token, ada.user)
    assert await seen(api) == expected
    query = "{ viewer { generations { nodes { result { url thumbnailUrl byteSize } } } } }"
    for node in (await api.one(query))["generations"]["nodes"]:
        picture = await api.http.get(node["result"]["url"])
        assert (picture.status_code, len(picture.content)) == (200, node["result"]["byteSize"])
        assert (await api.http.get(node["result"]["thumbnailUrl"])).status_code == 200
    (again,) = (await api.create(prompt="A blue boat"))["generations"]
    assert (await api.wait_for_end(again["id"]))["status"] == "COMPLETED"
    await assert_invariants(server.services)


async def test_backup_of_a_working_server_comes_back_whole(
    settings: Settings, tmp_path: Path, command: Run, empty_database: Callable[[str], str]
) -> None:
    folder = str(tmp_path / "backup")
    async with running(settings) as server:
        ada = await fill(server.api)
        expected = await seen(ada)
        code, out, _ = await command(settings, "backup", folder)
        assert (code, out.startswith(f"{folder}: ")) == (0, True), out
        assert (await command(settings, "backup", folder))[2] == f"backup: {folder} exists and is not empty.\n"
        # What happens after the backup is undone by the restore; the newer picture becomes an orphan.
        (newer,) = (await ada.create(prompt="A green boat"))["generations"]
        await ada.wait_for_end(newer["id"])
        await ada.one(DELETE, ids=[expected[0]["viewer"]["generations"]["nodes"][0]["id"]])
        await server.services.background.sweeper.sweep()
        before = await seen(ada)
    async with open_database(settings.database):
        await rows("INSERT INTO workers (name, concurrency, seen_at) VALUES ('w1', 1, NOW()) RETURNING name")
    assert (await command(settings, "restore", folder, "--force"))[2] == (
        "restore: worker w1 is running: stop every server and worker first.\n"
    )
    async with open_database(settings.database):
        await rows("DELETE FROM workers RETURNING name")
    code, _, problem = await command(settings, "restore", folder)
    assert (code, problem) == (
        1, "restore: the database is not empty: it has users; --force replaces them.\n"
    )  # fmt: skip
    async with running(settings, idle=True) as server:
        assert await seen(Api(server.api.http, server.api.address, ada.token, ada.user)) == before
    code, out, problem = await command(settings, "restore", folder, "--force")
    assert (code, problem) == (0, ""), out
    assert "objects are newer than the backup" in out
    await remove_orphans(settings, command)
    async with running(settings) as server:
        await as_before(server, ada, expected)
    # To an empty database and an empty storage, which have never seen any of it.
    kind = "postgres" if is_postgres(settings.database) else "sqlite"
    fresh = settings.model_copy(update={"database_url": empty_database(kind), "data_dir": tmp_path / "elsewhere"})
    fresh = fresh.model_copy(update={"secret_key": settings.secret()})
    code, out, problem = await command(fresh, "restore", folder)
    assert (code, problem) == (0, ""), out
    assert "newer than the backup" not in out
    async with running(fresh) as server:
        await as_before(server, ada, expected)


async def remove_orphans(settings: Settings, command: Run) -> None:
    """List, keep, then remove the orphans."""
    code, out, _ = await command(settings, "orphans")
    *keys, summary = out.splitlines()
    assert (code, summary) == (
        0, f"{len(keys)} objects have no row. `main.py orphans --remove {len(keys)}` removes them."
    )  # fmt: skip
    assert all(key.startswith("generated/") for key in keys)
    code, _, problem = await command(settings, "orphans", "--remove", str(len(keys) - 1))
    assert (code, "nothing was removed" in problem) == (1, True)
    assert (await command(settings, "orphans", "--remove", str(len(keys))))[1].endswith("objects were removed.\n")
    assert (await command(settings, "orphans"))[1] == "No object is without a row.\n"


class _Deleting(LocalStorage):
    """A storage in which a user deletes pictures after the first copy of the database and before the first read."""

    delete_first: Callable[[], Coroutine[Any, Any, None]]
    _deletion: asyncio.Task[None] | None = None

    async def get(self, key: str, *, max_bytes: int | None = None) -> bytes:
        # Every read waits for it: which object is read first depends on which picture was completed first.
        if self._deletion is None:
            self._deletion = asyncio.create_task(self.delete_first())
        await self._deletion
        return await super().get(key, max_bytes=max_bytes)


async def test_pictures_deleted_while_they_are_read_are_in_neither_part(settings: Settings, tmp_path: Path) -> None:
    async with running(settings) as server:
        ada = await server.api.sign_up()
        made = [(await ada.create(prompt=f"Boat {number}"))["generations"][0]["id"] for number in range(3)]
        await ada.wait_for_all(made)

        async def delete() -> None:
            await ada.one(DELETE, ids=made[:2])
            await server.services.background.sweeper.sweep()

        storage = _Deleting(settings.data_dir / "files", address="", secret="x" * 32, link_seconds=60)
        storage.delete_first = delete
        manifest = await Backup(settings.database, storage, tmp_path / "backup").make()
        kept = {each.key for each in read_objects(tmp_path / "backup")}
        assert kept == await stored_keys(server.services)
        assert (manifest.rows["files"], manifest.violations) == (1, {})
        stored = {str(path.relative_to(tmp_path / "backup/files")) for path in files(tmp_path / "backup/files")}
        assert stored == kept


def files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


async def kill_once(arguments: list[str], settings: Settings, condition: Callable[[], Any]) -> None:
    """Run `main.py` as a process, and kill it as soon as `condition` holds."""
    environment = {
        "PATH": os.defpath,
        "DATABASE_URL": settings.database,
        "DATA_DIR": str(settings.data_dir),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(ROOT / "main.py"), *arguments, env=environment, cwd=settings.data_dir
    )
    try:
        await until(condition)
        assert process.returncode is None
    finally:
        process.kill()
        await process.wait()


async def test_killed_backup_is_none_and_killed_restore_changes_nothing(
    settings: Settings, tmp_path: Path, command: Run
) -> None:
    folder, half = tmp_path / "backup", tmp_path / "backup.incomplete"
    async with running(settings, idle=True) as server:
        ada = await fill_little(server)
        expected = await seen(ada)
    stored = sorted(files(settings.data_dir / "files"))
    # A file whose bytes do not come, so that the process is in the middle when it is killed.
    content = stored[0].read_bytes()
    stored[0].unlink()
    os.mkfifo(stored[0])

    async def has_begun() -> bool:
        return len(list(files(half / "files"))) == len(stored) - 1

    await kill_once(["backup", str(folder)], settings, has_begun)
    assert not folder.exists()
    for name in (folder, half):
        assert (await command(settings, "restore", str(name), "--force"))[2] == (
            f"restore: {name} is no complete backup: it has no manifest.json.\n"
        )
    stored[0].unlink()
    stored[0].write_bytes(content)
    assert (await command(settings, "backup", str(folder)))[0] == 0
    assert not half.exists()

    async with running(settings, idle=True) as server:
        newer = Api(server.api.http, server.api.address, ada.token, ada.user)
        await newer.create(prompt="A green boat")
        before = await seen(newer)
    await kill_restore(settings, folder)
    async with running(settings, idle=True) as server:
        assert await seen(Api(server.api.http, server.api.address, ada.token, ada.user)) == before
    assert (await command(settings, "restore", str(folder), "--force"))[0] == 0
    async with running(settings, idle=True) as server:
        assert await seen(Api(server.api.http, server.api.address, ada.token, ada.user)) == expected
        await assert_invariants(server.services)


async def kill_restore(settings: Settings, folder: Path) -> None:
    """Kill a restore that has stored the files and waits for the tables."""
    missing = sorted(files(settings.data_dir / "files"))[0]
    missing.unlink()  # it is stored again before the tables are loaded

    async def has_stored() -> bool:
        return missing.exists()

    arguments = ["restore", str(folder), "--force"]
    if not is_postgres(settings.database):
        async with open_database(settings.database):
            await rows("BEGIN IMMEDIATE")
            await kill_once(arguments, settings, has_stored)
            await rows("ROLLBACK")
        return
    reader = await asyncpg.connect(settings.database)

    async def is_waiting() -> bool:
        query = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'TRUNCATE%'"
        return bool(await reader.fetch(query))

    holder = await asyncpg.connect(settings.database)
    transaction = holder.transaction()
    await transaction.start()
    try:
        await holder.execute("SELECT 1 FROM styles LIMIT 1")
        await kill_once(arguments, settings, is_waiting)
    finally:
        await transaction.rollback()
        await holder.close()
        await reader.close()


@pytest.mark.any_database
async def test_damage_and_foreign_backups_are_refused_before_anything_is_changed(
    settings: Settings, tmp_path: Path, command: Run
) -> None:
    folder = tmp_path / "backup"
    async with running(settings, idle=True) as server:
        ada = await fill_little(server)
        assert (await command(settings, "backup", str(folder)))[0] == 0
        before = await seen(ada)
    manifest = json.loads((folder / "manifest.json").read_text())
    copy = next(iter(manifest["checksums"]))
    other = "sqlite" if is_postgres(settings.database) else "postgres"
    for change, problem in (
        ({"format": 2}, f"{folder} was made by another release: its format is 2"),
        ({"database": other}, f"the backup is of {other}, the database is {manifest['database']}"),
        ({"migrations": ["99_later.py"]}, "the backup was made by a later release, which had 99_later.py"),
        ({"checksums": {copy: "0" * 64}}, f"{folder / copy} is damaged or missing"),
    ):
        (folder / "manifest.json").write_text(json.dumps(manifest | change))
        assert (await command(settings, "restore", str(folder), "--force"))[2] == f"restore: {problem}.\n"
    (folder / "manifest.json").write_text(json.dumps(manifest))
    each = next(iter(files(folder / "files")))
    each.write_bytes(each.read_bytes()[:-1] + b"?")
    shutil.rmtree(settings.data_dir / "files")
    assert (await command(settings, "restore", str(folder), "--force"))[2] == f"restore: {each} is damaged.\n"
    async with running(settings, idle=True) as server:
        assert await seen(Api(server.api.http, server.api.address, ada.token, ada.user)) == before


async def test_backup_of_an_earlier_release_is_migrated(
    tmp_path: Path, database: str, empty_database: Callable[[str], str], settings: Settings, command: Run
) -> None:
    kind = "postgres" if is_postgres(database) else "sqlite"
    earlier = empty_database(kind)
    # Without one that adds neither tables nor columns: the backup reads what this release knows.
    missing = "37_20261129142000_children.py"
    await migrate(earlier, only=[name for name in all_migrations() if name != missing])
    old = settings.model_copy(update={"database_url": earlier})
    assert (await command(old, "backup", str(tmp_path / "refused")))[2] == (
        f"backup: the database has not {missing}: use the release that runs on it.\n"
    )
    await Backup(earlier, None, tmp_path / "backup").make()
    fresh = settings.model_copy(update={"database_url": empty_database(kind)})
    code, out, problem = await command(fresh, "restore", str(tmp_path / "backup"))
    assert (code, problem) == (0, ""), out
    assert f"Applied migration {missing}.\n" in out
    await prepare(fresh)
    if kind == "postgres":
        code, _, problem = await command(fresh, "restore", str(tmp_path / "backup"), "--force")
        assert (code, problem) == (1, (
            f"restore: the database has {missing}, the backup has not:"
            " restore to a new, empty database.\n"
        ))  # fmt: skip


@pytest.mark.any_database
async def test_bucket_is_copied_and_with_no_files_only_listed(settings: Settings, tmp_path: Path, command: Run) -> None:
    with s3_server() as s3:
        stored: dict[str, Any] = {
            "s3_bucket": BUCKET, "s3_endpoint_url": s3.url, "s3_region": REGION,
            "aws_access_key_id": KEY_ID, "aws_secret_access_key": SECRET,
        }  # fmt: skip
        settings = settings.model_copy(update=stored)
        async with running(settings, idle=True) as server:
            ada = await fill_little(server)
            expected, keys = await seen(ada), await stored_keys(server.services)
            assert (await command(settings, "backup", str(tmp_path / "whole")))[0] == 0
            code, out, _ = await command(settings, "backup", str(tmp_path / "listed"), "--no-files")
            assert (code, "(keys only)" in out) == (0, True)
        assert Manifest.read(tmp_path / "whole").objects == len(keys)
        empty_bucket(s3)
        code, _, problem = await command(settings, "restore", str(tmp_path / "listed"), "--force")
        assert (code, "objects are neither in the backup nor in the storage" in problem) == (1, True)
        assert (await command(settings, "restore", str(tmp_path / "whole"), "--force"))[0] == 0
        assert (await command(settings, "restore", str(tmp_path / "listed"), "--force"))[0] == 0
        async with running(settings) as server:
            assert await stored_keys(server.services) == keys
            await as_before(server, ada, expected)


def empty_bucket(s3: S3Server) -> None:
    client = s3.client()
    for item in client.list_objects_v2(Bucket=BUCKET)["Contents"]:
        client.delete_object(Bucket=BUCKET, Key=item["Key"])
