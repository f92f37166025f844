"""Images in GraphiQL: a photo uploaded ahead from the bar, and the result below the response."""

import io
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from tests.support.graphiql_page import PICTURES, GraphiqlPage, Server, open_graphiql, run_server
from tests.support.s3_server import BUCKET, KEY_ID, REGION, SECRET, s3_server

if TYPE_CHECKING:
    from playwright.async_api import Browser, Locator

pytestmark = pytest.mark.browser

DROP = """(target, [name, type, bytes]) => {
    const dataTransfer = new DataTransfer();
    const { x, y } = target.getBoundingClientRect();
    const place = { clientX: x + 90, clientY: y + 40 }; // over the text of an editor
    dataTransfer.items.add(new File([new Uint8Array(bytes)], name, { type }));
    for (const what of ["dragover", "drop"])
        target.dispatchEvent(new DragEvent(what, { dataTransfer, ...place, bubbles: true, cancelable: true }));
}"""
LOADED_WIDTH = "(image) => image.complete && image.naturalWidth > 0 && image.naturalWidth"


def astronaut() -> bytes:
    """Return a photo: the left half of a picture in the documentation."""
    with Image.open(PICTURES / "astronaut-plushify-cute.jpg") as both:
        photo = both.crop((0, 0, both.height, both.height))
    data = io.BytesIO()
    photo.save(data, "JPEG", quality=90)
    return data.getvalue()


@pytest.fixture(scope="module")
async def plushify(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """A server whose styles all need a photo, and whose PUBLIC_URL differs from the address that is opened."""
    folder = tmp_path_factory.mktemp("plushify")
    async with run_server(folder, PROFILE="plushify", DEMO_SECONDS="3", PUBLIC_URL="http://plush.example") as found:
        yield found


def photo_chip(page: GraphiqlPage, state: str) -> "Locator":
    """Return the photo in the bar if it is in `state`: uploading, ready or failed."""
    return page.page.locator(f".photo[data-state={state}]")


async def choose_photo(page: GraphiqlPage, photo: bytes) -> None:
    """Choose a photo by keyboard only."""
    async with page.page.expect_file_chooser() as opened:
        await page.page.get_by_role("button", name="Photo", exact=True).press("Enter")
    await (await opened.value).set_files({"name": "astronaut.jpg", "mimeType": "image/jpeg", "buffer": photo})
    await photo_chip(page, "ready").wait_for()


async def drop_file(page: GraphiqlPage, name: str, kind: str, data: bytes) -> None:
    await page.page.locator(".graphiql-query-editor .view-lines").evaluate(DROP, [name, kind, list(data)])


async def create_and_follow(page: GraphiqlPage) -> "Locator":
    """Run the open tab, and follow the generation; return the locator of its image."""
    await page.wait_for_text(".graphiql-editor-tool", '"upl_')
    await page.run()
    await page.wait_for_response('"errors": []', '"id": "gen_')
    await page.page.get_by_role("button", name="Photo", exact=True).wait_for()
    await page.wait_for_text(".graphiql-editor-tool", '"uploadId": null')
    await page.select_tab("Progress")
    await page.wait_for_text(".graphiql-editor-tool", '"gen_')
    await page.run()
    return page.page.locator(".strip img")


async def test_generation_from_a_photo_shows_previews_and_the_result(chromium: "Browser", plushify: Server) -> None:
    async with open_graphiql(chromium, plushify) as ada:
        await ada.open()
        assert await ada.page.locator(".photo").count() == 0, "photos need a signed-in user"
        await ada.sign_in("ada@example.com", new=True)
        await ada.wait_for_credits(10)
        await ada.select_tab("CreatePicture")
        await ada.wait_for_text(".graphiql-editor-tool", '"sty_')
        await choose_photo(ada, astronaut())
        await ada.wait_for_text(".graphiql-editor-tool", '"upl_')
        assert await ada.page.locator(".photo img").evaluate(LOADED_WIDTH)
        await ada.screenshot("photo")
        await ada.page.locator(".photo .remove").click()
        await ada.run()
        await ada.wait_for_response("This style needs a photo.")
        await choose_photo(ada, astronaut())
        shown = await create_and_follow(ada)
        await ada.page.locator(".strip img[src^='data:image/webp']").wait_for()
        assert "…" in await ada.text(".graphiql-response"), "the preview's data URI is abbreviated"
        await ada.wait_for_response('"stage": "COMPLETED"')
        await ada.page.locator(".strip a img").wait_for()
        await ada.page.wait_for_function("() => document.querySelector('.strip a img').complete")
        assert await shown.evaluate(LOADED_WIDTH) == 320
        await ada.screenshot("picture")
        async with ada.page.context.expect_page() as opened:
            await ada.page.locator(".strip a").press("Enter")
        whole = await opened.value
        await whole.wait_for_load_state()
        assert whole.url.startswith(f"{plushify.address}/files/")
        await whole.close()
        await ada.select_tab("WhoAmI")
        await ada.page.locator(".strip").wait_for(state="detached")
        await ada.select_tab("Gallery")
        await ada.run()
        assert await shown.evaluate(LOADED_WIDTH) == 320
        await ada.wait_for_credits(9)


async def test_dropped_file_is_validated_and_can_be_removed(chromium: "Browser", plushify: Server) -> None:
    async with open_graphiql(chromium, plushify, locale="zh-CN", color_scheme="light") as bea:
        await bea.open()
        await bea.sign_in("bea@example.com", new=True)
        await bea.wait_for_credits(10)
        await bea.select_tab("CreatePicture")
        before = await bea.text(".graphiql-query-editor")
        await drop_file(bea, "notes.txt", "text/plain", b"no picture")
        await bea.page.locator(".photo [role=alert]", has_text=re.compile("[\u4e00-\u9fff]{4}")).wait_for()
        await drop_file(bea, "astronaut.jpg", "image/jpeg", astronaut())
        await photo_chip(bea, "ready").wait_for()
        assert await bea.page.locator(".photo [role=alert]").count() == 0
        await bea.wait_for_text(".graphiql-editor-tool", '"upl_')
        assert await bea.text(".graphiql-query-editor") == before, "the editor did not insert it"
        await bea.page.locator(".photo .remove").press("Enter")
        await bea.wait_for_text(".graphiql-editor-tool", '"uploadId": null')
        assert await bea.page.locator(".photo .choose").evaluate("(button) => button === document.activeElement")
        assert await bea.page.locator(".photo").inner_text() == "照片"


async def test_photos_and_results_are_loaded_from_a_bucket(chromium: "Browser", tmp_path: Path) -> None:
    with s3_server() as s3:
        bucket = {
            "S3_BUCKET": BUCKET, "S3_ENDPOINT_URL": s3.url, "S3_REGION": REGION, "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
        }  # fmt: skip
        async with run_server(tmp_path, PROFILE="avenger", **bucket) as server, open_graphiql(chromium, server) as cleo:
            cleo.allowed_origins.append(s3.url)
            await cleo.open()
            await cleo.sign_in("cleo@example.com", new=True)
            await cleo.page.locator(".credits").wait_for()
            await choose_photo(cleo, astronaut())
            await cleo.select_tab("CreatePicture")
            shown = await create_and_follow(cleo)
            await cleo.wait_for_response('"stage": "COMPLETED"', s3.url)
            await cleo.page.locator(f".strip img[src^='{s3.url}']").wait_for()
            await cleo.page.wait_for_function("() => document.querySelector('.strip a img').complete")
            assert await shown.evaluate(LOADED_WIDTH) == 320
