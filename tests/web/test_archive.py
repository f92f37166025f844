"""The zip of a selection: what is in it, who may download it, and how it is sent."""

import asyncio
import contextlib
import io
import zipfile
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from models import File, Generation, User
from models.database.connection import pool_usage, rows
from services.gallery import archive
from services.integrations.storage.local import LocalStorage
from services.integrations.storage.protocol import StorageError
from setting_types import Switch
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import Api, photo, until
from tests.support.named_lists import entries, new_album
from tests.support.raw_http import connection, request
from tests.support.s3_server import BUCKET, KEY_ID, REGION, SECRET, s3_server

ARCHIVE = """
mutation($ids: [ID!], $albumId: ID) {
  createArchive(ids: $ids, albumId: $albumId) {
    archive { url expiresAt count byteSize } errors { code message field }
  }
}"""
DELETE = "mutation($ids: [ID!]!) { deleteGenerations(ids: $ids) { errors { code } } }"


async def completed(server: Running, api: Api, count: int = 1, **input: Any) -> list[str]:
    style = await api.style("cute", "plushify")
    made = [(await api.create(photo(96, 64), styleId=style, **input))["generations"][0]["id"] for _ in range(count)]
    await api.wait_for_all(made)
    return [str(id) for id in made]


async def link_to(api: Api, **wanted: Any) -> str:
    made = await api.one(ARCHIVE, **wanted)
    assert made["archive"], made
    return str(made["archive"]["url"])


def opened(response: httpx.Response) -> zipfile.ZipFile:
    assert response.status_code == 200, response.text
    found = zipfile.ZipFile(io.BytesIO(response.content))
    assert found.testzip() is None
    return found


async def stored(id: str) -> File:
    return await File.get(made_by__id=id)


async def test_archive_has_the_results_under_the_names_of_downloads(server: Running, ada: Api) -> None:
    made = await completed(server, ada, 3)
    done = await ada.one(ARCHIVE, ids=[made[0], "nothing", made[2], made[0]])
    assert [(error["code"], error["field"]) for error in done["errors"]] == [("NOT_FOUND", ["ids", "1"])]
    sizes = [(await stored(id)).byte_size for id in (made[0], made[2])]
    assert (done["archive"]["count"], done["archive"]["byteSize"]) == (2, sum(sizes))
    response = await server.api.http.get(await link_to(ada, ids=made))  # without a session
    assert response.headers["content-type"] == "application/zip"
    assert response.headers["content-disposition"].startswith('attachment; filename="pictures-')
    assert (response.headers["cache-control"], "content-length" in response.headers) == ("no-store", False)
    archive = opened(response)
    days = [generation["createdAt"][:10] for generation in [await ada.generation(id) for id in made]]
    names = [f"cute-{day}-{id[-6:]}" for day, id in zip(days, made, strict=True)]
    assert [name.rpartition(".")[0] for name in archive.namelist()] == names[::-1], "the newest first"
    for id, info in zip(made[::-1], archive.infolist(), strict=True):
        result = (await ada.generation(id))["result"]
        assert archive.read(info) == (await ada.http.get(result["url"])).content
        assert (info.compress_type, info.file_size) == (zipfile.ZIP_STORED, result["byteSize"])


async def test_archive_of_an_album_follows_its_pictures(server: Running, ada: Api) -> None:
    made = await completed(server, ada, 2)
    album = await new_album(ada, generations=made)
    assert len(opened(await server.api.http.get(await link_to(ada, albumId=album))).namelist()) == 2
    empty, eve = await new_album(ada, "Bears"), await server.api.sign_up("eve@example.com")
    for api, wanted, code, field in (
        (ada, {"albumId": empty}, "INVALID_INPUT", ["albumId"]),
        (eve, {"albumId": album}, "NOT_FOUND", ["albumId"]),
        (ada, {"albumId": "x"}, "NOT_FOUND", ["albumId"]),
        (eve, {"ids": made}, "INVALID_INPUT", ["ids"]),
        (ada, {"ids": []}, "INVALID_INPUT", ["ids"]),
        (ada, {}, "INVALID_INPUT", ["ids"]),
        (ada, {"ids": made, "albumId": album}, "INVALID_INPUT", ["ids"]),
    ):
        refusal = await api.refused(ARCHIVE, **wanted)
        assert (refusal["code"], refusal["field"]) == (code, field), wanted


async def test_equal_names_are_numbered(server: Running, ada: Api) -> None:
    made = await completed(server, ada, 2)
    for place, id in enumerate(made):  # the ends of ids are random
        await rows(
            "UPDATE generations SET id = $2 WHERE id = $1 RETURNING id", id, f"gen_01h455vb{place}pex5vsknk084sn02q"
        )
    changed = [str(id) for id in await Generation.all().order_by("id").values_list("id", flat=True)]
    names = opened(await server.api.http.get(await link_to(ada, ids=changed))).namelist()
    assert names[1] == names[0].replace(".", "-2.")


