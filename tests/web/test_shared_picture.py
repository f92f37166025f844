"""Share links: the page and its images, link previews, languages, security headers, and revocation."""

import base64
import hashlib
import io
import random
import re
from collections.abc import AsyncIterator

import httpx
import pytest
from PIL import Image

from models import File, Generation, User
from tests.conftest import Running
from tests.support.client import Api, photo
from tests.support.html_page import Page

SHARE = "mutation($id: ID!, $slug: String) { shareGeneration(id: $id, slug: $slug) { generation { shareUrl } } }"
UNSHARE = "mutation($id: ID!) { unshareGeneration(id: $id) { generation { shareUrl } } }"
DELETE = "mutation($ids: [ID!]!) { deleteGenerations(ids: $ids) { deletedIds } }"
HOSTILE = "<script>alert(1)</script>\"'&amp;$page\u05d0"


@pytest.fixture(scope="module")
async def ada(module_server: Running) -> Api:
    return await module_server.api.sign_up(name="Ada Lovelace")


async def finished(api: Api) -> str:
    """Create a generation and return its id once it has completed."""
    style = await api.style("cute", "plushify")
    (made,) = (await api.create(photo(64, 48), styleId=style, prompt="Secret snow"))["generations"]
    assert (await api.wait_for_end(made["id"]))["status"] == "COMPLETED"
    return str(made["id"])


@pytest.fixture(scope="module")
async def fox(ada: Api) -> str:
    """The id of a picture that stays shared at /s/the-fox."""
    id = await finished(ada)
    await ada.one(SHARE, id=id, slug="the-fox")
    return id


@pytest.fixture
async def hare(ada: Api) -> AsyncIterator[str]:
    """The id of a picture that is shared at /s/the-hare, for one test."""
    id = await finished(ada)
    await ada.one(SHARE, id=id, slug="the-hare")
    yield id
    await ada.execute(DELETE, ids=[id])


OWN = {"date": "", "x-request-id": ""}  # headers that differ between any two responses


