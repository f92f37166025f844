"""The apps in examples/typescript/apps in a real browser, on another port than the server: Apollo, urql, own hooks."""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.support.client import Api, photo, until
from tests.support.graphiql_page import PASSWORD, Server, run_server
from tests.support.server_process import free_port
from tests.support.typescript import NODE, add_apps_of_the_guide, copy_example, npm_succeeds

if TYPE_CHECKING:
    from playwright.async_api import Browser, ConsoleMessage, Locator, Page, Route

pytestmark = pytest.mark.browser

APPS = ("apollo", "urql", "hooks")
DEVELOPMENT = {"NODE_ENV": "development"}  # caches warn only in builds for development
PATIENCE = 30_000  # milliseconds


@asynccontextmanager
async def preview(folder: Path, port: int) -> AsyncIterator[str]:
    """Serve the built apps with Vite; yield their address."""
    address = f"http://127.0.0.1:{port}"
    vite = folder / "node_modules" / "vite" / "bin" / "vite.js"
    with (folder / "preview.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            str(NODE / "node"), str(vite), "preview", "apps", "--host=127.0.0.1", f"--port={port}", "--strictPort",
            cwd=folder, env={**os.environ, "PATH": f"{NODE}:{os.environ['PATH']}"}, stdout=log, stderr=log,
        )  # fmt: skip

    async def answers() -> bool:
        assert process.returncode is None, (folder / "preview.log").read_text()
        try:
            async with httpx.AsyncClient() as http:
                return (await http.get(f"{address}/")).status_code == 200
        except httpx.TransportError:
            return False

    try:
        await until(answers)
        yield address
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


@pytest.fixture(scope="module")
def app_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    async with run_server(folder, DEMO_SECONDS="4") as found:
        yield found


