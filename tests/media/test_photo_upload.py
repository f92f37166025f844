"""Photos of phones over HTTP: what is accepted, and what a refusal says."""

import contextlib
import io
from typing import Any

import pytest
from PIL import Image

from adapters import make_sanitizers
from models import File
from models.enum import FileKind
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import CREATE, Api
from tests.support.corpus import photos, pictures

UPLOAD = """mutation($input: CreateUploadInput!) {
  createUpload(input: $input) { upload { id } errors { code message field } }
}"""


async def stored(running: Running, data: bytes) -> File:
    ada = await running.api.sign_up()
    made = await ada.create(data, prompt="A fox")
    assert made["errors"] == []
    return await File.filter(kind=FileKind.ORIGINAL).order_by("-created_at", "-id").first()  # type: ignore[return-value]  # there is one


async def refused(api: Api, data: bytes, language: str = "en") -> dict[str, Any]:
    response = await api.raw(CREATE, {"input.image": data}, {"accept-language": language}, input={"prompt": "A fox"})
    (error,) = response.json()["data"]["createGeneration"]["errors"]
    return error  # type: ignore[no-any-return]  # JSON


async def test_photo_of_48_megapixels_is_accepted(idle_server: Running) -> None:
    file = await stored(idle_server, photos.photo_jpeg((8064, 6048)))
    assert (file.content_type, file.width, file.height) == ("image/jpeg", 4096, 3072)


@pytest.mark.parametrize("build", [photos.heic, photos.avif])
async def test_heic_and_avif_are_accepted_and_stored_as_jpeg(idle_server: Running, build: pictures.Builder) -> None:
    file = await stored(idle_server, build())
    assert (file.content_type, file.width, file.height) == ("image/jpeg", 64, 48)


async def test_jpeg_without_its_end_is_accepted_and_half_a_jpeg_refused(idle_server: Running) -> None:
    data = photos.photo_jpeg((1600, 1200))
    ada = await idle_server.api.sign_up()
    assert (await ada.create(data[:-2], prompt="A fox"))["errors"] == []
    error = await refused(ada, data[:4000])
    assert (error["code"], error["message"]) == ("INVALID_INPUT", "The picture is damaged or incomplete.")


async def test_original_is_not_larger_than_the_photo(idle_server: Running) -> None:
    data = pictures.encode(photos.textured((640, 480)), "JPEG", quality=75)
    assert (await stored(idle_server, data)).byte_size <= len(data)


async def test_linear_png_is_stored_as_bright_as_browsers_show_it(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    made = await ada.create(photos.grey_png(64, photos.LINEAR), prompt="A fox")
    url = made["generations"][0]["original"]["url"]
    image = Image.open(io.BytesIO((await ada.http.get(url)).content))
    assert image.getpixel((4, 4)) == (137, 137, 137)


async def test_jpeg_of_2000_scans_is_refused(idle_server: Running) -> None:
    error = await refused(await idle_server.api.sign_up(), pictures.many_scans(4000, 2000))
    assert (error["code"], error["field"]) == ("INVALID_INPUT", ["image"])
    assert "too long to decode" in error["message"]


async def test_refusal_names_the_limit_of_megapixels_and_what_the_picture_has(scripted_settings: Settings) -> None:
    settings = scripted_settings.model_copy(update={"image_max_megapixels": 60})
    sanitizers = make_sanitizers(settings)
    async with contextlib.aclosing(sanitizers), running(settings, idle=True, sanitizers=sanitizers) as server:
        ada = await server.api.sign_up()
        english = await refused(ada, pictures.jpeg_header(10000, 8000))
        chinese = await refused(ada, pictures.jpeg_header(10000, 8000), "zh")
    assert english["message"] == (
        "The picture has too many pixels: 80 megapixels (10000 x 8000); at most 60 are accepted."
    )
    assert "80" in chinese["message"]
    assert "60" in chinese["message"]


async def test_refused_heic_says_what_to_do_on_an_iphone(scripted_settings: Settings) -> None:
    settings = scripted_settings.model_copy(update={"upload_formats": ("JPEG", "PNG")})
    async with running(settings, idle=True) as server:
        ada = await server.api.sign_up()
        english, chinese = await refused(ada, photos.heic()), await refused(ada, photos.heic(), "zh")
    assert "Settings > Camera > Formats > Most Compatible" in english["message"]
    assert "JPEG, PNG" in english["message"]
    assert "兼容性最佳" in chinese["message"]


@pytest.mark.parametrize("content_type", ["image/heic", "image/HEIF", "image/avif"])
async def test_heic_and_avif_can_be_sent_ahead(idle_server: Running, content_type: str) -> None:
    ada = await idle_server.api.sign_up()
    made = await ada.one(UPLOAD, input={"contentType": content_type, "byteSize": 1000})
    assert made["errors"] == []


@pytest.mark.parametrize(
    ("language", "advice"), [("en", "up to 10 MiB. Please save it with fewer pixels"), ("zh-CN", "请降低像素或画质")]
)
async def test_refusal_of_too_many_bytes_says_what_to_do(idle_server: Running, language: str, advice: str) -> None:
    ada = await idle_server.api.sign_up()
    limit = idle_server.services.media.files.limits.max_bytes
    announced = await ada.raw(
        UPLOAD, headers={"accept-language": language}, input={"contentType": "image/jpeg", "byteSize": limit + 1}
    )
    (error,) = announced.json()["data"]["createUpload"]["errors"]
    sent = await ada.raw(
        CREATE, {"input.image": bytes(2 * limit)}, {"accept-language": language}, input={"prompt": "A"}
    )
    assert sent.status_code == 413
    little = await ada.raw(
        CREATE, {"input.image": bytes(limit + limit // 25)}, {"accept-language": language}, input={"prompt": "A"}
    )
    (refused,) = little.json()["data"]["createGeneration"]["errors"]
    assert (refused["field"], refused["message"]) == (["image"], error["message"])
    assert advice in error["message"]
    assert sent.json()["errors"][0]["message"] == error["message"]
