"""The studio in a tab whose session another tab has changed, in a real browser without a network."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.test_studio_connection import LIST, SIGN_IN, order, sign_in
from tests.support.graphiql_page import PASSWORD, run_server
from tests.support.studio_page import open_studio

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = pytest.mark.browser

SIGN_OUT = """async () => {
  const body = JSON.stringify({ query: "mutation { signOut { __typename } }" });
  await fetch("/graphql", { method: "POST", headers: { "content-type": "application/json" }, body });
}"""
CHANGED = "() => new BroadcastChannel('studio.session').postMessage(null)"


@pytest.mark.parametrize(
    ("change", "input", "reason", "button"),
    [
        (
            SIGN_IN,
            {"email": "bob@example.com", "password": PASSWORD, "cookie": True},
            "someone else is signed in now",
            "bob@example.com",
        ),
        (SIGN_OUT, None, "you are signed out", "Sign in"),
    ],
    ids=["another", "none"],
)
async def test_order_is_not_placed_on_an_account_that_the_page_does_not_show(
    change: str, input: Any, reason: str, button: str, chromium: "Browser", tmp_path: Path
) -> None:
    async with run_server(tmp_path, DEMO_SECONDS="0") as server, server.api() as api:
        ada, bob = [await api.sign_up(f"{name}@example.com", PASSWORD) for name in ("ada", "bob")]
        async with open_studio(chromium, server) as studio:
            page = studio.page
            await sign_in(studio)
            await order(studio, "A fox in the snow", wait=False)
            await page.locator("button[type=submit]:not([data-disabled])").last.wait_for()
            await studio.lose_answers('{"operationName":"Me"', arrives=False)  # by which the page would see it
            await studio.lose_answers('{"operationName":"Quote"', arrives=False)
            other = await page.context.new_page()
            await other.goto(server.address)
            await other.evaluate(change, input)
            async with page.expect_event("requestfailed"):
                await other.evaluate(CHANGED)
            await page.locator("button[type=submit]:not([data-disabled])").last.click()
            await page.get_by_text(f"Your order was not placed, because {reason}.").wait_for()
            await studio.hear_answers()
            await page.get_by_role("button", name=button).first.wait_for()
            for account in (ada, bob):
                assert (await account.one(LIST))["generations"]["nodes"] == []
