"""Data exports that fail, in the studio in a real browser without a network."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.studio_page import open_studio
from tests.support.studio_world import open_world, sign_in

if TYPE_CHECKING:
    from playwright.async_api import Browser, Route

pytestmark = pytest.mark.browser


async def test_export_that_could_not_be_made_is_not_asked_for_again(chromium: "Browser", tmp_path: Path) -> None:
    text, answered = "Your export could not be made. Please try again in 60 minutes.", 0

    async def answer(route: "Route") -> None:
        nonlocal answered
        if "requestDataExport" in (route.request.post_data or ""):
            answered += 1
            pending = {"dataExport": {"url": None, "expiresAt": None}, "errors": []}
            error = {"__typename": "InputError", "code": "UNAVAILABLE", "message": text, "field": None}
            answers = [pending, {"dataExport": None, "errors": [error]}]
            await route.fulfill(json={"data": {"requestDataExport": answers[min(answered, 2) - 1]}})
        else:
            await route.continue_()

    async with open_world(tmp_path) as world, open_studio(chromium, world.server) as studio:
        email, _ = await world.account("waiting")
        page = studio.page
        await world.confirm(studio, email)
        await sign_in(studio, email, "/account/data")
        await page.route("**/graphql", answer)
        await studio.button("Make an export").click()
        await page.get_by_text("It is being made.").wait_for()
        await page.get_by_text(text).wait_for()
        await studio.check()
        await asyncio.sleep(4)  # longer than until the next look
        assert answered == 2
        assert await studio.button("Make an export").is_enabled()
