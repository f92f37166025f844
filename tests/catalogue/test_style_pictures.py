"""Pictures that are shipped with styles: all of them, small, and served to anyone for caching."""

import io
import tomllib
from pathlib import Path

import httpx
import pytest
from PIL import Image

from services.products.style_picture import MAX_BYTES, SIDE, ShippedPictures
from settings import PROFILES
from tests.conftest import Running
from tools import style_pictures

pytestmark = pytest.mark.any_database

STYLES = "{ styles(first: 100) { nodes { slug previewUrl collection { slug } } } }"
COLLECTIONS = "{ collections { slug styles { previewUrl } } }"  # nothing else of the style is selected
FILES = sorted(PROFILES.glob("pictures/**/*.*"))


def shipped_styles() -> set[str]:
    """Return every style of the shared collections and of the profiles' own collections."""
    files = [*PROFILES.glob("*.toml"), *PROFILES.glob("shared/collections/*.toml")]
    loaded = [tomllib.loads(path.read_text(encoding="utf-8")) for path in files]
    collections = [one for file in loaded for one in (file, *file.get("collections", ())) if "use" not in one]
    return {f"{one['slug']}/{style['slug']}" for one in collections for style in one.get("styles", ())}


def test_every_shipped_style_has_a_picture_and_every_picture_a_style() -> None:
    assert {str(path.relative_to(PROFILES / "pictures")) for path in FILES} == {
        f"{style}.webp" for style in shipped_styles()
    }
    assert set(style_pictures.PHOTO_OF) <= shipped_styles()


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_pictures_are_small_square_webp_files_without_metadata(path: Path) -> None:
    data = path.read_bytes()
    assert len(data) <= MAX_BYTES == 30_000
    with Image.open(io.BytesIO(data)) as picture:
        assert (picture.format, picture.size) == ("WEBP", (SIDE, SIDE))
        assert not {"exif", "xmp", "icc_profile"} & picture.info.keys()


def test_pictures_differ() -> None:
    """Compare each with every other one at 8 x 8 pixels, where small details do not count."""
    tiny = {path: Image.open(path).convert("RGB").resize((8, 8)).tobytes() for path in FILES}
    for path, pixels in tiny.items():
        for other, others in tiny.items():
            difference = sum(abs(one - two) for one, two in zip(pixels, others, strict=True)) / len(pixels)
            assert path == other or difference > 15, (path, other)


def test_the_tool_makes_the_same_picture_again() -> None:
    style = "scenes/mountain-sunrise"
    made = Image.open(io.BytesIO(style_pictures.encode(style_pictures.draw(style)))).convert("RGB")
    kept = Image.open(PROFILES / "pictures" / f"{style}.webp").convert("RGB")
    difference = sum(abs(a - b) for a, b in zip(made.tobytes(), kept.tobytes(), strict=True)) / len(kept.tobytes())
    assert difference < 1  # of 255: another version of the encoder may round differently


async def get(server: Running, url: str, **headers: str) -> httpx.Response:
    return await server.api.http.get(url, headers=headers)


async def test_every_style_shows_its_picture_to_anyone(idle_server: Running) -> None:
    styles = (await idle_server.api.one(STYLES))["nodes"]
    assert len(styles) == len(shipped_styles())
    for style in styles:
        response = await get(idle_server, style["previewUrl"])
        path = PROFILES / "pictures" / style["collection"]["slug"] / f"{style['slug']}.webp"
        assert (response.status_code, response.content) == (200, path.read_bytes()), style
    collections = await idle_server.api.one(COLLECTIONS)
    found = [style["previewUrl"] for collection in collections for style in collection["styles"]]
    assert found == [style["previewUrl"] for style in styles]
    address = idle_server.api.address
    assert all(url.startswith(f"{address}/style-pictures/") for url in found), found


async def test_pictures_are_cached_for_good_and_validated_by_their_content(idle_server: Running) -> None:
    url = (await idle_server.api.one('{ style(slug: "noir") { previewUrl } }'))["previewUrl"]
    response = await get(idle_server, url)
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert response.headers["content-type"] == "image/webp"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["cross-origin-resource-policy"] == "cross-origin"
    assert response.headers["content-security-policy"].startswith("default-src 'none'")
    known = await get(idle_server, url, **{"If-None-Match": response.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")
    assert known.headers["cache-control"] == response.headers["cache-control"]
    head = await idle_server.api.http.head(url)
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", response.headers["etag"])


@pytest.mark.parametrize(
    "path", ["avenger/noir", "avenger/noir.webp", "avenger/noir-0123456789abcdef.webp", "avenger/-.webp",
             "nothing/noir-0123456789abcdef.webp", "..%2F/noir.webp", "avenger/%00", "avenger/" + "a" * 300, "x", ""],
)  # fmt: skip
async def test_other_addresses_are_not_found_and_not_cached(idle_server: Running, path: str) -> None:
    response = await get(idle_server, f"/style-pictures/{path}")
    assert (response.status_code, response.headers["cache-control"]) == (404, "no-store")


def test_a_changed_picture_has_another_address(tmp_path: Path) -> None:
    path = tmp_path / "pictures" / "toys" / "bear.webp"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"one")
    before = ShippedPictures.load(tmp_path).find("toys", "bear")
    path.write_bytes(b"two")
    pictures = ShippedPictures.load(tmp_path)
    after = pictures.find("toys", "bear")
    assert before is not None
    assert after is not None
    assert before.name != after.name
    assert pictures.by_name("toys", before.name) is None
    assert pictures.by_name("toys", after.name) == after
    assert pictures.find("toys", "cat") is None
    assert ShippedPictures.load(tmp_path / "nothing").find("toys", "bear") is None
