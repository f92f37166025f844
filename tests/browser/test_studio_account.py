"""The account's views of the studio in a real browser without a network."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.authenticator_app import code_of
from tests.support.client import until
from tests.support.fakes.webhook_receiver import GONE, WebhookReceiver
from tests.support.graphiql_page import PASSWORD
from tests.support.qr_code import read_qr_code
from tests.support.server_process import free_port
from tests.support.studio_page import StudioPage, open_studio
from tests.support.studio_world import World, open_world, sign_in

if TYPE_CHECKING:
    from playwright.async_api import Browser, Route

pytestmark = pytest.mark.browser

NEW_PASSWORD = "battery staple"
CODE_SECONDS = 30
VIEWS = ("/account", "/account/security", "/account/developers", "/account/data")


@pytest.fixture(scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with open_world(tmp_path_factory.mktemp("server")) as found:
        yield found


@pytest.mark.parametrize(
    ("width", "scheme", "locale"),
    [(360, "light", "en"), (360, "dark", "zh-CN"), (768, "dark", "en"), (1440, "light", "zh-CN"), (1440, "dark", "en")],
)
async def test_account_views_are_accessible_at_every_width(
    width: int, scheme: str, locale: str, chromium: "Browser", world: World
) -> None:
    email, api = await world.account(f"views-{width}-{scheme}")
    window: dict[str, Any] = {"viewport": {"width": width, "height": 860}, "color_scheme": scheme, "locale": locale}
    async with open_studio(chromium, world.server, **window) as studio:
        await studio.open("/account")
        await studio.check()
        await studio.page.locator("main button").click()
        await studio.sign_in(email)
        for view in VIEWS:
            await studio.open(view)
            await studio.page.locator("main section h2").first.wait_for()
            await studio.page.locator("[aria-busy=true]").wait_for(state="detached")
            await studio.check("account" if (view, width, locale) == ("/account/security", 1440, "en") else "")
    assert await api.is_signed_in()


async def test_mail_about_finished_pictures_is_switched_on_by_those_with_an_address(
    chromium: "Browser", world: World
) -> None:
    email, _ = await world.account("notified")
    async with open_studio(chromium, world.server) as studio:
        page = studio.page
        switch = page.get_by_text("Mail me when a picture is ready")
        await sign_in(studio, email)
        await page.get_by_label("Name").wait_for()
        assert await switch.count() == 0, "the address is not confirmed"
        await world.confirm(studio, email)
        await studio.open("/account")
        await switch.click()
        checked = page.get_by_role("switch", name="Mail me when a picture is ready", checked=True)
        await checked.wait_for()  # by the answer of the server
        await studio.check()
        await page.reload()
        await checked.wait_for()


async def test_name_language_and_password_are_changed(chromium: "Browser", world: World) -> None:
    email, api = await world.account("profile")
    async with open_studio(chromium, world.server) as studio:
        page = studio.page
        await sign_in(studio, email)
        await page.get_by_label("Name").fill("Ada Lovelace")
        await studio.button("Save").click()
        await page.get_by_text("Saved.").wait_for()
        assert (await api.one("{ viewer { name } }"))["name"] == "Ada Lovelace"

        await page.get_by_role("link", name="Sign-in and security").click()
        await page.get_by_label("Present password").fill("wrong horse")
        await page.get_by_label("New password").fill(NEW_PASSWORD)
        await studio.button("Change the password").click()
        await page.get_by_text("The current password is wrong.").wait_for()
        await studio.check()
        await page.get_by_label("Present password").fill(PASSWORD)
        await studio.button("Change the password").click()
        await page.get_by_text("Your password is changed.").wait_for()
        assert not await api.is_signed_in(), "other sessions have ended"
        assert await world.signs_in(email, NEW_PASSWORD)

        await page.get_by_role("link", name="Profile").click()
        await page.get_by_label("Language of the page").click()
        await page.get_by_role("option", name="简体中文").click()
        await page.get_by_role("heading", name="账户", exact=True).wait_for()


async def test_busy_button_keeps_the_focus_says_so_and_sends_once(chromium: "Browser", world: World) -> None:
    email, api = await world.account("busy")
    async with open_studio(chromium, world.server) as studio:
        page, sent, answer = studio.page, [], asyncio.Event()

        async def hold(route: "Route") -> None:
            if "updateProfile" in (route.request.post_data or ""):
                sent.append(route.request)
                await answer.wait()
            await route.continue_()

        await sign_in(studio, email)
        await page.route("**/graphql", hold)
        await page.get_by_label("Name").fill("Ada")
        await studio.button("Save").focus()
        await page.keyboard.press("Enter")
        busy = page.get_by_role("button", name=re.compile("Loading.*Save"), disabled=True)
        await busy.wait_for()
        assert await busy.evaluate("(one) => one === document.activeElement")
        # A screen reader is given the button's name as it is now.
        await page.locator("[data-live-announcer] [aria-labelledby]").first.wait_for(state="attached")
        await studio.check()
        await page.keyboard.press("Enter")
        await page.get_by_label("Name").press("Enter")
        await busy.focus()
        answer.set()
        await page.get_by_text("Saved.").wait_for()
        assert await studio.button("Save").evaluate("(one) => one === document.activeElement")
        assert len(sent) == 1
        assert (await api.one("{ viewer { name } }"))["name"] == "Ada"


async def test_sessions_are_listed_and_ended(chromium: "Browser", world: World) -> None:
    email, api = await world.account("sessions")
    assert await world.signs_in(email)
    async with open_studio(chromium, world.server) as studio:
        page = studio.page
        await sign_in(studio, email, "/account/security")
        sessions = page.get_by_role("list", name="Where you are signed in").get_by_role("listitem")
        await sessions.nth(2).wait_for()
        assert await sessions.count() == 3
        assert "This device" in await sessions.first.inner_text()
        await sessions.nth(1).get_by_role("button", name="End").click()
        await page.get_by_text("The session has ended.").wait_for()
        await sessions.nth(2).wait_for(state="detached")
        await studio.button("End all other sessions").click()
        await studio.check()
        await studio.button("End them").click()
        await sessions.nth(1).wait_for(state="detached")
        assert not await api.is_signed_in()
        await page.reload()
        await sessions.first.wait_for()
        assert await sessions.count() == 1


async def test_api_key_is_shown_once_limited_and_revoked(chromium: "Browser", world: World) -> None:
    email, _ = await world.account("keys")
    async with open_studio(chromium, world.server) as studio:
        page = studio.page
        await sign_in(studio, email, "/account/developers")
        await studio.button("New key").click()
        await page.get_by_label("Name").fill("My script")
        await studio.button("Make the key").click()
        await page.get_by_role("dialog").get_by_role("alert").wait_for()  # the address is not confirmed
        await world.confirm(studio, email)

        await studio.open("/account/developers")
        await studio.button("New key").click()
        await studio.check()
        await page.get_by_label("Name").fill("My script")
        await page.get_by_label("Credits in a month").fill("5")
        await studio.button("Make the key").click()
        shown = page.get_by_role("dialog").get_by_label("Key", exact=True)
        await shown.wait_for()
        key = await shown.input_value()
        await studio.check()
        program = replace(world.api, token=key)
        assert (await program.one("{ viewer { email } }"))["email"] == email
        await page.keyboard.press("Escape")  # the focus is in the dialog still
        await page.get_by_text("0 of 5 credits this month").wait_for()
        assert key not in await page.content()

        await studio.button("Edit My script").click()
        await page.get_by_label("Credits in a month").fill("")
        await page.get_by_label("Name").fill("My program")
        await studio.button("Save").click()
        await page.get_by_text("0 credits this month").wait_for()
        await studio.check()
        await studio.button("Revoke My program").click()
        await studio.button("Revoke").click()
        await page.get_by_text("The key is revoked.").wait_for()
        await page.get_by_text("My program").wait_for(state="detached")
        assert (await program.refused("{ viewer { email } }"))["code"] == "UNAUTHENTICATED"


async def choose_more(studio: StudioPage, item: str) -> None:
    """Choose an item of the menu of the only endpoint."""
    await studio.page.get_by_role("button", name=re.compile("More for")).click()
    await studio.page.get_by_role("menuitem", name=item).click()


async def delivery_is(studio: StudioPage, words: str) -> bool:
    """Look again, and return whether the words are there."""
    await studio.button("Look again").click()
    return bool(await studio.page.get_by_role("dialog").get_by_text(words).count())


async def test_webhook_is_added_tested_and_removed(chromium: "Browser", world: World) -> None:
    email, _ = await world.account("hooks")
    async with WebhookReceiver() as receiver, open_studio(chromium, world.server) as studio:
        page = studio.page
        await world.confirm(studio, email)
        await sign_in(studio, email, "/account/developers")
        await studio.button("Add an address").click()
        await page.get_by_role("textbox", name="Address").fill("ftp://hooks.example.com")
        await studio.button("Add").click()
        await page.locator("[aria-invalid=true]").wait_for()
        await page.get_by_role("textbox", name="Address").fill(receiver.url)
        await studio.button("Add").click()
        secret = page.get_by_role("dialog").get_by_label("Signing secret")
        assert (await secret.input_value()).startswith("whsec_")
        await studio.check()
        await studio.button("I have kept it").click()
        await studio.button("Send a test").click()
        await page.get_by_role("dialog").get_by_text("webhook.test").wait_for()
        await studio.check()
        await until(partial(delivery_is, studio, "Delivered"))
        await page.keyboard.press("Escape")
        await choose_more(studio, "Remove")
        await studio.button("Remove").click()
        await page.get_by_text(receiver.url).wait_for(state="detached")


async def test_webhook_of_chosen_events_is_edited_and_a_delivery_sent_again(chromium: "Browser", world: World) -> None:
    email, _ = await world.account("hooks-events")
    async with WebhookReceiver() as receiver, open_studio(chromium, world.server) as studio:
        page, dialog, receiver.script = studio.page, studio.page.get_by_role("dialog"), [GONE]
        await world.confirm(studio, email)
        await sign_in(studio, email, "/account/developers")
        await studio.button("Add an address").click()
        await dialog.get_by_label("Address").fill(f"{receiver.origin}/old")
        await dialog.get_by_label("Credits are low below").fill("-1")
        await studio.button("Add").click()
        await dialog.get_by_text("A threshold is 0 to").wait_for()
        for box in await dialog.get_by_role("checkbox").all():
            await box.press("Space")
        assert await dialog.get_by_label("Credits are low below").count() == 0
        await studio.button("Add").click()
        await dialog.get_by_text("Choose at least one event.").wait_for()
        await studio.check()
        await dialog.get_by_role("checkbox", name="The credits are low").press("Space")
        await dialog.get_by_label("Credits are low below").fill("40")
        await studio.button("Add").click()
        await studio.button("I have kept it").click()
        await choose_more(studio, "Edit")
        await dialog.get_by_label("Address").fill(receiver.url)
        await dialog.get_by_role("checkbox", name="A purchase was paid").press("Space")
        await studio.button("Save").click()
        await page.get_by_text("Saved.").wait_for()
        edited = {"url": receiver.url, "events": ["CREDITS_LOW", "PURCHASE_COMPLETED"], "creditsLowBelow": 40}
        query = {"query": "{ webhookEndpoints { url events creditsLowBelow } }"}
        answer = await page.request.post(f"{studio.address}/graphql", data=query)
        assert (await answer.json())["data"]["webhookEndpoints"] == [edited]
        await studio.button("Send a test").click()
        await until(partial(delivery_is, studio, "Given up"))  # it answered that it is gone, and is switched off
        await studio.button("Send again").click()
        await dialog.get_by_text("This endpoint is disabled. Enable it first.").wait_for()
        await page.keyboard.press("Escape")
        await choose_more(studio, "Switch on")
        await choose_more(studio, "Deliveries")
        await studio.button("Send again").press("Enter")
        await page.get_by_text("It is sent again.").wait_for()
        await dialog.locator(":focus").wait_for()  # though its button is gone
        await until(partial(delivery_is, studio, "Delivered"))
        assert len({call.headers["webhook-id"] for call in await receiver.wait_for(2)}) == 1


async def test_webhook_says_why_it_is_off_and_why_it_failed(chromium: "Browser", world: World) -> None:
    email, _ = await world.account("hooks-off")
    async with open_studio(chromium, world.server) as studio:
        page = studio.page
        await world.confirm(studio, email)
        await sign_in(studio, email, "/account/developers")
        await studio.button("Add an address").click()
        await page.get_by_role("textbox", name="Address").fill(f"http://127.0.0.1:{free_port()}/hooks")
        await studio.button("Add").click()
        await studio.button("I have kept it").click()
        await studio.button("Send a test").click()
        await until(partial(delivery_is, studio, "no connection"))
        await studio.check()
        await page.keyboard.press("Escape")
        await choose_more(studio, "Switch off")
        await page.get_by_text("Switched off by you").wait_for()
        await studio.check()


async def test_keys_and_webhooks_that_could_not_be_read_are_read_again(chromium: "Browser", world: World) -> None:
    email, _ = await world.account("unread")

    async def refuse(route: "Route") -> None:
        if re.search("query (AccountKeys|Webhooks)", route.request.post_data or ""):
            await route.fulfill(status=500, body="")
        else:
            await route.continue_()

    async with open_studio(chromium, world.server) as studio:
        page = studio.page
        await page.route("**/graphql", refuse)
        await sign_in(studio, email, "/account/developers")
        failed = page.get_by_role("heading", name="This could not be loaded")
        await failed.nth(1).wait_for()
        assert await studio.button("Add an address").count() == 0
        await studio.check()
        await page.unroute("**/graphql")
        for _ in range(2):
            await studio.button("Try again").last.click()
        await failed.first.wait_for(state="detached")
        await studio.button("Add an address").wait_for()
        studio.problems = [one for one in studio.problems if "500" not in one]


async def test_admin_sets_up_proves_and_removes_the_second_factor(chromium: "Browser", world: World) -> None:
    email, _ = await world.account("boss")
    await world.server.make_admin(email)
    async with open_studio(chromium, world.server) as studio:
        page = studio.page
        await sign_in(studio, email, "/account/security")
        await studio.button("Set up an authenticator app").click()
        await studio.check()
        await studio.button("Continue").click()
        secret = await page.get_by_label("Secret").input_value()
        href = await page.get_by_role("link", name="Open in the authenticator app").get_attribute("href")
        assert href is not None
        assert href.startswith("otpauth://totp/")
        code = page.get_by_role("img", name="QR code of the secret")
        assert read_qr_code(await code.screenshot()) == href
        await studio.check()
        step = int(await page.evaluate("() => Date.now()")) // 1000 // CODE_SECONDS
        await page.get_by_label("First code of the app").fill(code_of(secret, step))
        await studio.button("Switch on").click()
        shown = page.get_by_role("dialog").get_by_label("Recovery codes")
        await shown.wait_for()
        codes = (await shown.input_value()).split("\n")
        assert len(codes) == 10
        async with page.expect_download() as download:
            await studio.button("Save as a file").click()
        assert (await (await download.value).path()).read_text().split() == codes
        await studio.check()
        await studio.button("I have kept it").click()
        await page.get_by_text("10 recovery codes left").wait_for()

    async with open_studio(chromium, world.server) as studio:
        page = studio.page
        await sign_in(studio, email, "/account/security")
        await page.get_by_text("Not proved in this session").wait_for()
        await studio.check()
        await page.get_by_label("Code").fill("000000")
        await studio.button("Prove it").click()
        await page.locator("[aria-invalid=true]").wait_for()
        await page.get_by_label("Code").fill(codes[0])
        await studio.button("Prove it").click()
        await page.get_by_text("9 recovery codes left").wait_for()
        await page.get_by_text("Proved in this session", exact=True).wait_for()
        await studio.button("Remove the second factor").click()
        await page.get_by_role("dialog").get_by_label("Code").fill(codes[1])
        await page.get_by_role("dialog").get_by_role("button", name="Remove the second factor").click()
        await studio.button("Set up an authenticator app").wait_for()


async def test_data_is_exported_and_the_account_deleted(chromium: "Browser", world: World) -> None:
    email, api = await world.account("leaving")
    async with open_studio(chromium, world.server) as studio:
        page = studio.page
        await world.confirm(studio, email)
        await sign_in(studio, email, "/account/data")
        await studio.button("Make an export").click()
        async with page.expect_download() as download:
            await page.get_by_role("link", name="Download").click()
        assert (await (await download.value).path()).read_bytes().startswith(b"PK")
        await studio.check()

        await studio.button("Delete my account").click()
        dialog = page.get_by_role("alertdialog")
        await studio.check()
        await dialog.get_by_label("Enter your address to confirm").fill(email)
        await dialog.get_by_label("Password").fill("wrong horse")
        await dialog.get_by_role("button", name="Delete my account").click()
        await dialog.get_by_text("The password is wrong.").wait_for()
        await dialog.get_by_label("Password").fill(PASSWORD)
        await dialog.get_by_role("button", name="Delete my account").click()
        await page.get_by_text("Your account is deleted.").wait_for()
        await studio.button("Sign in").wait_for()
    assert not await world.signs_in(email)
    assert not await api.is_signed_in()
