"""Files of the local storage behind signed links: bytes, headers, and 404 for every invalid link."""

import asyncio
import base64
import io
import os
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from itsdangerous import URLSafeSerializer
from PIL import Image
from starlette.types import Message

from models import File
from services.integrations.storage.local import LocalStorage, LocalUpload
from services.integrations.storage.protocol import MissingObjectError, StorageError, TooLargeError
from tests.conftest import Running
from tests.support.client import Api, photo
from tests.support.integrity import stored_keys
from web.local_file import OpenFileResponse

SECRET = "s" * 32
KEY = "originals/usr_1/fil_1"


class Clock:
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


def token_of(url: str) -> str:
    return urlsplit(url).path.removeprefix("/files/")


def forged(token: str) -> str:
    """Return the token with another signature. The last letter stays: two of its bits are ignored."""
    return token[:-2] + ("A" if token[-2] != "A" else "B") + token[-1]


@pytest.fixture(scope="module")
async def ada(module_server: Running) -> Api:
    return await module_server.api.sign_up()


async def finished(api: Api) -> Any:
    """Return a completed generation of the client's account."""
    (made,) = (await api.create(photo(640, 480), styleId=await api.style("cute", "plushify")))["generations"]
    return await api.wait_for_end(made["id"])


@pytest.fixture(scope="module")
async def generation(ada: Api) -> Any:
    """A generation that no test changes."""
    return await finished(ada)


async def test_signed_link_serves_the_stored_bytes_with_security_headers(
    module_server: Running, generation: Any
) -> None:
    for picture in (generation["original"], generation["result"]):
        response = await module_server.api.http.get(picture["url"])  # signed out: the link itself authorizes
        assert response.status_code == 200
        assert len(response.content) == picture["byteSize"] == int(response.headers["content-length"])
        assert Image.open(io.BytesIO(response.content)).size == (picture["width"], picture["height"])
        assert response.headers["content-type"] == picture["contentType"]
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["content-security-policy"] == "default-src 'none'; sandbox"
        assert response.headers["cross-origin-resource-policy"] == "cross-origin"
        assert "content-disposition" not in response.headers
        age = re.fullmatch(r"private, max-age=(\d+), immutable", response.headers["cache-control"])
        assert age
        assert 1800 <= int(age[1]) <= 3600


async def test_download_link_is_an_attachment_with_a_readable_file_name(ada: Api, generation: Any) -> None:
    picture = generation["result"]
    shown, saved = [await ada.http.get(picture[name]) for name in ("url", "downloadUrl")]
    assert saved.content == shown.content
    day, end = generation["createdAt"][:10], generation["id"][-6:]
    ending = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp"}[picture["contentType"]]
    name = f"cute-{day}-{end}.{ending}"
    assert saved.headers["content-disposition"] == f"attachment; filename*=UTF-8''{name}; filename=\"{name}\""
    photo = await ada.http.get(generation["original"]["downloadUrl"])
    assert f"original-{day}-{end}.jpg" in photo.headers["content-disposition"]
    (made,) = (await ada.create(prompt="A red boat"))["generations"]
    free = await ada.http.get((await ada.wait_for_end(made["id"]))["result"]["downloadUrl"])
    assert f'filename="picture-{day}-{made["id"][-6:]}.' in free.headers["content-disposition"]


async def test_thumbnail_and_placeholder_keep_the_aspect_ratio(ada: Api, generation: Any) -> None:
    picture = generation["original"]
    response = await ada.http.get(picture["thumbnailUrl"])
    thumbnail = Image.open(io.BytesIO(response.content))
    assert (thumbnail.format, thumbnail.size) == ("WEBP", (320, 240))
    assert response.headers["content-type"] == "image/webp"
    head, _, data = picture["placeholder"].partition(",")
    assert re.fullmatch(r"data:image/\w+;base64", head)
    tiny = Image.open(io.BytesIO(base64.b64decode(data)))
    assert tiny.width <= 32
    assert abs(tiny.width / tiny.height - 4 / 3) < 0.2
    assert len(picture["placeholder"]) < 400


THUMBNAIL = """
query($id: ID!, $width: Int) {
  viewer { generation(id: $id) { result { url downloadUrl thumbnailUrl(width: $width) width } } }
}"""


