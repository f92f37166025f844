"""Uploads by PUT and by form, to stores that verify signatures and to the local one; other sizes are never stored."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from models import Upload
from setting_types import UploadMethod
from settings import Settings
from tests.conftest import Running, running
from tests.media.test_direct_upload import create_upload
from tests.support.client import CREATE, Api, photo
from tests.support.fakes.signed_store import SignedStore, signed_store
from tests.support.integrity import assert_invariants, stored_keys
from tests.support.s3_server import BUCKET, KEY_ID, REGION, SECRET

pytestmark = pytest.mark.any_database

DATA = photo()


def at_store(settings: Settings, store: SignedStore, method: UploadMethod | None = None) -> Settings:
    storage = {
        "s3_bucket": BUCKET,
        "s3_endpoint_url": store.url,
        "s3_region": REGION,
        "s3_upload_method": method,
        "aws_access_key_id": KEY_ID,
        "aws_secret_access_key": SECRET,
    }
    return settings.model_copy(update=storage)


@pytest.fixture(params=["store post", "store put", "local post", "local put"])
async def server(request: pytest.FixtureRequest, settings: Settings) -> AsyncIterator[Running]:
    """A server with each kind of storage and upload; the store without forms is one like Cloudflare R2."""
    place, _, name = request.param.partition(" ")
    method = UploadMethod(name)
    async with signed_store(has_forms=method is UploadMethod.POST) as store:
        local = settings.model_copy(update={"s3_upload_method": method})
        async with running(at_store(settings, store, method) if place == "store" else local) as found:
            yield found


async def send(target: Any, data: bytes, content_type: str | None = None, *, chunked: bool = False) -> int:
    """Send bytes to a target as a client does that knows nothing of the storage; return the status."""
    headers = target["headers"] | ({"Content-Type": content_type} if content_type else {})

    async def in_chunks() -> AsyncIterator[bytes]:
        yield data

    async with httpx.AsyncClient() as http:
        if target["fields"] is None:
            content = in_chunks() if chunked else data
            response = await http.request(target["method"], target["url"], headers=headers, content=content)
        else:
            form: dict[str, Any] = {"data": target["fields"], "files": {"file": data}}
            response = await http.request(target["method"], target["url"], headers=headers, **form)
    return response.status_code


async def order(api: Api, upload_id: str) -> dict[str, Any]:
    """Return the refusal of an order with an upload."""
    refused: dict[str, Any] = await api.refused(CREATE, input={"prompt": "A fox", "uploadId": upload_id})
    return refused


async def test_one_way_of_sending_works_with_every_storage(server: Running) -> None:
    ada = await server.api.sign_up()
    target = await create_upload(ada, DATA, "Image/JPG; q=1")
    is_put = server.settings.upload_method is UploadMethod.PUT
    assert (target["method"], target["fields"] is None) == (("PUT", True) if is_put else ("POST", False))
    assert 200 <= await send(target, DATA) < 300
    made = await ada.create(styleId=await ada.style("cute", "plushify"), uploadId=target["id"])
    assert made["errors"] == []
    assert (await ada.wait_for_end(made["generations"][0]["id"]))["status"] == "COMPLETED"
    await assert_invariants(server.services, all_ended=True)


async def test_other_sizes_than_declared_are_not_stored(server: Running) -> None:
    ada = await server.api.sign_up()
    target = await create_upload(ada, DATA)
    for data in (DATA + b"\0", DATA * 3, DATA[:-1], b"x", b""):
        assert 400 <= await send(target, data) < 500, len(data)
        assert await stored_keys(server.services) == set()
    if target["fields"] is None:
        assert 400 <= await send(target, DATA, chunked=True) < 500
        assert 400 <= await send(target, DATA, "text/html") < 500
    forged = target | {"url": target["url"].replace(target["id"], "upl_another")}
    if target["fields"] is None and forged != target:  # a presigned PUT
        assert await send(forged, DATA) == 403
    assert await stored_keys(server.services) == set()
    refused = await order(ada, target["id"])
    assert (refused["code"], refused["message"]) == ("NOT_FOUND", "The picture has not arrived yet.")
    assert 200 <= await send(target, DATA) < 300  # the target still works


@pytest.mark.parametrize("server", ["local post"], indirect=True)
async def test_local_storage_takes_either_method_at_every_target(server: Running) -> None:
    ada = await server.api.sign_up()
    target = await create_upload(ada, DATA)
    put = target | {"method": "PUT", "fields": None}
    assert await send(put, DATA) == 415
    for spelling in ("image/jpeg", "IMAGE/JPG; charset=binary"):
        assert await send(put, DATA, spelling) == 204
    assert await send(put, DATA, "image/jpeg", chunked=True) == 411
    assert await send(put | {"url": target["url"] + "x"}, DATA) == 404


@pytest.mark.parametrize("server", ["local post"], indirect=True)
@pytest.mark.parametrize(
    ("data", "text"),
    [(DATA + b"\0", "The file is larger than declared."), (DATA[:-1], "The file is smaller than declared.")],
)
async def test_other_size_in_a_store_that_checks_nothing_is_refused_on_use(
    server: Running, data: bytes, text: str
) -> None:
    ada = await server.api.sign_up()
    target = await create_upload(ada, DATA)
    upload = await Upload.get(id=target["id"])
    await server.services.integrations.storage.put(upload.key, data, "image/jpeg")
    refused = await order(ada, target["id"])
    assert (refused["code"], refused["message"], refused["field"]) == ("INVALID_INPUT", text, ["uploadId"])
