"""The documentation site: built from docs/ and the schema, whole without other hosts, and served at /docs."""

import json
import re
from html.parser import HTMLParser
from urllib.parse import unquote, urldefrag, urljoin

import pytest

from schema.root import schema
from tests.conftest import Running
from web.documentation import BUILD

pytestmark = pytest.mark.any_database

SITE = "http://site/docs/"


class Links(HTMLParser):
    """Collects what a page links to and loads, its anchors, and its inline scripts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.loads: set[str] = set()
        self.anchors: set[str] = set()
        self.inline_scripts = 0
        self.handlers: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.handlers |= {name for name in found if name.startswith("on")}
        self.anchors |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.links.add(found["href"])
        if tag in {"script", "img", "iframe"} and "src" in found:
            self.loads.add(found["src"])
        if tag == "link" and found.get("rel") in {"stylesheet", "icon", "preload", "modulepreload"}:
            self.loads.add(found["href"])
        if tag == "script" and "src" not in found and found.get("type") != "application/json":
            self.inline_scripts += 1


@pytest.fixture(scope="module")
def pages() -> dict[str, Links]:
    """Every page of the site by its address."""
    assert (BUILD / "index.html").exists(), "run `make docs`"
    found = {}
    for path in BUILD.rglob("index.html"):
        folder = path.parent.relative_to(BUILD).as_posix()
        found[SITE if folder == "." else f"{SITE}{folder}/"] = Links(path.read_text(encoding="utf-8"))
    return found


def test_every_link_of_the_site_leads_somewhere(pages: dict[str, Links]) -> None:
    dead = []
    for address, page in pages.items():
        for link in page.links:
            target, anchor = urldefrag(urljoin(address, link))
            if not target.startswith(SITE):
                continue
            if target in pages:
                is_there = not anchor or unquote(anchor) in pages[target].anchors
            else:
                is_there = (BUILD / target.removeprefix(SITE)).is_file()
            if not is_there:
                dead.append(f"{address}: {link}")
    assert dead == []


def test_page_loads_nothing_from_other_hosts_and_runs_no_inline_script(pages: dict[str, Links]) -> None:
    for address, page in pages.items():
        for load in page.loads:
            target = urljoin(address, load)
            assert target.startswith(SITE), f"{address}: {load}"
            assert (BUILD / unquote(target.removeprefix(SITE))).is_file(), f"{address}: {load}"
        assert (page.inline_scripts, page.handlers) == (0, set()), address


def test_reference_has_every_field_and_every_type(pages: dict[str, Links]) -> None:
    for root, name in (("Query", "queries"), ("Mutation", "mutations"), ("Subscription", "subscriptions")):
        fields = schema._schema.type_map[root].fields  # type: ignore[attr-defined]  # roots are object types
        assert {field.lower() for field in fields} <= pages[f"{SITE}reference/{name}/"].anchors
    named = {kind.lower() for kind in schema._schema.type_map if not kind.startswith("__")}
    anchors = set().union(*(pages[f"{SITE}reference/{name}/"].anchors for name in ("objects", "inputs", "enums")))
    builtin = {"int", "float", "string", "boolean", "id", "query", "mutation", "subscription"}
    assert named - builtin <= anchors


def test_navigation_leads_to_every_page(pages: dict[str, Links]) -> None:
    home = {urljoin(SITE, link) for link in pages[SITE].links}
    assert {address for address in pages if "/decisions/0" not in address} - home == set()


def test_operations_can_be_run_from_their_page(pages: dict[str, Links]) -> None:
    runs = [link for link in pages[f"{SITE}api/"].links if link.startswith("/graphql#query=")]
    assert len(runs) > 90


def test_search_finds_pages_without_a_server() -> None:
    index = json.loads((BUILD / "search.json").read_text(encoding="utf-8"))
    text = json.dumps(index)
    assert "createGeneration" in text
    assert "GENERATION_LEASE_SECONDS" in text


async def test_site_is_served_with_a_policy_that_allows_no_other_host(module_server: Running) -> None:
    http = module_server.api.http
    home = await http.get("/docs/")
    assert home.status_code == 200
    assert "Darkroom" in home.text
    policy = home.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "http" not in policy
    assert home.headers["cache-control"] == "no-cache"
    (script,) = re.findall(r'src="\./(assets/javascripts/bundle[^"]+)"', home.text)
    assert "immutable" in (await http.get(f"/docs/{script}")).headers["cache-control"]
    unchanged = await http.get("/docs/", headers={"if-none-match": home.headers["etag"]})
    assert unchanged.status_code == 304


@pytest.mark.parametrize(("path", "leads_to"), [("/docs", "/docs/"), ("/docs/api", "/docs/api/")])
async def test_folder_is_redirected_to_its_page(module_server: Running, path: str, leads_to: str) -> None:
    response = await module_server.api.http.get(path, headers={"host": "elsewhere.example"})
    assert response.status_code == 307
    assert response.headers["location"] == leads_to


@pytest.mark.parametrize(
    "path",
    ["/docs/nothing/", "/docs/../main.py", "/docs/%2e%2e/mkdocs.yml", "/docs//etc/passwd", "/docs/%2fetc%2fpasswd"],
)
async def test_other_addresses_are_not_found(module_server: Running, path: str) -> None:
    response = await module_server.api.http.get(path)
    assert response.status_code == 404
    assert "root:" not in response.text
