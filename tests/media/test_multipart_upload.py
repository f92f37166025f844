"""Multipart uploads: pictures are stored sanitized, or refused with nothing stored and nothing charged."""

import asyncio
import base64
import contextlib
import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from models import File
from models.enum import FileKind
from tests.conftest import Running
from tests.support.client import CREATE, Api, photo
from tests.support.corpus import pictures
from tests.support.corpus.picture_cases import HOSTILE, MARKERS, ORDINARY
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.fakes.openrouter_response import picture
from tests.support.integrity import assert_invariants, count_rows, stored_keys
from tests.support.raw_multipart import CONTENT_TYPE, Part, file_map, form, operations

MIB = 2**20
LIMIT = 10 * MIB
CREATE_PARTS = (
    operations(CREATE, {"input": {"prompt": "A fox", "image": None}}),
    file_map({"0": ["variables.input.image"]}),
)
NOTHING = {"generations": 0, "files": 0, "lines": 0}


async def fetched(api: Api, url: str) -> bytes:
    response = await api.http.get(url)
    assert response.status_code == 200
    return response.content


def check_clean(data: bytes, name: str) -> None:
    assert [marker for marker in MARKERS if marker in data] == [], name


def check_upright(image: Image.Image, name: str) -> None:
    """Check that the four quarters of the corpus's scene have their colors."""
    expected = {
        (0.25, 0.25): (255, 0, 0),
        (0.75, 0.25): (0, 255, 0),
        (0.25, 0.75): (0, 0, 255),
        (0.75, 0.75): (255, 255, 0),
    }
    for (x, y), colour in expected.items():
        found: Any = image.convert("RGB").getpixel((int(image.width * x), int(image.height * y)))
        assert all(abs(actual - wanted) < 40 for actual, wanted in zip(found, colour, strict=True)), (name, x, y, found)


