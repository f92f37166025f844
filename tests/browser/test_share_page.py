"""The page of a shared video in a real browser: its player plays, seeks, and fetches parts of the video."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

from tests.support.client import until
from tests.support.graphiql_page import PASSWORD, Server, run_server
from tests.support.player import play

if TYPE_CHECKING:
    from playwright.async_api import Browser, Response

pytestmark = pytest.mark.browser

SHARE = "mutation($id: ID!) { shareGeneration(id: $id) { generation { shareUrl } } }"
RESULT = "query($id: ID!) { viewer { generation(id: $id) { result { url } } } }"
SEEK = """() => {
  const video = document.querySelector("video");
  return new Promise(resolve => { video.onseeked = () => resolve(video.currentTime); video.currentTime = 2.5; });
}"""


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    async with run_server(tmp_path_factory.mktemp("server")) as found:
        yield found


@pytest.fixture(scope="module")
async def addresses(server: Server) -> tuple[str, str]:
    """The address of the page of a shared video, and the signed link of the video."""
    async with server.api() as api:
        ada = await api.sign_up("ada@example.com", PASSWORD)
        (made,) = (await ada.create(prompt="A fox in the snow", media="VIDEO", aspectRatio="16:9"))["generations"]
        assert (await ada.wait_for_end(made["id"]))["status"] == "COMPLETED"
        page = (await ada.one(SHARE, id=made["id"]))["generation"]["shareUrl"]
        return page, (await ada.one(RESULT, id=made["id"]))["generation"]["result"]["url"]


async def test_player_of_a_share_page_plays_and_seeks(chromium: "Browser", addresses: tuple[str, str]) -> None:
    page = await chromium.new_page()
    problems: list[str] = []
    statuses: list[int] = []

    def note(response: "Response") -> None:
        if response.url.endswith("/video"):
            statuses.append(response.status)

    page.on("console", lambda found: problems.append(found.text))
    page.on("response", note)
    await page.goto(addresses[0])
    assert await play(page) == (3, 768)
    assert await page.evaluate(SEEK) == pytest.approx(2.5, abs=0.1)
    assert [text for text in problems if "Content Security Policy" in text] == []
    assert set(statuses) == {206}


async def test_video_opened_by_its_link_is_shown(chromium: "Browser", addresses: tuple[str, str]) -> None:
    page = await chromium.new_page()
    await page.goto(addresses[1])

    async def is_loaded() -> bool:  # by questions: scripts of this page do not run, nor do handlers of events
        return bool(await page.evaluate("document.querySelector('video').readyState === 4"))

    await until(is_loaded)
    assert await page.evaluate("document.querySelector('video').duration") == 3
