"""Photos of more pixels than the server takes in their format, in the studio in a real browser without a network."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from tests.support.graphiql_page import run_server
from tests.support.studio_page import enter, open_studio

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = pytest.mark.browser

SETTINGS = {"PROFILE": "plushify-quality", "DEMO_SECONDS": "1", "UPLOAD_FORMATS": "JPEG,WEBP"}


async def test_photo_of_too_many_pixels_for_its_format_is_made_smaller(chromium: "Browser", tmp_path: Path) -> None:
    data = io.BytesIO()
    Image.new("RGB", (6000, 4100), "#a63d2f").save(data, "WEBP", method=0)  # 24.6 megapixels in few bytes
    async with (
        run_server(tmp_path, **SETTINGS) as server,
        open_studio(chromium, server) as studio,
    ):
        await studio.open("/create/plushify/cute")
        await enter(studio, server, "ada@example.com")
        await studio.add_photo("panorama.webp", data.getvalue(), "image/webp")
        await studio.order()
        await studio.wait_for_picture()
        await studio.check()
