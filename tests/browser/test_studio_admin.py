"""The admin desk in a real browser without a network: an admin's whole day, and what other accounts see of it."""

import json
import re
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.support.admin_desk import SIGN_IN, Desk, new_admin, open_desk, park_payment, signed_in
from tests.support.authenticator_app import set_up
from tests.support.client import Api, until
from tests.support.graphiql_page import PASSWORD, Server, run_server
from tests.support.studio_page import open_studio

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = pytest.mark.browser

PHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
VIEWS = ("", "/people", "/pictures", "/payments", "/activity", "/figures", "/catalogue", "/maintenance", "/audit")
SHARE = "mutation($id: ID!) { shareGeneration(id: $id) { generation { shareUrl } errors { code } } }"

SWITCH = """mutation($provider: ProviderSwitchInput!) {
  adminSetMaintenance(input: {provider: $provider}) { errors { message } }
}"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="module")
async def server(folder: Path) -> AsyncIterator[Server]:
    async with run_server(folder, DEMO_SECONDS="1", RATE_LIMITS="off") as found:
        yield found


@pytest.mark.timeout(600)  # thirty views, each checked by axe
async def test_whole_day_of_an_admin(chromium: "Browser", server: Server, folder: Path) -> None:
    await new_admin(server, "root@example.com", "--super")
    async with server.api() as api, open_studio(chromium, server) as studio:
        ada = await api.sign_up("ada@example.com", PASSWORD, name="Ada Lovelace")
        made = (await ada.create(prompt="A lighthouse at dusk", count=2))["generations"]
        await ada.wait_for_all([one["id"] for one in made])
        shared = (await ada.one(SHARE, id=made[0]["id"]))["generation"]["shareUrl"]
        order = await park_payment(folder, ada.user["id"])
        await open_desk(studio, "root@example.com")
        await studio.page.get_by_text("1 payment needs a decision.").wait_for()
        await studio.check()
        desk = Desk(studio)
        await _help_a_person(desk, ada)
        await _suspend_and_reinstate(desk, ada)
        await _moderate(desk, shared)
        await _decide_about_a_payment(desk, order)
        await _watch(desk, api)
        await _look_at_figures(desk)
        await _change_the_catalogue(desk, folder)
        await _maintain(desk, ada)
        await _read_the_audit_log(desk)


async def test_desk_has_words_for_refund_policies(chromium: "Browser", server: Server) -> None:
    await new_admin(server, "words@example.com")
    async with open_studio(chromium, server, locale="zh-CN") as studio:
        page = studio.page
        await studio.button("登录").click()
        await studio.sign_in("words@example.com")
        await studio.open("/admin/catalogue")
        await page.get_by_text("失败时退款").first.wait_for()
        assert await page.get_by_text("ON_FAILURE").count() == 0


async def _help_a_person(desk: Desk, ada: Api) -> None:
    """Find an account, adjust its credits, and grant it a pass, a plan and a role."""
    page, studio = desk.page, desk.studio
    await desk.section("People")
    await page.get_by_role("searchbox").fill("ada@")
    await page.get_by_text("1 account", exact=True).wait_for()
    await studio.check()
    await page.get_by_role("link", name="ada@example.com").click()
    await page.get_by_role("heading", name="ada@example.com").wait_for()
    credits = await ada.credits()
    await studio.button("Adjust credits").click()
    submit = desk.dialog.get_by_role("button", name="Write the line")
    await desk.dialog.get_by_label("Credits").fill("7")
    await page.get_by_text(f"Balance: {credits} → {credits + 7}").wait_for()
    await studio.check()
    await submit.click()  # without a reason: the browser says what is missing, and nothing is sent
    await desk.dialog.wait_for()
    assert await ada.credits() == credits
    await desk.give_reason("The queue was stuck", "Write the line", "The credits were adjusted.")
    assert await ada.credits() == credits + 7
    await desk.row("The queue was stuck").or_(desk.row("+7")).first.wait_for()
    await desk.act("Grant a pass", "For the outage", "Grant", "The pass was granted.")
    await desk.act("Grant a plan", "A partner", "Grant", "The plan was granted.")
    await desk.act("End the granted plan", "No partner any more", "End it", "The granted plan has ended.")
    await desk.act("Grant membership", "A jury member", "Grant", "The membership was granted.")
    await studio.button("Change the role").click()
    await desk.dialog.get_by_role("button", name="Role").click()
    await page.get_by_role("option", name="Admin", exact=True).click()
    await desk.give_reason("Helps us", "Change", "The role was changed.")
    await studio.check()
    for part in ("Pictures", "Payments", "Sessions and keys", "Audit"):
        await page.get_by_role("radio", name=part, exact=True).click()
        await page.get_by_role("table").first.or_(page.get_by_text("Nothing was paid")).first.wait_for()
        await studio.check()
    await desk.row("Credits adjusted").get_by_text("The queue was stuck").wait_for()
    role = "{ viewer { role } }"
    assert (await ada.one(role))["role"] == "ADMIN"
    await studio.button("Change the role").click()
    await desk.dialog.get_by_role("button", name="Role").click()
    await page.get_by_role("option", name="User", exact=True).click()
    await desk.give_reason("Helped us", "Change", "The role was changed.")
    assert (await ada.one(role))["role"] == "USER"


async def _suspend_and_reinstate(desk: Desk, ada: Api) -> None:
    public, credentials = Api(ada.http, ada.address), {"email": "ada@example.com", "password": PASSWORD}
    await desk.act("Suspend", "Spam", "Suspend", "The account is suspended.")
    assert not await ada.is_signed_in()
    assert (await public.refused(SIGN_IN, input=credentials))["code"] == "FORBIDDEN"
    await desk.page.get_by_text("Suspended", exact=True).wait_for()
    await desk.act("End the suspension", "It was a mistake", "End it", "The suspension has ended.")
    ada.token = (await signed_in(public, "ada@example.com")).token


async def _moderate(desk: Desk, shared: str) -> None:
    """Take a shared page down, refund a picture and delete it."""
    page, studio = desk.page, desk.studio
    await desk.section("Pictures")
    await page.get_by_role("radio", name="Shared pages").click()
    await page.get_by_text("1 picture", exact=True).wait_for()
    await studio.check()
    async with httpx.AsyncClient() as http:
        assert (await http.get(shared)).status_code == 200
        await desk.act("Take down the page", "Complaint 4711", "Take it down", "The page was taken down.")
        assert (await http.get(shared)).status_code == 404
    await page.get_by_role("heading", name="No picture matches").wait_for()
    await page.get_by_role("radio", name="All", exact=True).click()
    await page.get_by_role("link", name="A lighthouse at dusk").first.click()
    await page.get_by_role("img", name="A lighthouse at dusk").wait_for()
    await studio.check()
    await desk.act("Refund", "Not what was ordered", "Refund", "The picture was refunded.")
    await page.get_by_text("Refunded", exact=True).wait_for()
    await studio.button("Refund").wait_for(state="detached")
    await studio.button("Delete").click()
    await page.get_by_label("Also delete the account's other pictures that use its photo or its result").check()
    await studio.check()
    await desk.give_reason("Complaint 4712", "Delete for good", "The picture was deleted.")
    await page.get_by_text("1 picture", exact=True).wait_for()


async def _decide_about_a_payment(desk: Desk, order: str) -> None:
    await desk.section("Payments")
    await desk.row(order).get_by_text("$19.00").wait_for()
    await desk.studio.check()
    await desk.studio.button("Settle").click()
    await desk.dialog.get_by_label("Reason").fill("It was ours")
    await desk.dialog.get_by_role("button", name="Settle", exact=True).click()
    await desk.dialog.get_by_role("alert").wait_for()  # the API says why it cannot be
    await desk.studio.check()
    await desk.page.keyboard.press("Escape")
    await desk.dialog.wait_for(state="detached")
    await desk.act("Dismiss", "Returned at the provider", "Dismiss", "The payment was dismissed.")
    await desk.page.get_by_role("heading", name="No payment waits").wait_for()


async def _see_what_happens(desk: Desk, api: Api) -> None:
    await desk.section("Live")
    await desk.page.get_by_text("Connected").wait_for()
    entries = desk.page.get_by_role("listitem").filter(has_text="A new account.")

    async def is_live() -> bool:
        await api.sign_up(f"{secrets.token_hex(4)}@example.com", PASSWORD)
        return bool(await entries.count())

    await until(is_live)  # the stream begins after the page is shown


async def _watch(desk: Desk, api: Api) -> None:
    page = desk.page
    await _see_what_happens(desk, api)
    await desk.studio.button("Pause").click()
    await api.sign_up("mallory@example.com", PASSWORD)
    await page.get_by_role("button", name=re.compile(r"Go on \(\d+ new\)")).wait_for()
    assert await page.get_by_role("link", name="mallory@example.com").count() == 0
    await page.get_by_role("button", name=re.compile("Go on")).click()
    await page.get_by_role("link", name="mallory@example.com").first.wait_for()
    await page.get_by_role("radio", name="Sign-up").click()
    await desk.studio.check()


async def _look_at_figures(desk: Desk) -> None:
    page = desk.page
    await desk.section("Figures")
    await page.get_by_role("img", name=re.compile("^Pictures. 2 in total")).wait_for()
    await desk.studio.check()
    for period in ("24 hours", "30 days", "90 days"):
        await page.get_by_role("radio", name=period).click()
        await page.get_by_role("img", name=re.compile("^Pictures. 2 in total")).wait_for()
    await page.get_by_text("Show the numbers").first.click()
    table = page.get_by_role("table", name="Pictures")
    assert await table.get_by_role("row").count() == 1 + 90
    await desk.studio.check()


async def _change_the_catalogue(desk: Desk, folder: Path) -> None:
    """Export it, import it with a mistake, and import it with another price."""
    page, studio = desk.page, desk.studio
    await desk.section("Catalogue")
    async with page.expect_download() as started:
        await studio.button("Export").click()
    exported = folder / "catalogue.json"
    await (await started.value).save_as(exported)
    catalogue = json.loads(exported.read_text(encoding="utf-8"))
    style = catalogue["collections"][0]["styles"][0]
    await studio.check()
    await studio.button("Import").click()

    async def choose(given: object) -> None:
        content = json.dumps(given).encode()
        file: Any = {"name": "mine.json", "mimeType": "application/json", "buffer": content}
        await desk.dialog.locator("input[type=file]").set_input_files(file)

    await choose({"collections": [{**catalogue["collections"][0], "base_cost": -1}]})
    await desk.dialog.get_by_text("nothing was changed").first.wait_for()
    await studio.check()
    await choose(catalogue)
    await desk.dialog.get_by_text("Nothing would change.").wait_for()
    collection = {**catalogue["collections"][0], "styles": [{**style, "cost": 9}]}
    await choose({"collections": [collection]})
    await desk.dialog.get_by_text("0 new, 1 changed, 1 as before").wait_for()
    await studio.check()
    await desk.give_reason("The autumn price", "Import", "The catalogue was imported.")


async def _maintain(desk: Desk, ada: Api) -> None:
    page, studio = desk.page, desk.studio
    await desk.section("Maintenance")
    await page.get_by_role("switch", name="Read-only").press("Space")
    await desk.give_reason("A new database", "Make it read-only", "The switches were changed.")
    rename = 'mutation { updateProfile(input: {name: "A"}) { errors { code } } }'
    assert (await ada.refused(rename))["code"] == "UNAVAILABLE"
    await page.get_by_role("switch", name="Provider demo").press("Space")
    await desk.give_reason("It is down", "Switch off", "The switches were changed.")
    await studio.button("Change the cap").click()
    await desk.dialog.get_by_label("US dollars").fill("250")
    await desk.give_reason("The budget of November", "Set", "The switches were changed.")
    await page.get_by_text("$250.00 a day").wait_for()
    await studio.button("Check now").click()
    await page.get_by_text("Everything adds up.").wait_for()
    await studio.check()
    await page.get_by_role("navigation", name="Admin desk").get_by_role("link", name="Overview").click()
    await page.get_by_text("The deployment is read-only").wait_for()
    await desk.section("Maintenance")
    await page.get_by_role("switch", name="Provider demo").press("Space")
    await desk.give_reason("It is back", "Switch on", "The switches were changed.")
    await page.get_by_role("switch", name="Read-only").press("Space")
    await desk.give_reason("Moved", "End read-only", "The switches were changed.")
    assert (await ada.one(rename))["errors"] == []


async def test_switch_of_a_provider_leaves_what_another_admin_has_switched(chromium: "Browser", server: Server) -> None:
    await new_admin(server, "hedy@example.com")
    async with server.api() as api, open_studio(chromium, server) as studio:
        other = await signed_in(api, "hedy@example.com")
        await open_desk(studio, "hedy@example.com")
        desk = Desk(studio)
        await desk.section("Maintenance")
        await studio.page.get_by_role("switch", name="Provider demo").press("Space")
        await other.execute(SWITCH, provider={"name": "openrouter", "isOff": True})
        await desk.give_reason("It is down", "Switch off", "The switches were changed.")
        found = await other.one("{ admin { maintenance { providersOff } } }")
        assert found["maintenance"]["providersOff"] == ["demo", "openrouter"]
        for name in ("demo", "openrouter"):
            await other.execute(SWITCH, provider={"name": name, "isOff": False})


async def _read_the_audit_log(desk: Desk) -> None:
    await desk.section("Audit log")
    for action, reason in (
        ("Maintenance changed", "The budget of November"),
        ("Catalogue imported", "The autumn price"),
        ("Payment dismissed", "Returned at the provider"),
        ("Picture deleted", "Complaint 4712"),
        ("Picture refunded", "Not what was ordered"),
        ("Shared page taken down", "Complaint 4711"),
        ("Suspension changed", "It was a mistake"),
        ("Role changed", "Helped us"),
        ("Membership changed", "A jury member"),
        ("Plan ended", "No partner any more"),
        ("Pass granted", "For the outage"),
        ("Credits adjusted", "The queue was stuck"),
    ):
        await desk.row(action).filter(has_text=reason).wait_for()
    await desk.row("Catalogue imported").get_by_text(": price").wait_for()
    await desk.studio.check()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_view_of_the_desk_fits_a_phone_in_chinese(chromium: "Browser", server: Server, scheme: str) -> None:
    email = f"phone-{scheme}@example.com"
    await new_admin(server, email)
    async with open_studio(chromium, server, color_scheme=scheme, locale="zh-CN", **PHONE) as studio:
        await studio.button("登录").click()
        await studio.sign_in(email)
        await studio.button("账户").or_(studio.button(email)).first.click()
        await studio.page.get_by_role("menuitem", name="管理台").click()
        await studio.page.get_by_role("heading", name="最近 24 小时").wait_for()
        for view in VIEWS:
            await studio.open(f"/admin{view}")
            await studio.page.get_by_role("heading", level=1).first.wait_for()
            await studio.page.locator("[aria-busy=true]").first.wait_for(state="detached")
            await studio.check()


async def test_other_accounts_find_no_desk(chromium: "Browser", server: Server) -> None:
    async with server.api() as api:
        await api.sign_up("user@example.com", PASSWORD)
    async with open_studio(chromium, server) as studio:
        requested: list[str] = []
        studio.page.on("request", lambda request: requested.append(request.post_data or ""))
        await studio.open("/admin")
        await studio.page.get_by_role("heading", name="This desk is for admins").wait_for()
        await studio.check()
        await studio.page.get_by_role("main").get_by_role("button", name="Sign in").click()
        await studio.sign_in("user@example.com")
        await studio.page.get_by_role("heading", name="This desk is for admins").wait_for()
        assert await studio.page.get_by_role("link", name="Admin desk").count() == 0
        await studio.open("/admin/people")
        await studio.page.get_by_role("heading", name="This desk is for admins").wait_for()
        assert not any("admin {" in text or "admin\\n" in text for text in requested), "nothing is asked for in vain"


async def test_admin_cannot_appoint_admins_and_loses_the_desk_with_the_role(
    chromium: "Browser", server: Server
) -> None:
    await new_admin(server, "helper@example.com")
    await new_admin(server, "boss@example.com", "--super")
    set_role = "mutation($id: ID!) { adminSetRole(userId: $id, role: USER) { errors { code } } }"
    async with server.api() as api, open_studio(chromium, server) as studio:
        boss = await signed_in(api, "boss@example.com")
        helper = await signed_in(api, "helper@example.com")
        await open_desk(studio, "helper@example.com")
        await studio.open(f"/admin/people/{boss.user['id']}")
        await studio.button("Adjust credits").wait_for()
        for name in ("Change the role", "Suspend"):
            assert await studio.button(name).count() == 0, name
        assert (await boss.one(set_role, id=helper.user["id"]))["errors"] == []
        await studio.page.get_by_role("navigation", name="Admin desk").get_by_role("link", name="People").click()
        await studio.page.get_by_role("heading", name="Your role does not allow this").wait_for()
        await studio.check()


async def test_second_factor_is_asked_for_once(chromium: "Browser", server: Server) -> None:
    await new_admin(server, "careful@example.com")
    async with server.api() as api, open_studio(chromium, server) as studio:
        app = await set_up(await signed_in(api, "careful@example.com"))
        page = studio.page
        await studio.button("Sign in").click()
        await studio.sign_in("careful@example.com")
        await studio.open("/admin")
        await page.get_by_role("dialog", name="Second factor").wait_for()
        await studio.check()
        await page.keyboard.press("Escape")
        await page.get_by_role("heading", name="Your second factor is needed").wait_for()
        await studio.button("Enter the code").click()
        await page.get_by_label("Code").fill("000000")
        await studio.button("Prove it").click()
        await page.get_by_role("dialog").get_by_role("alert").wait_for()
        assert await studio.button("Prove it").evaluate("(one) => one === document.activeElement"), "it keeps the focus"
        await page.get_by_label("Code").fill(app.recovery[0])
        await studio.button("Prove it").click()
        await page.get_by_text("Nothing waits for you.").or_(page.get_by_text("See it")).first.wait_for()
        await _see_what_happens(Desk(studio), api)
        await studio.open("/admin/people")
        await page.get_by_role("link", name="careful@example.com").wait_for()


async def test_admin_without_a_factor_is_sent_to_the_account_where_it_is_required(
    chromium: "Browser", tmp_path: Path
) -> None:
    async with run_server(tmp_path, ADMIN_SECOND_FACTOR="required") as server, open_studio(chromium, server) as studio:
        await new_admin(server, "new@example.com")
        await studio.button("Sign in").click()
        await studio.sign_in("new@example.com")
        await studio.open("/admin")
        link = studio.page.get_by_role("dialog").get_by_role("link", name="To my account")
        assert await link.get_attribute("href") == "/account/security"
        await studio.check()
