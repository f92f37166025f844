"""The studio where an answer fails or comes late: what is shown stays, and an order is made as it was meant."""

import re
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.test_studio_orders import (
    CREATE_UPLOAD,
    HOLD,
    IS_SIZED,
    RELEASE,
    is_with_photo,
    server,
    wait_for_photo,
)
from tests.support.client import photo, until
from tests.support.graphiql_page import PASSWORD, Server, run_server
from tests.support.studio_page import enter, open_studio

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.async_api import Browser, Request, Route

pytestmark = pytest.mark.browser
__all__ = ["server"]  # the fixture

SUBMIT = "button[type=submit]:not([data-disabled])"
COMPARE = "Compare before and after"
IS_FREE = """() => new Promise((resolve) => {
  indexedDB.open("studio").onsuccess = ({ target: { result: database } }) => {
    const all = database.transaction("photos").objectStore("photos").getAllKeys();
    all.onsuccess = () => (database.close(), resolve(all.result.length === 1));  // the photo of the tab
  };
})"""
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


async def any_of(found: list[Any]) -> bool:
    return bool(found)


async def test_order_waits_for_the_photo_that_is_being_prepared(chromium: "Browser", server: Server) -> None:
    async with open_studio(chromium, server) as studio:
        page = studio.page
        await page.add_init_script(f"({HOLD})()")
        for is_restored in (False, True):
            await studio.open("/create/sandbox/free")
            await page.get_by_label("Describe your picture").fill("A fox in the snow")
            if not is_restored:
                await studio.add_photo(content=photo(600, 400))
            await page.wait_for_function("() => Boolean(window.first)")
            await page.get_by_text("Preparing the photo").wait_for()
            await studio.check()
            await page.locator(SUBMIT).last.click()
            await page.wait_for_timeout(1000)  # in which the order would be placed
            assert "/pictures/" not in page.url
            await page.evaluate(RELEASE)
            await page.wait_for_url(re.compile("/pictures/"))
            await studio.wait_for_picture()
            await page.get_by_role("slider", name=COMPARE).wait_for()


async def test_photo_that_is_turned_while_it_is_sent_is_ordered_as_it_is_then(
    chromium: "Browser", server: Server
) -> None:
    async with open_studio(chromium, server) as studio:
        page = studio.page
        held: list[Route] = []

        async def hold(route: "Route") -> None:
            if "mutation CreateUpload" in (route.request.post_data or "") and not held:
                held.append(route)
            else:
                await route.fallback()

        await page.route("**/graphql", hold)
        await studio.open("/create/plushify/cute")
        await studio.add_photo(content=photo(600, 400))
        await wait_for_photo(studio)
        await page.locator(SUBMIT).last.click()
        await until(partial(any_of, held))
        await studio.button("Turn right").click()
        await page.wait_for_url(re.compile("/pictures/"))
        await studio.wait_for_picture()
        await page.get_by_role("slider", name=COMPARE).wait_for()


async def test_photo_of_a_waiting_order_stays_when_another_one_is_made_of_it(
    chromium: "Browser", server: Server
) -> None:
    async def lose(route: "Route") -> None:
        await (route.abort() if is_with_photo(route) else route.fallback())

    async with server.api() as api, open_studio(chromium, server) as studio:
        page = studio.page
        ada = await api.sign_up("waits@example.com", PASSWORD)
        await studio.button("Sign in").first.click()
        await studio.sign_in("waits@example.com")
        for _ in range(20):
            assert (await ada.one(CREATE_UPLOAD))["errors"] == []
        await studio.open("/create/plushify/cute")
        await studio.add_photo(content=photo(600, 400))
        await wait_for_photo(studio)
        studio.tolerates_lost_connections = True
        await page.route("**/graphql", lose)
        await page.locator(SUBMIT).last.click()
        await page.get_by_text("No connection. Your order is sent").wait_for()
        await page.reload()
        await wait_for_photo(studio)
        await studio.button("Turn right").click()
        await page.wait_for_function(IS_SIZED, arg=[400, 600])
        await page.reload()
        await page.get_by_text("No connection. Your order is sent").wait_for()
        await page.unroute("**/graphql", lose)
        await page.wait_for_url(re.compile("/pictures/"))
        await studio.wait_for_picture()
        await page.get_by_role("slider", name=COMPARE).wait_for()
        await page.wait_for_function(IS_FREE)


@pytest.mark.parametrize(
    ("status", "said"), [(413, "Something went wrong. Please try again."), (503, "No connection.")]
)
async def test_order_that_a_proxy_refuses_is_not_sent_again(
    status: int, said: str, chromium: "Browser", server: Server
) -> None:
    async def refuse(route: "Route") -> None:
        if "createGeneration" in (route.request.post_data or ""):
            await route.fulfill(status=status, body="No.", content_type="text/plain")
        else:
            await route.fallback()

    async with open_studio(chromium, server) as studio:
        page = studio.page
        await enter(studio, server, f"proxy{status}@example.com")
        await studio.open("/create/sandbox/free")
        await page.get_by_label("Describe your picture").fill("A fox in the snow")
        studio.tolerates_lost_connections = True
        await page.route("**/graphql", refuse)
        await page.locator(SUBMIT).last.click()
        await page.get_by_text(said).first.wait_for()
        await page.unroute("**/graphql", refuse)
        if status == 413:
            await page.locator(SUBMIT).last.click()
        await page.wait_for_url(re.compile("/pictures/"))
        await studio.wait_for_credits(29)
        studio.problems[:] = [one for one in studio.problems if f"status of {status}" not in one]
