"""Videos over HTTP: range requests of signed links and shares, the share page with its player, and its metadata."""

import random
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from models import File
from tests.conftest import Running, quick_settings, running
from tests.support.client import Api
from tests.support.html_page import Page
from tests.support.video_result import video_result

SHARE = "mutation($id: ID!, $slug: String) { shareGeneration(id: $id, slug: $slug) { generation { shareUrl } } }"
RESULT = "query($id: ID!) { viewer { generation(id: $id) { result { url downloadUrl posterUrl thumbnailUrl } } } }"
SHARED = """query($slug: String!) { sharedGeneration(slug: $slug) {
  result { url downloadUrl posterUrl thumbnailUrl(width: 4096) duration contentType expiresAt } } }"""


@pytest.fixture(scope="module")
async def idle(templates: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """An idle server for all tests of this module, on SQLite."""
    folder = tmp_path_factory.mktemp("server")
    shutil.copy(templates, folder / "test.sqlite3")
    async with running(quick_settings(f"sqlite://{folder}/test.sqlite3", folder), idle=True) as found:
        yield found


@pytest.fixture(scope="module")
async def ada(idle: Running) -> Api:
    return await idle.api.sign_up(name="Ada Lovelace")


@pytest.fixture(scope="module")
async def shared(idle: Running, ada: Api) -> str:
    """The id of a video that is shared at /s/the-fox."""
    id = await video_result(idle, ada)
    await ada.one(SHARE, id=id, slug="the-fox")
    return id


async def addresses(ada: Api, id: str) -> dict[str, str]:
    """The addresses of the video: of its signed link, and of its share."""
    return {"signed": (await ada.one(RESULT, id=id))["generation"]["result"]["url"], "shared": "/s/the-fox/video"}


@pytest.fixture(params=["signed", "shared"])
async def address(request: pytest.FixtureRequest, ada: Api, shared: str) -> str:
    return (await addresses(ada, shared))[request.param]


async def test_range_requests(idle: Running, address: str) -> None:
    http = idle.api.http
    whole = await http.get(address)
    data, size = whole.content, len(whole.content)
    assert (whole.status_code, whole.headers["accept-ranges"], whole.headers["content-type"]) == (
        200, "bytes", "video/mp4",
    )  # fmt: skip
    rng = random.Random(3)
    ranges = {
        "bytes=0-": (0, size), "bytes=0-1": (0, 2), "bytes=100-": (100, size), "bytes=-7": (size - 7, size),
        f"bytes={size - 1}-": (size - 1, size), f"bytes=0-{size * 2}": (0, size), f"bytes=-{size * 2}": (0, size),
    }  # fmt: skip
    for _ in range(20):
        first, last = sorted(rng.sample(range(size), 2))
        ranges[f"bytes={first}-{last}"] = (first, last + 1)
    for requested, (start, stop) in ranges.items():
        part = await http.get(address, headers={"range": requested})
        assert (part.status_code, part.content) == (206, data[start:stop]), requested
        assert part.headers["content-range"] == f"bytes {start}-{stop - 1}/{size}"
        assert part.headers["content-length"] == str(stop - start)
        assert part.headers["content-type"] == "video/mp4"
    beyond = await http.get(address, headers={"range": f"bytes={size}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{size}")


async def test_video_can_be_opened_by_itself_and_nothing_in_it_runs(idle: Running, address: str) -> None:
    policy = (await idle.api.http.get(address)).headers["content-security-policy"]
    assert policy == "default-src 'none'; media-src 'self'; frame-ancestors 'none'; sandbox allow-same-origin"


async def test_if_range_and_head(idle: Running, address: str) -> None:
    http = idle.api.http
    whole = await http.get(address)
    etag, size = whole.headers["etag"], len(whole.content)
    same = await http.get(address, headers={"range": "bytes=0-9", "if-range": etag})
    assert (same.status_code, same.content) == (206, whole.content[:10])
    other = await http.get(address, headers={"range": "bytes=0-9", "if-range": '"other"'})
    assert (other.status_code, other.content) == (200, whole.content)
    known = await http.get(address, headers={"if-none-match": etag})
    assert (known.status_code, known.content) == (304, b"")
    head = await http.head(address)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(size))
    assert head.headers["accept-ranges"] == "bytes"


async def test_parts_of_a_large_video_of_a_share(idle: Running, ada: Api) -> None:
    id = await video_result(idle, ada)
    await ada.one(SHARE, id=id, slug="the-hare")
    file, data = await File.get(made_by__id=id), random.Random(7).randbytes(2_500_000)  # more than one read
    await idle.services.integrations.storage.put(file.key, data, file.content_type)
    await File.filter(id=file.id).update(byte_size=len(data))
    part = await idle.api.http.get("/s/the-hare/video", headers={"range": "bytes=1000000-"})
    assert (part.status_code, part.content) == (206, data[1_000_000:])


async def test_share_page_has_a_player(idle: Running, ada: Api, shared: str) -> None:
    response = await idle.api.http.get("/s/the-fox")
    page, file = Page(response), await File.get(made_by__id=shared)
    player = page.one("video")
    assert {name: player[name] for name in ("src", "poster", "width", "height", "preload", "aria-label")} == {
        "src": "/s/the-fox/video",
        "poster": "/s/the-fox/poster",
        "width": str(file.width),
        "height": str(file.height),
        "preload": "metadata",
        "aria-label": page.text["h1"] if "h1" in page.text else player["aria-label"],
    }
    assert {"controls", "playsinline"} <= player.keys()
    assert "autoplay" not in player
    assert page.all("img") == []
    assert page.one("a")["href"] == "/s/the-fox/video?download=1"
    assert page.text["a"] == "Save the video"
    policy = response.headers["content-security-policy"]
    assert "media-src 'self';" in policy
    assert "img-src 'self';" in policy
    assert "script-src" not in policy
    assert "default-src 'none'" in policy


async def test_share_page_has_the_metadata_of_a_video(idle: Running, ada: Api, shared: str) -> None:
    meta, file = Page(await idle.api.http.get("/s/the-fox")).meta, await File.get(made_by__id=shared)
    address = f"{ada.address}/s/the-fox"
    assert {name: value for name, value in meta.items() if "video" in name or name == "og:type"} == {
        "og:type": "video.other",
        "og:video": f"{address}/video",
        "og:video:type": "video/mp4",
        "og:video:width": str(file.width),
        "og:video:height": str(file.height),
        "video:duration": "1",
    }
    assert meta["og:image"] == meta["twitter:image"] == f"{address}/preview.jpg"
    preview = await idle.api.http.get("/s/the-fox/preview.jpg")
    assert (preview.status_code, preview.headers["content-type"]) == (200, "image/jpeg")


async def test_shared_video_by_the_api(idle: Running, ada: Api, shared: str) -> None:
    result = (await idle.api.one(SHARED, slug="the-fox"))["result"]
    address = f"{ada.address}/s/the-fox"
    assert result.pop("duration") == pytest.approx(1.0, abs=0.1)
    assert result == {
        "url": f"{address}/video",
        "downloadUrl": f"{address}/video?download=1",
        "posterUrl": f"{address}/poster",
        "thumbnailUrl": f"{address}/poster",
        "contentType": "video/mp4",
        "expiresAt": None,
    }
    poster = await idle.api.http.get(f"{address}/poster")
    assert (poster.status_code, poster.headers["content-type"]) == (200, "image/jpeg")
    known = await idle.api.http.get(f"{address}/poster", headers={"if-none-match": poster.headers["etag"]})
    assert known.status_code == 304
    saved = await idle.api.http.get(result["downloadUrl"])
    assert saved.headers["content-disposition"] == 'attachment; filename="darkroom-the-fox.mp4"'


async def test_poster_of_a_picture_is_not_found(idle: Running, ada: Api) -> None:
    (made,) = (await ada.create(prompt="A fox"))["generations"]
    await idle.services.generations.worker.process(made["id"])
    await ada.one(SHARE, id=made["id"], slug="the-owl")
    assert (await idle.api.http.get("/s/the-owl/poster")).status_code == 404
    assert (await idle.api.http.get("/s/the-owl/picture")).status_code == 200