@pytest.fixture(scope="module")
async def apps(server: Server, app_port: int, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The address of the built apps."""
    example = copy_example(tmp_path_factory.mktemp("apps"))
    add_apps_of_the_guide(example)
    await npm_succeeds(example, "build")
    address = {"VITE_DARKROOM_URL": f"{server.address}/graphql"}
    await npm_succeeds(example, "apps", "--", "--mode", "development", **DEVELOPMENT, **address)
    scripts = "".join(path.read_text() for path in (example / "dist-apps" / "assets").glob("*.js"))
    assert all(warning in scripts for warning in ("Cache data may be lost", "Invalid key: "))
    async with preview(example, app_port) as found:
        yield found


class Studio:
    """The page of one app: actions of a user, and every warning and error that its console showed."""

    def __init__(self, page: "Page") -> None:
        self.page = page
        self.problems: list[str] = []
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.problems.append(str(error)))

    def _note(self, message: "ConsoleMessage") -> None:
        if message.type in ("warning", "error"):
            self.problems.append(f"{message.type}: {message.text}")

    @property
    def cards(self) -> "Locator":
        return self.page.locator("section li")

    def card(self, text: str) -> "Locator":
        return self.page.locator("section li", has_text=text).first

    async def wait_for(self, label: str, text: str) -> None:
        await self.page.get_by_label(label, exact=True).filter(has_text=re.compile(f"^{text}$")).wait_for()

    async def wait_for_cards(self, count: int) -> None:
        await self.page.wait_for_function(
            "count => document.querySelectorAll('section li').length === count", arg=count, timeout=PATIENCE
        )

    async def sign_up(self, email: str) -> None:
        await self.page.get_by_placeholder("E-mail").fill(email)
        await self.page.get_by_placeholder("Password").fill(PASSWORD)
        await self.page.get_by_role("button", name="Create account").click()
        await self.wait_for("Credits", "30")

    async def order(self, words: str) -> None:
        await self.page.get_by_label("Prompt").fill(words)
        await self.page.get_by_role("button", name="Create").click()
        await self.card(words).wait_for()

    @asynccontextmanager
    async def held(self, operation: str) -> AsyncIterator[None]:
        """Hold requests of an operation back, so that the server does not answer them within the block."""
        released = asyncio.Event()
        has_come = asyncio.Event()

        async def hold(route: "Route") -> None:
            if operation in (route.request.post_data or ""):
                has_come.set()
                await released.wait()
            await route.continue_()

        await self.page.route("**/graphql", hold)
        yield
        await asyncio.wait_for(has_come.wait(), PATIENCE / 1000)
        released.set()

    async def completed(self, words: str) -> "Locator":
        card = self.page.locator("section li[data-status=COMPLETED]", has_text=words).first
        await card.wait_for()
        return card


@asynccontextmanager
async def open_app(chromium: "Browser", address: str) -> AsyncIterator[Studio]:
    """Open an app in a fresh browser context; at the end, assert that its console showed no warning and no error."""
    context = await chromium.new_context(locale="en")
    context.set_default_timeout(PATIENCE)
    try:
        studio = Studio(await context.new_page())
        await studio.page.goto(address)
        yield studio
        assert studio.problems == []
    finally:
        await context.close()


async def sign_in(api: Api, email: str) -> Api:
    """Return another client of the account."""
    query = "mutation($input: SignInInput!) { signIn(input: $input) { token user { id } } }"
    session = await api.one(query, input={"email": email, "password": PASSWORD})
    return Api(api.http, api.address, session["token"], session["user"])


@pytest.mark.parametrize("app", APPS)
async def test_app_signs_up_orders_and_manages_pictures_without_a_warning_of_its_cache(
    app: str, apps: str, chromium: "Browser", server: Server
) -> None:
    async with open_app(chromium, f"{apps}/{app}/") as studio:
        page = studio.page
        await studio.sign_up(f"{app}@example.com")

        # A quote, a photo that is uploaded ahead, and live previews until the picture is there.
        await page.get_by_label("Style").select_option(label="Cute")
        await studio.wait_for("Price", "1 credit, 29 left")
        await page.get_by_label("Photo").set_input_files(
            {"name": "me.jpg", "mimeType": "image/jpeg", "buffer": photo()}
        )
        await page.locator("progress[aria-label=Upload][data-state=done]").wait_for()
        await page.get_by_role("button", name="Create").click()
        await page.locator("section li img.preview[src^='data:image/']").wait_for()
        await studio.wait_for("Credits", "29")
        await studio.completed("Cute")

        # The same with the photo in the mutation itself.
        await page.get_by_label("Upload at once").uncheck()
        await page.get_by_role("button", name="Create").click()
        await studio.wait_for("Credits", "28")
        await studio.wait_for("Count", "2")

        # Live credits and new pictures, also when another client of the account moves them.
        await page.get_by_label("Style").select_option("")
        await studio.order("A fox in the snow")
        async with server.api() as api:
            other = await sign_in(api, f"{app}@example.com")
            await other.create(prompt="An owl at noon")
            await studio.card("An owl at noon").wait_for()
            await studio.wait_for("Count", "4")
            await studio.completed("An owl at noon")
            await studio.completed("A fox in the snow")
            await studio.wait_for("Credits", str(await other.credits()))

        # Pages: after a reload the first two, then the others, each once.
        await page.reload()
        await studio.wait_for_cards(2)
        await page.get_by_role("button", name="More").click()
        await studio.wait_for_cards(4)
        assert await page.get_by_role("button", name="More").count() == 0

        # A favorite is shown before the server has answered.
        fox = await studio.completed("A fox in the snow")
        async with studio.held("SetFavorite"):
            await fox.get_by_role("button", name="Favorite").click()
            await fox.locator("button[aria-pressed=true]").wait_for()
        await fox.locator("button[aria-pressed=true]").wait_for()

        # Refine and share.
        await fox.get_by_label("Change").fill("Make it night")
        await fox.get_by_role("button", name="Refine").click()
        await studio.wait_for_cards(5)
        await studio.completed("Make it night")
        await fox.get_by_role("button", name="Share").click()
        public = await fox.get_by_role("link", name="Public page").get_attribute("href")
        assert public is not None
        async with httpx.AsyncClient() as http:
            assert (await http.get(public)).status_code == 200

        # Delete, here and elsewhere.
        async with studio.held("DeleteGenerations"):
            await studio.card("An owl at noon").get_by_role("button", name="Delete").click()
            await studio.wait_for_cards(4)
        await studio.wait_for_cards(4)
        await studio.wait_for("Count", "4")
        async with server.api() as api:
            other = await sign_in(api, f"{app}@example.com")
            night = await studio.card("Make it night").get_attribute("data-id")
            await other.one("mutation($ids: [ID!]!) { deleteGenerations(ids: $ids) { deletedIds } }", ids=[night])
        await studio.wait_for_cards(3)
        await studio.wait_for("Count", "3")
        await page.get_by_role("button", name="Sign out").click()
        await page.get_by_role("button", name="Create account").wait_for()


async def test_app_of_the_frontend_guide_makes_a_picture(apps: str, chromium: "Browser", server: Server) -> None:
    async with open_app(chromium, f"{apps}/guide/") as studio:
        page = studio.page
        await page.get_by_role("button", name="Sign in").click()
        await page.locator("input[type=file]").set_input_files(
            {"name": "me.jpg", "mimeType": "image/jpeg", "buffer": photo()}
        )
        await page.get_by_role("button", name="Create").click()
        await page.locator(f"li img[src^='{server.address}/files/']").wait_for()


async def test_app_of_the_frontend_guide_orders_nothing_without_a_photo_that_could_not_be_sent(
    apps: str, chromium: "Browser"
) -> None:
    async with open_app(chromium, f"{apps}/guide/") as studio:
        page = studio.page
        await page.get_by_role("button", name="Sign in").click()
        await page.route("**/uploads/**", lambda route: route.abort())
        await page.locator("input[type=file]").set_input_files(
            {"name": "me.jpg", "mimeType": "image/jpeg", "buffer": photo()}
        )
        await page.get_by_role("alert").wait_for()
        assert await page.get_by_role("button", name="Create").is_disabled()
        await page.get_by_role("button", name="Start again").click()
        assert await page.get_by_role("button", name="Create").is_enabled()
        assert await page.locator("input[type=file]").evaluate("input => input.files.length") == 0
        studio.problems.clear()  # the browser's own words on the request
