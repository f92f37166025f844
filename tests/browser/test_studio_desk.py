"""Acts of the admin desk that are there where they can have an effect, each with its reason, in a real browser."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.test_studio_albums import pictures_of
from tests.browser.test_studio_gallery import copy_generation
from tests.support.admin_desk import Desk, new_admin, open_desk
from tests.support.graphiql_page import PASSWORD, run_server
from tests.support.studio_page import open_studio

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = pytest.mark.browser


async def test_canceled_picture_has_its_reason_in_the_audit_log(chromium: "Browser", tmp_path: Path) -> None:
    async with (
        run_server(tmp_path, DEMO_SECONDS="60") as server,
        server.api() as api,
        open_studio(chromium, server) as studio,
    ):
        await new_admin(server, "root@example.com")
        ada = await api.sign_up("ada@example.com", PASSWORD)
        made = (await ada.create(prompt="A fox"))["generations"][0]["id"]
        await open_desk(studio, "root@example.com")
        desk = Desk(studio)
        await studio.open(f"/admin/pictures/{made}")
        await desk.act("Cancel", "Asked for by mail", "Cancel the picture", "The picture was canceled.")
        await desk.section("Audit log")
        await desk.row("Picture canceled").filter(has_text="Asked for by mail").wait_for()


async def test_picture_of_a_style_is_chosen_of_all_with_a_reason(chromium: "Browser", tmp_path: Path) -> None:
    async with (
        run_server(tmp_path, DEMO_SECONDS="0") as server,
        server.api() as api,
        open_studio(chromium, server) as studio,
    ):
        page = studio.page
        _, (made,) = await pictures_of(api, "root@example.com", 1)
        copy_generation(tmp_path / "darkroom.sqlite3", made, 29)
        assert await (await server.run("make-admin", "root@example.com")).wait() == 0
        await open_desk(studio, "root@example.com")
        desk = Desk(studio)
        await desk.section("Catalogue")
        await studio.lose_answers("query OwnResults", arrives=False)
        await page.get_by_role("button", name=re.compile(": Noir$")).click()
        await desk.dialog.get_by_role("heading", name="This could not be loaded").wait_for()
        await studio.hear_answers()
        await desk.dialog.get_by_role("button", name="Try again").click()
        results = desk.dialog.get_by_role("group").get_by_role("button")
        await results.nth(23).wait_for()
        assert await results.count() == 24
        await desk.dialog.get_by_role("button", name="Show more").click()
        await results.nth(29).click()
        await studio.check()
        await desk.give_reason("A better example", "Use this picture", "The picture of the style was changed.")
        await desk.section("Audit log")
        await desk.row("A better example").wait_for()


async def test_desk_offers_what_the_product_has_and_its_search_follows_the_address(
    chromium: "Browser", tmp_path: Path
) -> None:
    async with (
        run_server(tmp_path, PROFILE="plushify") as server,
        server.api() as api,
        open_studio(chromium, server) as studio,
    ):
        page = studio.page
        await new_admin(server, "root@example.com")
        await api.sign_up("ada@example.com", PASSWORD)
        await open_desk(studio, "root@example.com")
        desk = Desk(studio)
        await desk.section("People")
        await page.get_by_role("searchbox").fill("ada@")
        await page.wait_for_url(re.compile("search=ada"))
        await desk.section("People")
        await page.get_by_text("3 accounts", exact=True).wait_for()  # with the demo account
        assert await page.get_by_role("searchbox").input_value() == ""
        async with page.expect_response(lambda found: "query DeskOffers" in (found.request.post_data or "")):
            await page.get_by_role("link", name="ada@example.com").click()
        await studio.button("Adjust credits").wait_for()
        await page.get_by_role("heading", name="ada@example.com").wait_for()
        for act in ("Grant a pass", "Grant a plan"):
            await studio.button(act).wait_for(state="detached")  # plushify sells neither, as is known soon
        await studio.check()


async def test_desk_offers_passes_and_plans_while_it_cannot_be_read_whether_there_are_any(
    chromium: "Browser", tmp_path: Path
) -> None:
    async with run_server(tmp_path) as server, open_studio(chromium, server) as studio:
        await new_admin(server, "root@example.com")
        await open_desk(studio, "root@example.com")
        desk = Desk(studio)
        await desk.section("People")
        await studio.lose_answers("query DeskOffers", arrives=False)
        async with studio.page.expect_event("requestfailed"):
            await studio.page.get_by_role("link", name="root@example.com").click()
        for act in ("Grant a plan", "Grant a pass"):
            await studio.button(act).wait_for()
        await studio.hear_answers()
        await studio.button("Grant a pass").click()
        await desk.dialog.get_by_role("button", name=re.compile("Pass$")).wait_for()
