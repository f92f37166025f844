"""Direct uploads: created, sent to the storage, used by requests, refused, and removed when they expire."""

import asyncio
import io
from dataclasses import replace
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
from tests.conftest import Running
from tests.support.client import CREATE, Api, photo
from tests.support.corpus import pictures
from tests.support.integrity import assert_invariants, count_rows, stored_keys

CREATE_UPLOAD = """
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
    "a truncated photo": photo()[: len(photo()) // 2],
    "a drawing": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
}


async def create_upload(api: Api, data: bytes, content_type: str = "image/jpeg", **more: Any) -> Any:
    """Create an upload for these bytes and return its target."""
    made = await api.one(CREATE_UPLOAD, input={"contentType": content_type, "byteSize": len(data), **more})
    assert made["errors"] == [], made
    return made["upload"]


async def send(api: Api, target: Any, data: bytes, content_type: str = "image/jpeg") -> httpx.Response:
    """Send the bytes as any client does, whatever storage is behind the target."""
    files = {"file": ("photo", data, content_type)}
    return await api.http.request(
        target["method"], target["url"], headers=target["headers"], data=target["fields"], files=files
    )


async def sent(api: Api, data: bytes, declared: int = 0) -> str:
    """Return the id of an upload whose bytes have arrived."""
    target = await create_upload(api, data if not declared else bytes(declared))
    assert (await send(api, target, data)).status_code == 204
    return str(target["id"])


async def age(upload_id: str, seconds: float) -> None:
    """Make an upload as expired as `seconds`."""
    await rows("UPDATE uploads SET created_at = LATER($2) WHERE id = $1 RETURNING id", upload_id, -float(seconds))


async def test_a_direct_upload_becomes_the_original_of_a_generation(ada: Api, server: Running) -> None:
    data = photo(320, 200)
    target = await create_upload(ada, data)
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


async def test_several_requests_use_one_upload_and_a_replay_works_after_it_expired(idle_server: Running) -> None:
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


async def test_the_original_is_sanitized_and_the_upload_is_removed_when_it_expires(idle_server: Running) -> None:
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
        ({"contentType": "image/jpeg2000", "byteSize": 100}, "contentType"),
        ({"contentType": "image/jpeg, image/png", "byteSize": 100}, "contentType"),
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
async def test_an_invalid_upload_is_refused_before_it_is_created(ada: Api, input: dict[str, Any], field: str) -> None:
    refused = await ada.refused(CREATE_UPLOAD, input=input)
    assert (refused["__typename"], refused["code"], refused["field"]) == ("InputError", "INVALID_INPUT", [field])
    assert await Upload.all().count() == 0


@pytest.mark.any_database
async def test_content_type_is_understood_in_every_spelling(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    spellings = {
        "image/jpeg": ("image/jpg", "IMAGE/JPEG", "Image/JPEG; charset=binary", "image/pjpeg", " image/jpeg ;q=1"),
        "image/png": ("image/PNG", "image/x-png", "image/png;name=a.png"),
        "image/webp": ("Image/WebP",),
    }
    for stored, given in spellings.items():
        made = [await create_upload(ada, b"x", spelling, idempotencyKey=stored) for spelling in (stored, *given)]
        assert len({upload["id"] for upload in made}) == 1, given
        assert (await Upload.get(id=made[0]["id"])).content_type == stored


async def test_the_same_key_returns_the_same_upload_while_that_accepts_bytes(idle_server: Running) -> None:
    ada, eve = await idle_server.api.sign_up(), await idle_server.api.sign_up("eve@example.com")
    data = photo()
    first = await create_upload(ada, data, idempotencyKey="k")
    await age(first["id"], 600)
    again = await create_upload(ada, data, idempotencyKey="k")
    assert again["id"] == first["id"]
    assert again["expiresAt"] < first["expiresAt"]  # the time left is shorter
    assert (await create_upload(eve, data, idempotencyKey="k"))["id"] != first["id"]
    other = {"contentType": "image/png", "byteSize": len(data), "idempotencyKey": "k"}
    assert (await ada.refused(CREATE_UPLOAD, input=other))["code"] == "CONFLICT"
    await age(first["id"], 1801)
    assert (await create_upload(ada, data, idempotencyKey="k"))["id"] != first["id"]


async def test_concurrent_duplicates_create_one_upload_within_the_limit(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    duplicates = await asyncio.gather(*(create_upload(ada, b"x", idempotencyKey="k") for _ in range(8)))
    assert len({upload["id"] for upload in duplicates}) == 1
    input = {"contentType": "image/png", "byteSize": 9}

    async def request() -> Any:
        while True:
            response = await ada.one(CREATE_UPLOAD, input=input)
            # On a busy machine the last in line waits longer for the account's lock than a statement may.
            if [error["code"] for error in response["errors"]] != ["UNAVAILABLE"]:
                return response

    concurrent = await asyncio.gather(*(request() for _ in range(MAX_UPLOADS + 4)))
    refused = [error for response in concurrent for error in response["errors"]]
    assert len(refused) == 5
    assert await Upload.all().count() == MAX_UPLOADS
    assert {(error["__typename"], error["code"]) for error in refused} == {("QuotaExceededError", "QUOTA_EXCEEDED")}
    oldest = await Upload.all().order_by("created_at").first()
    assert oldest is not None
    await age(oldest.id, 3601)
    assert (await ada.one(CREATE_UPLOAD, input=input))["errors"] == []


@pytest.mark.any_database
async def test_the_refusal_at_the_limit_is_translated_and_says_when_it_resets(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    targets = [await create_upload(ada, b"x") for _ in range(MAX_UPLOADS)]
    input = {"contentType": "image/png", "byteSize": 9}
    body = (await ada.raw(CREATE_UPLOAD, None, {"accept-language": "zh"}, input=input)).json()
    (error,) = body["data"]["createUpload"]["errors"]
    assert "最多" in error["message"]
    # Later than the targets expire: a target accepts bytes for the first half of an upload's lifetime.
    assert error["resetsAt"] > max(target["expiresAt"] for target in targets)


async def test_unknown_foreign_and_expired_uploads_get_the_same_error(idle_server: Running) -> None:
    ada, eve = await idle_server.api.sign_up(), await idle_server.api.sign_up("eve@example.com")
    foreign, expired = await sent(eve, photo()), await sent(ada, photo())
    await age(expired, 3601)
    errors = [
        await ada.refused(CREATE, input={"prompt": "A fox", "uploadId": id})
        for id in (ids.new_id("upl"), foreign, expired, "upl_\u0000", "x")
    ]
    assert errors[0] == {"code": "NOT_FOUND", "message": "This does not exist.", "field": ["uploadId"]}
    assert errors == [errors[0]] * 5
    assert await count_rows() == NOTHING


async def test_an_upload_without_bytes_is_refused_until_they_arrive(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    data = photo()
    target = await create_upload(ada, data)
    request = {"prompt": "A fox", "uploadId": target["id"]}
    refused = await ada.refused(CREATE, input=request)
    assert refused == {"code": "NOT_FOUND", "message": "The picture has not arrived yet.", "field": ["uploadId"]}
    await send(ada, target, data)
    assert (await ada.create(**request))["errors"] == []


@pytest.mark.any_database
async def test_a_photo_is_given_in_one_way_and_only_to_styles_that_use_one(idle_server: Running) -> None:
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


async def test_hostile_bytes_are_refused_on_use_and_nothing_is_charged(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    for name, data in HOSTILE.items():
        request = {"prompt": "A fox", "uploadId": await sent(ada, data)}
        refused = await ada.refused(CREATE, input=request)
        assert (refused["code"], refused["field"]) == ("INVALID_INPUT", ["uploadId"]), name
    assert await count_rows() == NOTHING
    assert await ada.credits() == 10_000


@pytest.mark.any_database
async def test_an_upload_larger_than_declared_is_refused_even_if_it_was_stored(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    data = photo()
    upload_id = await sent(ada, data)
    (upload,) = await Upload.all()
    await idle_server.services.integrations.storage.put(upload.key, data + b"\0", "image/jpeg")
    refused = await ada.refused(CREATE, input={"prompt": "A fox", "uploadId": upload_id})
    assert (refused["code"], refused["message"]) == ("INVALID_INPUT", "The file is larger than declared.")


@pytest.mark.any_database
async def test_an_outage_of_the_storage_refuses_the_request_and_costs_nothing(idle_server: Running) -> None:
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
    assert [row.id for row in await Upload.all()] == [upload_id]  # kept for the next sweep; the other was removed
    path.rmdir()
    await idle_server.services.background.sweeper.sweep()
    assert await Upload.all().count() == 0
    await assert_invariants(idle_server.services, all_swept=True)


class DeadStorage(LocalStorage):
    """Fails every removal, and counts the calls."""

    calls = 0

    async def delete(self, key: str) -> None:
        self.calls += 1
        raise StorageError("down")


@pytest.mark.any_database
async def test_a_sweep_stops_removing_after_three_failures_of_the_storage(idle_server: Running, tmp_path: Path) -> None:
    ada = await idle_server.api.sign_up()
    for _ in range(6):
        await age((await create_upload(ada, b"x"))["id"], 3601)
    storage = DeadStorage(tmp_path / "dead", address="http://localhost", secret="x" * 32, link_seconds=60)
    services = idle_server.services
    uploads = UploadService(storage, services.media.files.limits, 3600)
    chores = replace(services.media, uploads=uploads).chores
    sweeper = Sweeper(chores, (), every=1.0)
    await sweeper.sweep()
    assert storage.calls == 3
    assert await Upload.all().count() == 6
    await idle_server.services.background.sweeper.sweep()
    assert await Upload.all().count() == 0
