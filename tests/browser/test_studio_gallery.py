"""The gallery's filters, the selection of all that they match, and the renaming of tags, in a real browser."""

import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.test_studio_albums import PHONE, SOON, open_gallery, pictures_of, select
from tests.gallery.test_share import SHARE
from tests.support.client import CANCEL, Api, photo
from tests.support.graphiql_page import PASSWORD, Server, run_server
from tests.support.named_lists import SET_FAVORITES, add_tags
from tests.support.studio_page import StudioPage, open_studio

if TYPE_CHECKING:
    from playwright.async_api import Browser, Request, Response, Route

pytestmark = pytest.mark.browser

ARE_IN_ORDER = """(ids) => {
  const rows = [...document.querySelectorAll("[role=grid] [role=row]")].map((row) => row.dataset.key);
  return rows.length === ids.length && rows.every((key, index) => key.endsWith(ids[index]));
}"""


def is_albums(response: "Response") -> bool:
    """Return whether albums were read again, as after a deletion."""
    return "query Albums" in (response.request.post_data or "")


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    settings = {"DEMO_SECONDS": "0", "RATE_LIMITS": "off", "SIGNUP_CREDITS": "100"}
    async with run_server(tmp_path_factory.mktemp("server"), **settings) as found:
        yield found


async def test_pictures_are_filtered_by_share_style_and_days(chromium: "Browser", server: Server) -> None:
    async with server.api() as api, open_studio(chromium, server) as studio:
        page = studio.page
        ada, made = await pictures_of(api, "filters@example.com")
        noir = await ada.style("noir", "avenger")
        (hero,) = (await ada.create(photo(64, 48), styleId=noir))["generations"]
        await ada.wait_for_end(hero["id"])
        await ada.one(SHARE, id=made[0])
        await open_gallery(studio, "filters@example.com")
        await studio.wait_for_tiles(5)
        await page.get_by_role("radio", name="Videos").wait_for()
        await page.get_by_role("radio", name="Shared").click()
        await studio.wait_for_tiles(1)
        await page.get_by_role("radio", name="All", exact=True).click()

        await studio.button("More filters").click()
        dialog = page.get_by_role("dialog")
        await dialog.get_by_role("button", name=re.compile("Style")).click()
        await page.get_by_role("option", name=re.compile("^Noir")).click()
        await studio.check("filters")
        await studio.button("Show").click()
        await studio.wait_for_tiles(1)
        assert "style=sty_" in page.url
        await page.reload()
        await studio.wait_for_tiles(1)
        await studio.check()
        await page.get_by_role("button", name=re.compile("^Show pictures of other styles than Noir")).click()
        await studio.wait_for_tiles(5)

        today = datetime.now().astimezone().date()  # of this machine, as the browser's
        yesterday, tomorrow = today - timedelta(days=1), today + timedelta(days=1)
        for first, last, count in ((yesterday, tomorrow, 5), (tomorrow, None, 0), (None, yesterday, 0)):
            await studio.button("More filters").click()
            await dialog.get_by_label("From").fill(first.isoformat() if first else "")
            await dialog.get_by_label("Until").fill(last.isoformat() if last else "")
            await studio.button("Show").click()
            await dialog.wait_for(state="detached")
            if count:
                await studio.wait_for_tiles(count)
            else:
                await page.get_by_role("heading", name="Nothing matches").wait_for()
        await studio.button("More filters").click()
        await dialog.get_by_label("From").fill(today.isoformat())
        await page.get_by_text("This day is before the first one.").wait_for()
        await studio.check()
        await page.keyboard.press("Escape")
        await studio.button("Show everything").click()
        await studio.wait_for_tiles(5)


async def test_pictures_in_progress_come_and_go(chromium: "Browser", tmp_path: Path) -> None:
    async with run_server(tmp_path, DEMO_SECONDS="30", RATE_LIMITS="off") as server, server.api() as api:
        ada = await api.sign_up("active@example.com", PASSWORD)
        async with open_studio(chromium, server, **PHONE) as studio:
            await open_gallery(studio, "active@example.com", "/gallery?show=active")
            await studio.page.get_by_role("heading", name="Nothing matches").wait_for()
            (made,) = (await ada.create(prompt="A fox"))["generations"]
            await studio.wait_for_tiles(1)
            await studio.check("active-phone")
            await ada.one(CANCEL, id=made["id"])
            await studio.page.get_by_role("heading", name="Nothing matches").wait_for()