async def test_missing_and_deleted_pictures_are_named_in_the_archive(server: Running, ada: Api) -> None:
    made = await completed(server, ada, 4)
    link = await link_to(ada, ids=made)
    await server.services.integrations.storage.delete((await stored(made[3])).key)
    await ada.one(DELETE, ids=[made[1]])
    archive = opened(await server.api.http.get(link, headers={"accept-language": "zh"}))
    *pictures, notes = archive.namelist()
    assert ([name[-10:-4] for name in pictures], notes) == ([made[2][-6:], made[0][-6:]], "missing.txt")
    first, second, third = archive.read(notes).decode().splitlines()
    assert (first, second) == ("请求下载后已删除：1", "以下图片无法读取：")
    assert made[3][-6:] in third


async def test_ended_links_are_refused(server: Running, ada: Api) -> None:
    http, made = server.api.http, await completed(server, ada)
    link = await link_to(ada, ids=made)
    for unknown in (link[:-1] + ("A" if link[-1] != "A" else "B"), link + "A", f"{ada.address}/archives/ä"):
        assert (await http.get(unknown)).status_code == 404
    assert (await http.get(link)).status_code == 200
    newer = await link_to(ada, ids=made)
    assert [(await http.get(one)).status_code for one in (link, newer)] == [404, 200], "a newer one ends it"
    user = User.filter(id=ada.user["id"])
    await user.update(suspended_at=(await User.get(id=ada.user["id"])).created_at)
    assert (await http.get(newer)).status_code == 404
    await user.update(suspended_at=None)
    await rows("UPDATE archives SET expires_at = LATER($1) RETURNING id", -1.0)
    response = await http.get(newer)
    assert (response.status_code, response.headers["content-type"]) == (404, "text/html; charset=utf-8")
    for chore in server.services.gallery.archives.chores:
        await chore.run()
    assert await rows("SELECT id FROM archives") == []
    last = await link_to(ada, ids=made)
    deletion = 'mutation { deleteAccount(input: {password: "correct horse", confirmEmail: "ada@example.com"}) '
    assert (await ada.one(deletion + "{ errors { code } } }"))["errors"] == []
    assert (await http.get(last)).status_code == 404
    assert await entries() == (0, 0)


async def test_head_describes_the_download_without_beginning_it(server: Running, ada: Api) -> None:
    link = await link_to(ada, ids=await completed(server, ada))
    head, get = await server.api.http.head(link), await server.api.http.get(link)
    assert (head.status_code, head.content) == (200, b"")
    own = {"date", "x-request-id", "transfer-encoding"}
    assert {name: value for name, value in head.headers.items() if name not in own} == {
        name: value for name, value in get.headers.items() if name not in own
    }
    assert (await server.api.http.post(link)).status_code == 405


async def test_number_and_size_are_limited_by_the_deployment(settings: Settings) -> None:
    limits = {"archive_max_pictures": 2, "archive_max_mib": 1}
    async with running(settings.model_copy(update=limits)) as server:
        ada = await server.api.sign_up()
        made = await completed(server, ada, 3)
        assert (await ada.refused(ARCHIVE, ids=made))["message"] == "Download at most 2 pictures at a time."
        album = await new_album(ada, generations=made)
        assert (await ada.refused(ARCHIVE, albumId=album))["message"] == "Download at most 2 pictures at a time."
        assert (await ada.one(ARCHIVE, ids=made[:2]))["archive"]["count"] == 2
        await rows("UPDATE files SET byte_size = 600000 WHERE kind = 'RESULT' RETURNING id")
        assert "more than 1 MB" in (await ada.refused(ARCHIVE, ids=made[:2]))["message"]


async def test_requests_are_rate_limited(settings: Settings) -> None:
    async with running(settings.model_copy(update={"rate_limits": Switch.ON})) as server:
        ada = await server.api.sign_up()
        made = await completed(server, ada)
        for _ in range(30):
            assert (await ada.one(ARCHIVE, ids=made))["errors"] == []
        assert (await ada.refused(ARCHIVE, ids=made))["code"] == "RATE_LIMITED"


class HeldStorage(LocalStorage):
    """A storage whose parts of results wait, or fail."""

    def __init__(self, found: LocalStorage) -> None:
        self.__dict__.update(found.__dict__)
        self.hold = asyncio.Event()
        self.hold.set()
        self.reading = 0
        self.fails_after: int | None = None  # bytes of a file

    async def get_part(self, key: str, start: int, size: int) -> bytes:
        self.reading += 1
        try:
            await self.hold.wait()
            if self.fails_after is not None and start >= self.fails_after:
                raise StorageError("down")
            return await super().get_part(key, start, size)
        finally:
            self.reading -= 1


@pytest.fixture
async def held(server: Running) -> HeldStorage:
    found = server.services.integrations.storage
    assert isinstance(found, LocalStorage)
    storage = HeldStorage(found)
    server.services.gallery.archives._storage = storage  # the storage is opened with the server
    return storage