async def test_thumbnail_is_the_narrowest_sufficient_one_or_the_image_itself(ada: Api) -> None:
    style = await ada.style("cute", "plushify")
    (made,) = (await ada.create(photo(1000, 1500), styleId=style, size="LARGE"))["generations"]
    generation = await ada.wait_for_end(made["id"])
    widths = (await File.get(made_by__id=generation["id"])).thumbnail_widths
    picture = generation["result"]
    assert widths == [320, *(width for width in (640, 1280) if width < picture["width"])]
    assert 640 in widths
    for asked, expected in ((None, 320), (1, 320), (320, 320), (321, 640), (640, 640), (4096, picture["width"])):
        found = (await ada.one(THUMBNAIL, id=generation["id"], width=asked))["generation"]["result"]
        response = await ada.http.get(found["thumbnailUrl"])
        assert Image.open(io.BytesIO(response.content)).width == expected
        assert (found["thumbnailUrl"] == found["url"]) is (asked == 4096)
        assert "immutable" in response.headers["cache-control"]
        cached = {"if-none-match": response.headers["etag"]}
        assert (await ada.http.get(found["thumbnailUrl"], headers=cached)).status_code == 304


async def test_thumbnail_width_out_of_range_is_refused(ada: Api, generation: Any) -> None:
    for width in (0, -5, 4097, 2**31 - 1):
        answer = (await ada.raw(THUMBNAIL, id=generation["id"], width=width)).json()
        (error,) = answer["errors"]
        assert error["extensions"]["code"] == "INVALID_INPUT"
        assert answer["data"]["viewer"]["generation"]["result"]["thumbnailUrl"] is None
        assert answer["data"]["viewer"]["generation"]["result"]["url"]


async def test_links_are_stable_within_their_time_window(ada: Api, generation: Any) -> None:
    asked = [(await ada.one(THUMBNAIL, id=generation["id"]))["generation"]["result"] for _ in range(3)]
    again = (await ada.one(THUMBNAIL, id=generation["id"]))["generation"]["result"]
    # One window may end during the test, but not several.
    assert again in asked


async def test_range_and_head_requests(ada: Api, generation: Any) -> None:
    url = generation["result"]["url"]
    whole = (await ada.http.get(url)).content

    async def ranged(range_header: str, **headers: str) -> httpx.Response:
        return await ada.http.get(url, headers={"range": range_header, **headers})

    first = await ranged("bytes=0-9")
    assert (first.status_code, first.content) == (206, whole[:10])
    assert first.headers["content-range"] == f"bytes 0-9/{len(whole)}"
    assert (await ranged("bytes=10-")).content == whole[10:]
    assert (await ranged("bytes=-7")).content == whole[-7:]
    assert (await ranged(f"bytes={len(whole)}-")).status_code == 416
    several = await ranged("bytes=0-4,10-14")
    assert several.status_code == 206
    assert several.headers["content-type"].startswith("multipart/byteranges")
    for part in (whole[:5], whole[10:15]):
        assert part in several.content
    assert (await ranged("bytes=0-9", **{"if-range": '"another"'})).content == whole
    assert (await ranged("bytes=0-9", **{"if-range": first.headers["etag"]})).content == whole[:10]
    assert first.headers["x-content-type-options"] == "nosniff"
    head = await ada.http.head(url)
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) == len(whole)
    assert head.headers["accept-ranges"] == "bytes"
    assert head.headers["etag"] == first.headers["etag"]


async def test_matching_etag_is_304(ada: Api, generation: Any) -> None:
    url = generation["result"]["url"]
    etag = (await ada.http.get(url)).headers["etag"]
    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        response = await ada.http.get(url, headers={"if-none-match": known})
        assert (response.status_code, response.content) == (304, b"")
        assert response.headers["etag"] == etag
        assert "immutable" in response.headers["cache-control"]
    for unknown in ('"other"', etag.strip('"'), ""):
        assert (await ada.http.get(url, headers={"if-none-match": unknown})).status_code == 200


async def test_forged_links_are_404(ada: Api, module_server: Running, generation: Any) -> None:
    url = generation["result"]["url"]
    token, secret = token_of(url), module_server.settings.secret()
    payload = URLSafeSerializer(secret, salt="darkroom-files").loads(token)
    another = await ada.http.get(url.replace(token, URLSafeSerializer(secret, salt="darkroom-files").dumps(payload)))
    assert another.status_code == 200  # a control: a token made this way is valid
    invalid = [
        URLSafeSerializer("x" * 64, salt="darkroom-files").dumps(payload),
        URLSafeSerializer(secret, salt="something-else").dumps(payload),
        URLSafeSerializer(secret, salt="darkroom-files").dumps([payload[0] + "x", *payload[1:]]),
        URLSafeSerializer(secret, salt="darkroom-files").dumps(["../../test.sqlite3", *payload[1:]]),
        URLSafeSerializer(secret, salt="darkroom-files").dumps("text"),
        URLSafeSerializer(secret, salt="darkroom-files").dumps([*payload[:3], 1]),
        forged(token),
        "x" + token,
        token.rpartition(".")[0],
        payload[0].replace("/", "%2F"),
        "..%2F..%2Fsecret-key",
        "%00",
        "%ff%fe",
        "x" * 20_000,
    ]
    for forgery in invalid:
        response = await ada.http.get(f"{ada.address}/files/{forgery}")
        assert response.status_code == 404, forgery
        assert response.text in ("Not found.", "Not Found")


