"""Orders in the studio, in a real browser without a network: photos pasted and taken, videos, a chosen model."""

import asyncio
import base64
import io
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from tests.support.client import photo, until
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.fakes.openrouter_response import picture
from tests.support.graphiql_page import PASSWORD, Server, open_browser, run_server
from tests.support.player import play
from tests.support.studio_page import PHONE, StudioPage, enter, open_studio

if TYPE_CHECKING:
    from playwright.async_api import Browser, Route

pytestmark = pytest.mark.browser

# Two cameras that show moving pictures, and a person who allows its use; or who refuses it.
CAMERA = ("--use-fake-device-for-media-stream=device-count=2", "--use-fake-ui-for-media-stream")
REFUSED_CAMERA = ("--use-fake-device-for-media-stream", "--deny-permission-prompts")
COPY = """async (picture) => {
  const bytes = Uint8Array.from(atob(picture), (one) => one.charCodeAt(0));
  await navigator.clipboard.write([new ClipboardItem({ "image/png": new Blob([bytes], { type: "image/png" }) })]);
}"""
# The first picture of each page is decoded when `release` is called.
HOLD = """() => {
  const decode = createImageBitmap.bind(window);
  window.createImageBitmap = (...given) => {
    window.createImageBitmap = decode;
    return (window.first = new Promise((resolve) => (window.release = resolve)).then(() => decode(...given)));
  };
}"""
RELEASE = """async () => {
  window.release();
  await window.first;
  for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
}"""
CAMERA_OF_VIDEO = """() =>
  document.querySelector("[role=dialog] video")?.srcObject?.getVideoTracks()[0]?.getSettings().deviceId"""
IS_SEEN = "() => document.querySelector('[role=dialog] video')?.currentTime > 0.2"
IS_SIZED = """([width, height]) => [...document.images].some(
  ({ alt, naturalWidth, naturalHeight }) => alt === "Photo" && naturalWidth === width && naturalHeight === height,
)"""
IS_KEPT = """() => new Promise((resolve) => {
  indexedDB.open("studio").onsuccess = ({ target: { result: database } }) => {
    const all = database.transaction("photos").objectStore("photos").getAll();
    all.onsuccess = () => (database.close(), resolve(all.result.some(({ upload }) => upload)));
  };
})"""
CREATE_UPLOAD = """mutation {
  createUpload(input: { contentType: "image/jpeg", byteSize: 1000 }) { errors { code } }
}"""
SIZE = "(image) => [image.naturalWidth, image.naturalHeight]"


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    async with run_server(tmp_path_factory.mktemp("server"), DEMO_SECONDS="1", RATE_LIMITS="off") as found:
        yield found


def is_with_photo(route: "Route") -> bool:
    kind: str = route.request.headers.get("content-type", "")
    return kind.startswith("multipart/")


async def wait_for_photo(studio: StudioPage) -> list[int]:
    """Wait for the photo of the order; return its width and height in pixels."""
    shown = studio.page.get_by_role("img", name="Photo", exact=True)
    await shown.wait_for()
    await studio.wait_for_images()
    size: list[int] = await shown.evaluate(SIZE)
    return size


async def test_pasted_photo_is_ordered_with(chromium: "Browser", server: Server) -> None:
    async with open_studio(chromium, server, permissions=["clipboard-read", "clipboard-write"]) as studio:
        page = studio.page
        await page.get_by_role("link", name=re.compile("Cute")).click()
        await page.get_by_text("Add a photo first.").wait_for()
        await page.evaluate(COPY, base64.b64encode(photo(600, 400, "PNG")).decode())
        await page.keyboard.press("ControlOrMeta+V")
        assert await wait_for_photo(studio) == [600, 400]
        await page.get_by_text("Add a photo first.").wait_for(state="detached")

        # Words that are pasted are words.
        await page.evaluate("() => navigator.clipboard.writeText('with a scarf')")
        words = page.get_by_label("Your own words")
        await words.focus()
        await page.keyboard.press("ControlOrMeta+V")
        assert await words.input_value() == "with a scarf"
        assert await wait_for_photo(studio) == [600, 400]
        await studio.check()
        await studio.order()
        await studio.wait_for_picture()
        await page.get_by_role("slider", name="Compare before and after").wait_for()
        await page.get_by_text("with a scarf").wait_for()


