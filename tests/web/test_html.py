"""HTML pages: every value is escaped, whatever page it is on."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from jinja2.meta import find_undeclared_variables
from jinja2.nodes import Extends
from starlette.requests import Request

from schema.runtime.access import Audience
from setting_types import Switch
from settings import ROOT, Settings
from tests.conftest import Running, running
from tests.support.client import Api
from web.graphiql import GraphiQL
from web.html import templates

HOSTILE = "\"'></title></style><script>alert(1)</script>{{ 7 * 7 }}<img src=x onerror=alert(1)> &amp;"
PAGES = sorted(name for name in templates().list_templates() if name.endswith(".html"))


class Elements(HTMLParser):
    """The names of a page's elements and of their attributes, and the attributes' values."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.values: list[str | None] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))
        self.values += [value for _, value in attrs]


def variables(template: str) -> set[str]:
    """The names that a template and its parents are rendered with."""
    loader = templates().loader
    assert loader is not None
    tree = templates().parse(loader.get_source(templates(), template)[0])
    found = find_undeclared_variables(tree)
    for parent in tree.find_all(Extends):
        found |= variables(parent.template.value)  # type: ignore[attr-defined]  # a constant: the parent's name
    return found


@pytest.mark.parametrize("page", PAGES)
def test_page_escapes_hostile_text_in_every_value(page: str) -> None:
    names = variables(page)
    assert {"title", "site", "language"} <= names
    harmless = Elements(templates().get_template(page).render(dict.fromkeys(names, "harmless")))
    text = templates().get_template(page).render(dict.fromkeys(names, HOSTILE))
    hostile = Elements(text)
    assert hostile.tags == harmless.tags
    assert [value for value in hostile.values if value == HOSTILE] == [
        HOSTILE for value in harmless.values if value == "harmless"
    ]
    assert HOSTILE not in text


def test_no_template_disables_escaping() -> None:
    for page in PAGES:
        source = (ROOT / "web" / "pages" / page).read_text(encoding="utf-8")
        assert not re.search(r"\|\s*safe\b|autoescape", source), page
    for path in (ROOT / "web").glob("*.py"):
        assert "Markup(" not in path.read_text(encoding="utf-8"), path.name


@pytest.mark.any_database
async def test_hostile_requests_are_escaped_in_the_pages_that_answer_them(settings: Settings) -> None:
    plain = settings.model_copy(update={"studio": Switch.OFF})  # whose views would be shown instead
    async with running(plain, idle=True) as server:
        await check_hostile_requests(server.api)


async def check_hostile_requests(api: Api) -> None:
    for path in ("/verify-email", "/reset-password", "/checkout/x", "/s/x", f"/checkout/{HOSTILE.replace('/', '')}"):
        for method in ("GET", "POST"):
            response = await api.http.request(
                method, path, params={"token": HOSTILE}, data={"token": HOSTILE, "password": HOSTILE},
                headers={"accept-language": "zh-CN"},
            )  # fmt: skip
            assert "<script" not in response.text, (method, path)
            assert "<img" not in response.text, (method, path)
            assert "49" not in re.sub(r"<style>.*?</style>", "", response.text, flags=re.DOTALL), (method, path)


@pytest.mark.any_database
async def test_graphiql_page_escapes_the_attributes_that_it_sets(server: Running, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text('<!doctype html>\n<html lang="en"><body></body></html>')
    scope = {"type": "http", "headers": [], "state": {"services": server.services}}
    page = await GraphiQL(Audience.EVERYONE, HOSTILE, tmp_path).page(Request(scope))
    elements = Elements(bytes(page.body).decode())
    assert [tag for tag, _ in elements.tags] == ["html", "body"]
    assert HOSTILE in elements.values
