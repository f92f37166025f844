"""A new user's first minutes, from `/` to a shared picture: every product and language, on a phone and a desk."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.support.graphiql_page import Server, run_server
from tests.support.newcomer import Newcomer, write_sheet
from tests.support.player import play
from tests.support.studio_page import DESK, PHONE, open_studio

if TYPE_CHECKING:
    from PIL import Image
    from playwright.async_api import Browser

pytestmark = pytest.mark.browser

# The shape in which a picture is shown, by its own.
DISTORTION = "(it) => it.clientWidth / it.clientHeight / (it.naturalWidth / it.naturalHeight)"


@dataclass(frozen=True)
class Form:
    """How the studio is seen."""

    name: str
    locale: str
    options: dict[str, Any]


FORMS = [
    Form("phone-en", "en", PHONE),
    Form("phone-zh", "zh-CN", {**PHONE, "color_scheme": "dark"}),
    Form("desk-en", "en", DESK),
    Form("desk-zh", "zh-CN", {**DESK, "color_scheme": "dark"}),
]


class Offer(NamedTuple):
    """What has to be bought before the order: the link that leads to it, its button, and what is said of it."""

    way: str
    button: str
    note: str


@dataclass(frozen=True)
class Product:
    """`before`, `after`: the credits with which the picture is ordered, and what it leaves of them."""

    profile: str
    style: str
    fill_in: Callable[[Newcomer], Awaitable[None]]
    price: str
    before: int
    after: int
    has_photo: bool = True
    has_guests: bool = False
    offer: Offer | None = None
    makes_video: bool = False
    afterwards: Callable[[Newcomer], Awaitable[None]] | None = None


async def toy(visitor: Newcomer) -> None:
    await visitor.add_photo("chelsea.jpg")


async def toy_of_quality(visitor: Newcomer) -> None:
    await visitor.add_photo("astronaut.jpg")
    await visitor.pick("HD")


async def hero(visitor: Newcomer) -> None:
    await visitor.add_photo("grace-hopper.jpg")
    await visitor.pick("Emerald and bronze")
    await visitor.write("Powers", "flight")
    await visitor.pick("Deep space")


async def scene_for_members(visitor: Newcomer) -> None:
    await visitor.wait_for("Members may use this style. A monthly plan makes you one.")


async def prompt(visitor: Newcomer) -> None:
    await visitor.write("Describe your picture", "A lighthouse at dusk")


async def keep(visitor: Newcomer) -> None:
    """Keep what the guest made by an account."""
    await visitor.press("Keep my pictures")
    await visitor.studio.sign_in(visitor.email)
    await visitor.studio.wait_for_credits(29)


async def video(visitor: Newcomer) -> None:
    """Make the video of the hour, too."""
    await visitor.page.get_by_role("link", name=visitor.said("2 pictures left this hour")).wait_for()
    await visitor.studio.open("/create/sandbox/free")
    await prompt(visitor)
    await visitor.pick("Video")
    await visitor.wait_for("in your pass")
    await visitor.studio.order()
    await visitor.studio.wait_for_picture()
    await play(visitor.page)
    await visitor.look("video")


PLAN = Offer("See the monthly plans", "Subscribe: Basic", "Your plan Basic is active.")
PASS = Offer("Get a pass", "Buy: Flash Lite", "Your pass Flash Lite is active.")
PRODUCTS = [
    Product("plushify", "Cute", toy, "1 credit", 10, 9),
    Product("plushify-quality", "Realistic", toy_of_quality, "2 credits", 10, 8),
    Product("avenger", "Classic", hero, "10 credits", 30, 20),
    Product("scenes", "Magic Castle", scene_for_members, "10 credits", 200, 190, has_photo=False, offer=PLAN),
    Product(
        "flash",
        "Free prompt",
        prompt,
        "in your pass",
        0,
        0,
        has_photo=False,
        offer=PASS,
        makes_video=True,
        afterwards=video,
    ),
    Product("studio", "Cute", toy, "1 credit", 3, 2, has_guests=True, afterwards=keep),
]


@pytest.fixture(scope="module")
async def server(product: Product, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """A server of the product, for all forms."""
    settings = {"PROFILE": product.profile, "DEMO_SECONDS": "1", "RATE_LIMITS": "off"}
    async with run_server(tmp_path_factory.mktemp(product.profile), **settings) as found:
        yield found


@pytest.fixture(scope="module")
def views(product: Product, takes_pictures: bool) -> Iterator[dict[str, dict[str, "Image.Image"]]]:
    """Pictures of the steps, by form; at the end, some of them become a picture of the documentation."""
    taken: dict[str, dict[str, Image.Image]] = {}
    yield taken
    if takes_pictures and {"desk-en", "phone-zh"} <= taken.keys():
        write_sheet(product.profile, desk=taken["desk-en"], phone=taken["phone-zh"])


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
@pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product.profile, scope="module")
async def test_new_user_makes_and_shares_a_picture(
    product: Product, form: Form, chromium: "Browser", server: Server, views: dict[str, dict[str, "Image.Image"]]
) -> None:
    options = {**form.options, "locale": form.locale}
    async with open_studio(chromium, server, **options) as studio:
        visitor = Newcomer(studio, form.locale, f"{form.name}@example.com", views.setdefault(form.name, {}))
        await visitor.wait_for("Watch your picture develop")
        await visitor.look("start")
        await visitor.follow(product.style)
        await product.fill_in(visitor)
        if not product.has_guests:
            await visitor.press("Create an account to make it")
            await studio.page.locator("input[name=password]").wait_for()
            await studio.check()
            await studio.sign_in(visitor.email)
        if product.offer:
            await visitor.buy(*product.offer)
        if not product.has_guests:
            await studio.wait_for_credits(product.before)
        await visitor.wait_for_price(product.price)
        await visitor.look("order")
        await studio.order()
        await studio.check()
        await studio.wait_for_picture()
        await studio.wait_for_credits(product.after)
        if product.has_photo:
            await studio.page.get_by_role("slider", name=visitor.said("Compare before and after")).press("ArrowRight")
        assert await studio.page.locator("main img[width]").first.evaluate(DISTORTION) == pytest.approx(1, abs=0.02)
        await visitor.look("picture")
        link = await visitor.share()
        await studio.check()
        await studio.page.keyboard.press("Escape")
        async with open_studio(chromium, server, **options) as friend:
            await friend.page.goto(link)
            await Newcomer(friend, form.locale, "", visitor.views).look("shared")
            assert await friend.page.locator("main img").first.evaluate("(image) => image.naturalWidth") > 0
        if product.afterwards:
            await product.afterwards(visitor)
        await studio.open("/gallery")
        await studio.wait_for_tiles(2 if product.makes_video else 1)
        await studio.check()
