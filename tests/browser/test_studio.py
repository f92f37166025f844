"""The studio in a real browser without a network: guests, batches, the gallery, in every width and both themes."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.support.client import Api
from tests.support.graphiql_page import PASSWORD, Server, run_server
from tests.support.studio_page import PHONE, open_studio

if TYPE_CHECKING:
    from playwright.async_api import Browser, Route

pytestmark = pytest.mark.browser

ADJUST = """mutation($input: AdjustCreditsInput!) { adminAdjustCredits(input: $input) { errors { message } } }"""
MAINTENANCE = """mutation($input: MaintenanceInput!) { adminSetMaintenance(input: $input) { errors { message } } }"""

TITLES = {
    "/": "Watch your picture develop",
    "/create/sandbox/free": "Free prompt",
    "/create/own/new": "Your own style",
    "/gallery": "Gallery",
    "/account": "Profile",
    "/account/security": "Sign-in and security",
    "/credits": "Credits",
    "/verify-email": "Confirm your e-mail address",
    "/sign-in/callback": "The sign-in did not work",
    "/admin": "This desk is for admins",
    "/account/elsewhere": "This page does not exist",
}
CHINESE_TITLES = {
    "/": "看着您的图片显影",
    "/create/sandbox/free": "自由提示词",
    "/gallery": "图库",
    "/account": "资料",
}


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    async with run_server(tmp_path_factory.mktemp("server"), DEMO_SECONDS="1", RATE_LIMITS="off") as found:
        yield found


@pytest.mark.parametrize("width", [360, 768, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_guest_makes_shares_and_keeps_a_picture(
    width: int, scheme: str, chromium: "Browser", server: Server
) -> None:
    window = {"width": width, "height": 860}
    async with open_studio(chromium, server, viewport=window, color_scheme=scheme) as studio:
        page = studio.page
        await page.get_by_role("heading", name="Styles").wait_for()
        await studio.check(f"start-{scheme}-{width}")
        await page.get_by_role("link", name=re.compile("Cute")).click()
        await page.get_by_text("Add a photo first.").wait_for()
        await studio.check()
        await studio.add_photo()
        await studio.button("Turn right").click()
        await studio.button("Crop").click()
        await studio.check()
        await page.get_by_role("dialog").get_by_role("radio", name="1:1").click()
        await studio.button("Use this part").click()
        await studio.check(f"order-{scheme}-{width}")
        await studio.order()
        await studio.wait_for_credits(2)
        await studio.check()
        await studio.wait_for_picture()
        slider = page.get_by_role("slider", name="Compare before and after")
        await slider.press("Home")
        await slider.press("ArrowRight")
        assert await slider.input_value() == "1"
        await studio.check(f"picture-{scheme}-{width}")

        # Refined in words: the chain shows both.
        await page.get_by_label("Refine it").fill("Make it night")
        await page.get_by_role("button", name=re.compile("^Refine.*1 credit$")).click()
        await page.get_by_role("link", name="Step 2").wait_for()
        await studio.wait_for_picture()
        await studio.wait_for_credits(1)

        # Shared by a link, that the public may open until it is taken back.
        await studio.button("Share").click()
        await studio.button("Create the link").click()
        link = await page.get_by_label("Link", exact=True).input_value()
        await studio.check()
        async with httpx.AsyncClient() as http:
            assert (await http.get(link)).status_code == 200
            await studio.button("Stop sharing").click()
            await studio.button("Create the link").wait_for()
            assert (await http.get(link)).status_code == 404
        await page.keyboard.press("Escape")

        # Kept by an account.
        await studio.button("Keep my pictures").last.click()
        await studio.check()
        await studio.sign_in(f"guest-{width}-{scheme}@example.com")
        await studio.wait_for_credits(28)
        await page.get_by_role("link", name="Gallery").first.click()
        await studio.wait_for_tiles(2)
        await studio.check(f"gallery-{scheme}-{width}")


@pytest.mark.parametrize(("scheme", "paper"), [("light", "rgb(250, 247, 242)"), ("dark", "rgb(20, 18, 16)")])
async def test_start_is_read_before_its_styles_and_scripts_have_come(
    scheme: str, paper: str, chromium: "Browser", server: Server
) -> None:
    arrived = asyncio.Event()

    async def hold(route: "Route") -> None:
        await arrived.wait()
        await route.continue_()

    async with open_studio(chromium, server, color_scheme=scheme, **PHONE) as studio:
        page = studio.page
        await page.route(re.compile(r"/studio/.*\.(js|css)$"), hold)
        await page.goto(server.address, wait_until="commit")
        title = page.get_by_role("heading", name="Watch your picture develop")
        await title.wait_for()
        assert await page.evaluate("getComputedStyle(document.body).backgroundColor") == paper
        before = await title.bounding_box()
        assert before is not None
        assert before["x"] >= 0
        assert before["x"] + before["width"] <= 360
        assert await page.evaluate("getComputedStyle(document.querySelector('h1')).fontSize") == "42px"
        arrived.set()
        await page.get_by_role("heading", name="Styles").wait_for()
        assert await page.evaluate("getComputedStyle(document.body).backgroundColor") == paper
        assert await title.bounding_box() == before, "nothing moves when they have come"


async def test_studio_is_chinese_for_chinese_browsers_and_switches(chromium: "Browser", server: Server) -> None:
    async with open_studio(chromium, server, locale="zh-CN", color_scheme="dark", **PHONE) as studio:
        page = studio.page
        await page.get_by_role("heading", name="看着您的图片显影").wait_for()
        await studio.check("start-zh")
        await page.get_by_role("link", name=re.compile("星空夜景")).click()
        await page.get_by_label("您的补充").wait_for()
        await studio.check()
        await studio.button("账户").click()
        await page.get_by_role("menuitemradio", name="简体中文", checked=True).wait_for()
        await studio.check()
        await page.get_by_role("menuitemradio", name="English").click()
        await page.get_by_role("heading", name="Starry Night").wait_for()
        await page.reload()
        await page.get_by_role("heading", name="Starry Night").wait_for()


async def test_collection_is_divided_by_its_categories(chromium: "Browser", server: Server) -> None:
    async with open_studio(chromium, server) as studio:
        page = studio.page
        await page.get_by_role("radio", name="Scenes").click()
        categories = page.get_by_role("radiogroup", name="Categories")
        assert await categories.get_by_role("radio").all_inner_texts() == ["All", "Nature", "City", "Fantasy"]
        await studio.check()
        await categories.get_by_role("radio", name="Fantasy").click()
        styles = page.get_by_role("region", name="Styles").get_by_role("heading", level=3)
        assert await styles.all_inner_texts() == ["Magic Castle", "Underwater World"]
        await page.get_by_role("radio", name="Heroes").first.click()
        await page.get_by_role("link", name=re.compile("Classic")).wait_for()
        assert await categories.count() == 0, "all of them are heroes"
        assert "Magic Castle" not in await styles.all_inner_texts()


async def test_page_goes_on_when_orders_are_taken_again(chromium: "Browser", server: Server) -> None:
    async with server.api() as api, open_studio(chromium, server) as studio:
        page = studio.page
        admin = await api.sign_up("pauses@example.com", PASSWORD)
        await server.make_admin("pauses@example.com")
        await page.clock.install()
        await studio.open("/create/sandbox/free")
        await page.get_by_label("Describe your picture").fill("A comet over the sea")
        submit = page.locator("button[type=submit]:not([data-disabled])")
        await submit.wait_for()
        for paused, resumed in (
            ({"readOnly": True}, {"readOnly": False}),
            ({"dailySpendCap": 0}, {"dailySpendCap": None}),
        ):
            await admin.one(MAINTENANCE, input=paused)
            await submit.click()
            await page.get_by_text("New pictures are not accepted at the moment.").wait_for()
            await studio.check()
            await admin.one(MAINTENANCE, input=resumed)
            await page.clock.fast_forward("00:31")
            await submit.wait_for()
            assert await page.get_by_role("alert").count() == 0, "the reason has gone"
        await submit.click()
        await page.wait_for_url(re.compile("/pictures/"))


async def test_batch_develops_side_by_side_and_can_be_canceled_and_deleted(chromium: "Browser", server: Server) -> None:
    async with server.api() as api:
        await api.sign_up("batch@example.com", PASSWORD)
    async with open_studio(chromium, server) as studio:
        page = studio.page
        await studio.button("Sign in").click()
        await studio.sign_in("batch@example.com")
        await studio.open("/create/sandbox/free")
        await page.get_by_label("Describe your picture").fill("A lighthouse at dusk")
        await page.get_by_role("radio", name="4", exact=True).click()
        await page.get_by_text("4 credits").wait_for()
        await studio.order()
        await studio.wait_for_credits(26)
        await page.reload()  # it goes on
        await page.get_by_text("4 of 4 are ready").wait_for()
        await studio.check()
        await studio.button("Favorite").first.click()
        await page.get_by_role("link", name="Gallery").click()
        await studio.wait_for_tiles(4)

        # Deleted, undone, and deleted.
        await studio.button("Select").click()
        await page.get_by_role("row").first.click()
        await page.get_by_text("1 selected").wait_for()
        await studio.check()
        await studio.button("Delete").click()
        await studio.wait_for_tiles(3)
        await studio.button("Undo").click()
        await studio.wait_for_tiles(4)
        await studio.button("Select").click()
        await studio.button("Select all").click()
        await studio.button("Delete").click()
        await page.get_by_role("heading", name="Nothing has developed yet").wait_for()
        await studio.check()


async def test_batch_counts_what_was_canceled_apart(chromium: "Browser", tmp_path: Path) -> None:
    async with run_server(tmp_path, DEMO_SECONDS="60", RATE_LIMITS="off") as server, server.api() as api:
        ada = await api.sign_up("batch@example.com", PASSWORD)
        made = await ada.create(prompt="A fox", count=2)
        async with open_studio(chromium, server) as studio:
            page = studio.page
            await studio.button("Sign in").click()
            await studio.sign_in("batch@example.com")
            await studio.open(f"/batches/{made['generations'][0]['batchId']}")
            await page.get_by_text("0 of 2 are ready", exact=True).wait_for()
            await studio.button("Cancel").first.click()
            await page.get_by_text("0 of 2 are ready, 1 canceled").wait_for()


@pytest.mark.parametrize(
    ("locale", "words", "site", "titles"),
    [("en", "Sign in", "Darkroom Studio", TITLES), ("zh-CN", "登录", "暗房影像工作室", CHINESE_TITLES)],
    ids=["English", "Chinese"],
)
async def test_window_has_the_title_of_the_view(
    locale: str, words: str, site: str, titles: dict[str, str], chromium: "Browser", server: Server
) -> None:
    async with server.api() as api:
        ada = await api.sign_up(f"titles-{locale}@example.com", PASSWORD)
        (made,) = (await ada.create(prompt="A comet over the sea"))["generations"]
    async with open_studio(chromium, server, locale=locale) as studio:
        page = studio.page
        await studio.button(words).click()
        await studio.sign_in(f"titles-{locale}@example.com")
        for path, title in {**titles, f"/pictures/{made['id']}": titles["/create/sandbox/free"]}.items():
            await studio.open(path)
            await page.wait_for_function("title => document.title === title", arg=f"{title} · {site}")
        await page.get_by_role("navigation").first.get_by_role("link").first.click()
        await page.wait_for_function("title => document.title === title", arg=f"{titles['/']} · {site}")


async def test_live_region_says_that_the_picture_is_ready(chromium: "Browser", server: Server) -> None:
    async with open_studio(chromium, server) as studio:
        page = studio.page
        await studio.open("/create/sandbox/free")
        await page.get_by_label("Describe your picture").fill("A comet over the sea")
        await studio.order()
        region = await page.get_by_role("main").get_by_role("status").element_handle()
        await studio.wait_for_picture()
        assert region is not None
        assert await region.evaluate("one => one.isConnected"), "another region would not be read out"
        assert await region.inner_text() == "Your picture is ready."
        await studio.check()


async def test_demo_account_is_one_click(chromium: "Browser", server: Server) -> None:
    async with open_studio(chromium, server) as studio:
        await studio.button("Sign in").click()
        await studio.check()
        await studio.button("Use the demo account").click()
        await studio.page.locator("output[data-credits]").wait_for()


async def test_keyboard_alone_makes_a_picture(chromium: "Browser", server: Server) -> None:
    async with open_studio(chromium, server) as studio:
        page = studio.page
        await studio.open("/create/sandbox/free")
        await page.get_by_role("heading", name="Free prompt").wait_for()
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.getAttribute('href')") == "#main", "the way past the header"
        await page.get_by_label("Describe your picture").focus()
        await page.keyboard.type("A comet over the sea")
        await page.locator("button[type=submit]:not([data-disabled])").focus()
        await page.keyboard.press("Enter")
        await page.wait_for_url(re.compile("/pictures/"))


async def give(api: Api, server: Server, user: str, credits: int) -> None:
    """Add credits to an account, as an admin."""
    admin = await api.sign_up("root@example.com", PASSWORD)
    await server.make_admin("root@example.com")
    await admin.one(ADJUST, input={"userId": user, "amount": credits, "reason": "for a test"})


async def test_gallery_of_hundreds_is_scrolled_and_searched(chromium: "Browser", server: Server) -> None:
    async with server.api() as api:
        ada = await api.sign_up("many@example.com", PASSWORD)
        await give(api, server, ada.user["id"], 500)
        for number in range(30):
            await ada.create(prompt=f"A lighthouse at dusk {number:03}", count=4)
        async with open_studio(chromium, server) as studio:
            page = studio.page
            await studio.button("Sign in").click()
            await studio.sign_in("many@example.com")
            await page.get_by_role("link", name="Gallery").click()
            await page.get_by_text("120 pictures").wait_for()
            rows = page.get_by_role("row")
            assert 0 < await rows.count() < 80, "only what is seen is in the page"
            for _ in range(40):
                await page.mouse.wheel(0, 1500)
                if await page.locator("[role=row][aria-rowindex='120'], [role=row][aria-posinset='120']").count():
                    break
                await page.wait_for_timeout(50)
            await page.get_by_label("Search your pictures").fill("dusk 007")
            await studio.wait_for_tiles(4)
            assert "search=dusk+007" in page.url
            await page.reload()
            await studio.wait_for_tiles(4)


async def test_dropped_file_is_taken_or_refused_in_words(chromium: "Browser", server: Server, tmp_path: Path) -> None:
    async with open_studio(chromium, server) as studio:
        page = studio.page
        await studio.open("/create/sandbox/free")
        await page.get_by_label("Describe your picture").wait_for()
        box = await page.get_by_text("A photo is optional here").bounding_box()
        assert box is not None
        devtools = await page.context.new_cdp_session(page)
        for name, content, said in (
            ("bill.pdf", b"%PDF-1", "This file is no picture that can be read here."),
            ("me.heic", b"for the server", "me.heic. This browser cannot show it; the server can read it."),
        ):
            file = tmp_path / name
            file.write_bytes(content)
            data = {"items": [], "files": [str(file)], "dragOperationsMask": 1}
            for kind in ("dragEnter", "dragOver", "drop"):
                event = {"type": kind, "x": box["x"] + 5, "y": box["y"] + 5, "data": data}
                await devtools.send("Input.dispatchDragEvent", event)
            await page.get_by_text(said).wait_for()
        await studio.check()
