"""A page object for the studio in a real browser: actions of a user, and checks of what every view must be."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol

from tests.support.client import photo
from tests.support.graphiql_page import PASSWORD, PATIENCE, PICTURES, Server
from web.studio import FOLDER

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext, Locator, Page, Route

DESK: dict[str, Any] = {"viewport": {"width": 1440, "height": 900}}
PHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
AXE = FOLDER / "node_modules" / "axe-core" / "axe.min.js"
# Everything but what only a person can judge.
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# What is behind a dialog is hidden from everyone, so that rules for whole pages fail there. Bars that stay in sight
# cover a part of what is below them, by the chance of where the view is scrolled to.
_AUDIT = """async (tags) => {
  await Promise.all(document.getAnimations().map((one) => one.finished.catch(() => null)));  // opacity is contrast
  const bars = [...document.body.querySelectorAll("*")].filter((one) => getComputedStyle(one).position === "sticky");
  bars.forEach((one) => (one.style.position = "static"));
  const dialog = [...document.querySelectorAll("[role=dialog], [role=alertdialog]:not([aria-modal=false])")].at(-1);
  const free = () => bars.forEach((one) => (one.style.position = ""));
  // What was announced stays for seconds, perhaps longer than the button's progress that it was named by.
  const view = { include: dialog ?? document, exclude: "[data-live-announcer]" };
  const found = await axe.run(view, { runOnly: tags }).finally(free);
  return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).slice(0, 3).join(" | ")}`);
}"""
_ARE_LOADED = (
    """() => [...document.images].every((one) => one.complete || one.getBoundingClientRect().top > innerHeight)"""
)
_OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


class Addressed(Protocol):
    """A server, or a client of it."""

    address: str


class StudioPage:
    """The studio, at an address of a server."""

    takes_pictures = False

    def __init__(self, page: "Page", address: str, public: str, others: tuple[str, ...] = ()) -> None:
        """`public`: PUBLIC_URL, to which links of pictures lead. `others`: addresses that a test opens, too."""
        self.page = page
        self.address = address
        self.problems: list[str] = []  # errors on the console, and requests to other hosts
        self.tolerates_lost_connections = False
        ours = (address, public, address.replace("http", "ws"), "data:", "blob:", *others)
        page.on("console", lambda message: self._note(message.type, f"{message.text} ({message.location['url']})"))
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("request", lambda request: None if request.url.startswith(ours) else self.problems.append(request.url))

    def _note(self, kind: str, text: str) -> None:
        is_lost = self.tolerates_lost_connections and re.search("ERR_|WebSocket", text)
        is_icon = text.endswith("/favicon.ico)")  # which browsers look for on pages without one, as that of a checkout
        if kind in ("error", "warning") and not is_lost and not is_icon:
            self.problems.append(f"{kind}: {text}")

    async def open(self, path: str = "/") -> None:
        """Open a view, and wait until the scripts have rendered it."""
        await self.page.goto(f"{self.address}{path}")
        await self.page.locator("header a").first.wait_for(state="attached")

    def button(self, name: str) -> "Locator":
        return self.page.get_by_role("button", name=name, exact=True)

    async def add_photo(self, name: str = "me.jpg", content: bytes = b"", mime: str = "image/jpeg") -> None:
        """Choose a photo by the dialog of the browser; without its content, a drawing."""
        await self.page.locator("input[type=file]").first.set_input_files(
            {"name": name, "mimeType": mime, "buffer": content or photo(640, 480)}
        )

    async def order(self) -> str:
        """Press the button that orders; return the address of what is made."""
        await self.page.locator("button[type=submit]:not([data-disabled])").last.click()
        await self.page.wait_for_url(re.compile(r"/(pictures|batches)/"))
        # Without the browser's packages (make check), the page is untyped.
        address: str = self.page.url
        return address

    async def wait_for_picture(self) -> None:
        await self.page.locator("a[download]").wait_for()

    async def pay(self, button: str = "Pay (development)") -> None:
        """Pay on the page of a checkout, which leads back."""
        await self.page.wait_for_url(re.compile("/checkout/"))
        await self.button(button).click()
        await self.page.wait_for_url(re.compile("/credits/paid"))

    async def credits(self) -> int:
        return int(await self.page.locator("output[data-credits]").get_attribute("data-credits") or "")

    async def wait_for_credits(self, expected: int) -> None:
        await self.page.locator(f'output[data-credits="{expected}"]').wait_for()

    async def wait_for_images(self) -> None:
        """Wait until every image that is seen is there."""
        await self.page.wait_for_function(_ARE_LOADED)

    async def wait_for_tiles(self, count: int) -> None:
        await self.page.wait_for_function(
            "count => document.querySelectorAll('[role=grid] [role=row]').length === count", arg=count
        )

    async def sign_in(self, email: str) -> None:
        await self.page.locator("input[name=email]").fill(email)
        await self.page.locator("input[name=password]").fill(PASSWORD)
        await self.page.locator("[role=dialog] button[type=submit]").click()
        await self.page.locator("[role=dialog]").wait_for(state="detached")

    async def lose_answers(self, operation: str, *, arrives: bool = True) -> None:
        """Let the server answer what contains `operation`, and the page not hear it, until `hear_answers`.

        `arrives`: whether the request reaches the server at all.
        """
        self.tolerates_lost_connections = True

        async def lose(route: "Route") -> None:
            if operation in (route.request.post_data or ""):
                if arrives:
                    await route.fetch()
                await route.abort()
            else:
                await route.fallback()

        await self.page.route("**/graphql", lose)

    async def hear_answers(self) -> None:
        await self.page.unroute_all(behavior="wait")

    async def sign_out(self) -> None:
        await self.page.get_by_role("banner").locator("button[aria-haspopup=true]").click()
        await self.page.get_by_role("menuitem", name="Sign out").click()

    async def close_toasts(self) -> None:
        """Close the short messages, which would be in a picture."""
        toasts = self.page.locator("[role=alertdialog][aria-modal=false]")
        while await toasts.count():
            await toasts.first.locator("button[slot=close]").click()

    async def check(self, name: str = "") -> None:
        """Assert that the view is accessible and no wider than the window; `name`: of its picture for the docs."""
        if not await self.page.evaluate("() => 'axe' in window"):
            await self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found = await self.page.evaluate(_AUDIT, _RULES)
        assert not found, (self.page.url, found)
        assert await self.page.evaluate(_OVERFLOW) <= 0, f"{self.page.url} scrolls sideways"
        if name and self.takes_pictures:
            await self.close_toasts()
            await self.page.screenshot(path=PICTURES / f"studio-{name}.jpg", type="jpeg", quality=82)


@asynccontextmanager
async def open_studio(
    browser: "Browser", server: Addressed, *, address: str = "", others: tuple[str, ...] = (), **options: Any
) -> AsyncIterator[StudioPage]:
    """Open the studio in a fresh browser context; at the end, assert that the page had no problems.

    `address`: of a proxy of the server; by default, the server's own. `others`: addresses that the test also opens.
    """
    context = await new_context(browser, **options)
    try:
        studio = StudioPage(await context.new_page(), address or server.address, server.address, others)
        await studio.open()
        yield studio
        assert studio.problems == [], studio.problems
    finally:
        await context.close()


async def new_context(browser: "Browser", **options: Any) -> "BrowserContext":
    usual = {**DESK, "color_scheme": "light", "locale": "en", "reduced_motion": "reduce"}
    context = await browser.new_context(**{**usual, **options})
    context.set_default_timeout(PATIENCE)
    return context


async def enter(studio: StudioPage, server: Server, email: str, *, words: str = "Sign in", **input: Any) -> None:
    """Create an account, and sign in to it on the page."""
    async with server.api() as api:
        await api.sign_up(email, PASSWORD, **input)
    await studio.button(words).first.click()
    await studio.sign_in(email)
    await studio.page.locator("output[data-credits]").wait_for()
