"""The studio's view of credits in a real browser without a network: what is offered, bought, and written down."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from settings import Settings
from tests.browser.test_studio import ADJUST
from tests.conftest import running
from tests.support.expiring_profile import KEPT, MONTH_DAYS, write_profile
from tests.support.graphiql_page import PASSWORD, Server, run_server
from tests.support.studio_page import DESK, PHONE, enter, open_studio

if TYPE_CHECKING:
    from playwright.async_api import Browser, Route

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    async with run_server(tmp_path_factory.mktemp("server"), DEMO_SECONDS="1", RATE_LIMITS="off") as found:
        yield found


OFFERED = {
    "studio": ("Credits", ["Buy credits", "Passes", "Monthly plans", "Invite a friend", "History"]),
    "plushify": ("Credits", ["Buy credits", "History"]),
    "plushify-quality": ("Credits", ["Buy credits", "Monthly plans", "History"]),
    "avenger": ("Credits", ["Buy credits", "Monthly plans", "History"]),
    "scenes": ("Credits", ["Buy credits", "Monthly plans", "Invite a friend", "History"]),
    "flash": ("Passes", ["Passes"]),
}


@pytest.mark.parametrize("profile", OFFERED)
async def test_every_product_shows_only_what_it_offers(profile: str, chromium: "Browser", tmp_path: Path) -> None:
    title, parts = OFFERED[profile]
    async with run_server(tmp_path, PROFILE=profile) as server, open_studio(chromium, server) as studio:
        await studio.open("/credits")  # signed out: what is for sale, and the way in
        await studio.page.get_by_role("heading", name=title, level=1).wait_for()
        await studio.check()
        await enter(studio, server, "ada@example.com")
        await studio.page.get_by_role("heading", name=parts[-1], level=2).wait_for()
        shown = await studio.page.locator("main section > h2").all_inner_texts()
        assert shown == parts
        assert await studio.page.get_by_label("Balance", exact=True).count() == (title == "Credits")
        await studio.check()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({**DESK, "color_scheme": "light"}, {}),
        (
            {**PHONE, "color_scheme": "dark", "locale": "zh-CN"},
            {
                "Sign in": "登录", "Get credits": "获取积分", "Buy: 50 credits": "购买: 50 积分", "Photo": "照片",
                "Pay (development)": "付款（开发用）", "50 credits have been added.": "已增加 50 积分。",
                "Credits bought": "购买积分", "Back to your order": "返回订单",
            },
        ),
    ],
    ids=["desk", "phone"],
)  # fmt: skip
async def test_order_waits_while_credits_are_bought(
    options: dict[str, Any], words: dict[str, str], chromium: "Browser", server: Server
) -> None:
    def said(text: str) -> str:
        return words.get(text, text)

    async with open_studio(chromium, server, **options) as studio:
        page = studio.page
        await studio.open("/create/avenger/noir")
        await enter(studio, server, f"buyer-{len(words)}@example.com", words=said("Sign in"))
        await studio.add_photo()
        await page.get_by_role("radio", name="4", exact=True).click()  # 40 credits of 30
        await page.get_by_role("link", name=said("Get credits")).click()
        await page.wait_for_url(re.compile(r"/credits\?from=%2Fcreate%2Favenger%2Fnoir"))
        await studio.check()
        await studio.button(said("Buy: 50 credits")).click()
        await studio.pay(said("Pay (development)"))
        await page.get_by_text(said("50 credits have been added.")).wait_for()
        await studio.wait_for_credits(80)
        await studio.check()
        await page.reload()
        await page.get_by_text(said("50 credits have been added.")).wait_for()
        await page.get_by_role("listitem").filter(has_text=said("Credits bought")).get_by_text("+50").wait_for()

        # The order is as it was left, its photo included.
        await page.get_by_role("link", name=said("Back to your order")).click()
        await page.get_by_role("img", name=said("Photo"), exact=True).wait_for()
        assert await page.get_by_role("radio", name="4", exact=True).get_attribute("aria-checked") == "true"
        await studio.order()
        await studio.wait_for_credits(40)


async def test_canceled_checkout_charges_nothing(chromium: "Browser", server: Server) -> None:
    async with open_studio(chromium, server) as studio:
        page = studio.page
        await studio.open("/credits?from=/create/sandbox/free")
        await enter(studio, server, "cancels@example.com")
        await studio.button("Buy: 50 credits").click()
        await page.get_by_role("link", name="Cancel and go back").click()
        for _ in range(2):
            await page.get_by_text("Nothing was charged.").wait_for()
            await page.reload()
        await studio.wait_for_credits(30)
        await studio.check()
        await page.get_by_role("link", name="Back to your order").first.click()
        await page.get_by_role("heading", name="Free prompt").wait_for()


async def test_page_waits_for_what_was_paid_and_goes_on_after_a_reload(chromium: "Browser", server: Server) -> None:
    async with open_studio(chromium, server) as studio, httpx.AsyncClient() as provider:
        page = studio.page
        await studio.open("/credits")
        await enter(studio, server, "waits@example.com")
        await studio.button("Buy: 200 credits").click()
        await page.wait_for_url(re.compile("/checkout/"))
        address = page.url
        await studio.open("/credits/paid")  # the provider leads back before it reports the payment
        for _ in range(2):
            await page.get_by_text("Your 200 credits are on their way and appear here by themselves.").wait_for()
            await page.reload()
        await studio.check()
        await studio.wait_for_credits(30)
        await provider.post(address)
        await page.get_by_text("200 credits have been added.").wait_for()
        await studio.wait_for_credits(230)
        await page.get_by_role("link", name="Make a picture").click()
        await studio.open("/credits/paid")  # said once
        await page.get_by_role("heading", name="History").wait_for()
        assert await page.get_by_text("200 credits have been added.").count() == 0


async def test_history_is_live_paged_by_kind_and_leads_to_pictures(chromium: "Browser", server: Server) -> None:
    async with server.api() as api, open_studio(chromium, server) as studio:
        page = studio.page
        ada = await api.sign_up("history@example.com", PASSWORD)
        admin = await api.sign_up("root@example.com", PASSWORD)
        await server.make_admin("root@example.com")
        gift = {"userId": ada.user["id"], "amount": 1, "reason": "for a test"}
        for _ in range(64):
            await admin.one(ADJUST, input=gift)
        await ada.create(prompt="A lighthouse at dusk")
        await studio.button("Sign in").click()
        await studio.sign_in("history@example.com")
        await page.get_by_role("banner").get_by_role("link", name="93 credits").click()
        lines = page.locator("section li:has(time)")
        await lines.first.wait_for()
        for _ in range(40):
            await page.mouse.wheel(0, 2000)
            if await lines.count() == 66:
                break
            await page.wait_for_timeout(50)
        assert await lines.count() == 66, "the bonus, 64 adjustments and a picture, each once"
        await studio.check()
        await admin.one(ADJUST, input={**gift, "amount": 5})
        await lines.first.get_by_text("+5").wait_for()
        assert await lines.count() == 67
        await page.get_by_role("radio", name="Spent").click()
        await page.wait_for_function("() => document.querySelectorAll('section li:has(time)').length === 1")
        await page.get_by_role("link", name="Open: Free prompt · A lighthouse at dusk").click()
        await page.wait_for_url(re.compile("/pictures/"))
        await studio.wait_for_picture()


async def test_pass_counts_down_and_another_follows(chromium: "Browser", server: Server) -> None:
    async with open_studio(chromium, server, **PHONE) as studio:
        page = studio.page
        await studio.open("/credits")
        await enter(studio, server, "pass@example.com")
        await studio.button("Buy: Flash Lite").click()
        await studio.pay()
        await page.get_by_text("Your pass Flash Lite is active.").wait_for()
        card = page.get_by_role("region", name="Flash Lite")
        await card.get_by_text("3 of 3 left this hour").wait_for()
        await card.get_by_text("Sandbox").wait_for()  # what it covers
        clock = card.get_by_role("timer").first
        before = await clock.inner_text()
        assert re.fullmatch(r"(59:\d\d|1:00:00)", before)
        await page.wait_for_function(
            "([clock, before]) => clock.textContent !== before", arg=[await clock.element_handle(), before]
        )
        await studio.check()
        await studio.button("Buy: Flash Pro").click()
        await studio.pay()
        await page.get_by_text("Your pass Flash Pro begins when the present one ends.").wait_for()
        await card.get_by_text(re.compile("Flash Pro follows on")).wait_for()

        # The pass pays, and says what is left without a reload.
        await studio.open("/create/sandbox/free")
        await page.get_by_label("Describe your picture").fill("A fox in the snow")
        await page.get_by_text("in your pass").wait_for()
        await studio.order()
        await page.get_by_role("link", name=re.compile("2 pictures left this hour")).click()
        await card.get_by_text("2 of 3 left this hour").wait_for()


async def test_plan_unlocks_styles_for_members(chromium: "Browser", server: Server) -> None:
    async with open_studio(chromium, server) as studio:
        page = studio.page
        await studio.open("/")
        await enter(studio, server, "member@example.com")
        await page.get_by_role("link", name=re.compile("Members")).first.click()
        await page.get_by_role("link", name="See the monthly plans").click()
        await page.wait_for_url(re.compile("/credits.*#plans"))
        await studio.button("Subscribe: Basic").click()
        await studio.pay()
        await page.get_by_text("Your plan Basic is active.").wait_for()
        await studio.wait_for_credits(130)
        card = page.get_by_role("region", name="Basic")
        await card.get_by_text("Renews on").wait_for()
        assert await studio.button("Subscribe: Pro").count() == 0, "it is changed where it is managed"
        await card.get_by_role("button", name="Change or cancel").click()
        await page.get_by_text("The payment provider has no page for this plan at the moment.").wait_for()
        await studio.check()
        await page.get_by_role("link", name="Back to your order").first.click()
        await page.locator("button[type=submit]").wait_for()
        assert await page.get_by_role("link", name="See the monthly plans").count() == 0
        await page.get_by_role("link", name="130 credits").click()
        await card.get_by_text("Renews on").wait_for()
        await studio.check("credits")


async def test_visitor_is_led_from_a_style_for_members_to_the_plans(chromium: "Browser", server: Server) -> None:
    async with open_studio(chromium, server) as studio:
        page = studio.page
        await page.get_by_role("link", name=re.compile("Members")).first.click()
        await page.get_by_role("link", name="See the monthly plans").wait_for()
        await studio.check()
        assert await page.get_by_text("No account needed").count() == 0
        await page.get_by_role("link", name="See the monthly plans").click()
        await page.wait_for_url(re.compile("/credits.*#plans"))
        await studio.button("Create an account to buy: Basic").click()
        await page.get_by_role("heading", name="Create your account").wait_for()
        await studio.button("I have an account").click()
        await page.get_by_role("heading", name="Welcome back").wait_for()


async def test_card_says_that_credits_are_few_when_they_expire_and_what_is_filled_up(
    chromium: "Browser", settings: Settings, tmp_path: Path
) -> None:
    profile = write_profile(tmp_path, "[refill]\ncredits = 5\nexpire_days = 31\n")
    changes = {"profile": profile, "signup_credits": 9}
    async with (
        running(settings.model_copy(update=changes), idle=True) as server,
        open_studio(chromium, server.api) as studio,
    ):
        page = studio.page
        await server.services.billing.plans.seed()
        await server.api.sign_up("few@example.com", PASSWORD)
        await studio.open("/credits")
        await studio.button("Sign in").first.click()
        await studio.sign_in("few@example.com")
        card = page.get_by_label("Balance", exact=True)
        await card.get_by_text("Your balance is below 10 credits.").wait_for()
        await card.get_by_text(re.compile(r"9 credits expire on \w+ \d+, \d{4}\.")).wait_for()
        await card.get_by_text("Filled up to 5 credits every month, free; valid for 31 days.").wait_for()
        await studio.check()
        await card.get_by_role("link", name="Get credits").click()
        await page.wait_for_url(re.compile("#packages$"))
        await studio.button("Subscribe: Basic").click()
        await studio.pay()
        await studio.wait_for_credits(109)
        assert await card.get_by_text("Your balance is below").count() == 0
        plan = page.get_by_role("region", name="Basic")
        for words in (
            "100 credits every month",
            f"Valid for {MONTH_DAYS} days",
            f"Up to {KEPT} unused credits carry over",
        ):
            await plan.get_by_text(words).wait_for()
        await studio.check()


async def test_guest_is_asked_for_an_account_before_buying(chromium: "Browser", server: Server) -> None:
    async with open_studio(chromium, server) as studio:
        page = studio.page
        await studio.open("/create/sandbox/free")
        await page.get_by_label("Describe your picture").fill("A fox")
        await studio.order()
        await page.get_by_role("link", name="2 credits").click()
        await studio.button("Create an account to buy: 50 credits").click()
        await studio.sign_in("was-guest@example.com")
        await studio.button("Buy: 50 credits").wait_for()
        await studio.wait_for_credits(29)


@pytest.mark.parametrize(("name", "is_answered"), [("Quote", True), ("PictureModels", False)])
async def test_query_that_was_lost_is_read_again(
    name: str, is_answered: bool, chromium: "Browser", server: Server
) -> None:
    async with open_studio(chromium, server) as studio:
        page = studio.page
        await enter(studio, server, f"lost-{name.lower()}@example.com")
        studio.tolerates_lost_connections = True
        asked = 0

        async def lose(route: "Route") -> None:
            nonlocal asked
            is_it = re.search(rf"query {name}\b", route.request.post_data or "") is not None
            asked += is_it
            if not is_it or asked > 2:  # a view asks for a price twice as it opens
                await route.fallback()
            elif is_answered:
                await route.fulfill(status=500, body="Internal Server Error")
            else:
                await route.abort()

        await page.route("**/graphql", lose)
        await studio.open("/create/sandbox/free")
        await page.get_by_label("Describe your picture").fill("A fox in the snow")
        await page.locator("button[type=submit]").get_by_text("1 credit", exact=True).wait_for()
        await page.get_by_text("29 left afterwards").wait_for()
        await page.get_by_role("radiogroup", name="Quality").wait_for()
        studio.problems[:] = [problem for problem in studio.problems if "status of 500" not in problem]


async def test_order_is_placed_without_a_price_that_cannot_be_read(chromium: "Browser", server: Server) -> None:
    async with open_studio(chromium, server) as studio:
        page = studio.page
        await enter(studio, server, "no-price@example.com")
        await studio.lose_answers("query Quote", arrives=False)
        await studio.open("/create/sandbox/free")
        await page.get_by_label("Describe your picture").fill("A fox in the snow")
        await page.get_by_role("alert").get_by_text("The server cannot be reached.").wait_for()
        await studio.button("Try again").wait_for()
        await studio.check()
        await studio.order()
        await studio.wait_for_picture()
        await studio.wait_for_credits(29)


async def test_account_is_offered_with_the_credits_that_it_brings(chromium: "Browser", server: Server) -> None:
    async with open_studio(chromium, server) as studio:
        page = studio.page
        await studio.open("/create/scenes/future-city")  # for more than a guest gets
        await studio.button("Create an account: 30 credits").wait_for()
        assert await page.get_by_text("No account needed").count() == 0
        await studio.check()
        await studio.open("/create/sandbox/free")
        await page.get_by_text("No account needed").wait_for()
        await page.get_by_label("Describe your picture").fill("A fox")
        await studio.order()
        await studio.open("/create/scenes/future-city")
        await studio.button("Create an account: 27 credits").click()
        await studio.sign_in("has-more@example.com")
        await studio.wait_for_credits(29)  # what the guest had left, and 27


async def test_link_invites_and_shows_who_came(chromium: "Browser", server: Server) -> None:
    async with open_studio(chromium, server) as studio:
        page = studio.page
        await studio.open("/credits")
        await enter(studio, server, "invites@example.com")
        link = await page.get_by_label("Your link").input_value()
        await studio.button("Copy").click()
        await page.get_by_text("Link copied.").wait_for()
        async with open_studio(chromium, server) as friend:
            await friend.page.goto(link)
            await friend.button("Create account").first.click()
            await friend.sign_in("invited@example.com")
            await friend.wait_for_credits(30)
        await page.reload()
        await page.get_by_text("1 has signed up").wait_for()
        await studio.check()