async def test_file_removed_during_requests_is_sent_whole_or_404(module_server: Running, rng: random.Random) -> None:
    storage = module_server.services.integrations.storage
    assert isinstance(storage, LocalStorage)
    data = rng.randbytes(100_000)
    for number in range(100):
        key = f"results/usr_1/fil_{number}"
        await storage.put(key, data, "image/png")
        link = await storage.link(key, "image/png")

        async def remove(key: str = key) -> None:
            await asyncio.sleep(rng.uniform(0, 0.003))
            await storage.delete(key)

        response, _ = await asyncio.gather(module_server.api.http.get(link.url), remove())
        assert (response.status_code, response.content) in {(200, data), (404, b"Not found.")}


async def test_file_deleted_after_the_response_has_started_is_sent_whole(tmp_path: Path) -> None:
    path = tmp_path / "picture"
    path.write_bytes(b"x" * 300_000)
    sent = bytearray()

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        path.unlink(missing_ok=True)
        sent.extend(message.get("body", b""))

    file = path.open("rb")
    scope = {"type": "http", "method": "GET", "headers": [], "asgi": {"spec_version": "2.4"}}
    await OpenFileResponse(file, "image/png", {})(scope, receive, send)
    assert bytes(sent) == b"x" * 300_000
    assert file.closed


async def test_removing_a_file_removes_its_partial_writes_and_ends_its_links(ada: Api, module_server: Running) -> None:
    generation = await finished(ada)
    file = await File.get(made_by__id=generation["id"])
    for key in (file.key, file.thumbnail_key):
        path = module_server.settings.data_dir / "files" / key
        await asyncio.to_thread(path.with_name(f".{path.name}.0badf00d").write_bytes, b"half of a pic")
    assert await module_server.services.media.files.remove(file)
    assert [key for key in await stored_keys(module_server.services) if file.id in key] == []
    for name in ("url", "downloadUrl", "thumbnailUrl"):
        assert (await ada.http.get(generation["result"][name])).status_code == 404


async def test_link_changes_once_per_time_window(storage: LocalStorage, clock: Clock) -> None:
    links = []
    for seconds in range(0, 900, 10):
        clock.now = 999_900.0 + seconds  # windows of 300 seconds; this is the start of one
        links.append(await storage.link(KEY, "image/png"))
    assert [links.count(link) for link in dict.fromkeys(links)] == [30, 30, 30]
    assert links[0].expires_at == 999_900 + 600


async def test_link_is_valid_for_at_least_half_of_its_lifetime(storage: LocalStorage, clock: Clock) -> None:
    await storage.put(KEY, b"bytes", "image/png")
    for start in (999_900.0, 1_000_000.5, 1_000_199.9):
        clock.now = start
        link = await storage.link(KEY, "image/png")
        assert 300 <= link.expires_at - start <= 600
        found = storage.resolve(token_of(link.url))
        assert found is not None
        assert found.path.read_bytes() == b"bytes"
        assert 0 < found.seconds_left <= 600
        clock.now = link.expires_at - 1.0
        assert storage.resolve(token_of(link.url)) is not None
        clock.now = float(link.expires_at)
        assert storage.resolve(token_of(link.url)) is None


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
    assert storage.resolve(token_of((await storage.link(key, "image/png")).url)) is None
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
    assert storage.resolve(token_of((await storage.link(KEY, "image/png")).url)) is None
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
    target = await storage.upload_target(KEY, "image/png", max_bytes=1000, seconds=60)
    assert (target.method, target.headers, target.fields) == ("POST", {}, {})
    assert target.expires_at == clock.now + 60
    address, _, token = target.url.rpartition("/")
    assert address == "https://pictures.example/uploads"
    clock.now += 59
    assert storage.resolve_upload(token) == LocalUpload(KEY, "image/png", 1000)
    assert storage.resolve(token) is None, "an upload token must not authorize a download"
    assert storage.resolve_upload(token_of((await storage.link(KEY, "image/png")).url)) is None
    assert storage.resolve_upload(forged(token)) is None
    clock.now += 1
    assert storage.resolve_upload(token) is None
