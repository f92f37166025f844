"""Orders in the studio, in a real browser without a network: models, variations, the same style again, and chains."""

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.test_studio_albums import open_gallery
from tests.support.client import REFINE, REGENERATE, Api, photo
from tests.support.custom_styles import create
from tests.support.graphiql_page import PASSWORD, Server, run_server
from tests.support.studio_page import StudioPage, enter, open_studio

if TYPE_CHECKING:
    from playwright.async_api import Browser, Route

pytestmark = pytest.mark.browser

# Beside the demo provider's model, in what the page reads of models.
MODELS = (
    {"id": "fine", "name": "Fine", "qualities": ["STANDARD"], "aspectRatios": ["1:1", "3:2"], "priceFactor": 2.5,
     "maxBatch": 2},
    {"id": "portrait", "name": "Portrait", "qualities": ["STANDARD", "HD"], "needsReference": True, "priceFactor": 3.0},
    {"id": "words", "name": "Words", "qualities": ["STANDARD"], "maxReferences": 0},
)  # fmt: skip


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    settings = {"DEMO_SECONDS": "0", "RATE_LIMITS": "off", "SIGNUP_CREDITS": "90"}
    async with run_server(tmp_path_factory.mktemp("server"), **settings) as found:
        yield found


async def finished(api: Api, made: dict[str, list[dict[str, str]]]) -> str:
    assert made["errors"] == []
    (one,) = made["generations"]
    await api.wait_for_end(one["id"])
    return one["id"]


async def choose_model(studio: StudioPage, name: str) -> None:
    await studio.page.locator("details").get_by_role("button").last.click()
    await studio.page.get_by_role("option", name=re.compile(f"^{name}")).click()


async def shapes(studio: StudioPage) -> list[str]:
    group = studio.page.get_by_role("radiogroup", name="Shape")
    return [str(one) for one in await group.get_by_role("radio").all_inner_texts()]


async def test_chosen_model_decides_what_is_offered_before_it_is_quoted(chromium: "Browser", server: Server) -> None:
    stops_quotes = asyncio.Event()

    async def answer(route: "Route") -> None:
        sent = route.request.post_data or ""
        if "query Quote" in sent and stops_quotes.is_set():
            return  # quotes do not come any more
        if "query PictureModels" not in sent:
            await route.continue_()
            return
        response = await route.fetch()
        body = await response.json()
        (demo,) = (one for one in body["data"]["models"] if one["media"] == "IMAGE")
        body["data"]["models"] += [{**demo, **changes} for changes in MODELS]
        await route.fulfill(response=response, json=body)

    async with open_studio(chromium, server) as studio:
        page = studio.page
        await enter(studio, server, "models@example.com")
        await page.route("**/graphql", answer)
        await studio.open("/create/sandbox/free")
        await page.get_by_label("Describe your picture").fill("A fox in the snow")
        order = page.locator("button[type=submit]")
        await order.get_by_text("1 credit", exact=True).wait_for()
        await page.get_by_role("radio", name="16:9", exact=True).click()
        await page.get_by_role("radio", name="4", exact=True).click()
        await order.get_by_text("4 credits", exact=True).wait_for()

        stops_quotes.set()
        await page.get_by_text("More options").click()
        await page.locator("details").get_by_role("button").last.click()
        said = [" ".join(one.split()) for one in await page.get_by_role("option").all_inner_texts()]
        assert said[1:] == [
            "Demo 1 credit", "Fine 3 credits", "Portrait 3 credits · needs a photo",
            "Words 1 credit · from words alone",
        ]  # fmt: skip
        await studio.check("models")
        await page.get_by_role("option", name=re.compile("^Fine")).click()
        await order.get_by_text("6 credits", exact=True).wait_for()  # two at most, of three credits each
        assert await shapes(studio) == ["Automatic", "1:1", "3:2"]
        assert await page.get_by_role("radiogroup", name="Quality").count() == 0
        await studio.check()

        await choose_model(studio, "Portrait")
        await page.get_by_text("Add a photo first: Portrait needs one.").wait_for()
        assert await order.is_disabled()
        await page.get_by_role("radio", name="HD").click()
        await order.get_by_text("12 credits", exact=True).wait_for()
        await studio.add_photo()
        await page.get_by_text("Add a photo first").wait_for(state="detached")
        await choose_model(studio, "Words")
        await page.get_by_text("Words works from words alone").wait_for()
        await order.get_by_text("2 credits", exact=True).wait_for()
        await page.unroute_all(behavior="ignoreErrors")


