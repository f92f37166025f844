"""The local storage: signed links, hostile keys, symbolic links, partial writes."""

import contextlib
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from itsdangerous import URLSafeSerializer

from services.integrations.storage import local
from services.integrations.storage.local import LocalStorage, LocalUpload
from services.integrations.storage.protocol import MissingObjectError, StorageError, TooLargeError
from services.operations.storage_comparison import final_key
from tests.support.signed_link import forged, parameters_of, path_of, resolved

SECRET = "s" * 32
KEY = "originals/usr_1/fil_1"


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def storage(tmp_path: Path, clock: Clock) -> LocalStorage:
    return LocalStorage(
        tmp_path / "files", address="https://pictures.example", secret=SECRET, link_seconds=600, clock=clock
    )


async def test_link_changes_once_per_time_window(storage: LocalStorage, clock: Clock) -> None:
    links = []
    for seconds in range(0, 900, 10):
        clock.now = 999_900.0 + seconds  # windows of 300 seconds; this is the start of one
        links.append(await storage.link(KEY, "image/png"))
    assert [links.count(link) for link in dict.fromkeys(links)] == [30, 30, 30]
    assert links[0].expires_at == 999_900 + 600
    clock.now = 999_900.0  # set back
    assert await storage.link(KEY, "image/png") == links[0]


async def test_each_object_type_and_name_has_its_own_link_however_many_are_kept(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "_KEPT_LINKS", 2)
    keys = [f"{KEY}{number}" for number in range(5)]
    for key in keys:
        await storage.put(key, key.encode(), "image/png")
    expected = [
        (key, content_type, name)
        for key in keys
        for content_type in ("image/png", "image/webp")
        for name in (None, "fox.png")
    ]
    for _ in range(2):  # some are signed again
        links = [await storage.link(key, content_type, download_as=name) for key, content_type, name in expected]
        found = [resolved(storage, link.url) for link in links]
        assert [(each.path.read_text(), each.content_type, each.download_as) for each in found if each] == expected


async def test_link_is_valid_for_at_least_half_of_its_lifetime(storage: LocalStorage, clock: Clock) -> None:
    await storage.put(KEY, b"bytes", "image/png")
    for start in (999_900.0, 1_000_000.5, 1_000_199.9):
        clock.now = start
        link = await storage.link(KEY, "image/png")
        assert 300 <= link.expires_at - start <= 600
        found = resolved(storage, link.url)
        assert found is not None
        assert found.path.read_bytes() == b"bytes"
        assert 0 < found.seconds_left <= 600
        clock.now = link.expires_at - 1.0
        assert resolved(storage, link.url) is not None
        clock.now = float(link.expires_at)
        assert resolved(storage, link.url) is None


async def test_folder_of_an_account_is_removed_with_its_last_file(storage: LocalStorage, tmp_path: Path) -> None:
    folder = tmp_path / "files" / "originals"
    for key in (KEY, "originals/usr_1/fil_2", "originals/fil_3"):
        await storage.put(key, b"bytes", "image/png")
    await storage.delete(KEY)
    assert sorted(entry.name for entry in folder.iterdir()) == ["fil_3", "usr_1"]
    await storage.delete("originals/usr_1/fil_2")
    await storage.delete("originals/usr_1/fil_2")
    assert [entry.name for entry in folder.iterdir()] == ["fil_3"]
    await storage.delete("originals/fil_3")
    assert folder.is_dir()


async def test_file_is_stored_while_its_folder_is_removed_again_and_again(
    storage: LocalStorage, tmp_path: Path
) -> None:
    ended = threading.Event()

    def remove() -> None:  # as another process does that has deleted the last file
        while not ended.is_set():
            with contextlib.suppress(OSError):
                (tmp_path / "files" / "originals" / "usr_1").rmdir()

    removing = threading.Thread(target=remove)
    removing.start()
    try:
        for number in range(300):
            key = f"originals/usr_1/fil_{number}"
            await storage.put(key, key.encode(), "image/png")
            assert await storage.get(key) == key.encode()
            await storage.delete(key)
    finally:
        ended.set()
        removing.join()
    assert await storage.keys() == set()