async def test_videos_are_a_filter_only_where_there_can_be_some(chromium: "Browser", tmp_path: Path) -> None:
    async with run_server(tmp_path, PROFILE="plushify", RATE_LIMITS="off") as server, server.api() as api:
        await api.sign_up("images@example.com", PASSWORD)
        async with open_studio(chromium, server) as studio:
            await open_gallery(studio, "images@example.com")
            await studio.page.get_by_role("radio", name="Pictures").wait_for()
            assert await studio.page.get_by_role("radio", name="Videos").count() == 0


# Count the frames from now on in which the page is shorter, or is scrolled to another place.
WATCH_PLACE = """() => {
  const { scrollHeight } = document.body;
  const place = scrollY;
  window.jumps = 0;
  const note = () => {
    window.jumps += document.body.scrollHeight < scrollHeight || scrollY !== place ? 1 : 0;
    requestAnimationFrame(note);
  };
  note();
}"""
PRESS_HEART = """() => [...document.querySelectorAll('[role=row] button[aria-label=Favorite]')]
  .find((one) => one.getBoundingClientRect().top > 200 && one.getBoundingClientRect().bottom < innerHeight)
  .click()"""


async def mark_all(studio: StudioPage, ada: Api, said: str, count: int) -> None:
    """Select all that are shown, as the bar has `said`, and mark them as favorites: so many are marked."""
    page = studio.page
    await studio.button("Select").click()
    await studio.button("Select all").click()
    await page.get_by_text(said).wait_for()
    await studio.check()
    await studio.button("Favorite").click()
    await page.get_by_text(f"{count} pictures marked as favorites.").wait_for()
    favorites = "{ viewer { generations(filter: { isFavorite: true }) { totalCount } } }"
    assert (await ada.one(favorites))["generations"]["totalCount"] == count


async def test_all_that_a_filter_matches_is_selected(chromium: "Browser", server: Server) -> None:
    async with server.api() as api, open_studio(chromium, server) as studio:
        page = studio.page
        ada, _ = await pictures_of(api, "many@example.com", 4)
        for _ in range(11):  # more than a page of the gallery has
            made = (await ada.create(prompt="A bear in the snow", count=4))["generations"]
            await ada.wait_for_all([one["id"] for one in made])
        await open_gallery(studio, "many@example.com", "/gallery?search=bear")
        await page.get_by_text("44 pictures").wait_for()
        await mark_all(studio, ada, "44 selected", 44)


def copy_generation(database: Path, id: str, count: int) -> None:
    """Copy a generation so many times."""
    with closing(sqlite3.connect(database)) as connection, connection:
        names = [row[1] for row in connection.execute("PRAGMA table_info(generations)")]
        columns = ", ".join("substr(id, 1, 20) || printf('%010d', number)" if name == "id" else name for name in names)
        insert = f"INSERT INTO generations ({', '.join(names)}) SELECT {columns} FROM generations, (SELECT ? AS number)"  # noqa: S608 - our own columns
        connection.executemany(f"{insert} WHERE id = ?", [(number, id) for number in range(count)])


async def test_first_500_are_selected_of_more(chromium: "Browser", tmp_path: Path) -> None:
    settings = {"DEMO_SECONDS": "0", "RATE_LIMITS": "off"}
    async with run_server(tmp_path, **settings) as server, server.api() as api:
        ada, (made,) = await pictures_of(api, "500@example.com", 1)
        copy_generation(tmp_path / "darkroom.sqlite3", made, 501)
        async with open_studio(chromium, server) as studio:
            await open_gallery(studio, "500@example.com")
            await studio.page.get_by_text("502 pictures").wait_for()
            said = "The first 500 of 502 are selected: so many can be changed at a time."
            await mark_all(studio, ada, said, 500)