async def test_variations_are_ordered_in_any_number_at_the_price_that_is_said(
    chromium: "Browser", server: Server
) -> None:
    async with server.api() as api, open_studio(chromium, server) as studio:
        page = studio.page
        ada = await api.sign_up("vary@example.com", PASSWORD)
        made = await finished(ada, await ada.create(prompt="A fox"))
        await open_gallery(studio, "vary@example.com")
        await studio.open(f"/pictures/{made}")
        await studio.wait_for_credits(89)
        await studio.button("Vary").click()
        dialog = page.get_by_role("dialog")
        order = dialog.get_by_role("button").last
        await order.get_by_text("1 credit", exact=True).wait_for()
        assert await dialog.get_by_role("radio").all_inner_texts() == ["1", "2", "3", "4"], "as the product allows"
        await dialog.get_by_role("radio", name="3").click()
        await order.get_by_text("3 credits", exact=True).wait_for()
        await studio.check("variations")
        await order.click()
        await page.wait_for_url(re.compile("/batches/"))
        await studio.wait_for_credits(86)
        await page.get_by_text("3 of 3 are ready").wait_for()


async def test_orders_from_a_picture_say_their_price_and_why_they_cannot_be_made(
    chromium: "Browser", tmp_path: Path
) -> None:
    async with (
        run_server(tmp_path, DEMO_SECONDS="0", SIGNUP_CREDITS="5") as server,
        server.api() as api,
        open_studio(chromium, server) as studio,
    ):
        page = studio.page
        ada = await api.sign_up("short@example.com", PASSWORD)
        made = await finished(ada, await ada.create(prompt="A fox", quality="HD"))
        await open_gallery(studio, "short@example.com")
        await studio.open(f"/pictures/{made}")
        await page.get_by_label("Refine it").fill("Make it night")
        acts = [
            page.get_by_role("button", name=re.compile(f"^{name}.*2 credits$")) for name in ("Make it again", "Refine")
        ]
        for act in acts:
            await act.wait_for()
            assert await act.is_enabled()
        await studio.check()
        await finished(ada, await ada.create(prompt="An owl", quality="HD"))
        await studio.wait_for_credits(1)
        await page.get_by_role("link", name="Get credits").wait_for()
        for act in acts:
            assert await act.is_disabled()
        await studio.check()
        await page.get_by_role("link", name="Get credits").click()
        await studio.button("Buy: 50 credits").click()
        await studio.pay()
        await page.get_by_role("link", name="Back to your order").click()
        await page.wait_for_url(re.compile(f"/pictures/{made}"))
        assert await page.get_by_label("Refine it").input_value() == "Make it night"
        await acts[1].click()
        await page.wait_for_url(re.compile(f"/pictures/(?!{made})"))
        await studio.open(f"/pictures/{made}")
        assert await page.get_by_label("Refine it").input_value() == "", "it was ordered"


async def test_picture_leads_to_a_pass_when_that_has_ended(chromium: "Browser", tmp_path: Path) -> None:
    settings = {"PROFILE": "flash", "DEMO_SECONDS": "0"}
    async with run_server(tmp_path, **settings) as server, server.api() as api, open_studio(chromium, server) as studio:
        page = studio.page
        ada = await api.sign_up("pass@example.com", PASSWORD)
        await open_gallery(studio, "pass@example.com")
        await studio.open("/credits")
        await studio.button("Buy: Flash Lite").click()
        await studio.pay()
        await page.get_by_text("Your pass Flash Lite is active.").wait_for()
        made = await finished(ada, await ada.create(prompt="A fox"))
        with closing(sqlite3.connect(tmp_path / "darkroom.sqlite3")) as database, database:
            past = [f"2020-01-0{day} 00:00:00+00:00" for day in (1, 2)]
            database.execute("UPDATE passes SET started_at = ?, expires_at = ?", past)
        await studio.open(f"/pictures/{made}")
        await studio.button("Vary").click()
        await page.get_by_role("dialog").get_by_role("link", name="Get a pass").wait_for()
        await studio.check()
        await page.keyboard.press("Escape")
        await page.get_by_role("link", name="Get a pass").click()
        await page.wait_for_url(re.compile(f"/credits.from=%2Fpictures%2F{made}#passes"))
        await studio.button("Buy: Flash Lite").click()
        await studio.pay()
        await page.get_by_role("link", name="Back to your order").click()
        await page.get_by_role("button", name=re.compile("^Make it again")).click()
        await page.wait_for_url(re.compile(f"/pictures/(?!{made})"))


