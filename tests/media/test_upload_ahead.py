"""Pictures sent ahead of the request that uses them: announced, sent, used, refused, and gone in time."""

import asyncio
import io
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from PIL import Image

from models import Upload, ids
from models.database.connection import rows
from services.background.sweeper import Sweeper
from services.integrations.storage.local import LocalStorage
from services.integrations.storage.protocol import StorageError
from services.media.upload import MAX_UPLOADS, UploadService
from services.media.wiring import Media
from tests.conftest import Running
from tests.support.client import CREATE, Api, photo
from tests.support.corpus import pictures
from tests.support.integrity import assert_invariants, count_rows, stored_keys

ANNOUNCE = """
mutation($input: CreateUploadInput!) {
  createUpload(input: $input) {
    upload { id url method headers fields expiresAt }
    errors { __typename code message field ... on QuotaExceededError { resetsAt } }
  }
}"""
NOTHING = {"generations": 0, "files": 0, "lines": 0}
HOSTILE = {
    "a page": b"<!doctype html><script>alert(1)</script>",
    "a bomb": pictures.jpeg_header(65500, 65500),
    "a half": photo()[: len(photo()) // 2],
    "a drawing": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
}


async def announce(api: Api, data: bytes, content_type: str = "image/jpeg", **more: Any) -> Any:
    """Where to send these bytes."""
    made = await api.one(ANNOUNCE, input={"contentType": content_type, "byteSize": len(data), **more})
    assert made["errors"] == [], made
    return made["upload"]


async def send(api: Api, target: Any, data: bytes, content_type: str = "image/jpeg") -> httpx.Response:
    """What a client does with a target, knowing nothing of the storage behind it."""
    files = {"file": ("photo", data, content_type)}
    return await api.http.request(
        target["method"], target["url"], headers=target["headers"], data=target["fields"], files=files
    )


async def sent(api: Api, data: bytes, announced: int = 0) -> str:
    """The id of an upload whose bytes have arrived."""
    target = await announce(api, data if not announced else bytes(announced))
    assert (await send(api, target, data)).status_code == 204
    return str(target["id"])


async def age(upload_id: str, seconds: float) -> None:
    """Let time pass for an upload."""
    await rows("UPDATE uploads SET created_at = LATER($2) WHERE id = $1 RETURNING id", upload_id, -float(seconds))


async def test_a_picture_sent_ahead_becomes_a_picture(ada: Api, server: Running) -> None:
    data = photo(320, 200)
    target = await announce(ada, data)
    assert (target["method"], urlsplit(target["url"]).netloc) == ("POST", urlsplit(ada.address).netloc)
    assert (await send(ada, target, data)).status_code == 204
    assert await ada.credits() == 30
    made = await ada.create(styleId=await ada.style("cute", "plushify"), uploadId=target["id"])
    assert made["errors"] == []
    (generation,) = made["generations"]
    assert (generation["original"]["width"], generation["original"]["height"]) == (320, 200)
    ended = await ada.wait_for_end(generation["id"])
    assert ended["status"] == "COMPLETED"
    Image.open(io.BytesIO((await ada.http.get(ended["result"]["url"])).content)).load()
    assert await ada.credits() == 29
    await assert_invariants(server.services, all_ended=True, all_swept=True)


async def test_one_upload_serves_several_requests_and_a_repeated_one_outlives_it(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    upload_id = await sent(ada, photo())
    first = await ada.create(prompt="A fox", uploadId=upload_id, idempotencyKey="one")
    second = await ada.create(prompt="A crow", uploadId=upload_id)
    assert first["errors"] == second["errors"] == []
    assert first["generations"][0]["id"] != second["generations"][0]["id"]
    other = await ada.refused(CREATE, input={"prompt": "A fox", "uploadId": ids.new_id("upl"), "idempotencyKey": "one"})
    assert other["code"] == "CONFLICT"
    await age(upload_id, 4000)
    await idle_server.services.background.sweeper.sweep()
    again = await ada.create(prompt="A fox", uploadId=upload_id, idempotencyKey="one")
    assert again["generations"][0]["id"] == first["generations"][0]["id"]
    assert await count_rows() == {"generations": 2, "files": 2, "lines": 2}


async def test_what_came_is_clean_and_what_was_sent_is_gone_in_time(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    data = pictures.encode(pictures.scene(), "JPEG", exif=pictures.exif())
    upload_id = await sent(ada, data)
    made = await ada.create(prompt="A fox", uploadId=upload_id)
    original = await ada.http.get(made["generations"][0]["original"]["url"])
    assert pictures.SECRET in data
    assert pictures.SECRET not in original.content
    (upload,) = await Upload.all()
    assert upload.key in await stored_keys(idle_server.services)
    await age(upload_id, 3500)
    await idle_server.services.background.sweeper.sweep()
    assert upload.key in await stored_keys(idle_server.services)
    await age(upload_id, 3700)
    await idle_server.services.background.sweeper.sweep()
    assert await Upload.all().count() == 0
    assert {key.split("/")[0] for key in await stored_keys(idle_server.services)} == {"originals"}
    await assert_invariants(idle_server.services, all_swept=True)


@pytest.mark.parametrize(
    ("input", "field"),
    [
        ({"contentType": "image/gif", "byteSize": 100}, "contentType"),
        ({"contentType": "image/JPEG", "byteSize": 100}, "contentType"),
        ({"contentType": "text/html\u0000", "byteSize": 100}, "contentType"),
        ({"contentType": "image/png", "byteSize": 0}, "byteSize"),
        ({"contentType": "image/png", "byteSize": -1}, "byteSize"),
        ({"contentType": "image/png", "byteSize": 10 * 2**20 + 1}, "byteSize"),
        ({"contentType": "image/png", "byteSize": 9, "idempotencyKey": ""}, "idempotencyKey"),
        ({"contentType": "image/png", "byteSize": 9, "idempotencyKey": "k" * 129}, "idempotencyKey"),
        ({"contentType": "image/png", "byteSize": 9, "idempotencyKey": "a\u0000b"}, "idempotencyKey"),
    ],
)
@pytest.mark.any_database
async def test_what_cannot_be_sent_is_refused_before_it_is(ada: Api, input: dict[str, Any], field: str) -> None:
    refused = await ada.refused(ANNOUNCE, input=input)
    assert (refused["__typename"], refused["code"], refused["field"]) == ("InputError", "INVALID_INPUT", [field])
    assert await Upload.all().count() == 0


async def test_the_same_key_leads_to_the_same_upload_as_long_as_that_takes_bytes(idle_server: Running) -> None:
    ada, eve = await idle_server.api.sign_up(), await idle_server.api.sign_up("eve@example.com")
    data = photo()
    first = await announce(ada, data, idempotencyKey="k")
    await age(first["id"], 600)
    again = await announce(ada, data, idempotencyKey="k")
    assert again["id"] == first["id"]
    assert again["expiresAt"] < first["expiresAt"]  # the time runs on
    assert (await announce(eve, data, idempotencyKey="k"))["id"] != first["id"]
    other = {"contentType": "image/png", "byteSize": len(data), "idempotencyKey": "k"}
    assert (await ada.refused(ANNOUNCE, input=other))["code"] == "CONFLICT"
    await age(first["id"], 1801)
    assert (await announce(ada, data, idempotencyKey="k"))["id"] != first["id"]


async def test_twins_make_one_upload_and_a_crowd_no_more_than_may_wait(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    twins = await asyncio.gather(*(announce(ada, b"x", idempotencyKey="k") for _ in range(8)))
    assert len({twin["id"] for twin in twins}) == 1
    input = {"contentType": "image/png", "byteSize": 9}
    crowd = await asyncio.gather(*(ada.one(ANNOUNCE, input=input) for _ in range(MAX_UPLOADS + 4)))
    refused = [error for answer in crowd for error in answer["errors"]]
    assert len(refused) == 5
    assert await Upload.all().count() == MAX_UPLOADS
    assert {(error["__typename"], error["code"]) for error in refused} == {("QuotaExceededError", "QUOTA_EXCEEDED")}
    oldest = await Upload.all().order_by("created_at").first()
    assert oldest is not None
    await age(oldest.id, 3601)
    assert (await ada.one(ANNOUNCE, input=input))["errors"] == []


@pytest.mark.any_database
async def test_a_full_account_is_told_in_its_language_and_when_there_is_room_again(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    targets = [await announce(ada, b"x") for _ in range(MAX_UPLOADS)]
    input = {"contentType": "image/png", "byteSize": 9}
    body = (await ada.raw(ANNOUNCE, None, {"accept-language": "zh"}, input=input)).json()
    (error,) = body["data"]["createUpload"]["errors"]
    assert "最多" in error["message"]
    # Twice as long as the target: that takes bytes for the first half of an upload's life.
    assert error["resetsAt"] > max(target["expiresAt"] for target in targets)


async def test_an_upload_that_is_not_there_not_ones_own_or_past_its_time_answers_alike(idle_server: Running) -> None:
    ada, eve = await idle_server.api.sign_up(), await idle_server.api.sign_up("eve@example.com")
    theirs, old = await sent(eve, photo()), await sent(ada, photo())
    await age(old, 3601)
    answers = [
        await ada.refused(CREATE, input={"prompt": "A fox", "uploadId": id})
        for id in (ids.new_id("upl"), theirs, old, "upl_\u0000", "x")
    ]
    assert answers[0] == {"code": "NOT_FOUND", "message": "This does not exist.", "field": ["uploadId"]}
    assert answers == [answers[0]] * 5
    assert await count_rows() == NOTHING


async def test_a_picture_that_has_not_arrived_is_not_there_yet(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    data = photo()
    target = await announce(ada, data)
    order = {"prompt": "A fox", "uploadId": target["id"]}
    refused = await ada.refused(CREATE, input=order)
    assert refused == {"code": "NOT_FOUND", "message": "The picture has not arrived yet.", "field": ["uploadId"]}
    await send(ada, target, data)
    assert (await ada.create(**order))["errors"] == []


@pytest.mark.any_database
async def test_a_photo_comes_one_way_and_only_where_one_is_wanted(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    upload_id = await sent(ada, photo())
    both = await ada.refused(CREATE, {"input.image": photo()}, input={"prompt": "A fox", "uploadId": upload_id})
    assert (both["code"], both["field"]) == ("INVALID_INPUT", ["uploadId"])
    await rows("UPDATE styles SET reference_image = 'UNUSED' RETURNING id")
    style = await ada.style("cute", "plushify")
    unwanted = await ada.refused(CREATE, input={"styleId": style, "uploadId": upload_id})
    assert (unwanted["code"], unwanted["field"]) == ("INVALID_INPUT", ["uploadId"])
    await rows("UPDATE styles SET reference_image = 'REQUIRED' RETURNING id")
    assert (await ada.create(styleId=style, uploadId=upload_id))["errors"] == []


async def test_hostile_bytes_are_refused_when_they_are_used_and_nothing_is_charged(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    for name, data in HOSTILE.items():
        order = {"prompt": "A fox", "uploadId": await sent(ada, data)}
        refused = await ada.refused(CREATE, input=order)
        assert (refused["code"], refused["field"]) == ("INVALID_INPUT", ["uploadId"]), name
    assert await count_rows() == NOTHING
    assert await ada.credits() == 10_000


@pytest.mark.any_database
async def test_more_than_was_announced_is_not_used_whatever_the_store_took(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    data = photo()
    upload_id = await sent(ada, data)
    (upload,) = await Upload.all()
    await idle_server.services.integrations.storage.put(upload.key, data + b"\0", "image/jpeg")
    refused = await ada.refused(CREATE, input={"prompt": "A fox", "uploadId": upload_id})
    assert (refused["code"], refused["message"]) == ("INVALID_INPUT", "The file is larger than declared.")


@pytest.mark.any_database
async def test_a_storage_that_does_not_answer_is_an_outage_and_costs_nothing(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    upload_id = await sent(ada, photo())
    (upload,) = await Upload.all()
    path = idle_server.settings.data_dir / "files" / upload.key
    path.unlink()
    path.mkdir()  # cannot be read as a file
    refused = await ada.refused(CREATE, input={"prompt": "A fox", "uploadId": upload_id})
    assert refused["code"] == "UNAVAILABLE"
    assert await count_rows() == NOTHING
    assert await ada.credits() == 10_000
    with pytest.raises(StorageError):
        await idle_server.services.integrations.storage.delete(upload.key)
    other = await sent(ada, photo())
    for id in (upload_id, other):
        await age(id, 3601)
    await idle_server.services.background.sweeper.sweep()
    assert [row.id for row in await Upload.all()] == [upload_id]  # kept for the next sweep; it stopped no other
    path.rmdir()
    await idle_server.services.background.sweeper.sweep()
    assert await Upload.all().count() == 0
    await assert_invariants(idle_server.services, all_swept=True)


class DeadStorage(LocalStorage):
    """Removes nothing, and remembers how often it was asked."""

    asked = 0

    async def delete(self, key: str) -> None:
        self.asked += 1
        raise StorageError("down")


@pytest.mark.any_database
async def test_a_storage_that_is_down_does_not_hold_up_a_sweep(idle_server: Running, tmp_path: Path) -> None:
    ada = await idle_server.api.sign_up()
    for _ in range(6):
        await age((await announce(ada, b"x"))["id"], 3601)
    storage = DeadStorage(tmp_path / "dead", address="http://localhost", secret="x" * 32, link_seconds=60)
    services = idle_server.services
    uploads = UploadService(storage, services.media.files.limits, 3600)
    chores = Media(services.media.files, uploads, orphan_seconds=900.0).chores
    sweeper = Sweeper(chores, (), every=1.0)
    await sweeper.sweep()
    assert storage.asked == 3
    assert await Upload.all().count() == 6
    await idle_server.services.background.sweeper.sweep()
    assert await Upload.all().count() == 0
