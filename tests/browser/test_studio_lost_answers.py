"""The studio where an answer fails or comes late: what is shown stays, and an order is made as it was meant."""

from typing import TYPE_CHECKING

import pytest

from tests.support.graphiql_page import run_server
from tests.support.studio_page import enter, open_studio

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.async_api import Browser, Request, Route

pytestmark = pytest.mark.browser

REFUSAL = {"data": None, "errors": [{"message": "Too many requests.", "extensions": {"code": "RATE_LIMITED"}}]}


@pytest.mark.parametrize("is_answered", [False, True], ids=["lost", "refused"])
async def test_view_stays_when_the_deployment_cannot_be_read_again(
    is_answered: bool, chromium: "Browser", tmp_path: "Path"
) -> None:
    async def fail(route: "Route") -> None:
        if not is_deployment(route.request):
            await route.fallback()
        elif is_answered:
            await route.fulfill(json=REFUSAL)
        else:
            await route.abort()

    async with run_server(tmp_path, PROFILE="flash") as server, open_studio(chromium, server) as studio:
        page = studio.page
        await enter(studio, server, "ada@example.com")
        await studio.open("/create/sandbox/free")
        words = page.get_by_label("Describe your picture")
        await words.wait_for()
        await page.get_by_role("banner").get_by_text("No pass").wait_for()
        await page.get_by_role("banner").get_by_role("link", name="Create").click()
        await words.wait_for(state="detached")
        studio.tolerates_lost_connections = True
        await page.route("**/graphql", fail)
        async with page.expect_event("requestfinished" if is_answered else "requestfailed", is_deployment):
            await page.go_back()
        await page.wait_for_timeout(300)  # in which the view would go
        await words.wait_for()
        assert await page.get_by_role("banner").locator("output").inner_text() == "No pass"
        await page.unroute_all(behavior="wait")


def is_deployment(request: "Request") -> bool:
    return "query Deployment" in (request.post_data or "")