ACTS = {"Make it again": "regenerate", "Vary": "regenerate", "Refine": "refineGeneration"}
LIST = "query { viewer { credits generations(first: 100) { nodes { id } } } }"


async def press(studio: StudioPage, act: str, *, is_busy: bool = False) -> None:
    """Order by a button of the picture's view; `is_busy`: also when it was pressed before."""
    button = studio.page.get_by_role("button").filter(has_text=act).last
    if act == "Vary":
        dialog = studio.page.get_by_role("dialog")
        if not await dialog.count():
            await button.click()
            await dialog.get_by_text("1 credit", exact=True).wait_for()
        button = dialog.get_by_role("button").last
    if act == "Refine":
        await studio.page.get_by_label("Refine it").fill("Make it night")
    await button.click(force=is_busy)


@pytest.mark.parametrize("act", ACTS)
async def test_order_from_a_picture_is_made_once_when_its_answer_is_lost(
    act: str, chromium: "Browser", server: Server
) -> None:
    async with server.api() as api, open_studio(chromium, server) as studio:
        page = studio.page
        email = f"lost-{act.split()[0].lower()}@example.com"
        ada = await api.sign_up(email, PASSWORD)
        made = await finished(ada, await ada.create(prompt="A fox"))
        await open_gallery(studio, email)
        await studio.open(f"/pictures/{made}")
        await studio.wait_for_picture()
        await studio.lose_answers(ACTS[act])
        await press(studio, act)
        await page.get_by_text(re.compile("No connection|cannot be reached")).first.wait_for()
        await studio.check()
        await press(studio, act, is_busy=True)
        await studio.hear_answers()
        await page.wait_for_url(lambda address: "/pictures/" in address and made not in address)
        account = await ada.one(LIST)
        assert (account["credits"], len(account["generations"]["nodes"])) == (88, 2)


async def test_order_from_a_picture_is_made_once_when_its_answer_says_nothing(
    chromium: "Browser", server: Server
) -> None:
    async def fail(route: "Route") -> None:
        if "regenerate" in (route.request.post_data or ""):
            await route.fetch()
            error = {"message": "Something went wrong on our side.", "extensions": {"code": "INTERNAL"}}
            await route.fulfill(json={"data": None, "errors": [error]})
        else:
            await route.fallback()

    async with server.api() as api, open_studio(chromium, server) as studio:
        page = studio.page
        ada = await api.sign_up("failed@example.com", PASSWORD)
        made = await finished(ada, await ada.create(prompt="A fox"))
        await open_gallery(studio, "failed@example.com")
        await studio.open(f"/pictures/{made}")
        await page.route("**/graphql", fail)
        await press(studio, "Make it again")
        await page.get_by_text("Something went wrong on our side.").wait_for()
        await page.unroute("**/graphql", fail)
        for credits in (88, 87):  # the same order, and then another one
            await press(studio, "Make it again")
            await page.wait_for_url(lambda address: "/pictures/" in address and made not in address)
            await studio.wait_for_credits(credits)
            await studio.open(f"/pictures/{made}")
        account = await ada.one(LIST)
        assert len(account["generations"]["nodes"]) == 3


async def test_style_is_used_again_with_its_variables(chromium: "Browser", server: Server) -> None:
    async with server.api() as api, open_studio(chromium, server, locale="zh-CN") as studio:
        page = studio.page
        ada = await api.sign_up("again@example.com", PASSWORD)
        values = {"costume_color": "emerald and bronze", "powers": "ice & wind"}
        noir = await ada.style("noir", "avenger")
        made = await finished(ada, await ada.create(photo(64, 48), styleId=noir, variables=values))
        await open_gallery(studio, "again@example.com")
        await studio.open(f"/pictures/{made}")
        await page.get_by_role("definition").filter(has_text="翠绿与青铜, ice & wind").wait_for()
        await page.get_by_role("link", name="再次使用此风格").click()
        await page.wait_for_url(re.compile("/create/avenger/noir$"))
        assert await page.get_by_label("超能力").input_value() == "ice & wind"
        assert await page.get_by_role("radio", name="翠绿与青铜").get_attribute("aria-checked") == "true"
        await page.get_by_role("radio", name="紫与白").click()
        await page.reload()
        await page.get_by_role("radio", name="紫与白", checked=True).wait_for()
        await studio.check()


