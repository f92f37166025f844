"""What an admin has done for an account, as its owner reads it, in a real browser without a network."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.billing.test_granted_plan import GRANT
from tests.support.admin_desk import new_admin, signed_in
from tests.support.client import CANCEL
from tests.support.graphiql_page import PASSWORD, run_server
from tests.support.studio_page import open_studio

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = pytest.mark.browser


async def test_owner_reads_that_a_plan_was_granted_and_a_free_picture_canceled(
    chromium: "Browser", tmp_path: Path
) -> None:
    settings = {"DEMO_SECONDS": "60", "WORKER_CONCURRENCY": "1", "RATE_LIMITS": "off"}
    async with run_server(tmp_path, **settings) as server, server.api() as api, open_studio(chromium, server) as studio:
        await new_admin(server, "root@example.com", "--super")
        admin, ada = await signed_in(api, "root@example.com"), await api.sign_up("ada@example.com", PASSWORD)
        page = studio.page
        await admin.one(GRANT, userId=ada.user["id"], plan="enterprise", months=3, reason="Partner.", key="partner")
        await studio.button("Sign in").click()
        await studio.sign_in("ada@example.com")
        await studio.open("/credits")
        card = page.get_by_role("region", name="Enterprise")
        await card.get_by_text("It runs until").wait_for()
        assert await card.get_by_text("Canceled").count() == 0
        assert await card.get_by_role("button", name="Change or cancel").count() == 0, "nothing is paid for"
        await studio.check()

        made = [(await ada.create(prompt=words))["generations"][0]["id"] for words in ("A fox", "An owl")]
        canceled = await admin.one(CANCEL, id=made[1])  # waits for the first one
        assert canceled["generation"]["refunded"] is True
        await studio.open(f"/pictures/{made[1]}")
        await page.get_by_text("It was canceled.").wait_for()
        assert await page.get_by_text("returned").count() == 0, "nothing was charged"
        await studio.check()
        await studio.sign_out()
        await studio.button("Sign in").click()
        await studio.sign_in("root@example.com")
        await studio.open(f"/admin/pictures/{made[1]}")
        await page.get_by_text("Canceled", exact=True).first.wait_for()
        assert await page.get_by_text("Refunded", exact=True).count() == 0
        await admin.one(CANCEL, id=made[0])  # the worker need not wait for it
