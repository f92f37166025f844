"""The studio's page: its addresses, its content security policy, and what is served where it was not built."""

import re
from pathlib import Path

import pytest

from setting_types import Access, Environment, Switch
from settings import Settings
from tests.conftest import running
from web.cookie import NAME
from web.studio import BUILD, FOLDER, MAILED_LINKS, VIEWS

pytestmark = pytest.mark.any_database

HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
STYLES = 'h1 > b { content: "&"; }'
OPENINGS = {"en": "<h1>Welcome</h1>", "zh-CN": "<h1>\u6b22\u8fce</h1>"}
ADDRESSES = [re.sub(r"\{.*?\}", "anything", view) for view in VIEWS]
INDEX = """<!doctype html>
<html lang="en">
  <head>
    <title>Studio</title>
  </head>
  <body>
    <div id="root"></div>
  </body>
</html>
"""


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """A folder as the build writes it."""
    folder = tmp_path / "dist"
    (folder / "studio").mkdir(parents=True)
    (folder / "index.html").write_text(INDEX)
    for language, words in OPENINGS.items():
        (folder / f"opening.{language}.html").write_text(words)
    (folder / "opening.css").write_text(STYLES)
    (folder / "studio" / "index-0a1b2c.js").write_text("export {};")
    (folder / "studio" / "index-0a1b2c.js.br").write_bytes(b"compressed")
    return folder


def directives(header: str) -> dict[str, str]:
    return dict(part.split(" ", 1) for part in header.split("; "))


def test_server_and_page_know_the_same_addresses() -> None:
    routes = (FOLDER / "src" / "app" / "routes.tsx").read_text(encoding="utf-8")
    paths = re.findall(r'<Route path="([^"]+)"', routes)
    assert "/" in paths
    for path in paths:
        first = "/" + path.split("/")[1]
        known = (*VIEWS, *MAILED_LINKS)
        assert any(view == first or view.startswith(f"{first}/") for view in known), f"web/studio.py lacks {path}"
    assert set(MAILED_LINKS) <= set(paths)


async def test_every_view_is_the_same_page_in_the_language_of_the_browser(settings: Settings, build: Path) -> None:
    async with running(settings, studio_files=build) as server:
        for address in ADDRESSES:
            page = await server.api.http.get(address, headers={**HTML, "accept-language": "zh-CN,zh;q=0.9"})
            assert page.status_code == 200
            assert '<html lang="zh-CN" ' in page.text
            assert page.headers["cache-control"] == "no-cache"
            assert page.headers["content-language"] == "zh-CN"
        for address in (
            "/anything",
            "/pictures",
            "/studio/index.html",
            "/studio/..%2Findex.html",
            f"/studio/{'x' * 300}",
        ):
            assert (await server.api.http.get(address, headers=HTML)).status_code == 404
        assert (await server.api.http.post("/", headers=HTML)).status_code == 405


async def test_start_has_its_words_before_the_scripts_have_come_for_visitors_alone(
    settings: Settings, build: Path
) -> None:
    async with running(settings, studio_files=build) as server:
        for language, words in OPENINGS.items():
            page = await server.api.http.get("/", headers={**HTML, "accept-language": language})
            assert f'<div id="root">{words}</div>' in page.text
            (nonce,) = re.findall(r'<meta property="csp-nonce" nonce="([^"]+)">', page.text)
            assert f'<style nonce="{nonce}">{STYLES}</style>' in page.text, "painted before the style sheet has come"
            assert page.headers["vary"] == "Accept-Language, Cookie, Origin"
            other = await server.api.http.get("/gallery", headers={**HTML, "accept-language": language})
            assert '<div id="root"></div>' in other.text
            assert "<style" not in other.text
        ada = await server.api.sign_up()
        cookie = {"cookie": f"{NAME}={ada.token}"}
        assert '<div id="root"></div>' in (await server.api.http.get("/", headers={**HTML, **cookie})).text