HOSTILE_KEYS = [
    "", "..", "../secret-key", "originals/../../secret-key", "originals/./x", "/etc/passwd", "//etc/passwd", "~root",
    "originals/\0", "originals/fil_1\n", "Originals/x", "originals\\x", "originals/%2e%2e/x", "c:/x", "x" * 121,
    "originals/é", ".hidden", "originals/.fil_1.0badf00d",
]  # fmt: skip


@pytest.mark.parametrize("key", HOSTILE_KEYS, ids=repr)
async def test_hostile_keys_are_refused_by_every_operation(storage: LocalStorage, key: str) -> None:
    with pytest.raises(StorageError):
        await storage.put(key, b"x", "image/png")
    with pytest.raises(StorageError):
        await storage.get(key)
    with pytest.raises(StorageError):
        await storage.get_part(key, 0, 1)
    with pytest.raises(StorageError):
        await storage.delete(key)
    assert resolved(storage, (await storage.link(key, "image/png")).url) is None
    assert await storage.keys() == set()


@pytest.mark.parametrize("planted", ["originals/usr_1/fil_1", "originals/usr_1", "originals"])
async def test_symbolic_links_in_the_storage_folder_are_not_followed(
    storage: LocalStorage, tmp_path: Path, planted: str
) -> None:
    outside = tmp_path / "outside"
    (outside / "usr_1").mkdir(parents=True)
    for secret in (outside / "fil_1", outside / "usr_1" / "fil_1"):
        secret.write_bytes(b"secret")
    target = {"originals": outside, "originals/usr_1": outside, KEY: outside / "fil_1"}[planted]
    link = tmp_path / "files" / planted
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(target)
    operations: list[Callable[[], Any]] = [
        lambda: storage.get(KEY),
        lambda: storage.get_part(KEY, 0, 6),
        lambda: storage.put(KEY, b"overwritten", "image/png"),
        lambda: storage.delete(KEY),
    ]
    for operation in operations:
        with pytest.raises(StorageError):
            await operation()
    assert resolved(storage, (await storage.link(KEY, "image/png")).url) is None
    assert (outside / "fil_1").read_bytes() == b"secret"
    assert (outside / "usr_1" / "fil_1").read_bytes() == b"secret"


async def test_storage_puts_replaces_and_deletes(storage: LocalStorage) -> None:
    with pytest.raises(MissingObjectError):
        await storage.get(KEY)
    await storage.put(KEY, b"old", "image/png")
    await storage.put(KEY, b"new", "image/png")
    assert await storage.get(KEY) == b"new"
    assert await storage.keys() == {KEY}
    await storage.delete(KEY)
    await storage.delete(KEY)
    assert await storage.keys() == set()


async def test_failed_write_leaves_no_partial_file(storage: LocalStorage, tmp_path: Path) -> None:
    (tmp_path / "files" / "originals").mkdir()
    (tmp_path / "files" / "originals" / "usr_1").write_bytes(b"a file where a folder should be")
    with pytest.raises(StorageError):
        await storage.put(KEY, b"x", "image/png")
    assert await storage.keys() == {"originals/usr_1"}


class KilledError(BaseException):
    """Ends a write as a signal ends a process: nothing is cleaned up."""


