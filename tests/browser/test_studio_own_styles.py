"""A user's own styles in the studio, in a real browser without a network: made, tried, changed and deleted."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.graphiql_page import Server, run_server
from tests.support.studio_page import PHONE, StudioPage, enter, open_studio

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    async with run_server(tmp_path_factory.mktemp("server"), DEMO_SECONDS="1", RATE_LIMITS="off") as found:
        yield found


async def begin_style(studio: StudioPage) -> None:
    await studio.page.get_by_role("radio", name="Yours").click()
    await studio.page.get_by_role("link", name=re.compile("New style")).click()
    await studio.page.get_by_role("heading", name="Your own style").wait_for()


async def test_style_is_made_tried_pictured_changed_and_deleted(chromium: "Browser", server: Server) -> None:
    async with open_studio(chromium, server) as studio:
        page = studio.page
        await enter(studio, server, "styles@example.com")
        await begin_style(studio)
        await page.get_by_text("1 credit a picture").wait_for()
        await studio.check()

        # Each problem is at its field, in the words of the server.
        await studio.button("Save and try it").click()
        name = page.get_by_role("textbox", name="Name", exact=True)
        await page.locator("input[aria-invalid=true]:focus").wait_for()
        assert await name.get_attribute("aria-invalid") == "true"
        await studio.check()
        await name.fill("Rainy street")
        prompt = page.get_by_role("textbox", name="Prompt")
        await prompt.fill("A {mood} street in the rain, seen from {place}")
        await studio.button("Save and try it").click()
        await page.locator("textarea[aria-invalid=true]").wait_for()
        assert await name.get_attribute("aria-invalid") is None

        # Its variables: one to choose, one in words.
        await studio.button("Add a variable").click()
        mood = page.get_by_role("group", name="Variable 1")
        await mood.get_by_label("Label").fill("Mood")
        mood = page.get_by_role("group", name="Mood")
        assert await mood.get_by_label("Name in braces").input_value() == "mood"
        await mood.get_by_role("radio", name="A choice").click()
        await mood.get_by_label("Choices").fill("quiet\ncrowded")
        await studio.button("Add a variable").click()
        place = page.get_by_role("group", name="Variable 2")
        await place.get_by_label("Label").fill("Place")
        await page.get_by_role("group", name="Place").get_by_text("Must be filled in").click()
        await prompt.fill("A {mood} street in the rain, seen from ")
        await studio.button("{place}").click()
        assert await prompt.input_value() == "A {mood} street in the rain, seen from {place}"
        await page.get_by_role("textbox", name="Description").fill("Wet asphalt and lamps")
        await studio.check("own-style")
        await studio.button("Save and try it").click()

        # Tried at once.
        await page.get_by_role("heading", name="Rainy street").wait_for()
        await page.get_by_role("radio", name="crowded").click()
        await page.get_by_text("Fill in “Place” first.").wait_for()
        await page.get_by_role("textbox", name="Place").fill("a train")
        await studio.order()
        await studio.wait_for_picture()
        await studio.wait_for_credits(29)

        # Its picture, its new name, and its end.
        await page.get_by_role("link", name="Create", exact=True).click()
        await page.get_by_role("radio", name="Yours").click()
        await page.get_by_role("link", name=re.compile("Rainy street")).click()
        await page.get_by_role("link", name="Edit this style").click()
        await studio.button("Choose a picture").click()
        await studio.check()
        await page.get_by_role("dialog").get_by_role("button", name="Rainy street").click()
        await page.get_by_text("The style has its picture.").wait_for()
        await studio.button("Remove the picture").wait_for()
        await name.fill("Rainy night")
        await page.get_by_text("Saved.").wait_for(state="detached")  # of the first time
        await studio.button("Save").click()
        await page.get_by_text("Saved.").wait_for()
        await studio.check()
        await page.reload()
        assert await name.input_value() == "Rainy night"
        assert await page.get_by_role("group", name="Mood").get_by_label("Choices").input_value() == "quiet\ncrowded"
        await studio.button("Delete").click()
        await studio.check()
        await page.get_by_role("alertdialog").get_by_role("button", name="Delete").click()
        await page.get_by_text("The style was deleted.").wait_for()
        await page.get_by_role("radio", name="Yours").click()
        await page.get_by_role("link", name=re.compile("New style")).wait_for()
        assert await page.get_by_role("link", name=re.compile("Rainy")).count() == 0


async def test_style_is_made_on_a_phone_in_chinese(chromium: "Browser", server: Server) -> None:
    async with open_studio(chromium, server, locale="zh-CN", color_scheme="dark", **PHONE) as studio:
        page = studio.page
        await enter(studio, server, "styles-zh@example.com", words="登录")
        await page.get_by_role("radio", name="我的").click()
        await page.get_by_role("link", name=re.compile("新建风格")).click()
        await page.get_by_role("textbox", name="名称").fill("雨街")
        await page.get_by_role("textbox", name="提示词").fill("雨中的街道，{instruction}")
        await studio.button("添加变量").click()
        await studio.check()
        await studio.button("移除 变量 1").click()
        await studio.button("保存并试用").click()
        await page.get_by_role("heading", name="雨街").wait_for()
        await studio.check()


@pytest.mark.parametrize(("profile", "is_offered"), [("flash", True), ("plushify", False)])
async def test_own_styles_are_where_the_product_offers_them(
    profile: str, is_offered: bool, chromium: "Browser", tmp_path: Path
) -> None:
    async with run_server(tmp_path, PROFILE=profile) as server, open_studio(chromium, server) as studio:
        page = studio.page
        await enter(studio, server, "ada@example.com")
        await page.get_by_role("heading", name="Styles").wait_for()
        await studio.open("/create/own/new")
        if is_offered:
            await page.get_by_role("textbox", name="Name", exact=True).wait_for()
            assert await page.get_by_role("radiogroup", name="Photo").count() == 0, "no style here takes a photo"
        else:
            await page.get_by_role("heading", name="Own styles are not offered here").wait_for()
        await studio.check()
        await studio.open("/")
        await page.get_by_role("heading", name="Styles").wait_for()
        await page.locator("main a[href^='/create/']").first.wait_for()
        if is_offered:
            await begin_style(studio)
        else:
            assert await page.get_by_role("radio", name="Yours").count() == 0
