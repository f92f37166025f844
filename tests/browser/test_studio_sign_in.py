"""Ways in and out of the studio in a real browser without a network: mailed links, guests, identity providers."""

import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.studio_page import StudioPage, open_studio
from tests.support.studio_world import CREATE_GUEST, World, open_world, sign_in

if TYPE_CHECKING:
    from playwright.async_api import Browser, Route

pytestmark = pytest.mark.browser

NEW_PASSWORD = "battery staple"
SET_LANGUAGE = "mutation($locale: String!) { updateProfile(input: { locale: $locale }) { errors { code } } }"
MAIL_LINK = "mutation($email: String!) { requestSignInLink(email: $email) { sent errors { code } } }"


@pytest.fixture(scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with open_world(tmp_path_factory.mktemp("server")) as found:
        yield found


async def test_address_is_confirmed_and_changed_by_mailed_links(chromium: "Browser", world: World) -> None:
    email, _ = await world.account("address")
    async with open_studio(chromium, world.server) as studio:
        page = studio.page
        await sign_in(studio, email)
        await page.get_by_text("Not confirmed").wait_for()
        await studio.button("Mail me a link to confirm it").click()
        await page.get_by_text(f"A mail to {email} is on its way.").wait_for()
        await studio.open(await world.mailed(email, "/verify-email", 2))
        await page.get_by_role("heading", name="Confirm your e-mail address").wait_for()
        await page.wait_for_url(re.compile(r"/verify-email$"))
        await page.reload()  # the token is not in the address, and not lost
        await studio.check()
        await studio.button("Confirm").click()
        await page.get_by_text("Your address is confirmed.").wait_for()
        await page.get_by_role("link", name="To the account").click()
        await page.get_by_text("Confirmed", exact=True).wait_for()

        await studio.button("Change the address").click()
        await page.get_by_label("New address").fill("new-address@example.com")
        await studio.check()
        await studio.button("Send the link").click()
        await page.get_by_text("We have sent a mail to new-address@example.com.").wait_for()
        await studio.open(await world.mailed("new-address@example.com", "/change-email"))
        await studio.button("Confirm").click()
        await page.get_by_text("Your new address is confirmed.").wait_for()
        await studio.open("/account")
        await page.get_by_text("new-address@example.com").first.wait_for()
    assert await world.signs_in("new-address@example.com")


async def test_forgotten_password_is_replaced_by_a_mailed_link(chromium: "Browser", world: World) -> None:
    email, api = await world.account("forgetful")
    async with open_studio(chromium, world.server) as studio:
        page = studio.page
        await studio.button("Sign in").click()
        await page.locator("input[name=email]").fill(email)
        await studio.button("Forgot your password?").click()
        await page.get_by_text("a mail with a link is on its way").wait_for()
        link = await world.mailed(email, "/reset-password")
        await studio.open(link)
        await page.get_by_label("New password").fill("short")
        await studio.button("Save and sign in").click()
        await page.locator("[aria-invalid=true]").wait_for()
        await studio.check()
        await page.get_by_label("New password").fill(NEW_PASSWORD)
        await studio.button("Save and sign in").click()
        await page.get_by_text("Your new password is saved").wait_for()
        await studio.wait_for_credits(30)
        assert not await api.is_signed_in()
        await studio.open("/account/security")
        await page.get_by_text("This device").wait_for()
        assert await page.get_by_role("listitem").count() == 1, "the reset leaves one session"
        await studio.open(link)
        await page.get_by_label("New password").fill(NEW_PASSWORD)
        await studio.button("Save and sign in").click()
        await page.get_by_role("alert").wait_for()
        await studio.open()
        await studio.open("/reset-password")
        await page.get_by_text("This address lacks its token.").wait_for()
        await studio.check()


async def test_mailed_link_signs_in(chromium: "Browser", world: World) -> None:
    email, _ = await world.account("linked")
    async with open_studio(chromium, world.server) as studio:
        page = studio.page
        await studio.button("Sign in").click()
        await page.locator("input[name=email]").fill(email)
        await studio.button("Mail me a sign-in link").click()
        await studio.open(await world.mailed(email, "/sign-in"))
        await studio.check()
        await page.get_by_role("main").get_by_role("button", name="Sign in").click()
        await studio.wait_for_credits(30)


async def test_guest_is_asked_to_keep_its_pictures_and_signs_up_once(chromium: "Browser", world: World) -> None:
    async with open_studio(chromium, world.server) as studio:
        page = studio.page
        await page.evaluate(CREATE_GUEST)
        await studio.open("/account")
        await page.get_by_role("heading", name="Keep your pictures").wait_for()
        assert await page.get_by_role("navigation", name="Account").get_by_role("link").count() == 2
        await studio.check()
        await page.get_by_role("main").get_by_role("button", name="Keep my pictures").click()
        await studio.sign_in("keeper@example.com")
        await page.get_by_text("Not confirmed").wait_for()
        await studio.open("/account/security")
        await page.get_by_text("This device").wait_for()
        assert await page.get_by_role("listitem").count() == 1, "the guest's session has ended"


async def test_guest_is_asked_before_it_signs_out(chromium: "Browser", world: World) -> None:
    async with open_studio(chromium, world.server) as studio:
        page = studio.page
        await make_as_guest(studio)

        async def begin_to_sign_out() -> None:
            await page.get_by_role("banner").get_by_role("button").last.click()
            await page.get_by_role("menuitem", name="Sign out").click()
            await page.get_by_text("your pictures, albums and 2 credits.").wait_for()

        await begin_to_sign_out()
        await studio.check()
        question = page.get_by_role("alertdialog")
        await question.get_by_role("button", name="Cancel").click()
        await question.wait_for(state="detached")
        await begin_to_sign_out()
        await question.get_by_role("button", name="Keep my pictures").click()
        await page.get_by_role("dialog", name="Keep your pictures").wait_for()
        await page.keyboard.press("Escape")
        await begin_to_sign_out()
        await studio.button("Sign out and delete all").click()
        await page.get_by_role("banner").get_by_role("button", name="Sign in").wait_for()
        await question.wait_for(state="detached")


async def test_provider_signs_in_by_its_page(chromium: "Browser", world: World) -> None:
    world.provider.user = {"sub": "grace", "email": "grace@example.com", "email_verified": True, "name": "Grace"}
    async with open_studio(chromium, world.server, others=(world.provider.address,)) as studio:
        page = studio.page
        await studio.open("/account")
        await page.get_by_role("main").get_by_role("button", name="Sign in", exact=True).click()
        await studio.button("Continue with Example ID").wait_for()
        await studio.check()
        await studio.button("Continue with Example ID").click()
        await page.get_by_text("grace@example.com").first.wait_for()
        assert page.url == f"{world.server.address}/account"
        asked = world.provider.requests[-1]
        assert asked["response_type"] == "id_token"
        assert len(asked["nonce"]) == 64, "the hash: the nonce itself stays in the tab"
        assert await page.evaluate("() => sessionStorage.length") == 0

        # Linked already, and the only way in: it stays.
        await page.get_by_role("link", name="Sign-in and security").click()
        await page.get_by_role("list", name="Linked sign-ins").get_by_text("Example ID").wait_for()
        await studio.check()


async def test_account_without_a_password_is_deleted_after_a_new_sign_in(chromium: "Browser", tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        world.provider.user = {"sub": "leaving", "email": "leaving@example.com", "email_verified": True}
        async with open_studio(chromium, world.server, others=(world.provider.address,)) as studio:
            page, dialog = studio.page, studio.page.get_by_role("alertdialog")
            await studio.open("/account/data")
            await page.get_by_role("main").get_by_role("button", name="Sign in", exact=True).click()
            await studio.button("Continue with Example ID").click()
            await studio.button("Delete my account").click()
            with closing(sqlite3.connect(tmp_path / "darkroom.sqlite3")) as database, database:
                database.execute("UPDATE sessions SET created_at = '2020-01-01 00:00:00+00:00'")
            await dialog.get_by_label("Enter your address to confirm").fill("leaving@example.com")
            await dialog.get_by_role("button", name="Delete my account").click()
            await dialog.get_by_text("Please sign in again first").wait_for()
            await studio.check()
            await dialog.get_by_role("button", name="Sign in again").click()
            await studio.button("Continue with Example ID").click()
            await studio.button("Delete my account").click()
            await dialog.get_by_label("Enter your address to confirm").fill("leaving@example.com")
            await dialog.get_by_role("button", name="Delete my account").click()
            await page.get_by_text("Your account is deleted.").wait_for()


async def test_answers_of_a_provider_that_were_not_asked_for_are_ignored(chromium: "Browser", world: World) -> None:
    async with open_studio(chromium, world.server, others=(world.provider.address,)) as studio:
        page = studio.page
        token = world.provider.token(nonce="x", sub="eve", email="eve@example.com", email_verified=True)
        await studio.open(f"/sign-in/callback#id_token={token}&state=forged")
        await page.get_by_text("This sign-in was not begun here").wait_for()
        assert page.url == f"{world.server.address}/sign-in/callback"
        await studio.check()
        world.provider.user = None
        await studio.open()
        await studio.button("Sign in").click()
        await studio.button("Continue with Example ID").click()
        await page.get_by_text("You were not signed in there.").wait_for()
        await page.get_by_role("link", name="Back").click()
        await studio.button("Sign in").wait_for()


async def test_provider_is_linked_and_unlinked(chromium: "Browser", world: World) -> None:
    email, _ = await world.account("linking")
    world.provider.user = {"sub": "linking", "email": "elsewhere@example.com", "email_verified": True}
    async with open_studio(chromium, world.server, others=(world.provider.address,)) as studio:
        page = studio.page
        await world.confirm(studio, email)
        await sign_in(studio, email, "/account/security")
        await studio.button("Link Example ID").click()
        await page.get_by_text("The sign-in is linked to your account.").wait_for()
        linked = page.get_by_role("list", name="Linked sign-ins")
        await linked.get_by_text("elsewhere@example.com").wait_for()
        await studio.button("Unlink").click()
        await studio.check()
        await page.get_by_role("alertdialog").get_by_role("button", name="Unlink").click()
        await linked.wait_for(state="detached")


async def test_guest_keeps_its_pictures_by_a_provider(chromium: "Browser", world: World) -> None:
    world.provider.user = {"sub": "guest", "email": "was-guest@example.com", "email_verified": True}
    async with open_studio(chromium, world.server, others=(world.provider.address,)) as studio:
        page = studio.page
        await page.evaluate(CREATE_GUEST)
        await studio.open("/account")
        await page.get_by_role("main").get_by_role("button", name="Keep my pictures").click()
        await studio.button("Link Example ID").click()
        await page.get_by_text("was-guest@example.com").first.wait_for()
        await studio.wait_for_credits(30)


async def test_mailed_links_are_offered_where_mail_is_sent(chromium: "Browser", world: World) -> None:
    async with open_studio(chromium, world.server) as studio:
        page = studio.page

        async def without_mail(route: "Route") -> None:
            answer = await route.fetch()
            await route.fulfill(response=answer, body=(await answer.text()).replace('"LINK"', '"PASSWORD"'))

        await page.route("**/graphql", without_mail)
        await studio.open()
        await studio.button("Sign in").click()
        await studio.button("Continue with Example ID").wait_for()
        assert await studio.button("Forgot your password?").count() == 0
        assert await studio.button("Mail me a sign-in link").count() == 0


async def make_as_guest(studio: StudioPage) -> None:
    await studio.open("/create/sandbox/free")
    await studio.page.get_by_label("Describe your picture").fill("A fox in the snow")
    await studio.order()
    await studio.wait_for_picture()


async def open_sign_in_of_guest(studio: StudioPage) -> None:
    await studio.page.get_by_role("banner").get_by_role("button", name="Keep my pictures").click()
    await studio.button("I have an account").click()
    await studio.page.get_by_text("What you made as a guest comes along into your account.").wait_for()


async def test_guest_takes_its_pictures_along_by_password(chromium: "Browser", world: World) -> None:
    email, _ = await world.account("returning")
    async with open_studio(chromium, world.server) as studio:
        await make_as_guest(studio)
        await open_sign_in_of_guest(studio)
        await studio.check()
        await studio.sign_in(email)
        await studio.page.get_by_text("You are signed in. 1 picture came along.").wait_for()
        await studio.wait_for_credits(30)
        await studio.open("/gallery")
        await studio.wait_for_tiles(1)


async def test_guest_takes_its_pictures_along_by_the_link_it_asked_for(chromium: "Browser", world: World) -> None:
    email, _ = await world.account("by-link")
    async with open_studio(chromium, world.server) as studio:
        page = studio.page
        await make_as_guest(studio)
        await open_sign_in_of_guest(studio)
        await page.locator("input[name=email]").fill(email)
        await studio.button("Mail me a sign-in link").click()
        await studio.open(await world.mailed(email, "/sign-in"))
        await page.get_by_role("main").get_by_role("button", name="Sign in").click()
        await page.get_by_text("You are signed in. 1 picture came along.").wait_for()
        await studio.open("/gallery")
        await studio.wait_for_tiles(1)


async def test_link_that_someone_else_asked_for_takes_nothing(chromium: "Browser", world: World) -> None:
    email, _ = await world.account("stranger")
    async with open_studio(chromium, world.server) as studio:
        page = studio.page
        await make_as_guest(studio)
        await world.api.one(MAIL_LINK, email=email)
        await studio.open(await world.mailed(email, "/sign-in"))
        await page.get_by_role("main").get_by_role("button", name="Sign in").click()
        await page.get_by_text("You are signed in.", exact=True).wait_for()
        await studio.wait_for_credits(30)
        await studio.open("/gallery")
        await page.get_by_role("heading", name="Gallery").wait_for()
        await page.get_by_role("link", name="Make the first one").wait_for()


async def test_guest_takes_its_pictures_along_by_a_provider(chromium: "Browser", world: World) -> None:
    world.provider.user = {"sub": "along", "email": "along@example.com", "email_verified": True}
    async with open_studio(chromium, world.server, others=(world.provider.address,)) as studio:
        await make_as_guest(studio)
        await open_sign_in_of_guest(studio)
        await studio.button("Continue with Example ID").click()
        await studio.page.get_by_text("You are signed in. 1 picture came along.").wait_for()


async def test_page_says_why_nothing_of_the_guest_came_along(chromium: "Browser", world: World) -> None:
    email, _ = await world.account("chief")
    await world.server.make_admin(email)
    async with open_studio(chromium, world.server) as studio:
        page = studio.page
        await make_as_guest(studio)
        await open_sign_in_of_guest(studio)
        await studio.sign_in(email)
        refused = page.get_by_text("A guest cannot be merged into the account of an admin.")
        await refused.wait_for()
        await studio.check()
        await studio.button("Try again").click()
        await refused.wait_for()
        await studio.wait_for_credits(30)


async def test_language_of_the_account_is_taken_where_none_was_chosen(chromium: "Browser", world: World) -> None:
    email, api = await world.account("chinese")
    await api.one(SET_LANGUAGE, locale="zh-CN")
    async with open_studio(chromium, world.server) as studio:
        page = studio.page
        await sign_in(studio, email)
        await page.get_by_role("heading", name="账户").wait_for()
        await page.reload()
        await page.get_by_role("heading", name="账户").wait_for()
        await page.get_by_role("banner").get_by_role("button").last.click()
        await page.get_by_role("menuitemradio", name="English").click()
        await page.get_by_role("heading", name="Account").wait_for()
        await page.reload()
        await page.get_by_role("heading", name="Account").wait_for()


async def test_page_speaks_the_language_of_the_account(chromium: "Browser", world: World) -> None:
    email, api = await world.account("two-languages")
    await api.one(SET_LANGUAGE, locale="zh-CN")
    async with open_studio(chromium, world.server, locale="zh-CN") as studio:
        page = studio.page
        await studio.button("账户").click()
        await page.get_by_role("menuitemradio", name="English").click()  # of this browser
        await studio.button("Sign in").click()
        await studio.sign_in(email)
        await page.get_by_role("heading", name="风格").wait_for()
        await page.get_by_role("link", name=re.compile("星空夜景")).wait_for()
        await page.reload()
        await page.get_by_role("heading", name="风格").wait_for()

        await page.get_by_role("banner").get_by_role("button").last.click()
        await page.route("**/graphql", lambda route: route.fulfill(status=500, body=""))
        await page.get_by_role("menuitemradio", name="English").click()
        await page.get_by_text("服务器暂时没有响应，请重试。").wait_for()  # it was not saved
        await page.unroute("**/graphql")
        await page.get_by_role("heading", name="风格").wait_for()
        studio.problems = [one for one in studio.problems if "500" not in one]
        await page.get_by_role("banner").get_by_role("button").last.click()
        await page.get_by_role("menuitemradio", name="English").click()
        await page.get_by_role("link", name=re.compile("Starry Night")).wait_for()
        assert (await api.one("{ viewer { locale } }"))["locale"] == "en"
