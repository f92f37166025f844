"""A page object for GraphiQL in a real browser, and a server with default settings."""

import asyncio
import io
import json
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from PIL import Image

from tests.support.client import Api, until
from tests.support.server_process import free_port

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

ROOT = Path(__file__).parents[2]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge")
PASSWORD = "correct horse"
PATIENCE = 60_000  # milliseconds; a busy machine takes long to start an editor
_START_SECONDS = 120  # a server on a busy machine
PICTURES = ROOT / "docs" / "pictures"


class Server:
    """A server process, started as `make run` does."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self._folder = folder
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self._environment = {"PATH": os.defpath, "PORT": str(self.port), "DATA_DIR": str(folder), **settings}

    async def run(self, *words: str) -> asyncio.subprocess.Process:
        with (self._folder / "log").open("ab") as log:
            return await asyncio.create_subprocess_exec(
                sys.executable, str(ROOT / "main.py"), *words, cwd=self._folder, env=self._environment,
                stdout=log, stderr=log,
            )  # fmt: skip

    async def make_admin(self, email: str) -> None:
        assert await (await self.run("make-admin", email)).wait() == 0

    @asynccontextmanager
    async def api(self) -> AsyncIterator[Api]:
        """An API client of the same server."""
        async with httpx.AsyncClient(base_url=self.address, timeout=30) as http:
            yield Api(http, self.address)


@asynccontextmanager
async def run_server(folder: Path, **settings: str) -> AsyncIterator[Server]:
    server = Server(folder, **settings)
    process = await server.run()

    async def is_alive() -> bool:
        assert process.returncode is None, (folder / "log").read_text()
        try:
            async with httpx.AsyncClient() as http:
                return (await http.get(f"{server.address}/health/live")).status_code == 200
        except httpx.TransportError:
            return False

    try:
        async with asyncio.timeout(_START_SECONDS):
            while not await is_alive():  # noqa: ASYNC110 - the process sends no event
                await asyncio.sleep(0.1)
        yield server
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def find_browser() -> str | None:
    """Return the path of an installed browser."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def path_exists(path: str) -> bool:
    return Path(path).exists()


@asynccontextmanager
async def open_browser(*arguments: str) -> AsyncIterator["Browser"]:
    """Open a browser that can reach no host but this machine. `arguments`: further ones of its command line."""
    try:
        from playwright.async_api import async_playwright
    except ImportError:
        pytest.fail("Playwright is not installed: `make browser` installs it")
    async with async_playwright() as playwright:
        found = find_browser()
        if found is None and not path_exists(playwright.chromium.executable_path):
            pytest.fail(
                "There is no browser: `apt install chromium` installs one,"
                " and so does `.venv/bin/python -m playwright install --with-deps chromium`"
            )
        offline = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
        as_root = ["--no-sandbox"] if os.getuid() == 0 else []
        browser = await playwright.chromium.launch(executable_path=found, args=[offline, *as_root, *arguments])
        yield browser
        await browser.close()


class GraphiqlPage:
    """The GraphiQL page: actions of a user, and waits for what it shows."""

    takes_pictures = False

    def __init__(self, page: "Page", server: Server) -> None:
        self.page = page
        self.server = server
        self.problems: list[str] = []  # errors on the console, and requests to other hosts
        self.allowed_origins: list[str] = []  # further origins of this deployment
        ours = (server.address, server.address.replace("http", "ws"), "data:", "blob:")
        page.on("console", lambda message: self.problems.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on(
            "request",
            lambda request: (
                None if request.url.startswith((*ours, *self.allowed_origins)) else self.problems.append(request.url)
            ),
        )

    async def open(self, *, ready: bool = True) -> None:
        await self.page.goto(f"{self.server.address}/graphql")
        if ready:
            await self.page.wait_for_selector(".graphiql-query-editor .view-line")

    async def sign_in(self, email: str, *, new: bool = False, password: str = PASSWORD) -> None:
        panel = self.page.locator(".panel > summary")
        if await panel.count() and not await self.page.locator(".sign-in").is_visible():
            await panel.press("Enter")  # also tests keyboard access
        if new:
            await self.page.locator(".sign-in .link").click()
        await self.page.fill("input[name=email]", email)
        await self.page.fill("input[name=password]", password)
        await self.page.press("input[name=password]", "Enter")

    async def wait_for_credits(self, expected: int) -> None:
        await self.page.locator(".credits b", has_text=re.compile(rf"^{expected}$")).wait_for()

    async def select_tab(self, name: str) -> None:
        """Open a tab, and wait until its variables are filled in."""
        await self.page.locator(".graphiql-tab-button", has_text=re.compile(rf"^{name}$")).click()
        await self.wait_for_text(".graphiql-query-editor", name)

    async def set_variables(self, **values: object) -> None:
        """Change some of the tab's variables."""
        editor = ".graphiql-editor-tool .graphiql-editor:visible"
        present = json.loads(await self.text(editor) or "{}")
        await self.page.locator(editor).click()
        await self.page.keyboard.press("ControlOrMeta+A")
        await self.page.keyboard.insert_text(json.dumps({**present, **values}))
        await self.page.keyboard.press("ControlOrMeta+Shift+End")  # quotes that the editor closes by itself
        await self.page.keyboard.press("Delete")

    async def run(self) -> None:
        await self.page.locator(".graphiql-execute-button").click()

    async def text(self, place: str) -> str:
        """Return the text of an editor; wrapped lines are joined."""
        lines: list[str] = await self.page.locator(f"{place} .view-lines").first.evaluate(
            """(all) => [...all.children].sort((a, b) => parseFloat(a.style.top) - parseFloat(b.style.top))
                .map((line) => line.textContent.replaceAll("\\u00a0", " "))"""
        )
        return "\n".join(lines)

    async def wait_for_text(self, place: str, text: str) -> None:
        async def found() -> bool:
            return text in await self.text(place)

        try:
            await until(found)
        except TimeoutError:
            pytest.fail(f"{place} does not show {text}, but:\n{await self.text(place)}")

    async def wait_for_response(self, *texts: str) -> None:
        """Wait until the displayed response contains each of these texts."""
        for text in texts:
            await self.wait_for_text(".graphiql-response", text)

    async def screenshot(self, name: str) -> None:
        """Take a screenshot for the documentation, if --pictures is given."""
        if self.takes_pictures:
            shot = Image.open(io.BytesIO(await self.page.screenshot())).convert("RGB")
            reduced = shot.quantize(256, dither=Image.Dither.NONE)  # a third of the bytes, without a visible difference
            reduced.save(PICTURES / f"graphiql-{name}.png", optimize=True)


@asynccontextmanager
async def open_graphiql(browser: "Browser", server: Server, **options: Any) -> AsyncIterator[GraphiqlPage]:
    """Open GraphiQL in a fresh browser context; at the end, assert that the page had no problems."""
    view = {"width": 1280, "height": 860}
    context = await browser.new_context(**{"viewport": view, "color_scheme": "dark", "locale": "en", **options})
    context.set_default_timeout(PATIENCE)
    try:
        desk = GraphiqlPage(await context.new_page(), server)
        yield desk
        assert desk.problems == []
    finally:
        await context.close()