async def test_next_page_is_loaded_when_its_end_comes_near(chromium: "Browser", tmp_path: Path) -> None:
    settings = {"DEMO_SECONDS": "0", "RATE_LIMITS": "off"}
    async with run_server(tmp_path, **settings) as server, server.api() as api:
        _, (made,) = await pictures_of(api, "pages@example.com", 1)
        copy_generation(tmp_path / "darkroom.sqlite3", made, 199)
        async with open_studio(chromium, server) as studio:
            page = studio.page
            further = 0

            def note(request: "Request") -> None:
                nonlocal further
                further += is_further_page(request)

            page.on("requestfinished", note)
            await open_gallery(studio, "pages@example.com")
            await page.get_by_text("200 pictures").wait_for()
            await page.wait_for_timeout(1500)
            assert further == 0, "the window and another screen are full"
            await studio.lose_answers("query Pictures", arrives=False)
            async with page.expect_event("requestfailed", is_further_page):
                await page.evaluate("() => scrollTo(0, document.body.scrollHeight)")
            await studio.hear_answers()
            before = await page.evaluate("() => document.body.scrollHeight")
            await page.wait_for_function("(before) => document.body.scrollHeight > before * 1.5", arg=before)
            await page.wait_for_timeout(1500)  # in which the page after it would be loaded
            assert further == 1, "the one that was lost is loaded, and no other"


async def test_place_stays_when_a_favorite_moves_to_the_front(chromium: "Browser", tmp_path: Path) -> None:
    settings = {"DEMO_SECONDS": "0", "RATE_LIMITS": "off"}
    async with run_server(tmp_path, **settings) as server, server.api() as api:
        _, (made,) = await pictures_of(api, "hearts@example.com", 1)
        copy_generation(tmp_path / "darkroom.sqlite3", made, 149)
        async with open_studio(chromium, server) as studio:
            page = studio.page
            await open_gallery(studio, "hearts@example.com", "/gallery?order=FAVORITES_FIRST")
            await page.get_by_text("150 pictures").wait_for()
            for _ in range(2):
                before = await page.evaluate("() => document.body.scrollHeight")
                await page.evaluate("() => scrollTo(0, document.body.scrollHeight)")
                await page.wait_for_function("(before) => document.body.scrollHeight > before", arg=before)
            await page.wait_for_timeout(1000)  # until the page after it is there, if one is loaded
            await page.evaluate(WATCH_PLACE)
            async with page.expect_event("requestfinished", is_further_page):  # the first page, and those after it
                await page.evaluate(PRESS_HEART)
            await page.wait_for_timeout(1500)  # also for the message about the change
            assert await page.evaluate("() => window.jumps") == 0
            await page.evaluate("() => scrollTo(0, 0)")
            await page.get_by_role("row").first.get_by_role("button", name="Not a favorite").wait_for()


def is_further_page(request: "Request") -> bool:
    body = request.post_data_json if request.url.endswith("/graphql") else None
    return bool(body and body.get("operationName") == "Pictures" and body["variables"].get("after"))


async def hold_further_pages(route: "Route") -> None:
    """Leave what is asked for after the first page of the gallery without an answer."""
    if not is_further_page(route.request):
        await route.continue_()


async def test_count_is_right_while_pictures_are_deleted_and_afterwards(chromium: "Browser", tmp_path: Path) -> None:
    settings = {"DEMO_SECONDS": "0", "RATE_LIMITS": "off"}
    async with run_server(tmp_path, **settings) as server, server.api() as api:
        _, (made,) = await pictures_of(api, "count@example.com", 1)
        copy_generation(tmp_path / "darkroom.sqlite3", made, 59)
        async with open_studio(chromium, server) as studio:
            page = studio.page
            await page.route("**/graphql", hold_further_pages)
            await open_gallery(studio, "count@example.com")
            for path, before in (("/gallery", 60), ("/gallery?search=fox", 57)):
                await studio.open(path)
                await page.get_by_text(f"{before} pictures").wait_for()
                await select(studio, 0, 1, 2)
                await studio.button("Delete").click()
                count = page.get_by_role("status").filter(has_text=re.compile("pictures$"))
                await count.get_by_text(f"{before - 3} pictures").wait_for()
                async with page.expect_response(is_albums):  # after the deletion
                    await studio.close_toasts()
                await page.evaluate(SOON)
                assert await count.inner_text() == f"{before - 3} pictures"
                await page.reload()
                await page.get_by_text(f"{before - 3} pictures").wait_for()