async def test_an_account_downloads_one_at_a_time(server: Running, ada: Api, held: HeldStorage) -> None:
    eve = await server.api.sign_up("eve@example.com")
    link, hers = (
        await link_to(ada, ids=await completed(server, ada)),
        await link_to(eve, ids=await completed(server, eve)),
    )
    held.hold.clear()
    first, other = asyncio.create_task(server.api.http.get(link)), asyncio.create_task(server.api.http.get(hers))

    async def both_read() -> bool:
        return held.reading == 2

    await until(both_read)
    refused = await server.api.http.get(link)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "10")
    held.hold.set()
    assert [len(opened(await one).namelist()) for one in (first, other)] == [1, 1]
    opened(await server.api.http.get(link))


async def test_a_process_has_a_number_of_downloads_at_once(
    server: Running, ada: Api, held: HeldStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "_DOWNLOADS", 1)
    eve = await server.api.sign_up("eve@example.com")
    link, hers = (
        await link_to(ada, ids=await completed(server, ada)),
        await link_to(eve, ids=await completed(server, eve)),
    )
    held.hold.clear()
    first = asyncio.create_task(server.api.http.get(link))

    async def reads() -> bool:
        return held.reading == 1

    await until(reads)
    assert (await server.api.http.get(hers)).status_code == 429
    held.hold.set()
    opened(await first)
    opened(await server.api.http.get(hers))


async def test_canceled_download_lets_the_next_one_begin(server: Running, ada: Api, held: HeldStorage) -> None:
    link = await link_to(ada, ids=await completed(server, ada))
    held.hold.clear()
    canceled = asyncio.create_task(server.api.http.get(link))

    async def is_read() -> bool:
        return held.reading == 1

    await until(is_read)
    canceled.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await canceled
    held.hold.set()

    async def works() -> bool:
        return (await server.api.http.get(link)).status_code == 200

    await until(works)


async def test_outage_of_the_storage_is_a_503_before_and_a_note_after_the_beginning(
    server: Running, ada: Api, held: HeldStorage
) -> None:
    made = await completed(server, ada, 2)
    link = await link_to(ada, ids=made)
    held.fails_after = 0
    assert (await server.api.http.get(link)).status_code == 503
    # A file that is larger than what is read at once is cut, and said to be.
    data = b"\x00" * (9 * 2**20)
    file = await stored(made[0])
    await server.services.integrations.storage.put(file.key, data, file.content_type)
    await File.filter(id=file.id).update(byte_size=len(data))
    held.fails_after = 2**20
    archive = opened(await server.api.http.get(await link_to(ada, ids=made)))
    whole, cut, notes = archive.infolist()
    assert (whole.file_size, cut.file_size) == ((await stored(made[1])).byte_size, 2**20)
    text = archive.read(notes).decode()
    assert text == f"These are incomplete, because they could not be read to their end:\n  {cut.filename}\n"
    held.fails_after = None
    archive = opened(await server.api.http.get(await link_to(ada, ids=made)))
    assert [info.file_size for info in archive.infolist()] == [whole.file_size, len(data)]


async def test_slow_reader_holds_no_connection_to_the_database(server: Running, ada: Api) -> None:
    made = await completed(server, ada)
    data, file = b"\x00" * (32 * 2**20), await stored(made[0])
    await server.services.integrations.storage.put(file.key, data, file.content_type)
    await File.filter(id=file.id).update(byte_size=len(data))
    link = await link_to(ada, ids=made)
    async with connection(ada.address) as raw:
        await raw.send(request("GET", link.removeprefix(ada.address), "Connection: close"))
        assert (await raw.reader.readexactly(12)) == b"HTTP/1.1 200"

        async def is_idle() -> bool:
            return not pool_usage().get("busy", 0)

        await until(is_idle)
        assert (await server.api.http.get(link)).status_code == 429, "it is still under way"
        assert data[: 2**20] in await raw.rest()


@pytest.fixture
async def on_s3(settings: Settings) -> AsyncIterator[Running]:
    with s3_server() as s3:
        bucket = {
            "s3_bucket": BUCKET, "s3_endpoint_url": s3.url, "s3_region": REGION, "aws_access_key_id": KEY_ID,
            "aws_secret_access_key": SECRET,
        }  # fmt: skip
        async with running(settings.model_copy(update=bucket)) as server:
            yield server


@pytest.mark.any_database
async def test_archive_is_streamed_from_a_bucket(on_s3: Running) -> None:
    ada = await on_s3.api.sign_up()
    made = await completed(on_s3, ada, 2)
    await on_s3.services.integrations.storage.delete((await stored(made[0])).key)
    archive = opened(await on_s3.api.http.get(await link_to(ada, ids=made)))
    assert (len(archive.namelist()), archive.namelist()[1]) == (2, "missing.txt")