async def test_leftovers_of_interrupted_writes_are_listed_and_removed_with_their_object(
    storage: LocalStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(_: int) -> None:
        raise KilledError

    longer = KEY + "2"
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", kill)
        for key in (KEY, longer):
            with pytest.raises(KilledError):
                await storage.put(key, b"half", "image/png")
    (tmp_path / "files" / "originals" / "usr_1" / ".fil_1.0badf00d").write_bytes(b"as former releases left it")
    await storage.put(KEY, b"whole", "image/png")
    listed = await storage.keys()
    assert {key.rpartition(".")[0] for key in listed} == {"", "originals/usr_1/.fil_1", "originals/usr_1/.fil_12"}
    assert (len(listed), KEY in listed) == (4, True)
    await storage.delete(KEY)
    assert {final_key(key) for key in await storage.keys()} == {longer}
    await storage.delete(longer)
    assert await storage.keys() == set()


async def test_deletion_does_not_read_the_accounts_folder_for_each_object(
    storage: LocalStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [f"originals/usr_1/fil_{number}" for number in range(10)]
    for key in keys:
        await storage.put(key, b"bytes", "image/png")
    scanned, scandir = [], os.scandir

    def scan(path: Any) -> Any:
        scanned.append(Path(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", scan)
    for key in keys:
        await storage.delete(key)
    assert scanned.count(tmp_path / "files" / "originals" / "usr_1") <= 1
    assert await storage.keys() == set()


async def test_interrupted_storage_check_leaves_no_file(
    storage: LocalStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshots = []

    def take_snapshot(_: int) -> None:
        snapshots.append(list((tmp_path / "files").iterdir()))

    monkeypatch.setattr(os, "fsync", take_snapshot)  # called while the check writes
    await storage.check()
    assert snapshots == [[]]
    assert await storage.keys() == set()


async def test_object_larger_than_the_limit_is_not_read(storage: LocalStorage) -> None:
    await storage.put(KEY, b"12345", "image/png")
    assert await storage.get(KEY, max_bytes=5) == b"12345"
    with pytest.raises(TooLargeError):
        await storage.get(KEY, max_bytes=4)


async def test_parts_are_read_separately(storage: LocalStorage) -> None:
    await storage.put(KEY, b"0123456789", "image/png")
    assert await storage.get_part(KEY, 0, 10) == b"0123456789"
    assert await storage.get_part(KEY, 3, 4) == b"3456"
    for start, size in ((8, 3), (10, 1)):
        with pytest.raises(StorageError):
            await storage.get_part(KEY, start, size)
    with pytest.raises(MissingObjectError):
        await storage.get_part(KEY + "x", 0, 1)


async def test_upload_target_resolves_until_it_expires(storage: LocalStorage, clock: Clock) -> None:
    target = await storage.upload_target(KEY, "image/png", byte_size=1000, seconds=60)
    assert (target.method, target.headers, target.fields) == ("POST", {}, {})
    assert target.expires_at == clock.now + 60
    address, _, token = target.url.rpartition("/")
    assert address == "https://pictures.example/uploads"
    clock.now += 59
    assert storage.resolve_upload(token) == LocalUpload(KEY, "image/png", 1000)
    assert storage.resolve(token) is None, "an upload token must not authorize a download"
    assert storage.resolve_upload(parameters_of((await storage.link(KEY, "image/png")).url)["signature"]) is None
    assert storage.resolve_upload(forged(token)) is None
    clock.now += 1
    assert storage.resolve_upload(token) is None


@pytest.mark.parametrize("name", [None, "a fox.png", "一只狐狸.png", "fox " * 200, "fox&type=text/html\n"])
async def test_path_of_a_link_names_the_file_and_its_query_is_signed(
    storage: LocalStorage, clock: Clock, name: str | None
) -> None:
    await storage.put(KEY, b"bytes", "image/png")
    await storage.put(KEY + "x", b"bytes", "image/png")
    first = await storage.link(KEY, "image/png", download_as=name)
    clock.now += 600
    link = await storage.link(KEY, "image/png", download_as=name)
    assert first.url != link.url
    assert path_of(first.url) == path_of(link.url) == KEY
    given = parameters_of(link.url)
    found = storage.resolve(KEY, given)
    assert found is not None
    assert (found.content_type, found.download_as) == ("image/png", name)
    changed = [{"expires": str(link.expires_at + 1)}, {"type": "text/html"}, {"download": "x"}, {"signature": ""}]
    changed += [{"signature": forged(given["signature"])}, {"signature": "é"}, {"expires": ""}]
    changed += [{"type": f"image/png\n{link.expires_at}", "expires": ""}]
    for change in changed:
        assert storage.resolve(KEY, given | change) is None, change
    assert storage.resolve(KEY + "x", given) is None
    assert storage.resolve(KEY) is None


@pytest.mark.parametrize("name", [None, "a fox.png", "一只狐狸.png"])
async def test_links_of_earlier_releases_work_until_they_expire(
    storage: LocalStorage, clock: Clock, name: str | None
) -> None:
    await storage.put(KEY, b"bytes", "image/png")
    token = str(URLSafeSerializer(SECRET, salt="darkroom-files").dumps([KEY, "image/png", name, int(clock.now) + 60]))
    found = storage.resolve(token)
    assert found is not None
    assert (found.path.read_bytes(), found.download_as, found.seconds_left) == (b"bytes", name, 60)
    assert storage.resolve(forged(token)) is None
    clock.now += 60
    assert storage.resolve(token) is None
