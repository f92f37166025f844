"""Files of the local storage behind signed links: bytes, headers, and 404 for every invalid link."""

import asyncio
import base64
import io
import random
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from itsdangerous import URLSafeSerializer
from PIL import Image
from starlette.types import Message

from models import File
from services.integrations.storage.local import LocalStorage
from tests.conftest import Running
from tests.support.client import Api, photo
from tests.support.integrity import stored_keys
from tests.support.signed_link import forged, link_to, parameters_of, path_of
from web.local_file import OpenFileResponse


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
        assert response.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'; sandbox"
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
    for width, expected in ((None, 320), (1, 320), (320, 320), (321, 640), (640, 640), (4096, picture["width"])):
        found = (await ada.one(THUMBNAIL, id=generation["id"], width=width))["generation"]["result"]
        response = await ada.http.get(found["thumbnailUrl"])
        assert Image.open(io.BytesIO(response.content)).width == expected
        assert (found["thumbnailUrl"] == found["url"]) is (width == 4096)
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
    responses = [(await ada.one(THUMBNAIL, id=generation["id"]))["generation"]["result"] for _ in range(3)]
    again = (await ada.one(THUMBNAIL, id=generation["id"]))["generation"]["result"]
    # One window may end during the test, but not several.
    assert again in responses


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


@pytest.mark.parametrize(
    "given",
    ["lines=1", "bytes=abc", "bytes=5-2", "bytes=999999999-5", "bytes=", "bytes=-", "bytes", "bytes=0-4,x", "0-4", ""],
)
async def test_range_that_is_not_understood_is_ignored(ada: Api, generation: Any, given: str) -> None:
    url = generation["result"]["url"]
    response = await ada.http.get(url, headers={"range": given})
    assert (response.status_code, len(response.content)) == (200, generation["result"]["byteSize"])
    assert "content-range" not in response.headers


@pytest.mark.parametrize("given", ["BYTES=0-9", "bytes= 0-9", "bytes=0-9,", "bytes=0-4, 3-9"])
async def test_range_is_understood_in_any_spelling(ada: Api, generation: Any, given: str) -> None:
    response = await ada.http.get(generation["result"]["url"], headers={"range": given})
    assert (response.status_code, len(response.content)) == (206, 10)


async def test_range_of_a_head_request_is_ignored(ada: Api, generation: Any) -> None:
    for given in ("bytes=0-9", "bytes=999999999-", "lines=1"):
        head = await ada.http.head(generation["result"]["url"], headers={"range": given})
        assert (head.status_code, head.content) == (200, b"")
        assert int(head.headers["content-length"]) == generation["result"]["byteSize"]
        assert "content-range" not in head.headers


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
    url, secret = generation["result"]["url"], module_server.settings.secret()
    path, given = path_of(url), parameters_of(url)
    assert generation["result"]["id"] == path.rpartition("/")[2]
    other = path_of(generation["original"]["url"])
    earlier = URLSafeSerializer(secret, salt="darkroom-files")
    payload = [path, given["type"], None, int(given["expires"])]
    for valid in (link_to(ada.address, path, given), f"{ada.address}/files/{earlier.dumps(payload)}"):
        assert (await ada.http.get(valid)).status_code == 200  # controls: links made this way are valid
    links = [
        link_to(ada.address, other, given),
        link_to(ada.address, path, given | {"type": "text/html"}),
        link_to(ada.address, path, given | {"expires": "99999999999"}),
        link_to(ada.address, path, given | {"signature": forged(given["signature"])}),
        link_to(ada.address, "../test.sqlite3", given),
        link_to(ada.address, "%2e%2e/test.sqlite3", given),
    ]
    tokens = [
        URLSafeSerializer("x" * 64, salt="darkroom-files").dumps(payload),
        URLSafeSerializer(secret, salt="something-else").dumps(payload),
        earlier.dumps(["../../test.sqlite3", *payload[1:]]),
        earlier.dumps("text"),
        earlier.dumps([*payload[:3], 1]),
        forged(str(earlier.dumps(payload))),
        path,
        path.replace("/", "%2F"),
        "..%2F..%2Fsecret-key",
        "%00",
        "%ff%fe",
        "x" * 4000,
    ]
    for forgery in links + [f"{ada.address}/files/{token!s}" for token in tokens]:
        response = await ada.http.get(forgery)
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