async def test_page_loads_nothing_from_other_origins_and_may_use_the_camera(settings: Settings, build: Path) -> None:
    async with running(settings, studio_files=build) as server:
        first, second = [await server.api.http.get("/", headers=HTML) for _ in range(2)]
        file = await server.api.http.get("/studio/index-0a1b2c.js")
    policy = directives(first.headers["content-security-policy"])
    assert policy["default-src"] == policy["form-action"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    # Links of pictures lead to PUBLIC_URL, also where the page was opened at another host name.
    address = server.api.address
    assert {name for name, value in policy.items() if address in value} == {"img-src", "media-src"}
    rest = [value.replace(address, "") for value in policy.values()]
    assert not [value for value in rest if re.search(r"https?:|\*|unsafe", value)]
    (nonce,) = re.findall(r'<meta property="csp-nonce" nonce="([^"]+)">', first.text)
    assert policy["style-src"] == f"'self' 'nonce-{nonce}'"
    assert nonce not in second.text
    assert "camera=(self)" in first.headers["permissions-policy"]
    assert "immutable" in file.headers["cache-control"]
    assert file.headers["permissions-policy"].startswith("camera=()")


async def test_files_are_compressed_for_those_who_take_it(settings: Settings, build: Path) -> None:
    async with running(settings, studio_files=build) as server:
        for accepted in ("gzip, br", "br;q=0.5", "br"):
            request = server.api.http.build_request(
                "GET", "/studio/index-0a1b2c.js", headers={"accept-encoding": accepted}
            )
            response = await server.api.http.send(request, stream=True)
            assert b"".join([part async for part in response.aiter_raw()]) == b"compressed"
            assert response.headers["content-encoding"] == "br"
            assert "javascript" in response.headers["content-type"]
            assert response.headers["vary"] == "Accept-Encoding, Origin"
        for refused in ("gzip", "br;q=0", "br;q=0.0, gzip", "brotli", ""):
            plain = await server.api.http.get("/studio/index-0a1b2c.js", headers={"accept-encoding": refused})
            assert plain.text == "export {};"
            assert "content-encoding" not in plain.headers
        assert (await server.api.http.get("/studio/index-0a1b2c.js.br")).status_code == 404


async def test_policy_allows_pictures_and_uploads_of_the_object_storage_only(settings: Settings, build: Path) -> None:
    store = "https://store.example.com"
    keys = {"aws_access_key_id": "AKIATEST", "aws_secret_access_key": "hush"}
    bucket = {"s3_bucket": "pictures", "s3_public_url": f"{store}/objects", **keys}
    async with running(settings.model_copy(update=bucket), studio_files=build) as server:
        page = await server.api.http.get("/", headers=HTML)
    policy = directives(page.headers["content-security-policy"])
    assert {name for name, value in policy.items() if store in value} == {"connect-src", "img-src", "media-src"}


async def test_demo_account_is_offered_in_development_only(settings: Settings, build: Path) -> None:
    async with running(settings, studio_files=build, is_development=True) as server:
        assert 'data-demo="demo@example.com"' in (await server.api.http.get("/", headers=HTML)).text
    async with running(settings, studio_files=build, is_development=False) as server:
        assert "data-demo" not in (await server.api.http.get("/", headers=HTML)).text


async def test_missing_build_is_503_with_instructions_and_the_api_works(settings: Settings, tmp_path: Path) -> None:
    async with running(settings, studio_files=tmp_path) as server:
        for address in ADDRESSES:
            page = await server.api.http.get(address, headers=HTML)
            assert page.status_code == 503
            assert "make studio" in page.text
            assert page.headers["refresh"] == "5", "`make run` builds it while the server runs"
        assert await server.api.execute("{ __typename }") == {"__typename": "Query"}


async def test_mailed_links_lead_to_the_studio_or_to_plain_pages(
    settings: Settings, build: Path, tmp_path: Path
) -> None:
    off = settings.model_copy(update={"studio": Switch.OFF})
    for with_settings, files, is_studio in ((settings, build, True), (settings, tmp_path, False), (off, build, False)):
        async with running(with_settings, studio_files=files) as server:
            for address in MAILED_LINKS:
                page = await server.api.http.get(address, params={"token": "x" * 43}, headers=HTML)
                assert page.status_code == 200
                assert ("<title>Studio</title>" in page.text) is is_studio
                assert ("<form" in page.text) is not is_studio
                assert page.headers["referrer-policy"] == "no-referrer"
                posted = await server.api.http.post(address, data={"token": "x" * 43, "password": "correct horse"})
                assert posted.status_code == 400, "its form works wherever it was opened"


async def test_studio_can_be_switched_off(settings: Settings, build: Path) -> None:
    assert settings.studio is Switch.ON
    off = settings.model_copy(update={"studio": Switch.OFF})
    async with running(off, studio_files=build) as server:
        home = await server.api.http.get("/", headers=HTML)
        assert (home.status_code, home.headers["location"]) == (307, "/graphql")
        assert (await server.api.http.get("/gallery", headers=HTML)).status_code == 404
    async with running(off.model_copy(update={"graphiql": Access.OFF}), studio_files=build) as server:
        assert (await server.api.http.get("/", headers=HTML)).status_code == 404


def test_studio_is_on_in_production_too(settings: Settings) -> None:
    assert settings.model_copy(update={"environment": Environment.PRODUCTION}).studio is Switch.ON
    assert BUILD == FOLDER / "dist"


async def test_page_says_which_pages_for_developers_are_served(settings: Settings, build: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    for access, said in ((Access.ON, "everyone"), (Access.ADMINS, "admins"), (Access.OFF, None)):
        given = settings.model_copy(update={"graphiql": access})
        async with running(given, studio_files=build, documentation_files=site) as server:
            page = (await server.api.http.get("/", headers=HTML)).text
        assert re.findall(r'data-graphiql="(\w+)"', page) == ([] if said is None else [said])
        assert "data-docs" not in page
    site.mkdir()
    (site / "index.html").write_text("<h1>Documentation</h1>")
    async with running(settings, studio_files=build, documentation_files=site) as server:
        assert " data-docs" in (await server.api.http.get("/", headers=HTML)).text