async def test_photo_that_was_chosen_last_is_the_photo(chromium: "Browser", server: Server) -> None:
    async with open_studio(chromium, server) as studio:
        page = studio.page
        await page.add_init_script(f"({HOLD})()")
        await studio.open("/create/plushify/cute")
        await studio.add_photo(content=photo(600, 400))
        await page.wait_for_function("() => Boolean(window.first)")
        for width, height in ((300, 200), (240, 120)):  # beside one that was chosen, then beside one that is restored
            size = [width, height]
            await studio.add_photo(content=photo(width, height))
            assert await wait_for_photo(studio) == size
            await page.evaluate(RELEASE)
            assert await wait_for_photo(studio) == size
            await page.reload()
            await page.wait_for_function("() => Boolean(window.first)")
        await page.evaluate(RELEASE)
        assert await wait_for_photo(studio) == [240, 120]


async def test_photo_that_has_expired_is_sent_again_without_a_word(chromium: "Browser", server: Server) -> None:
    async with open_studio(chromium, server) as studio:
        page = studio.page
        has_left = asyncio.Event()
        sent: list[str] = []

        async def expire(route: "Route") -> None:
            body = route.request.post_data or ""
            if "mutation CreatePictures" in body:
                sent.append(body)
                if len(sent) == 1:
                    await has_left.wait()
                    body = re.sub(r"upl_\w{26}", f"upl_{'0' * 26}", body)
            await route.continue_(post_data=body or None)

        await studio.open("/create/plushify/cute")
        await studio.add_photo()
        await page.get_by_text("Add a photo first.").wait_for(state="detached")
        await page.route("**/graphql", expire)
        await page.locator("button[type=submit]:not([data-disabled])").last.click()
        await page.get_by_role("link", name="Gallery").click()
        await page.wait_for_url(re.compile("/gallery"))
        has_left.set()
        await page.get_by_text("Your order is placed.").wait_for()
        assert len(sent) == 2
        assert await page.get_by_role("alertdialog").count() == 1, "nothing else is said"


async def test_photo_is_made_small_enough_to_be_taken(chromium: "Browser", tmp_path: Path) -> None:
    limit = 200_000
    noise = io.BytesIO()
    Image.effect_noise((1200, 900), 90).save(noise, "JPEG", quality=90)
    assert len(noise.getvalue()) > 3 * limit
    limits = {"UPLOAD_MAX_BYTES": str(limit), "DEMO_SECONDS": "1"}
    async with run_server(tmp_path, **limits) as server, open_studio(chromium, server) as studio:
        page = studio.page
        await enter(studio, server, "ada@example.com")
        await studio.open("/create/plushify/cute")
        await studio.add_photo("me.heic", bytes(limit + 1), "image/heic")  # which this browser cannot read
        await page.get_by_text("This photo is larger than 0.2 MB").wait_for()
        await studio.check()
        await studio.add_photo(content=noise.getvalue())
        width, height = await wait_for_photo(studio)
        assert width < 1200
        assert width / height == pytest.approx(4 / 3, abs=0.01)
        await studio.order()
        await studio.wait_for_picture()


async def test_photo_is_turned_by_keyboard_and_stays_where_another_cannot_be_read(
    chromium: "Browser", server: Server
) -> None:
    async with open_studio(chromium, server) as studio:
        page = studio.page
        await studio.open("/create/plushify/cute")
        await studio.button("Choose a photo").focus()
        await studio.add_photo(content=photo(600, 400))
        assert await wait_for_photo(studio) == [600, 400]
        assert await page.locator(":focus").get_attribute("aria-label") == "Turn right"
        turned = page.get_by_role("status").get_by_text("The photo was turned.")
        shown = await page.get_by_role("img", name="Photo", exact=True).element_handle()
        assert shown is not None
        for times in (1, 2):  # the second while the first one is made
            await page.keyboard.press("Enter")
            assert await shown.evaluate("(image) => image.isConnected"), times
        await turned.wait_for(state="attached")
        assert await page.locator(":focus").get_attribute("aria-label") == "Turn right"
        await page.wait_for_function(IS_SIZED, arg=[600, 400])
        await page.keyboard.press("Enter")
        await page.wait_for_function(IS_SIZED, arg=[400, 600])

        await studio.add_photo("bill.pdf", b"%PDF-1", "application/pdf")
        await page.get_by_text("This file is no picture that can be read here.").wait_for()
        assert await wait_for_photo(studio) == [400, 600]
        await studio.check()
        await studio.button("Remove the photo").focus()
        await page.keyboard.press("Enter")
        assert await page.locator(":focus").inner_text() == "Choose a photo"
        assert await page.get_by_text("no picture that can be read").count() == 0


