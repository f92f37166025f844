"""The studio with a connection that is lost: nothing is missed or doubled, in two tabs and across reloads."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.client import Api, until
from tests.support.cut_proxy import CutProxy
from tests.support.graphiql_page import PASSWORD, Server, run_server
from tests.support.studio_page import StudioPage, open_studio

if TYPE_CHECKING:
    from playwright.async_api import Browser, Route

pytestmark = pytest.mark.browser

SIGN_IN = """async (input) => {
  const query = "mutation($input: SignInInput!) { signIn(input: $input) { errors { code } } }";
  const body = JSON.stringify({ query, variables: { input } });
  await fetch("/graphql", { method: "POST", headers: { "content-type": "application/json" }, body });
}"""
OFFLINE = "You are offline."
AWAY = "The server cannot be reached at the moment."
WAITING = "No connection. Your order is sent as soon as it is back."
LIST = "query { viewer { credits generations(first: 100) { nodes { id } } } }"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with run_server(tmp_path, DEMO_SECONDS="1") as found:
        yield found


async def sign_in(studio: StudioPage) -> None:
    await studio.button("Sign in").click()
    await studio.sign_in("ada@example.com")
    await studio.page.get_by_role("link", name="Gallery").click()
    await studio.page.get_by_role("heading", name="Gallery").wait_for()


async def order(studio: StudioPage, words: str, *, wait: bool = True) -> None:
    await studio.open("/create/sandbox/free")
    await studio.page.get_by_label("Describe your picture").fill(words)
    if wait:
        await studio.order()
        await studio.wait_for_picture()


async def assert_made_once(api: Api) -> None:
    account = await api.one(LIST)
    assert (account["credits"], len(account["generations"]["nodes"])) == (29, 1)


async def shown(studio: StudioPage) -> set[str]:
    """Return the ids of the pictures in the gallery."""
    keys: list[str] = await studio.page.evaluate(
        "() => [...document.querySelectorAll('[role=row]')].map((row) => row.dataset.key ?? row.dataset.href ?? '')"
    )
    return {re.sub(r".*/", "", key) for key in keys if key}


@pytest.mark.parametrize("is_offline", [False, True], ids=["server away", "offline for a minute"])
async def test_tab_that_was_offline_ends_with_the_same_gallery_and_balance(
    is_offline: bool, chromium: "Browser", server: Server
) -> None:
    async with (
        server.api() as api,
        CutProxy.open(server.address) as network,
        open_studio(chromium, server) as here,
        open_studio(chromium, server, address=network.address) as there,
    ):
        ada = await api.sign_up("ada@example.com", PASSWORD)
        for studio in (here, there):
            await sign_in(studio)
        await order(here, "A fox in the snow")
        await there.wait_for_tiles(1)
        await there.wait_for_credits(29)

        # Offline, while pictures are made and one is deleted elsewhere.
        await there.page.clock.install()
        there.tolerates_lost_connections = True
        await there.page.context.set_offline(is_offline)
        network.is_down = True
        network.cut()
        await there.page.get_by_text(OFFLINE if is_offline else AWAY).wait_for()
        for words in ("An owl at noon", "Rain over Lisbon"):
            await order(here, words)
        await here.button("Delete").click()
        await here.page.get_by_role("link", name="Create").click()
        await here.page.get_by_role("link", name="Gallery").click()
        await here.wait_for_tiles(2)
        await (
            here.page.get_by_role("alertdialog")
            .or_(here.page.get_by_role("region", name="Messages"))
            .first.wait_for(state="detached")
        )
        await there.page.clock.fast_forward("01:00")
        assert (await there.credits(), len(await shown(there))) == (29, 1)
        network.is_down = False
        await there.page.context.set_offline(False)

        await there.wait_for_credits(27)
        await there.wait_for_tiles(2)
        await there.page.get_by_text(OFFLINE if is_offline else AWAY).wait_for(state="detached")
        account = await ada.one(LIST)
        wanted = {one["id"] for one in account["generations"]["nodes"]}
        assert account["credits"] == 27
        assert len(wanted) == 2
        assert await shown(here) == await shown(there) == wanted


async def test_views_that_the_server_was_away_for_are_there_when_it_is_back(
    chromium: "Browser", server: Server
) -> None:
    async with (
        server.api() as api,
        CutProxy.open(server.address) as network,
        open_studio(chromium, server, address=network.address) as studio,
    ):
        page = studio.page
        ada = await api.sign_up("ada@example.com", PASSWORD)
        await sign_in(studio)
        await order(studio, "A fox in the snow")
        studio.tolerates_lost_connections = True
        network.is_down = True
        network.cut()
        note = page.get_by_role("status").get_by_text(AWAY)
        await note.wait_for()  # before anything is asked for
        await studio.check()
        await page.get_by_role("banner").get_by_role("link", name="29 credits").click()  # its scripts are not here
        (made,) = (await ada.create(prompt="An owl at noon"))["generations"]
        await ada.wait_for_end(made["id"])
        network.is_down = False
        await note.wait_for(state="detached")
        await studio.wait_for_credits(28)
        lines = page.locator("section li:has(time)")
        await lines.first.wait_for()
        await page.wait_for_function("() => document.querySelectorAll('section li time').length === 3")
        await page.get_by_role("link", name="Gallery").click()
        await studio.wait_for_tiles(2)
        account = await ada.one(LIST)
        assert await shown(studio) == {one["id"] for one in account["generations"]["nodes"]}
        await studio.check()


async def test_visitor_goes_on_when_the_server_is_back(chromium: "Browser", server: Server) -> None:
    async with (
        CutProxy.open(server.address) as network,
        open_studio(chromium, server, address=network.address, locale="zh-CN") as studio,
    ):
        page = studio.page
        style = page.locator("main a[href^='/create/']").first
        await style.wait_for()
        studio.tolerates_lost_connections = True
        network.is_down = True
        network.cut()
        await style.click()  # the scripts of the view are not here
        note = page.get_by_role("status").get_by_text("暂时无法连接服务器。")
        await note.wait_for()
        await studio.check()
        network.is_down = False
        await page.get_by_role("main").get_by_role("heading", level=1).first.wait_for()
        await note.wait_for(state="detached")
        await studio.check()


async def test_order_without_a_connection_is_placed_once_when_it_is_back(chromium: "Browser", server: Server) -> None:
    async with (
        server.api() as api,
        CutProxy.open(server.address) as network,
        open_studio(chromium, server, address=network.address) as studio,
    ):
        ada = await api.sign_up("ada@example.com", PASSWORD)
        await sign_in(studio)
        await order(studio, "A fox in the snow", wait=False)
        submit = studio.page.locator("button[type=submit]:not([data-disabled])").last
        await submit.wait_for()
        studio.tolerates_lost_connections = True
        network.is_down = True
        network.cut()
        await submit.click()
        await studio.page.get_by_text(WAITING).wait_for()
        network.is_down = False
        await studio.page.wait_for_url(re.compile("/pictures/"))
        await studio.wait_for_picture()
        await assert_made_once(ada)


async def test_order_whose_answer_was_lost_with_the_page_is_not_doubled(chromium: "Browser", server: Server) -> None:
    async with server.api() as api, open_studio(chromium, server) as studio:
        ada = await api.sign_up("ada@example.com", PASSWORD)
        await sign_in(studio)
        await order(studio, "A fox in the snow", wait=False)
        page = studio.page
        await studio.lose_answers("createGeneration")
        await page.locator("button[type=submit]:not([data-disabled])").last.click()
        await page.get_by_text("No connection").wait_for()
        await studio.hear_answers()
        await page.reload()
        await page.wait_for_url(re.compile("/pictures/"))
        await studio.wait_for_picture()
        await assert_made_once(ada)


async def test_order_is_placed_in_whatever_view_the_connection_is_back(chromium: "Browser", server: Server) -> None:
    async with server.api() as api, open_studio(chromium, server) as studio:
        ada = await api.sign_up("ada@example.com", PASSWORD)
        await sign_in(studio)
        await order(studio, "A fox in the snow", wait=False)
        await studio.lose_answers("createGeneration", arrives=False)
        await studio.page.locator("button[type=submit]:not([data-disabled])").last.click()
        await studio.page.get_by_text(WAITING).wait_for()
        await studio.page.get_by_role("link", name="Gallery").click()
        await studio.page.reload()
        await studio.wait_for_credits(30)
        await studio.hear_answers()
        await studio.page.get_by_text("Your order is placed.").wait_for()
        await studio.check()
        await studio.wait_for_tiles(1)
        await studio.button("Show").click()
        await studio.page.wait_for_url(re.compile("/pictures/"))
        await studio.wait_for_picture()
        await assert_made_once(ada)


async def test_order_and_words_of_an_account_are_not_the_next_ones(chromium: "Browser", server: Server) -> None:
    async with server.api() as api, open_studio(chromium, server) as studio:
        page = studio.page
        ada, bob = [await api.sign_up(f"{name}@example.com", PASSWORD) for name in ("ada", "bob")]
        await sign_in(studio)
        await order(studio, "A fox in the snow", wait=False)
        await studio.lose_answers("createGeneration", arrives=False)
        await page.locator("button[type=submit]:not([data-disabled])").last.click()
        await page.get_by_text(WAITING).wait_for()
        await page.get_by_role("link", name="Gallery").click()
        await page.reload()
        await studio.sign_out()
        await studio.button("Sign in").click()
        await studio.sign_in("bob@example.com")
        await studio.wait_for_credits(30)
        await studio.hear_answers()
        await page.get_by_role("main").locator("a[href='/create/sandbox/free']").first.click()
        words = page.get_by_label("Describe your picture")
        assert await words.input_value() == ""
        await words.fill("An owl at noon")
        await studio.order()
        await studio.wait_for_picture()
        account = await bob.one("query { viewer { credits generations(first: 9) { nodes { prompt } } } }")
        assert account == {"credits": 29, "generations": {"nodes": [{"prompt": "An owl at noon"}]}}
        assert (await ada.one(LIST))["credits"] == 30


async def test_tab_that_was_away_shows_nothing_of_an_account_that_was_left(chromium: "Browser", server: Server) -> None:
    async with server.api() as api, open_studio(chromium, server) as studio:
        page = studio.page
        for name in ("ada", "bob"):
            await api.sign_up(f"{name}@example.com", PASSWORD)
        await sign_in(studio)
        await order(studio, "A fox in the snow", wait=False)
        await studio.add_photo()
        await page.get_by_role("img", name="Photo", exact=True).wait_for()
        await page.goto("about:blank")
        other = StudioPage(await page.context.new_page(), server.address, server.address)
        await other.open()
        await other.sign_out()
        await other.button("Sign in").click()
        await other.sign_in("bob@example.com")
        await studio.open("/create/sandbox/free")
        await studio.wait_for_credits(30)
        assert await page.get_by_label("Describe your picture").input_value() == ""
        await studio.button("Choose a photo").wait_for()
        assert other.problems == []


async def test_guest_who_registers_keeps_the_order_and_the_words(chromium: "Browser", server: Server) -> None:
    async with open_studio(chromium, server) as studio:
        page = studio.page
        await order(studio, "A fox in the snow")
        await order(studio, "An owl at noon", wait=False)
        await studio.lose_answers("createGeneration", arrives=False)
        await page.locator("button[type=submit]:not([data-disabled])").last.click()
        await page.get_by_text(WAITING).wait_for()
        await studio.button("Keep my pictures").first.click()
        await studio.sign_in("eve@example.com")
        await studio.button("Keep my pictures").first.wait_for(state="detached")
        assert await page.get_by_label("Describe your picture").input_value() == "An owl at noon"
        await studio.hear_answers()
        await page.wait_for_url(re.compile("/pictures/"))
        await studio.wait_for_picture()
        await page.get_by_role("link", name="Gallery").first.click()
        await studio.wait_for_tiles(2)


@pytest.mark.parametrize("signs_out", [False, True], ids=["page", "session"])
async def test_picture_deleted_just_before_leaving_is_deleted(
    signs_out: bool, chromium: "Browser", server: Server
) -> None:
    async with server.api() as api, open_studio(chromium, server) as studio:
        ada = await api.sign_up("ada@example.com", PASSWORD)
        await sign_in(studio)
        await order(studio, "A fox in the snow")
        await studio.button("Delete").click()
        await studio.button("Undo").wait_for()
        await (studio.sign_out() if signs_out else studio.page.goto("about:blank"))

        async def is_gone() -> bool:
            return not (await ada.one(LIST))["generations"]["nodes"]

        await until(is_gone)


@pytest.mark.parametrize("address", ["/batches/{}", "/credits", "/create/own/none", "/create/sandbox/free"])
async def test_view_that_could_not_be_read_says_so_and_reads_again(
    address: str, chromium: "Browser", server: Server
) -> None:
    async with server.api() as api, open_studio(chromium, server) as studio:
        page = studio.page
        ada = await api.sign_up("ada@example.com", PASSWORD)
        made = (await ada.create(prompt="A fox", count=2))["generations"]
        await sign_in(studio)
        await studio.wait_for_tiles(2)
        studio.tolerates_lost_connections = True
        names = re.compile("query (BatchOf|Wallet|OwnStyles|Catalogue)")

        async def refuse(route: "Route") -> None:
            is_refused = names.search(route.request.post_data or "") is not None
            await (route.abort() if is_refused else route.fallback())

        await page.route("**/graphql", refuse)
        await studio.open(address.format(made[0]["batchId"]))
        await page.get_by_role("heading", name="This could not be loaded").wait_for()
        await studio.check()
        await page.unroute("**/graphql", refuse)
        await studio.button("Try again").click()
        await page.get_by_role("heading", name="This could not be loaded").wait_for(state="detached")


async def test_session_that_cannot_be_read_is_not_taken_for_none(chromium: "Browser", server: Server) -> None:
    async with server.api() as api, open_studio(chromium, server) as studio:
        ada = await api.sign_up("ada@example.com", PASSWORD)
        await sign_in(studio)
        page = studio.page
        studio.tolerates_lost_connections = True

        async def lose(route: "Route") -> None:
            """Lose what reads the session."""
            await (route.abort() if "query Me " in (route.request.post_data or "") else route.continue_())

        await page.route("**/graphql", lose)
        await studio.open("/create/sandbox/free")
        note = page.get_by_role("status").get_by_text("The server cannot be reached.")
        await note.wait_for()
        assert await studio.button("Sign in").count() == 0
        await studio.check()
        await page.unroute("**/graphql")
        await studio.wait_for_credits(30)
        await note.wait_for(state="detached")
        await order(studio, "A fox in the snow")
        await assert_made_once(ada)


async def test_account_that_could_not_sign_out_is_said_to_be_signed_in(chromium: "Browser", server: Server) -> None:
    async with server.api() as api, open_studio(chromium, server) as studio:
        page = studio.page
        await api.sign_up("ada@example.com", PASSWORD)
        await sign_in(studio)
        await studio.lose_answers("mutation SignOut", arrives=False)
        said = page.get_by_text("You are still signed in")
        for _ in range(2):
            await studio.sign_out()
            await said.wait_for()
        assert await said.count() == 1
        await studio.check()
        assert await studio.credits() == 30
        await studio.hear_answers()
        await studio.button("Try again").click()
        await studio.button("Sign in").first.wait_for()
        await said.wait_for(state="detached")
        await page.reload()
        await studio.button("Sign in").first.wait_for()


async def test_no_guest_begins_over_a_session_that_the_page_does_not_know(chromium: "Browser", server: Server) -> None:
    async with server.api() as api, open_studio(chromium, server) as studio:
        ada = await api.sign_up("ada@example.com", PASSWORD)
        await order(studio, "A fox in the snow", wait=False)
        await studio.page.evaluate(SIGN_IN, {"email": "ada@example.com", "password": PASSWORD, "cookie": True})
        await studio.order()
        await studio.wait_for_credits(29)
        await assert_made_once(ada)