async def get(server: Running, path: str, **headers: str) -> httpx.Response:
    return await server.api.http.get(
        f"/s/{path}", headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


# The page


async def test_page_shows_the_picture_and_its_owner(module_server: Running, ada: Api, fox: str) -> None:
    response = await get(module_server, "the-fox")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    page, generation = Page(response), await ada.generation(fox)
    assert page.text["bdi"] == "CuteShared by Ada Lovelace"  # the title, and the line below it
    image = page.one("img")
    assert (image["src"], image["alt"]) == ("/s/the-fox/picture", "Cute")
    assert (int(image["width"]), int(image["height"])) == (
        generation["result"]["width"],
        generation["result"]["height"],
    )
    assert page.one("time")["datetime"] == generation["createdAt"][:10]
    assert page.text["time"].endswith(generation["createdAt"][:4])
    assert page.one("a")["href"] == "/s/the-fox/picture?download=1"
    assert page.text["title"] == "Cute · Darkroom Studio"


async def test_page_has_the_metadata_for_link_previews(module_server: Running, ada: Api, fox: str) -> None:
    page, result = Page(await get(module_server, "the-fox")), (await ada.generation(fox))["result"]
    address = f"{ada.address}/s/the-fox"
    assert page.meta == {
        "viewport": "width=device-width, initial-scale=1",
        "description": "Shared by Ada Lovelace",
        "robots": "index, follow, max-image-preview:large",
        "og:type": "website",
        "og:site_name": "Darkroom Studio",
        "og:url": address,
        "og:title": "Cute",
        "og:description": "Shared by Ada Lovelace",
        "og:locale": "en_US",
        "og:image": f"{address}/preview.jpg",
        "og:image:type": "image/jpeg",
        "og:image:width": str(result["width"]),
        "og:image:height": str(result["height"]),
        "og:image:alt": "Cute",
        "twitter:card": "summary_large_image",
        "twitter:title": "Cute",
        "twitter:description": "Shared by Ada Lovelace",
        "twitter:image": f"{address}/preview.jpg",
        "twitter:image:alt": "Cute",
    }
    assert page.one("link") == {"rel": "canonical", "href": address}
    response = await get(module_server, "the-fox/picture")
    assert Image.open(io.BytesIO(response.content)).size == (result["width"], result["height"])
    assert (await get(module_server, "THE-Fox")).text == (await get(module_server, "the-fox")).text, (
        "one canonical page"
    )


async def test_page_is_in_the_preferred_language(module_server: Running, fox: str) -> None:
    chinese = await get(module_server, "the-fox", accept_language="zh-CN,zh;q=0.9")
    page = Page(chinese)
    assert page.one("html")["lang"] == chinese.headers["content-language"] == "zh-CN"
    assert (page.text["title"], page.text["bdi"]) == ("可爱 · 暗房影像工作室", "可爱由 Ada Lovelace 分享")
    assert page.text["time"].endswith("日")
    assert page.meta["og:locale"] == "zh_CN"
    for requested in ("en-GB", "fr", "", ";;;q=x", "zh;q=0"):
        english = await get(module_server, "the-fox", accept_language=requested)
        assert Page(english).one("html")["lang"] == english.headers["content-language"] == "en", requested
        assert english.headers["vary"] == chinese.headers["vary"] == "Accept-Language, Origin"
    missing = await get(module_server, "nothing", accept_language="zh-CN")
    assert Page(missing).one("html")["lang"] == "zh-CN"
    assert Page(missing).text["h1"] == "此图片无法查看。"


async def test_page_runs_no_script_and_loads_nothing_from_other_origins(module_server: Running, fox: str) -> None:
    for response in (await get(module_server, "the-fox"), await get(module_server, "nothing")):
        page = Page(response)
        (style,) = re.findall(r"<style>(.*?)</style>", response.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        assert response.headers["content-security-policy"] == (
            f"default-src 'none'; img-src 'self'; style-src 'sha256-{digest}';"
            " base-uri 'none'; frame-ancestors 'none'; form-action 'none'"
        )
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["referrer-policy"] == "no-referrer"
        tags = {tag for tag, _ in page.elements}
        assert tags.isdisjoint({"script", "iframe", "object", "embed", "form", "base", "svg"})
        given = [name for _, attributes in page.elements for name in attributes]
        assert "style" not in given
        assert [name for name in given if name.startswith("on")] == []
        assert "url(" not in style
        assert "@import" not in style


async def test_names_and_titles_are_escaped(module_server: Running, ada: Api, hare: str) -> None:
    before = Page(await get(module_server, "the-hare"))
    await User.filter(id=ada.user["id"]).update(name=HOSTILE)
    await Generation.filter(id=hare).update(style_title={"en": HOSTILE + "!"})
    try:
        response = await get(module_server, "the-hare")
    finally:
        await User.filter(id=ada.user["id"]).update(name="Ada Lovelace")
    page = Page(response)
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in before.elements]
    assert page.one("img")["alt"] == page.meta["og:title"] == page.meta["twitter:title"] == HOSTILE + "!"
    assert page.text["bdi"] == f"{HOSTILE}!Shared by {HOSTILE}", "each isolated by its own bdi"
    assert page.meta["description"] == f"Shared by {HOSTILE}"
    assert "alert(1)<" not in response.text


async def test_page_without_a_user_name_shows_none(module_server: Running, ada: Api, fox: str) -> None:
    await User.filter(id=ada.user["id"]).update(name=None)
    try:
        response = await get(module_server, "the-fox")
    finally:
        await User.filter(id=ada.user["id"]).update(name="Ada Lovelace")
    page = Page(response)
    assert page.text["bdi"] == "Cute"
    assert page.meta["og:description"] == "Made with Darkroom Studio"
    assert "Shared by" not in response.text


async def test_responses_contain_no_private_data(module_server: Running, ada: Api, fox: str) -> None:
    files = await File.filter(owner_id=ada.user["id"])
    generation = await Generation.get(id=fox)
    private = [ada.user["id"], str(ada.user["email"]), "Secret snow", "secret snow", fox, generation.batch_id, "usr_"]
    private += [file.id for file in files] + [file.key for file in files] + [generation.full_prompt[:30]]
    for path in ("the-fox", "the-fox/picture", "the-fox/picture?download=1", "the-fox/thumbnail", "nothing"):
        response = await get(module_server, path)
        sent = response.content + str(response.headers).encode()
        assert [text for text in private if text.encode() in sent] == [], path


# What is not shared


async def test_unshared_and_unknown_slugs_have_the_same_response(module_server: Running, ada: Api, fox: str) -> None:
    unshared = await finished(ada)
    address = (await ada.one(SHARE, id=unshared))["generation"]["shareUrl"].rpartition("/")[2]
    assert (await get(module_server, address)).status_code == 200
    await ada.one(UNSHARE, id=unshared)
    first = await get(module_server, "nothing")
    assert (first.status_code, first.headers["x-robots-tag"]) == (404, "noindex")
    assert first.headers["cache-control"] == "no-store"
    assert Page(first).meta["robots"] == "noindex"
    assert "og:image" not in Page(first).meta
    paths = [
        address,
        unshared,
        "x",
        "",
        "a" * 5000,
        "%00",
        "%FF",
        "..%2F..",
        "the-fox/",
        "the-fox/x",
        "the-fox%20",
        "é",
    ]
    for path in paths:
        for below in ("", "/picture", "/picture?download=1", "/thumbnail", "/preview.jpg"):
            response = await get(module_server, path + below)
            assert (response.status_code, response.text) == (404, first.text), path + below
            assert {**response.headers, **OWN} == {**first.headers, **OWN}
    assert (await module_server.api.http.post("/s/the-fox")).status_code == 405


async def test_unsharing_ends_page_and_images_at_once(module_server: Running, ada: Api, hare: str) -> None:
    paths = ("the-hare", "the-hare/picture", "the-hare/thumbnail", "the-hare/preview.jpg")
    etags = {path: (await get(module_server, path)).headers.get("etag", '"x"') for path in paths}
    await ada.one(UNSHARE, id=hare)
    for path in paths:
        assert (await get(module_server, path)).status_code == 404
        assert (await get(module_server, path, if_none_match=etags[path])).status_code == 404
    await ada.one(SHARE, id=hare, slug="the-hare")
    for path in paths:
        assert (await get(module_server, path)).status_code == 200


async def test_deleting_ends_page_and_images_at_once(module_server: Running, ada: Api) -> None:
    id = await finished(ada)
    await ada.one(SHARE, id=id, slug="the-wolf")
    assert (await get(module_server, "the-wolf/picture")).status_code == 200
    await ada.execute(DELETE, ids=[id])
    for path in ("the-wolf", "the-wolf/picture", "the-wolf/thumbnail", "the-wolf/preview.jpg"):
        assert (await get(module_server, path)).status_code == 404


# The pictures


async def test_picture_is_served_with_security_headers(module_server: Running, ada: Api, fox: str) -> None:
    generation = (await ada.generation(fox))["result"]
    response = await get(module_server, "the-fox/picture")
    assert response.content == (await module_server.api.http.get(generation["url"])).content
    kept = {name: response.headers[name] for name in ("content-type", "content-length", "etag", "accept-ranges")}
    assert kept == {
        "content-type": generation["contentType"],
        "content-length": str(generation["byteSize"]),
        "etag": f'"{hashlib.sha256(response.content).hexdigest()}"',
        "accept-ranges": "bytes",
    }
    for path in ("the-fox/picture", "the-fox/thumbnail", "the-fox/preview.jpg"):
        headers = (await get(module_server, path)).headers
        assert headers["cache-control"] == "public, max-age=300"
        assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'; sandbox"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "cross-origin"
        assert "x-robots-tag" not in headers
        assert "content-disposition" not in headers
    saved = await get(module_server, "the-fox/picture?download=1")
    ending = generation["contentType"].partition("/")[2].replace("jpeg", "jpg")
    assert saved.content == response.content
    assert saved.headers["content-disposition"] == f'attachment; filename="darkroom-the-fox.{ending}"'


async def test_thumbnails_are_served_by_width_each_with_its_own_etag(module_server: Running, ada: Api) -> None:
    style = await ada.style("cute", "plushify")
    (made,) = (await ada.create(photo(800, 600), styleId=style))["generations"]
    assert (await ada.wait_for_end(made["id"]))["status"] == "COMPLETED"
    await ada.one(SHARE, id=made["id"], slug="the-lynx")
    widths = (await File.get(made_by__id=made["id"])).thumbnail_widths
    assert len(widths) > 1
    query = """
    query($id: ID!, $width: Int) {
      viewer { generation(id: $id) { result { thumbnailUrl(width: $width) } } }
      sharedGeneration(slug: "the-lynx") { result { url thumbnailUrl(width: $width) } }
    }"""
    tags = {(await get(module_server, "the-lynx/picture")).headers["etag"]}
    for width in widths:
        found = await ada.execute(query, id=made["id"], width=width)
        signed = await module_server.api.http.get(found["viewer"]["generation"]["result"]["thumbnailUrl"])
        response = await module_server.api.http.get(found["sharedGeneration"]["result"]["thumbnailUrl"])
        assert response.content == signed.content
        assert Image.open(io.BytesIO(response.content)).width == width
        assert response.headers["content-type"] == "image/webp"
        tags.add(response.headers["etag"])
    assert len(tags) == len(widths) + 1
    widest = (await ada.execute(query, id=made["id"], width=4096))["sharedGeneration"]["result"]
    assert widest["thumbnailUrl"] == widest["url"]
    default = (await get(module_server, "the-lynx/thumbnail")).content
    for other in ("0", "-1", "x", "", "9" * 5000, "321", "0320", "٣٢٠"):
        assert (
            await module_server.api.http.get("/s/the-lynx/thumbnail", params={"width": other})
        ).content == default, other


async def test_matching_etag_is_304(module_server: Running, fox: str) -> None:
    for path in ("the-fox/picture", "the-fox/thumbnail", "the-fox/preview.jpg"):
        etag = (await get(module_server, path)).headers["etag"]
        for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
            response = await get(module_server, path, if_none_match=known)
            assert (response.status_code, response.content, response.headers["etag"]) == (304, b"", etag)
            assert response.headers["cache-control"] == "public, max-age=300"
        assert (await get(module_server, path, if_none_match='"other"')).status_code == 200


async def test_range_requests(module_server: Running, hare: str) -> None:
    data = random.Random(7).randbytes(2_500_000)  # more than one chunk of the storage
    file = await File.get(made_by__id=hare)
    await module_server.services.integrations.storage.put(file.key, data, file.content_type)
    await File.filter(id=file.id).update(byte_size=len(data), sha256=hashlib.sha256(data).hexdigest())
    whole = await get(module_server, "the-hare/picture")
    size, etag = len(data), whole.headers["etag"]
    assert whole.content == data
    parts = {
        "bytes=0-9": (0, 10),
        "bytes=5-5": (5, 6),
        "Bytes=100-": (100, size),
        "bytes=1000000-2200000": (1_000_000, 2_200_001),
        f"bytes={size - 1}-": (size - 1, size),
        f"bytes=0-{size * 9}": (0, size),
        "bytes=-7": (size - 7, size),
        f"bytes=-{size * 9}": (0, size),
    }
    for requested, (start, stop) in parts.items():
        response = await get(module_server, "the-hare/picture", range=requested)
        assert (response.status_code, response.content) == (206, data[start:stop]), requested
        assert response.headers["content-range"] == f"bytes {start}-{stop - 1}/{size}"
        assert response.headers["content-length"] == str(stop - start)
    for beyond in (f"bytes={size}-", f"bytes={size}-{size + 5}", "bytes=-0", "bytes=999999999999999999-"):
        response = await get(module_server, "the-hare/picture", range=beyond)
        assert (response.status_code, response.headers["content-range"]) == (416, f"bytes */{size}"), beyond
    for invalid in (
        "bytes=9-5",
        "bytes=-",
        "bytes=0-1,3-4",
        "lines=0-9",
        "bytes=a-b",
        "bytes=" + "9" * 5000 + "-",
        "٣",
    ):
        response = await module_server.api.http.get("/s/the-hare/picture", headers={b"range": invalid.encode()})
        assert (response.status_code, response.content) == (200, data), invalid
    same = await get(module_server, "the-hare/picture", range="bytes=0-9", if_range=etag)
    assert (same.status_code, same.content) == (206, data[:10])
    for other in ('"other"', f"W/{etag}", "Sat, 21 Nov 2026 10:00:00 GMT"):
        response = await get(module_server, "the-hare/picture", range="bytes=0-9", if_range=other)
        assert (response.status_code, response.content) == (200, data), other


async def test_head_has_the_headers_of_get_without_a_body(module_server: Running, fox: str) -> None:
    for path in ("the-fox", "the-fox/picture", "the-fox/thumbnail", "the-fox/preview.jpg", "nothing"):
        got, head = (
            await get(module_server, path),
            await module_server.api.http.head(f"/s/{path}", headers={"range": "bytes=0-9"}),
        )
        assert (head.status_code, head.content) == (got.status_code, b"")
        assert {**head.headers, **OWN} == {**got.headers, **OWN}


# Outages


async def test_unavailable_storage_is_503_and_missing_object_is_404(module_server: Running, fox: str) -> None:
    folder = module_server.settings.data_dir / "files"
    moved = folder.with_name("moved")
    pictures = ("the-fox/picture", "the-fox/thumbnail", "the-fox/preview.jpg")
    folder.rename(moved)
    try:
        lost = [await get(module_server, path) for path in pictures]
        folder.write_bytes(b"a file where the folder should be")
        down = [await get(module_server, path) for path in pictures]
        rest = [await get(module_server, "the-fox"), await module_server.api.http.head("/s/the-fox/picture")]
    finally:
        folder.unlink()
        moved.rename(folder)
    assert [response.status_code for response in lost] == [404, 404, 404]
    for response in down:
        assert (response.status_code, response.headers["retry-after"]) == (503, "5")
        assert response.headers["x-robots-tag"] == "noindex"
        assert str(folder) not in response.text
    assert [response.status_code for response in rest] == [200, 200], "requests without storage access still work"