async def test_photo_dropped_beside_the_field_is_taken(chromium: "Browser", server: Server, tmp_path: Path) -> None:
    async with open_studio(chromium, server) as studio:
        page = studio.page
        (file := tmp_path / "me.jpg").write_bytes(photo(300, 200))
        for address in ("/", "/create/plushify/cute"):
            await studio.open(address)
            await page.get_by_role("heading", level=1).first.wait_for()
            if address != "/":
                await studio.button("Choose a photo").wait_for()
            devtools = await page.context.new_cdp_session(page)
            data = {"items": [], "files": [str(file)], "dragOperationsMask": 1}
            for kind in ("dragEnter", "dragOver", "drop"):
                await devtools.send("Input.dispatchDragEvent", {"type": kind, "x": 700, "y": 30, "data": data})
            assert page.url == studio.address + address
        assert await wait_for_photo(studio) == [300, 200]


async def test_photo_is_sent_once_and_along_with_the_order_where_uploads_are_used_up(
    chromium: "Browser", server: Server
) -> None:
    sent = 0

    async def count(route: "Route") -> None:
        nonlocal sent
        if not is_with_photo(route):
            sent += "mutation CreateUpload" in (route.request.post_data or "")
        await route.fallback()

    async def lose(route: "Route") -> None:
        await (route.abort() if is_with_photo(route) else route.fallback())

    async with server.api() as api, open_studio(chromium, server) as studio:
        page = studio.page
        ada = await api.sign_up("uploads@example.com", PASSWORD)
        await studio.button("Sign in").first.click()
        await studio.sign_in("uploads@example.com")
        await page.route("**/graphql", count)
        await studio.open("/create/plushify/cute")
        await studio.add_photo(content=photo(600, 400))
        await studio.button("Turn right").evaluate("(button) => [1, 2, 3].forEach(() => button.click())")
        await page.wait_for_function(IS_SIZED, arg=[400, 600])
        await until(lambda: page.evaluate(IS_KEPT))
        before = sent
        assert before <= 2, "of four photos, the first one at most on a slow machine, and the last one"
        await page.reload()
        await wait_for_photo(studio)
        await studio.order()
        await studio.wait_for_picture()
        assert sent == before
        for _ in range(20 - sent):
            assert (await ada.one(CREATE_UPLOAD))["errors"] == []
        await studio.open("/create/plushify/cute")
        await studio.button("Turn right").click()
        await page.wait_for_function(IS_SIZED, arg=[600, 400])
        studio.tolerates_lost_connections = True
        await page.route("**/graphql", lose)
        await page.locator("button[type=submit]:not([data-disabled])").last.click()
        await page.get_by_text("No connection. Your order is sent").wait_for()
        await page.reload()
        await page.get_by_role("img", name="Photo", exact=True).wait_for()
        await page.unroute("**/graphql", lose)
        await page.wait_for_url(re.compile("/pictures/"))
        await studio.wait_for_picture()
        await page.get_by_role("slider", name="Compare before and after").wait_for()
        await studio.wait_for_credits(28)


@pytest.mark.parametrize("options", [{}, PHONE], ids=["desk", "phone"])
async def test_photo_is_taken_by_the_camera(options: dict[str, Any], server: Server) -> None:
    async with open_browser(*CAMERA) as chromium, open_studio(chromium, server, **options) as studio:
        page = studio.page
        await page.get_by_role("link", name=re.compile("Cute")).click()
        await studio.button("Take a photo").click()
        await page.wait_for_function(IS_SEEN)
        first = await page.evaluate(CAMERA_OF_VIDEO)
        await studio.button("Switch camera").click()
        await page.wait_for_function(f"(first) => ![first, undefined].includes(({CAMERA_OF_VIDEO})())", arg=first)
        await page.wait_for_function(IS_SEEN)
        await studio.check()
        video = page.locator("[role=dialog] video")
        width, height = await video.evaluate("(it) => [it.videoWidth, it.videoHeight]")
        shape = await video.evaluate("(it) => it.clientWidth / it.clientHeight")
        assert shape == pytest.approx(width / height, abs=0.02), "all that is taken is seen"
        await studio.button("Take it").click()
        await page.get_by_role("dialog").wait_for(state="detached")
        assert await wait_for_photo(studio) == [width, height]
        await studio.check()
        await studio.order()
        await studio.wait_for_picture()
        await page.get_by_role("slider", name="Compare before and after").wait_for()


