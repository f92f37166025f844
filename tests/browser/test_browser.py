"""GraphiQL in a real browser without network access, against a server with default settings."""

import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.graphiql_page import PASSWORD, GraphiqlPage, Server, open_graphiql, run_server

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    async with run_server(tmp_path_factory.mktemp("server")) as found:
        yield found


@pytest.fixture
def page(chromium: "Browser", server: Server) -> AbstractAsyncContextManager[GraphiqlPage]:
    return open_graphiql(chromium, server)


async def test_new_user_creates_a_picture_and_follows_its_progress(
    page: AbstractAsyncContextManager[GraphiqlPage],
) -> None:
    async with page as ada:
        await ada.open()
        await ada.sign_in("ada@example.com", new=True)
        await ada.wait_for_credits(30)
        await ada.run()
        await ada.wait_for_response('"email": "ada@example.com"')
        await ada.select_tab("Quote")
        await ada.wait_for_text(".graphiql-editor-tool", '"sty_')
        await ada.run()
        await ada.wait_for_response('"affordable": true')
        await ada.select_tab("CreatePicture")
        await ada.run()
        await ada.wait_for_response('"errors": []', '"id": "gen_')
        await ada.select_tab("Progress")
        await ada.wait_for_text(".graphiql-editor-tool", '"gen_')
        await ada.run()
        await ada.wait_for_response('"stage": "GENERATING"')  # followed by the next event without another request:
        await ada.wait_for_response('"stage": "COMPLETED"', "/files/")
        await ada.screenshot("progress")
        await ada.select_tab("Gallery")
        await ada.run()
        await ada.wait_for_response('"totalCount": 1')


async def test_credits_in_the_bar_update_live(page: AbstractAsyncContextManager[GraphiqlPage], server: Server) -> None:
    async with page as bea, server.api() as api:
        program = await api.sign_up("bea@example.com", PASSWORD)
        await bea.open()
        await bea.sign_in("bea@example.com")
        await bea.wait_for_credits(30)
        made = await program.create(prompt="a fox in the snow")
        await bea.wait_for_credits(30 - made["generations"][0]["cost"])


async def test_session_cookie_is_hidden_from_scripts_and_ended_by_signing_out(
    page: AbstractAsyncContextManager[GraphiqlPage],
) -> None:
    async with page as cleo:
        await cleo.open()
        await cleo.sign_in("cleo@example.com", new=True)
        await cleo.wait_for_credits(30)
        cookies = {cookie["name"]: cookie for cookie in await cleo.page.context.cookies()}
        assert cookies.keys() == {"darkroom_session", "darkroom_device"}
        assert all(cookie["httpOnly"] for cookie in cookies.values())
        assert await cleo.page.evaluate("document.cookie") == ""
        kept = await cleo.page.evaluate("JSON.stringify([localStorage, sessionStorage])")
        assert not [name for name, cookie in cookies.items() if cookie["value"] in kept]
        assert PASSWORD not in kept
        await cleo.page.get_by_role("button", name="Sign out").click()
        await cleo.page.locator(".panel > summary").wait_for()
        await cleo.run()
        await cleo.wait_for_response('"viewer": null')
        assert [cookie["name"] for cookie in await cleo.page.context.cookies()] == ["darkroom_device"]


async def test_refusal_is_shown_in_the_browsers_language(chromium: "Browser", server: Server) -> None:
    async with open_graphiql(chromium, server, locale="zh-CN") as reader:
        await reader.open()
        await reader.sign_in("unknown@example.com", password="wrong horse")
        alert = reader.page.locator(".sign-in [role=alert]", has_text=re.compile("[\u4e00-\u9fff]{4}"))
        await alert.wait_for()
        assert await reader.page.locator(".panel > summary").inner_text() == "登录"


async def test_explorer_history_and_docs_work_offline(page: AbstractAsyncContextManager[GraphiqlPage]) -> None:
    async with page as dan:
        await dan.open()
        await dan.run()
        await dan.wait_for_response('"viewer": null')
        sidebar = dan.page.locator(".graphiql-sidebar button")
        await sidebar.nth(0).click()
        await dan.page.locator(".graphiql-doc-explorer", has_text="Subscription").wait_for()
        await sidebar.nth(1).click()
        await dan.page.locator(".graphiql-history", has_text="WhoAmI").wait_for()
        await sidebar.nth(2).click()
        await dan.page.locator(".graphiql-explorer-root", has_text="creditPackages").wait_for()


async def test_subscription_uses_the_socket_right_after_its_tab_was_opened(
    page: AbstractAsyncContextManager[GraphiqlPage], server: Server
) -> None:
    async with page as gil, server.api() as api:
        program = await api.sign_up("gil@example.com", PASSWORD)
        made = await program.create(prompt="a fox in the snow")
        await program.wait_for_end(made["generations"][0]["id"])
        await gil.open()
        await gil.sign_in("gil@example.com")
        await gil.select_tab("Gallery")
        await gil.run()
        await gil.wait_for_response('"totalCount": 1')
        progress = gil.page.locator(".graphiql-tab-button", has_text="Progress")
        await progress.evaluate(
            """(tab) => {
                tab.click();
                requestAnimationFrame(() => document.querySelector(".graphiql-execute-button").click());
            }"""
        )
        await gil.wait_for_response('"generationProgress": {')


