"""Albums, tags and actions on several pictures in the studio, in a real browser without a network."""

import re
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.client import Api
from tests.support.graphiql_page import PASSWORD, Server, run_server
from tests.support.named_lists import add_tags, new_album
from tests.support.studio_page import StudioPage, open_studio

if TYPE_CHECKING:
    from playwright.async_api import Browser, Response, Route

pytestmark = pytest.mark.browser

SOON = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"  # what changed is drawn
NOT_READ = {"errors": [{"message": "No.", "extensions": {"code": "INTERNAL"}}]}
PHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    async with run_server(tmp_path_factory.mktemp("server"), DEMO_SECONDS="0", RATE_LIMITS="off") as found:
        yield found


async def pictures_of(api: Api, email: str, count: int = 4) -> tuple[Api, list[str]]:
    """Create an account with finished pictures, and return their ids."""
    ada = await api.sign_up(email, PASSWORD)
    made = (await ada.create(prompt="A fox in the snow", count=count))["generations"]
    await ada.wait_for_all([one["id"] for one in made])
    return ada, [str(one["id"]) for one in made]


async def open_gallery(studio: StudioPage, email: str, path: str = "/gallery") -> None:
    await studio.page.goto(f"{studio.address}{path}")
    await studio.page.locator("main").get_by_role("button").last.click()
    await studio.sign_in(email)


async def select(studio: StudioPage, *places: int) -> None:
    """Select pictures by their places."""
    await studio.button("Select").click()
    for place in places:
        await studio.page.get_by_role("row").nth(place).click()
    await studio.page.get_by_text(re.compile(rf"^{len(places)} selected$")).wait_for()


@asynccontextmanager
async def second_tab(studio: StudioPage) -> AsyncIterator[StudioPage]:
    """Open another tab of the same browser."""
    page = await studio.page.context.new_page()
    tab = StudioPage(page, studio.address, studio.address)
    await tab.open("/gallery")
    yield tab
    assert tab.problems == []
    await page.close()


async def test_album_is_filled_renamed_emptied_and_deleted(chromium: "Browser", server: Server) -> None:
    async with server.api() as api, open_studio(chromium, server) as studio:
        page = studio.page
        ada, _ = await pictures_of(api, "albums@example.com")
        await open_gallery(studio, "albums@example.com")
        await studio.wait_for_tiles(4)
        await select(studio, 0, 1)
        await studio.check()
        await studio.button("Album").click()
        await page.get_by_role("menuitem", name="New album").click()
        await studio.check()
        await page.get_by_label("Name", exact=True).fill("Foxes")
        await studio.button("Create album").click()
        await page.get_by_text("2 pictures added to “Foxes”.").wait_for()
        album = page.get_by_role("radio", name=re.compile("^Foxes"))
        await album.get_by_text("2", exact=True).wait_for()
        await studio.check()
        await album.click()
        await page.get_by_role("heading", name="Foxes").wait_for()
        await studio.wait_for_tiles(2)
        await studio.check("albums")

        # Renamed; a name that there is already is refused.
        await new_album(ada, "Bears")
        await page.get_by_role("radio", name=re.compile("^Bears")).wait_for()
        await studio.button("Album").click()
        await page.get_by_role("menuitem", name="Rename").click()
        await page.get_by_label("Name", exact=True).fill("bears")
        await studio.button("Save").click()
        await page.get_by_text("You have an album of this name.").wait_for()
        await page.get_by_label("Name", exact=True).fill("Animals")
        await studio.button("Save").click()
        await page.get_by_role("heading", name="Animals").wait_for()

        # Taken out, undone, and deleted: the pictures stay.
        await select(studio, 0)
        await page.get_by_role("toolbar").get_by_role("button", name="Album").click()
        await page.get_by_role("menuitem", name="Remove from “Animals”").click()
        await studio.wait_for_tiles(1)
        removed = page.get_by_role("alertdialog").filter(has_text="1 picture removed from “Animals”.")
        await removed.get_by_role("button", name="Undo").click()
        await studio.wait_for_tiles(2)
        await studio.button("Album").click()
        await page.get_by_role("menuitem", name="Delete album").click()
        await studio.check()
        await page.get_by_role("alertdialog").get_by_role("button", name="Delete album").click()
        await page.get_by_role("heading", name="Gallery").wait_for()
        await studio.wait_for_tiles(4)
        assert "album=" not in page.url


