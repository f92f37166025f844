"""Results that a model sends as PNG, over HTTP: stored as PNG_RESULTS says, and read as what they are."""

import contextlib
import io

import pytest
from PIL import Image, ImageChops, ImageStat

from adapters import make_sanitizers
from models import File
from models.enum import FileKind
from setting_types import PngResults
from settings import Settings
from tests.conftest import Running, running
from tests.support.corpus import photos, pictures
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.fakes.openrouter_response import picture
from tests.support.integrity import assert_invariants
from tests.web.test_shared_picture import SHARE, get


def photo(mode: str) -> Image.Image:
    image = photos.textured((400, 300))
    if mode == "RGBA":
        image.putalpha(photos.landscape(image.size, "L").point(lambda value: 255 * (value > 128)))
    return image


def loss(first: Image.Image, second: Image.Image) -> float:
    """Return the mean difference of what two images show on black, 0 to 255."""
    shown = [Image.alpha_composite(Image.new("RGBA", image.size), image.convert("RGBA")) for image in (first, second)]
    return max(ImageStat.Stat(ImageChops.difference(*(image.convert("RGB") for image in shown))).mean)


async def made_result(server: Running, openrouter: ScriptedOpenRouter, data: bytes) -> tuple[dict[str, object], bytes]:
    """Return a generation whose model answered with `data`, and the bytes that its result link serves."""
    ada = await server.api.sign_up()
    openrouter.script(picture(data))
    (made,) = (await ada.create(prompt="A fox"))["generations"]
    await server.services.generations.worker.process(made["id"])
    ended = await ada.generation(made["id"])
    assert ended["status"] == "COMPLETED"
    result = ended["result"]
    shown, saved = [await ada.http.get(result[name]) for name in ("url", "downloadUrl")]
    assert shown.headers["content-type"] == saved.headers["content-type"] == result["contentType"]
    assert shown.content == saved.content
    assert len(shown.content) == result["byteSize"]
    ending = result["contentType"].removeprefix("image/")
    assert saved.headers["content-disposition"].endswith(f'.{ending}"')
    thumbnail = Image.open(io.BytesIO((await ada.http.get(result["thumbnailUrl"])).content))
    assert thumbnail.format == "WEBP"
    await assert_invariants(server.services)
    return result, shown.content


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize(
    ("setting", "content_type"),
    [
        (PngResults.WEBP, "image/webp"),
        (PngResults.WEBP_LOSSLESS, "image/webp"),
        (PngResults.PNG, "image/png"),
    ],
)
async def test_png_result_is_stored_and_served_as_the_setting_says(
    scripted_settings: Settings, openrouter: ScriptedOpenRouter, setting: PngResults, content_type: str, mode: str
) -> None:
    original = photo(mode)
    data = pictures.encode(original, "PNG")
    settings = scripted_settings.model_copy(update={"png_results": setting})
    sanitizers = make_sanitizers(settings)
    async with contextlib.aclosing(sanitizers), running(settings, idle=True, sanitizers=sanitizers) as server:
        result, stored = await made_result(server, openrouter, data)
    image = Image.open(io.BytesIO(stored))
    assert (result["contentType"], image.mode, image.size) == (content_type, mode, (400, 300))
    assert len(stored) <= len(data)
    assert loss(image, original) < (3 if setting is PngResults.WEBP else 0.001)
    if mode == "RGBA":
        assert image.getchannel("A").tobytes() == original.getchannel("A").tobytes()


async def test_shared_webp_result_has_a_jpeg_preview_and_a_matching_download_name(
    idle_server: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada = await idle_server.api.sign_up()
    openrouter.script(picture(pictures.encode(photo("RGB"), "PNG")))
    (made,) = (await ada.create(prompt="A fox"))["generations"]
    await idle_server.services.generations.worker.process(made["id"])
    await ada.one(SHARE, id=made["id"], slug="the-webp-fox")
    saved = await get(idle_server, "the-webp-fox/picture?download=1")
    assert saved.headers["content-type"] == "image/webp"
    assert ".webp" in saved.headers["content-disposition"]
    preview = await get(idle_server, "the-webp-fox/preview.jpg")
    assert Image.open(io.BytesIO(preview.content)).format == "JPEG"
    row = await File.get(kind=FileKind.RESULT, owner_id=ada.user["id"])
    assert row.content_type == "image/webp"


async def test_uploaded_png_remains_a_png(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    made = await ada.create(pictures.encode(photo("RGB"), "PNG"), prompt="A fox")
    assert made["generations"][0]["original"]["contentType"] == "image/png"