async def test_refused_camera_is_said_and_a_file_can_be_chosen(server: Server) -> None:
    async with open_browser(*REFUSED_CAMERA) as chromium, open_studio(chromium, server) as studio:
        page = studio.page
        await studio.open("/create/plushify/cute")
        await studio.button("Take a photo").click()
        await page.get_by_text("There is no camera that this page may use.").wait_for()
        assert await studio.button("Take it").get_attribute("data-disabled") == "true"
        await studio.check()
        await page.keyboard.press("Escape")
        await studio.add_photo()
        assert await wait_for_photo(studio) == [640, 480]


@pytest.mark.parametrize("options", [{}, PHONE], ids=["desk", "phone"])
async def test_video_is_priced_ordered_and_played(options: dict[str, Any], chromium: "Browser", server: Server) -> None:
    async with open_studio(chromium, server, **options) as studio:
        page = studio.page
        await studio.open("/create/sandbox/free")
        await enter(studio, server, f"video-{len(options)}@example.com")
        await page.get_by_label("Describe your picture").fill("A lighthouse at dusk")
        price = page.locator("button[type=submit]")
        await price.get_by_text("1 credit", exact=True).wait_for()
        await page.get_by_role("radio", name="Video", exact=True).click()
        await price.get_by_text("20 credits", exact=True).wait_for()
        await page.get_by_role("radio", name="6 seconds").click()
        await page.get_by_role("link", name="Get credits").wait_for()  # 40 of 30
        await page.get_by_role("radio", name="3 seconds").click()
        await page.get_by_role("radio", name="9:16", exact=True).click()
        await price.get_by_text("20 credits", exact=True).wait_for()
        await studio.check()
        await studio.order()
        await studio.check()
        await studio.wait_for_picture()
        await studio.wait_for_credits(10)
        duration, width = await play(page)
        assert duration == pytest.approx(3, abs=0.2)
        height = await page.locator("video").evaluate("(video) => video.videoHeight")
        assert width / height == pytest.approx(9 / 16, abs=0.02)
        assert await page.locator("video").get_attribute("poster")
        await studio.check()
        assert await page.get_by_label("Refine it").count() == 0, "a video is not refined"
        await page.get_by_role("link", name="Gallery").first.click()
        await studio.wait_for_tiles(1)
        await studio.check()


async def test_chosen_model_makes_the_picture(chromium: "Browser", tmp_path: Path) -> None:
    model = "google/gemini-2.5-flash-image"
    async with ScriptedOpenRouter() as fake:
        fake.script(picture(model=model))
        provider = {
            "IMAGE_PROVIDER": "openrouter",
            "OPENROUTER_API_KEY": fake.key,
            "OPENROUTER_BASE_URL": fake.base_url,
        }
        async with (
            run_server(tmp_path, PROFILE="plushify-quality", **provider) as server,
            open_studio(chromium, server) as studio,
        ):
            page = studio.page
            await studio.open("/create/plushify/cute")
            await enter(studio, server, "ada@example.com")
            await studio.add_photo()
            await page.get_by_role("radio", name="HD", exact=True).click()
            await page.get_by_role("radio", name="8:1", exact=True).click()
            price = page.locator("button[type=submit]")
            await price.get_by_text("2 credits", exact=True).wait_for()
            await page.get_by_text("More options").click()
            await page.get_by_role("radiogroup", name="Size of the subject").wait_for()
            await page.get_by_role("button", name=re.compile("Model")).click()
            await studio.check()
            await page.get_by_role("option", name="Gemini 2.5 Flash Image").click()
            await page.get_by_role("button", name=re.compile("Gemini 2.5 Flash Image")).wait_for()
            # Neither the quality nor the shape is one of this model's.
            await price.get_by_text("1 credit", exact=True).wait_for()
            assert await page.get_by_role("radio", name="8:1", exact=True).count() == 0
            await page.get_by_role("radio", name="Large", exact=True).click()
            await studio.check()
            await studio.order()
            await studio.wait_for_picture()
            await page.get_by_text(model).wait_for()
            assert [call.body["model"] for call in fake.calls] == [model]
            assert "fills an armchair" in str(fake.calls[0].body)
