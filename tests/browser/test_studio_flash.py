"""The studio of a product without credits: a new user's first five minutes, from the start to a shared picture."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.browser.test_studio import DESK, PHONE
from tests.support.graphiql_page import open_browser, run_server
from tests.support.studio_page import open_studio

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = pytest.mark.browser

ENGLISH = {
    "style": "Free prompt", "needs": "Create an account to make it", "words": "Describe your picture",
    "get": "Get a pass", "none": "You have no pass at the moment.", "buy": "Buy: Flash Lite",
    "pay": "Pay (development)", "active": "Your pass Flash Lite is active.", "back": "Back to your order",
    "left": "3 of 3 left this hour", "in pass": "in your pass", "now": "2 pictures left this hour", "share": "Share",
    "link": "Create the link", "address": "Link",
}  # fmt: skip
CHINESE = {
    "style": "自由提示词", "needs": "注册账户即可创作", "words": "描述您的图片", "get": "获取通行证",
    "none": "您目前没有通行证。", "buy": "购买: 闪图轻享", "pay": "付款（开发用）",
    "active": "通行证“闪图轻享”已生效。",
    "back": "返回订单", "left": "本小时剩余 3 / 3", "in pass": "包含在通行证内", "now": "本小时还可制作 2 张图片",
    "share": "分享", "link": "创建链接", "address": "链接",
}  # fmt: skip


@pytest.fixture(scope="module")
async def chromium() -> AsyncIterator["Browser"]:
    async with open_browser() as found:
        yield found


@pytest.mark.parametrize("options", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize(("locale", "t"), [("en", ENGLISH), ("zh-CN", CHINESE)], ids=["en", "zh"])
async def test_new_user_buys_a_pass_makes_and_shares_a_picture(
    options: dict[str, Any], locale: str, t: dict[str, str], chromium: "Browser", tmp_path: Path
) -> None:
    settings = {"PROFILE": "flash", "DEMO_SECONDS": "1"}
    wanted = {**options, "locale": locale}
    async with run_server(tmp_path, **settings) as server, open_studio(chromium, server, **wanted) as studio:
        page = studio.page
        await studio.check()
        await page.get_by_role("link", name=re.compile(t["style"])).first.click()
        await page.get_by_label(t["words"]).fill("A lighthouse at dusk")
        await studio.button(t["needs"]).click()
        await studio.sign_in("ada@example.com")
        await page.get_by_role("link", name=t["get"]).click()
        await page.get_by_text(t["none"]).wait_for()
        await studio.check()
        await studio.button(t["buy"]).click()
        await studio.button(t["pay"]).click()
        await page.get_by_text(t["active"]).wait_for()
        await page.get_by_text(t["left"]).first.wait_for()
        await studio.check()
        await page.get_by_role("link", name=t["back"]).click()
        assert await page.get_by_label(t["words"]).input_value() == "A lighthouse at dusk"
        await page.get_by_text(t["in pass"]).wait_for()
        await studio.order()
        await page.get_by_role("link", name=t["now"]).wait_for()
        await studio.wait_for_picture()
        await studio.button(t["share"]).click()
        await studio.button(t["link"]).click()
        link = await page.get_by_label(t["address"], exact=True).input_value()
        await studio.check()
        async with httpx.AsyncClient() as http:
            assert (await http.get(link)).status_code == 200