async def test_tags_are_added_filtered_by_and_removed(chromium: "Browser", server: Server) -> None:
    async with server.api() as api, open_studio(chromium, server) as studio:
        page = studio.page
        ada, made = await pictures_of(api, "tags@example.com")
        await add_tags(ada, made[:1], "autumn")
        await open_gallery(studio, "tags@example.com")
        await studio.wait_for_tiles(4)
        await select(studio, 0, 1)
        await studio.button("Tag").click()
        dialog = page.get_by_role("dialog")
        await dialog.get_by_label("Add a tag").fill("#winter")
        await page.keyboard.press("Enter")
        await studio.button("Remove the tag winter").wait_for()
        await dialog.get_by_role("button", name="autumn").click()
        await studio.button("Remove the tag autumn").click()
        await studio.button("Remove the tag autumn").wait_for(state="detached")
        await studio.check("tags")
        await page.keyboard.press("Escape")
        await studio.button("Done").click()
        await studio.button("Tags").click()
        await page.get_by_role("menuitem", name="winter (2)").click()
        await studio.wait_for_tiles(2)
        assert "tag=tag_" in page.url
        await studio.check()
        await page.reload()
        await studio.wait_for_tiles(2)

        # The picture itself has it, too, and can be tagged there.
        await page.get_by_role("row").first.click()
        await page.get_by_role("link", name="winter").wait_for()
        await studio.button("Tags").click()
        await studio.button("Remove the tag winter").click()
        await studio.button("Remove the tag winter").wait_for(state="detached")
        await studio.check()
        await page.keyboard.press("Escape")
        await page.go_back()
        await studio.wait_for_tiles(1)
        await page.get_by_role("button", name=re.compile("without the tag winter")).click()
        await studio.wait_for_tiles(4)


async def test_selection_is_marked_and_downloaded(chromium: "Browser", server: Server) -> None:
    async with server.api() as api, open_studio(chromium, server) as studio:
        page = studio.page
        ada, made = await pictures_of(api, "zip@example.com")
        await open_gallery(studio, "zip@example.com")
        await studio.wait_for_tiles(4)
        await select(studio, 0, 1, 2)
        await studio.button("Favorite").click()
        await page.get_by_text("3 pictures marked as favorites.").wait_for()
        await page.get_by_role("radio", name="Favorites", exact=True).click()
        await studio.wait_for_tiles(3)
        await studio.button("Undo").click()
        await page.get_by_role("heading", name="Nothing matches").wait_for()
        await studio.button("Show everything").click()
        await studio.wait_for_tiles(4)
        await studio.button("Select").click()
        await studio.button("Select all").click()
        async with page.expect_download() as started:
            await studio.button("Download").click()
        download = await started.value
        assert re.fullmatch(r"pictures-\d{4}-\d\d-\d\d\.zip", download.suggested_filename)
        with zipfile.ZipFile(await download.path()) as archive:
            assert archive.testzip() is None
            assert [name[-10:-4] for name in archive.namelist()] == [id[-6:] for id in made[::-1]]

        # An album as a whole.
        await new_album(ada, "Foxes", made[:2])
        await page.get_by_role("radio", name=re.compile("^Foxes")).click()
        await page.get_by_role("heading", name="Foxes").wait_for()
        await studio.button("Album").click()
        async with page.expect_download() as started:
            await page.get_by_role("menuitem", name="Download as zip").click()
        with zipfile.ZipFile(await (await started.value).path()) as archive:
            assert len(archive.namelist()) == 2


