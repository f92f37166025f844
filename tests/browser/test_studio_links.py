"""The studio's signed links to files, which end: they are renewed before that, and when a file could not be loaded."""

import re
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.browser.test_studio_albums import open_gallery, pictures_of, second_tab
from tests.support.admin_desk import Desk, new_admin, open_desk
from tests.support.graphiql_page import Server, run_server
from tests.support.studio_page import open_studio

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page, Route

pytestmark = pytest.mark.browser

TILES = "() => [...document.querySelectorAll('[role=row] img')].map((one) => one.src)"
# Each tile that is seen has another link than those, and its image.
ARE_RENEWED = """(before) => {
  const tiles = [...document.querySelectorAll('[role=row] img')];
  return tiles.length > 0 && tiles.every((one) => !before.includes(one.src) && one.complete && one.naturalWidth > 0);
}"""

# Those in sight: the others are loaded when they come into it.
ARE_LOADED = """() => {
  const isInSight = (one) => one.getBoundingClientRect().top < innerHeight;
  const images = [...document.querySelectorAll('main table img')].filter(isInSight);
  return images.length > 0 && images.every((one) => one.complete && one.naturalWidth > 0);
}"""
IS_ANOTHER = "(before) => document.querySelector('a[download]').href !== before"


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    settings = {"DEMO_SECONDS": "0", "RATE_LIMITS": "off", "SIGNUP_CREDITS": "100", "FILE_URL_SECONDS": "60"}
    async with run_server(tmp_path_factory.mktemp("server"), **settings) as found:
        yield found


async def test_links_of_all_that_is_shown_are_renewed_before_they_end(chromium: "Browser", server: Server) -> None:
    async with server.api() as api, open_studio(chromium, server) as studio:
        page = studio.page
        ada, (first, *_) = await pictures_of(api, "links@example.com")
        for _ in range(10):  # more than a page of the gallery has
            made = (await ada.create(prompt="A bear in the snow", count=4))["generations"]
            await ada.wait_for_all([one["id"] for one in made])
        await open_gallery(studio, "links@example.com")
        await page.get_by_text("44 pictures").wait_for()
        async with second_tab(studio) as tab:
            await tab.open(f"/pictures/{first}")
            await tab.wait_for_picture()
            download = tab.page.locator("a[download]")
            before = await download.get_attribute("href")
            last = page.locator(f"[role=row][data-key='{first}']")
            while not await last.count():  # of the next page, which is read when its place is seen
                await page.mouse.wheel(0, 1500)
                await page.wait_for_timeout(50)
            tiles = await page.evaluate(TILES)
            await page.wait_for_function(ARE_RENEWED, arg=tiles)
            await tab.page.wait_for_function(
                "before => document.querySelector('a[download]').href !== before", arg=before
            )
            async with httpx.AsyncClient() as http:
                assert (await http.get(str(await download.get_attribute("href")))).status_code == 200


async def end_links(page: "Page", operation: str, renewal: str | None = None) -> list[str]:
    """Let the links of these answers have ended, as where a clock is slow; return the names of what is asked.

    Until `renewal` is asked, or, if it is None, until a file could not be loaded.
    """
    asked: list[str] = []
    failed: list[str] = []
    page.on("response", lambda response: failed.append(response.url) if "signature=xxxxx" in response.url else None)

    async def answer_with_ended(route: "Route") -> None:
        (name,) = re.findall(r"(?:query|mutation) (\w+)", route.request.post_data or "")[:1] or [""]
        asked.append(name)
        answer = await route.fetch()
        body = await answer.text()
        is_over = renewal in asked if renewal else bool(failed)
        if name == operation and not is_over:
            body = re.sub(r"signature=[\w-]{5}", "signature=xxxxx", body)
        await route.fulfill(response=answer, body=body)

    await page.route("**/graphql", answer_with_ended)
    return asked


async def test_links_are_renewed_when_a_file_could_not_be_loaded(chromium: "Browser", server: Server) -> None:
    async with server.api() as api, open_studio(chromium, server) as studio:
        await pictures_of(api, "broken@example.com")
        asked = await end_links(studio.page, "Pictures", "FilesOf")
        await open_gallery(studio, "broken@example.com")
        await studio.wait_for_tiles(4)
        await studio.page.wait_for_function(ARE_RENEWED, arg=[])
        assert asked.count("FilesOf") == 1, "once for all of them"
        studio.problems = [one for one in studio.problems if "404" not in one]


async def test_image_that_failed_for_a_moment_is_loaded_again(chromium: "Browser", server: Server) -> None:
    async with server.api() as api, open_studio(chromium, server) as studio:
        page = studio.page
        await pictures_of(api, "passing@example.com")
        failed: list[str] = []

        async def fail(route: "Route") -> None:
            if route.request.resource_type != "image" or route.request.url in failed:
                await route.continue_()
            else:
                failed.append(route.request.url)
                await route.fulfill(status=503)

        await page.route(re.compile("signature="), fail)
        await open_gallery(studio, "passing@example.com")
        await studio.wait_for_tiles(4)
        await page.wait_for_function(ARE_RENEWED, arg=[])
        assert sorted(await page.evaluate(TILES)) == sorted(failed), "the links are the same"
        studio.problems = [one for one in studio.problems if "503" not in one]


async def test_desk_reads_again_when_a_file_could_not_be_loaded(chromium: "Browser", server: Server) -> None:
    await new_admin(server, "root@example.com")
    async with server.api() as api, open_studio(chromium, server) as studio:
        await pictures_of(api, "moderated@example.com", 1)
        await open_desk(studio, "root@example.com")
        asked = await end_links(studio.page, "DeskPictures")
        await Desk(studio).section("Pictures")
        await studio.page.wait_for_function(ARE_LOADED)
        assert asked.count("DeskPictures") <= 3, "once more, beside what a view that opens asks"
        await studio.page.unroute_all(behavior="wait")
        studio.problems = [one for one in studio.problems if "404" not in one]