@pytest.mark.parametrize("is_required", [True, False], ids=["required", "optional"])
async def test_option_without_a_default_is_ordered_as_it_is_shown(
    is_required: bool, chromium: "Browser", server: Server
) -> None:
    async with server.api() as api, open_studio(chromium, server) as studio:
        page = studio.page
        email = f"mood-{is_required}@example.com"
        ada = await api.sign_up(email, PASSWORD)
        mood = {"name": "mood", "label": "Mood", "options": ["calm", "wild"], "required": is_required}
        style = await create(ada, title="Weather", prompt="A {mood} sea", variables=[mood])
        await open_gallery(studio, email)
        await studio.open(f"/create/own/{style['id']}")
        mood_of_picture = page.get_by_role("radiogroup", name="Mood")
        await mood_of_picture.wait_for()
        chosen = mood_of_picture.get_by_role("radio", checked=True)
        if is_required:
            await page.get_by_text("Fill in “Mood” first.").wait_for()
            assert await chosen.count() == 0
        else:
            assert await chosen.all_inner_texts() == ["Any"]
        await studio.check()
        await mood_of_picture.get_by_role("radio", name="calm").click()
        if not is_required:
            await mood_of_picture.get_by_role("radio", name="Any").click()
        made = (await studio.order()).rpartition("/")[2]
        assert (await ada.generation(made))["variables"] == ({"mood": "calm"} if is_required else {})


async def test_chosen_option_stays_chosen_in_another_language(chromium: "Browser", server: Server) -> None:
    async with server.api() as api, open_studio(chromium, server) as studio:
        page = studio.page
        ada = await api.sign_up("languages@example.com", PASSWORD)
        await open_gallery(studio, "languages@example.com")
        await studio.open("/create/avenger/noir")
        await studio.add_photo()
        await page.get_by_role("radio", name="Violet and white").click()
        assert await page.get_by_role("radiogroup", name="Size of the subject").count() == 0, "it would do nothing"
        await page.get_by_role("banner").locator("button[aria-haspopup=true]").click()
        await page.get_by_role("menuitemradio", name="简体中文").click()
        await page.get_by_role("radio", name="紫与白", checked=True).wait_for()
        made = (await studio.order()).rpartition("/")[2]
        assert (await ada.generation(made))["variables"]["costume_color"] == "violet and white"


@pytest.mark.parametrize("steps_of_page", [100, 2])
async def test_whole_chain_and_what_else_was_made_are_shown(
    chromium: "Browser", server: Server, steps_of_page: int
) -> None:
    asked = 0

    async def read_less(route: "Route") -> None:
        nonlocal asked
        sent = route.request.post_data or ""
        asked += "query PictureSteps" in sent
        await route.continue_(post_data=sent.replace("chain(first: 100,", f"chain(first: {steps_of_page},"))

    async with server.api() as api, open_studio(chromium, server) as studio:
        page = studio.page
        await page.route("**/graphql", read_less)
        email = f"chain-{steps_of_page}@example.com"
        ada = await api.sign_up(email, PASSWORD)
        steps = [await finished(ada, await ada.create(prompt="A fox"))]
        for number in range(5):
            input = {"id": steps[-1], "instruction": f"Change {number}"}
            steps.append(await finished(ada, await ada.one(REFINE, input=input)))
        await open_gallery(studio, email)
        for place in (0, 5, 2):
            await studio.open(f"/pictures/{steps[place]}")
            await page.get_by_role("link", name="Step 6").wait_for()
            chain = page.get_by_role("list").filter(has=page.get_by_role("link", name="Step 1"))
            addresses = [await one.get_attribute("href") for one in await chain.get_by_role("link").all()]
            assert addresses == [f"/pictures/{id}" for id in steps]
            assert await chain.locator("[aria-current=true]").get_attribute("href") == f"/pictures/{steps[place]}"
        assert asked >= (3 if steps_of_page == 100 else 9), "each of three views reads all pages of six steps"
        await studio.check("chain")
        for _ in range(2):
            again = {"id": steps[1], "asVariation": True}
            branch = await finished(ada, await ada.one(REGENERATE, input=again))
        await studio.open(f"/pictures/{steps[1]}")
        await page.get_by_role("link", name="Step 3").wait_for()
        assert await page.get_by_role("link", name="Step 3").get_attribute("href") == f"/pictures/{branch}"
        assert await page.get_by_role("link", name=re.compile("Branch")).count() == 2
        await studio.check()
