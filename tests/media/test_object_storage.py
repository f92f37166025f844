"""A server with pictures in S3: it behaves as with local files, until S3 is down."""

import io
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from PIL import Image

from models import File
from models.database.connection import rows
from settings import Settings
from tests.conftest import Running, running
from tests.support.bus_probe import until
from tests.support.client import photo
from tests.support.integrity import assert_invariants, stored_keys
from tests.support.s3_server import BUCKET, KEY_ID, REGION, SECRET, S3Server, s3_server

pytestmark = pytest.mark.any_database


@pytest.fixture
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
async def server(settings: Settings, s3: S3Server) -> AsyncIterator[Running]:
    storage = {
        "s3_bucket": BUCKET,
        "s3_endpoint_url": s3.url,
        "s3_region": REGION,
        "s3_prefix": "our/shop",
        "stop_grace_seconds": 0.0,  # the last generation here cannot end
        "aws_access_key_id": KEY_ID,
        "aws_secret_access_key": SECRET,
    }
    async with running(settings.model_copy(update=storage)) as found:
        yield found


async def test_pictures_are_served_from_the_bucket_and_an_outage_costs_no_credits(
    server: Running, s3: S3Server
) -> None:
    ada = await server.api.sign_up()
    style = await ada.style("cute", "plushify")
    (made,) = (await ada.create(photo(), styleId=style))["generations"]
    done = await ada.wait_for_end(made["id"])
    assert done["status"] == "COMPLETED"
    async with httpx.AsyncClient() as browser:
        for name, width in (("url", done["result"]["width"]), ("thumbnailUrl", 320)):
            assert done["result"][name].startswith(f"{s3.url}/{BUCKET}/our/shop/generated/{ada.user['id']}/")
            found = await browser.get(done["result"][name])
            assert Image.open(io.BytesIO(found.content)).width <= width
        saved = await browser.get(done["result"]["downloadUrl"])
        assert saved.headers["content-disposition"].startswith('attachment; filename="cute-')
        for name in ("url", "downloadUrl", "thumbnailUrl"):
            whole = await browser.get(done["result"][name])
            assert "immutable" in whole.headers["cache-control"]
            part = await browser.get(done["result"][name], headers={"range": "bytes=2-6"})
            assert (part.status_code, part.content) == (206, whole.content[2:7])
            assert part.headers["etag"] == whole.headers["etag"]
        again = await ada.generation(made["id"])  # a signing window may end between two responses, but not twice
        names = ("url", "downloadUrl", "thumbnailUrl")
        links = [[shown["result"][name] for name in names] for shown in (again, await ada.generation(made["id"]), done)]
        assert len({tuple(each) for each in links}) < 3
    widths = [file.thumbnail_widths for file in await File.all()]
    assert len(await stored_keys(server.services)) == sum(1 + len(each) for each in widths)
    assert (await server.api.http.get("/health/ready")).json()["storage"] == "ok"
    await assert_invariants(server.services, all_ended=True)

    s3.stop()
    credits = await ada.credits()
    refused = await ada.create(photo(), styleId=style)
    assert (refused["generations"], [error["code"] for error in refused["errors"]]) == ([], ["UPLOAD_FAILED"])
    assert s3.url not in str(refused["errors"])
    assert await ada.credits() == credits

    async def is_reported() -> Any:  # the result of the check before the outage is kept for seven seconds
        return (await server.api.http.get("/health/ready")).json()["storage"] == "unreachable"

    await until(is_reported)
    # A request that needs no storage yet is accepted; the storage may be back before it is processed.
    (accepted,) = (await ada.create(prompt="a cat on the moon"))["generations"]
    assert accepted["status"] in ("PENDING", "PROCESSING")
    # Existing pictures are shown, including their links, whose signatures may be of a newer window by now.
    shown = await ada.generation(made["id"])
    assert shown["result"]["url"].partition("?")[0] == done["result"]["url"].partition("?")[0]


async def test_a_direct_upload_goes_straight_to_the_bucket(server: Running) -> None:
    ada, data = await server.api.sign_up(), photo()
    created = await ada.one(
        "mutation($input: CreateUploadInput!)"
        " { createUpload(input: $input) { upload { id url method headers fields } } }",
        input={"contentType": "image/jpeg", "byteSize": len(data)},
    )
    target = created["upload"]
    assert target["fields"]["key"] == f"our/shop/uploads/{ada.user['id']}/{target['id']}"
    request = {"styleId": await ada.style("cute", "plushify"), "uploadId": target["id"]}
    assert (await ada.create(**request))["errors"][0]["message"] == "The picture has not arrived yet."
    form = {"data": target["fields"], "files": {"file": data}}
    async with httpx.AsyncClient() as http:
        sent = await http.request(target["method"], target["url"], headers=target["headers"], **form)
    assert sent.status_code in (200, 201, 204), sent.text
    made = await ada.create(**request)
    assert made["errors"] == []
    assert (await ada.wait_for_end(made["generations"][0]["id"]))["status"] == "COMPLETED"
    await rows("UPDATE uploads SET created_at = LATER($1) RETURNING id", -3601.0)
    await server.services.background.sweeper.sweep()
    assert {key.split("/")[0] for key in await stored_keys(server.services)} == {"originals", "generated"}
    await assert_invariants(server.services, all_ended=True, all_swept=True)
