"""The documentation site in a real browser without network access: search, and operations that run in GraphiQL."""

import re
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

from tests.support.graphiql_page import Server, open_graphiql, run_server

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    async with run_server(tmp_path_factory.mktemp("server")) as found:
        yield found


async def test_reader_searches_and_opens_what_was_found(chromium: "Browser", server: Server) -> None:
    async with open_graphiql(chromium, server) as reader:
        page = reader.page
        await page.goto(f"{server.address}/docs/")
        await page.get_by_role("button", name="Search").wait_for()
        await page.keyboard.press("ControlOrMeta+k")
        await page.locator("input:focus").fill("GENERATION_LEASE_SECONDS")
        await page.get_by_text(re.compile("[0-9]+ results?")).wait_for()
        await page.keyboard.press("Enter")
        await page.wait_for_url(re.compile("/docs/[a-z]+/"))
        await page.locator("article", has_text="GENERATION_LEASE_SECONDS").wait_for()


async def test_operation_of_a_page_is_opened_in_graphiql_and_runs(chromium: "Browser", server: Server) -> None:
    async with open_graphiql(chromium, server) as reader:
        page = reader.page
        await page.goto(f"{server.address}/docs/tutorials/frontend/")
        await page.locator("p.run a", has_text="Run in GraphiQL").first.click()
        await page.wait_for_selector(".graphiql-query-editor .view-line")
        await reader.wait_for_text(".graphiql-query-editor", "query Offer")
        await reader.run()
        await reader.wait_for_response('"product": "studio"')
        assert not re.search("#query", page.url), "loading the page again opens it once"


async def test_site_is_readable_on_a_phone(chromium: "Browser", server: Server) -> None:
    async with open_graphiql(chromium, server, viewport={"width": 360, "height": 740}) as reader:
        for path in ("", "api/", "reference/objects/", "configuration/"):
            await reader.page.goto(f"{server.address}/docs/{path}")
            wider = await reader.page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert wider <= 0, path