async def test_tag_is_renamed_and_merged(chromium: "Browser", server: Server) -> None:
    async with server.api() as api, open_studio(chromium, server) as studio:
        page = studio.page
        ada, made = await pictures_of(api, "rename@example.com")
        await add_tags(ada, made[:2], "red")
        await add_tags(ada, made[1:], "blue")
        await open_gallery(studio, "rename@example.com")
        await studio.wait_for_tiles(4)
        await studio.button("Tags").click()
        await page.get_by_role("menuitem", name="red (2)").click()
        await studio.wait_for_tiles(2)
        await studio.button("Tags").click()
        await page.get_by_role("menuitem", name="Rename tags").click()
        await studio.check("tag-names")
        await studio.button("Rename the tag red").click()
        await page.get_by_label("Name", exact=True).fill("crimson")
        await studio.check()
        await studio.button("Save").click()
        await studio.button("Rename the tag crimson").click()
        await page.get_by_label("Name", exact=True).fill("Blue")
        await studio.button("Save").click()
        await page.get_by_text("“crimson” is now part of “blue”.").wait_for()
        await page.get_by_role("listitem").filter(has_text=re.compile("^blue4$")).wait_for()
        await page.keyboard.press("Escape")
        await studio.wait_for_tiles(4)
        await page.get_by_role("button", name=re.compile("without the tag blue")).wait_for()


async def test_every_order_follows_new_pictures_and_favorites(chromium: "Browser", server: Server) -> None:
    async with server.api() as api, open_studio(chromium, server) as studio:
        page = studio.page
        ada, made = await pictures_of(api, "orders@example.com", 3)

        async def choose(order: str) -> None:
            await page.get_by_role("button", name=re.compile("Order$")).click()
            await page.get_by_role("option", name=order).click()

        async def wait_for(*order: str) -> None:
            await page.wait_for_function(ARE_IN_ORDER, arg=list(order))

        await open_gallery(studio, "orders@example.com")
        a, b, c = sorted(made)
        await choose("Oldest first")
        await wait_for(a, b, c)
        d = (await ada.create(prompt="An owl at noon"))["generations"][0]["id"]
        await wait_for(a, b, c, d)
        await ada.wait_for_end(d)
        await choose("Favorites first")
        await wait_for(d, c, b, a)
        await ada.one(SET_FAVORITES, ids=[b], isFavorite=True)
        await wait_for(b, d, c, a)
        await page.get_by_role("row").nth(3).get_by_role("button", name="Favorite", exact=True).click()
        await wait_for(b, a, d, c)
        await page.get_by_role("row").nth(0).get_by_role("button", name="Not a favorite").click()
        await wait_for(a, d, c, b)


async def test_search_follows_the_address(chromium: "Browser", server: Server) -> None:
    async with server.api() as api, open_studio(chromium, server) as studio:
        page = studio.page
        await pictures_of(api, "search@example.com", 2)
        await open_gallery(studio, "search@example.com")
        await studio.wait_for_tiles(2)
        field = page.get_by_role("searchbox")
        for leave in (
            page.get_by_role("banner").get_by_role("link", name="Gallery"),
            studio.button("Show everything"),
        ):
            await field.fill("owl")
            await page.wait_for_url(re.compile("search=owl"))
            await page.get_by_role("heading", name="Nothing matches").wait_for()
            await leave.click()
            await studio.wait_for_tiles(2)
            assert await field.input_value() == ""
            await page.wait_for_timeout(400)  # in which the words would come back
            assert "search" not in page.url
        await field.fill("fox")
        await page.wait_for_url(re.compile("search=fox"))
        await studio.wait_for_tiles(2)