async def test_other_tab_follows(chromium: "Browser", server: Server) -> None:
    async with server.api() as api, open_studio(chromium, server) as studio:
        page = studio.page
        await pictures_of(api, "tabs@example.com")
        await open_gallery(studio, "tabs@example.com")
        await studio.wait_for_tiles(4)
        async with second_tab(studio) as other:
            await other.wait_for_tiles(4)
            await select(studio, 0, 1)
            await studio.button("Album").click()
            await page.get_by_role("menuitem", name="New album").click()
            await page.get_by_label("Name", exact=True).fill("Foxes")
            await page.keyboard.press("Enter")
            await other.page.get_by_role("radio", name=re.compile("^Foxes 2")).click()
            await other.wait_for_tiles(2)
            await select(studio, 2)
            await studio.button("Album").click()
            await page.get_by_role("menuitem", name="Foxes").click()
            await other.wait_for_tiles(3)
            await page.get_by_role("radio", name=re.compile("^Foxes")).click()
            await studio.button("Album").click()
            await page.get_by_role("menuitem", name="Delete album").click()
            await page.get_by_role("alertdialog").get_by_role("button", name="Delete album").click()
            await other.page.get_by_role("heading", name="Gallery").wait_for()
            await other.wait_for_tiles(4)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_albums_and_tags_on_a_phone_in_chinese(scheme: str, chromium: "Browser", server: Server) -> None:
    email = f"phone-{scheme}@example.com"
    options = {"locale": "zh-CN", "color_scheme": scheme, **PHONE}
    async with server.api() as api, open_studio(chromium, server, **options) as studio:
        page = studio.page
        ada, made = await pictures_of(api, email)
        for name in ("雪中的狐狸", "A name that is as long as a name can be, which is sixty char", "假期"):
            await new_album(ada, name, made[:3])
        await add_tags(ada, made[:2], "冬天", "a tag of forty characters, which is long")
        await open_gallery(studio, email)
        await studio.wait_for_tiles(4)
        await studio.check()
        await page.get_by_role("radio", name=re.compile("^雪中的狐狸")).click()
        await studio.wait_for_tiles(3)
        await studio.button("标签").click()
        await page.get_by_role("menuitem", name="冬天 (2)").click()
        await studio.wait_for_tiles(2)
        await studio.check(f"albums-phone-{scheme}")
        await studio.button("选择").click()
        await studio.button("全选").click()
        await page.get_by_text("已选 2 张").wait_for()
        await studio.check(f"selection-phone-{scheme}")
        await page.get_by_role("toolbar").get_by_role("button", name="标签").click()
        await page.get_by_role("dialog").wait_for()
        await studio.check()


async def test_keyboard_alone_fills_an_album(chromium: "Browser", server: Server) -> None:
    async with server.api() as api, open_studio(chromium, server) as studio:
        page = studio.page
        ada, _ = await pictures_of(api, "keys@example.com")
        await new_album(ada, "Foxes")
        await open_gallery(studio, "keys@example.com")
        await studio.wait_for_tiles(4)
        await studio.button("Select").focus()
        await page.keyboard.press("Enter")
        await page.get_by_role("row").first.focus()
        await page.keyboard.press("Space")
        await page.get_by_text("1 selected").wait_for()
        await studio.button("Album").focus()
        await page.keyboard.press("Enter")
        await page.get_by_role("menuitem", name="New album").wait_for()
        await page.keyboard.press("ArrowDown")
        await page.keyboard.press("Enter")
        await page.get_by_text("1 picture added to “Foxes”.").wait_for()
        await page.get_by_role("radio", name=re.compile("^Foxes 1")).wait_for()


async def fail_albums(seen: list[int], place: int, route: "Route") -> None:
    """Let the reading of a page of albums fail; `seen`: one entry for each that was read."""
    is_read = "query Albums" in (route.request.post_data or "")
    if is_read:
        seen.append(place)
    if is_read and len(seen) >= place:
        await route.fulfill(json=NOT_READ)
    else:
        await route.fallback()


async def is_not_read(response: "Response") -> bool:
    return "query Albums" in (response.request.post_data or "") and await response.json() == NOT_READ


async def test_chosen_album_stays_while_it_is_on_a_further_page_or_unread(chromium: "Browser", server: Server) -> None:
    async with server.api() as api, open_studio(chromium, server) as studio:
        page = studio.page
        ada, made = await pictures_of(api, "many@example.com", 2)
        for number in range(100):
            await new_album(ada, f"Album {number}")
        last = await new_album(ada, "The last one", made[:1])
        await open_gallery(studio, "many@example.com", f"/gallery?album={last}")
        await page.get_by_role("heading", name="The last one", level=1).wait_for()
        await studio.wait_for_tiles(1)
        for page_of_albums in (1, 2):
            seen: list[int] = []
            await page.route("**/graphql", partial(fail_albums, seen, page_of_albums))
            async with page.expect_response(is_not_read):
                await page.reload()
            await studio.wait_for_tiles(1)
            await page.evaluate(SOON)
            assert f"album={last}" in page.url
            await page.unroute_all(behavior="wait")