async def test_ordinary_pictures_are_stored_upright_and_without_metadata(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    for case in ORDINARY[::3]:
        made = await ada.create(case.build(), prompt="A fox")
        assert made["errors"] == [], case.name
        original = made["generations"][0]["original"]
        assert (original["width"], original["height"]) == case.size, case.name
        assert original["contentType"] == f"image/{case.format.lower()}", case.name
        data = await fetched(ada, original["url"])
        assert len(data) == original["byteSize"], case.name
        check_clean(data, case.name)
        check_clean(await fetched(ada, original["thumbnailUrl"]), case.name)
        with Image.open(io.BytesIO(data)) as image:
            assert (image.format, image.size, image.mode) == (case.format, case.size, case.mode), case.name
            assert getattr(image, "n_frames", 1) == 1, case.name
            if "orientation" in case.name:
                check_upright(image, case.name)
    await assert_invariants(idle_server.services, all_swept=True)


async def test_hostile_pictures_are_refused_with_nothing_stored_or_charged(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    for case in HOSTILE[::3]:
        refused = await ada.refused(CREATE, {"input.image": case.build()}, input={"prompt": "A fox"})
        assert (refused["code"], refused["field"]) == ("INVALID_INPUT", ["image"]), case.name
        assert refused["message"].isprintable(), case.name
    assert await count_rows() == NOTHING
    assert await stored_keys(idle_server.services) == set()
    assert await ada.credits() == 10_000


async def test_the_reason_of_a_refusal_is_translated(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    reasons = {
        b"": "empty",
        b"just words": "JPEG, PNG, WEBP",
        pictures.jpeg_header(65500, 65500): "too many pixels",
        pictures.jpeg_header(64, 48): "damaged",
    }
    for data, words in reasons.items():
        files = {"input.image": data}
        assert words in (await ada.refused(CREATE, files, input={"prompt": "A fox"}))["message"]
        chinese = await ada.raw(CREATE, files, {"accept-language": "zh"}, input={"prompt": "A fox"})
        (error,) = chinese.json()["data"]["createGeneration"]["errors"]
        assert any("\u4e00" <= character <= "\u9fff" for character in error["message"]), words


async def test_metadata_is_removed_from_the_providers_picture(
    idle_server: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada = await idle_server.api.sign_up()
    for dirty in (
        pictures.with_chunks(pictures.chunk(b"tEXt", b"Comment\0" + pictures.SECRET)),
        pictures.encode(pictures.scene(), "PNG", exif=pictures.exif()),
        pictures.png() + pictures.SCRIPT,
        pictures.oriented("JPEG", 6),
    ):
        assert any(marker in dirty for marker in MARKERS)
        openrouter.script(picture(dirty))
        (made,) = (await ada.create(prompt="A fox"))["generations"]
        await idle_server.services.generations.worker.process(made["id"])
        ended = await ada.generation(made["id"])
        assert ended["status"] == "COMPLETED"
        data = await fetched(ada, ended["result"]["url"])
        check_clean(data, "result")
        check_clean(await fetched(ada, ended["result"]["thumbnailUrl"]), "thumbnail")
        check_upright(Image.open(io.BytesIO(data)), "result")


async def test_the_provider_receives_the_sanitized_picture(
    idle_server: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada = await idle_server.api.sign_up()
    dirty = pictures.encode(pictures.scene(), "JPEG", exif=pictures.exif(8), xmp=pictures.xmp())
    (made,) = (await ada.create(dirty, prompt="A fox"))["generations"]
    await idle_server.services.generations.worker.process(made["id"])
    stored = await File.get(kind=FileKind.ORIGINAL)
    (call,) = openrouter.calls
    (part,) = [part for part in call.body["messages"][-1]["content"] if part["type"] == "image_url"]
    sent = base64.b64decode(part["image_url"]["url"].partition(",")[2])
    check_clean(sent, "sent")
    assert len(sent) == stored.byte_size


@pytest.mark.parametrize("extra", [0, 1])
async def test_the_size_limit_is_exactly_ten_mebibytes(idle_server: Running, extra: int) -> None:
    ada = await idle_server.api.sign_up()
    whole = pictures.jpeg()
    data = whole + b"\0" * (LIMIT + extra - len(whole))  # the sanitizer drops what follows a JPEG's end
    response = await ada.raw(CREATE, {"input.image": data}, input={"prompt": "A fox"})
    made = response.json()["data"]["createGeneration"]
    if extra == 0:
        assert made["errors"] == []
        assert made["generations"][0]["original"]["byteSize"] < 10_000
    else:
        assert [(error["code"], error["field"]) for error in made["errors"]] == [("INVALID_INPUT", ["image"])]
        assert "10 MiB" in made["errors"][0]["message"]
        assert await count_rows() == NOTHING


def resident() -> int:
    """Return the resident memory of this process, which includes the server, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.parametrize("has_length", [True, False])
async def test_a_body_far_over_the_limit_is_not_read(idle_server: Running, has_length: bool) -> None:
    ada = await idle_server.api.sign_up()
    head = form(
        [operations(CREATE, {"input": {"prompt": "A fox", "image": None}}), file_map({"0": ["variables.input.image"]})],
        closed=False,
    )
    start = head + form([Part(b"0", b"", b"big.jpg", b"image/jpeg")], closed=False).removesuffix(b"\r\n")
    size, sent, block = 300 * MIB, 0, bytes(64 * 1024)
    reader, writer = await asyncio.open_connection("127.0.0.1", int(ada.address.rsplit(":", 1)[1]))
    length = f"Content-Length: {len(start) + size}" if has_length else "Transfer-Encoding: chunked"
    lines = ["POST /graphql HTTP/1.1", "Host: localhost", f"Content-Type: {CONTENT_TYPE}", length]
    writer.write("\r\n".join([*lines, f"Authorization: Bearer {ada.token}", "", ""]).encode())
    answer = asyncio.create_task(reader.read(4096))
    before = resident()
    with contextlib.suppress(ConnectionError):  # the server closes the connection of a client that continues
        while sent < size and not answer.done():
            chunk = block if sent else start
            writer.write(chunk if has_length else b"%x\r\n%b\r\n" % (len(chunk), chunk))
            await writer.drain()
            sent += len(chunk)
    response = await asyncio.wait_for(answer, 20)
    writer.close()
    assert response.startswith(b"HTTP/1.1 413 ")
    assert b'"INVALID_INPUT"' in response
    assert sent < LIMIT * 21 / 20 + 8 * MIB  # what is read to name the field, and what the kernel's buffers hold
    assert resident() - before < 64 * MIB
    assert await count_rows() == NOTHING
    assert await ada.credits() == 10_000


FILE_NAMES = (
    b"../../../etc/passwd",
    b"..%2f..%2fetc%2fpasswd",
    b"C:\\Windows\\system32\\con.png",
    b"/absolute/path.jpg",
    b"nul\x00byte.jpg",
    b"line\r\n feed.jpg",
    b"con.png",
    b".",
    b"..",
    b" ",
    b"a" * 4000 + b".jpg",
    "‮gpj.exe".encode(),
    "照片.jpg".encode(),
    b"\xff\xfe not utf-8",
    b"<script>alert(1)</script>.svg",
    b"'; DROP TABLE files; --",
)


async def test_file_names_and_declared_types_are_ignored(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    data = pictures.png()
    for number, name in enumerate(FILE_NAMES):
        declared = (b"image/jpeg", b"text/html", b"application/x-php", None)[number % 4]
        body = form(
            [
                *CREATE_PARTS,
                Part(b"0", data, name, declared),
            ]
        )
        response = await ada.http.post("/graphql", content=body, headers=ada.headers(**{"content-type": CONTENT_TYPE}))
        if response.status_code == 400:  # the parser refuses such a header
            assert response.json()["errors"][0]["extensions"]["code"] == "INVALID_INPUT", name
            assert b"\x00" in name or b"\r" in name, name
            continue
        made = response.json()["data"]["createGeneration"]
        assert made["errors"] == [], name
        original = made["generations"][0]["original"]
        assert original["contentType"] == "image/png", name
        download = await ada.http.get(original["downloadUrl"])
        saved_as = f"original-{made['generations'][0]['createdAt'][:10]}-{made['generations'][0]['id'][-6:]}.png"
        assert download.headers["content-disposition"].endswith(f'filename="{saved_as}"'), name
    user = str(ada.user["id"])
    rows = await File.all()
    assert await stored_keys(idle_server.services) == {
        f"originals/{user}/{row.id}{end}" for row in rows for end in ("", "-thumbnail")
    }
    assert len(rows) >= len(FILE_NAMES) - 2


async def test_the_same_photo_sent_twice_is_two_files(idle_server: Running) -> None:
    ada, eve = await idle_server.api.sign_up(), await idle_server.api.sign_up("eve@example.com")
    for client in (ada, ada, eve):
        await client.create(photo(64, 48), prompt="A fox")
    rows = await File.all()
    assert len({row.key for row in rows}) == 3
    assert len({row.sha256 for row in rows}) == 1
    assert {row.owner_id for row in rows} == {ada.user["id"], eve.user["id"]}


async def test_a_failure_to_store_the_photo_costs_nothing(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    folder = idle_server.settings.data_dir / "files" / "originals"
    folder.write_bytes(b"")  # a file where a folder should be
    refused = await ada.refused(CREATE, {"input.image": photo()}, input={"prompt": "A fox", "idempotencyKey": "k"})
    assert refused["code"] == "UPLOAD_FAILED"
    assert await ada.credits() == 10_000
    assert await File.filter(state="LIVE").count() == 0
    without_photo = await ada.create(prompt="A fox")
    assert without_photo["errors"] == []
    folder.unlink()
    await idle_server.services.background.sweeper.sweep()
    assert await count_rows() == {"generations": 1, "files": 0, "lines": 1}
    again = await ada.create(photo(), prompt="A fox", idempotencyKey="k")
    assert len(again["generations"]) == 1
    await assert_invariants(idle_server.services, all_swept=True)