async def test_narrow_window_shows_every_control(chromium: "Browser", server: Server) -> None:
    async with open_graphiql(chromium, server, viewport={"width": 390, "height": 760}) as hal:
        await hal.open()
        await hal.sign_in("hal-with-an-address-of-forty-five@example.com", new=True)
        await hal.wait_for_credits(30)
        await hal.run()
        await hal.wait_for_response('"email"')
        for place in (".bar > button", ".examples", ".credits", ".graphiql-response", ".graphiql-query-editor"):
            box = await hal.page.locator(place).bounding_box()
            assert box is not None, place
            assert box["x"] >= 0, place
            assert box["x"] + box["width"] <= 390, place
            assert box["y"] + box["height"] <= 760, place
        await hal.page.set_viewport_size({"width": 768, "height": 760})
        photo = await hal.page.locator(".photo .name").evaluate("(name) => [name.scrollWidth, name.clientWidth]")
        assert photo[0] == photo[1], "the bar truncates the address, not a button"
        await hal.page.set_viewport_size({"width": 390, "height": 760})
        response = await hal.page.locator(".graphiql-response").bounding_box()
        assert response is not None
        assert response["width"] > 250, "below the editor, not beside it"
        await hal.page.locator(".graphiql-sidebar button").last.click()
        closing = await hal.page.locator(".graphiql-dialog-close svg path").bounding_box()
        assert closing is not None
        assert closing["width"] > 5, "the close button is visible"


async def test_graphiql_for_admins_shows_others_only_the_sign_in_form(chromium: "Browser", tmp_path: Path) -> None:
    async with run_server(tmp_path, GRAPHIQL="admins") as server, open_graphiql(chromium, server) as eve:
        async with server.api() as api:
            await api.sign_up("eve@example.com", PASSWORD)
        await eve.open(ready=False)
        await eve.page.locator("main .sign-in").wait_for()
        assert await eve.page.locator(".graphiql-container").count() == 0
        await eve.sign_in("eve@example.com")
        await eve.page.get_by_text("not an admin").wait_for()
        assert await eve.page.locator(".graphiql-container").count() == 0
        await server.make_admin("eve@example.com")
        await eve.open()
        await eve.page.locator(".badge").wait_for()
        await eve.page.locator(".graphiql-doc-explorer, .graphiql-query-editor").first.wait_for()


async def find(admin: GraphiqlPage, email: str) -> None:
    await admin.select_tab("FindUser")
    await admin.set_variables(search=email.upper()[:8])
    await admin.run()
    await admin.wait_for_response(f'"email": "{email}"')


async def test_admin_finds_adjusts_refunds_and_suspends_an_account(
    page: AbstractAsyncContextManager[GraphiqlPage], chromium: "Browser", server: Server
) -> None:
    async with server.api() as api, page as admin, open_graphiql(chromium, server) as watcher:
        fay = await api.sign_up("fay@example.com", PASSWORD)
        await api.sign_up("boss@example.com", PASSWORD)
        await server.make_admin("boss@example.com")
        made = (await fay.create(prompt="a fox in the snow"))["generations"][0]
        await fay.wait_for_end(made["id"])

        await watcher.open()
        await watcher.sign_in("boss@example.com")
        await watcher.select_tab("LiveActivity")
        await watcher.run()

        await admin.open()
        await admin.sign_in("boss@example.com")
        await admin.page.locator(".badge").wait_for()
        await find(admin, "fay@example.com")
        await admin.select_tab("Ledger")
        await admin.wait_for_text(".graphiql-editor-tool", fay.user["id"])
        await admin.run()
        await admin.wait_for_response('"type": "DEDUCTION"', made["id"])
        await admin.screenshot("ledger")

        await admin.select_tab("AdjustCredits")
        await admin.set_variables(amount=7, reason="A bad day")
        await admin.run()
        await admin.wait_for_response('"amount": 7', '"errors": []')
        await watcher.wait_for_response('"ADMIN_ACT"', "adjusted credits")
        assert await fay.credits() == 30 - made["cost"] + 7

        await admin.select_tab("RefundGeneration")
        await admin.set_variables(generation=made["id"], reason="The picture was no good")
        await admin.run()
        await admin.wait_for_response('"refunded": true')
        assert await fay.credits() == 37
        await watcher.screenshot("live-activity")

        await admin.select_tab("TodaysMetrics")
        await admin.run()
        await admin.wait_for_response('"completed": ', '"creditsRefunded": ')
        await admin.screenshot("metrics")

        await admin.select_tab("Suspend")
        await admin.wait_for_text(".graphiql-editor-tool", fay.user["id"])
        await admin.set_variables(reason="At her request")
        await admin.run()
        await admin.wait_for_response('"suspendedAt": "20')
        assert not await fay.is_signed_in(), "her sessions have ended"
