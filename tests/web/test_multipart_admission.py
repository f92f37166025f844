"""Multipart uploads are authenticated and counted before their bodies are read, and leave no temporary files."""

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from services.core.error import RateLimitedError
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import CREATE, Api, until
from tests.support.corpus.pictures import png
from tests.support.raw_http import Answer, RawConnection, connection, request
from tests.support.raw_multipart import CONTENT_TYPE, Part, file_map, form, operations
from web.upload_slots import ReceivingLimits, UploadSlots

pytestmark = pytest.mark.any_database

PICTURE = "variables.input.image"
START = form(
    [
        operations(CREATE, {"input": {"prompt": "A fox", "image": None}}),
        file_map({"0": [PICTURE]}),
        Part(b"0", bytes(3 * 2**20), b"fox.png", b"image/png"),
    ],
    closed=False,
)
MULTIPART = f"Content-Type: {CONTENT_TYPE}"
PREFLIGHT = "GraphQL-Require-Preflight: 1"
FEW = ReceivingLimits(account=20 * 2**20, client=30 * 2**20, total=24 * 2**20)


def half_sent(*headers: str, length: int = 10 * 2**20) -> bytes:
    """Return an upload whose end is missing."""
    return request("POST", "/graphql", MULTIPART, f"Content-Length: {length}", *headers, body=START)


def error(answer: Answer) -> dict[str, Any]:
    (found,) = json.loads(answer.body)["errors"]
    return {"message": found["message"], **found["extensions"]}


def temporary_files() -> set[str]:
    """Return the unnamed files that this process has open in its temporary folders."""
    found = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            target = descriptor.readlink()
        except OSError:
            continue
        if target.name.endswith("(deleted)") and target.name.startswith("#"):
            found.add(str(target))
    return found


@pytest.fixture
def without_collection() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
async def few(settings: Settings) -> AsyncIterator[Running]:
    """A server that receives few uploads at once."""
    async with running(settings, idle=True, receiving=FEW) as server:
        yield server


async def start_upload(raw: RawConnection, api: Api) -> None:
    """Send an upload without its end, and wait until the server has its file."""
    before = temporary_files()
    await raw.send(half_sent(f"Authorization: Bearer {api.token}"))

    async def is_received() -> bool:
        return len(temporary_files()) > len(before)

    await until(is_received)


@pytest.mark.parametrize(
    "header", [PREFLIGHT, "Authorization: Bearer dr_invalid", "Authorization: Basic x", "Authorization: Bearer key_1"]
)
async def test_multipart_body_of_unknown_client_is_not_read(few: Running, header: str) -> None:
    before = temporary_files()
    for framing in ("Content-Length: 10000000", "Transfer-Encoding: chunked"):
        async with connection(few.api.address) as raw:
            await raw.send(request("POST", "/graphql", MULTIPART, header, framing))
            answer = await raw.answer()
            assert (answer.status, error(answer)["code"]) == (200, "UNAUTHENTICATED")
            await raw.send(START)
            assert temporary_files() == before


async def test_unauthenticated_upload_has_status_401_in_the_media_type_of_graphql(few: Running) -> None:
    async with connection(few.api.address) as raw:
        await raw.send(half_sent(PREFLIGHT, "Accept: application/graphql-response+json", "Accept-Language: zh-CN"))
        answer = await raw.answer()
    assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert error(answer) == {"message": "请先登录。", "code": "UNAUTHENTICATED"}


async def test_session_that_has_ended_may_not_upload(few: Running) -> None:
    ada = await few.api.sign_up("ada@example.com")
    await ada.execute("mutation { signOut(everywhere: true) { sessionsEnded } }")
    async with connection(few.api.address) as raw:
        await raw.send(half_sent(f"Authorization: Bearer {ada.token}"))
        assert error(await raw.answer())["code"] == "UNAUTHENTICATED"


async def test_uploads_in_flight_are_limited_for_account_and_server(few: Running) -> None:
    before = temporary_files()
    ada, ben = [await few.api.sign_up(f"{name}@example.com") for name in ("ada", "ben")]
    async with (
        connection(few.api.address) as first,
        connection(few.api.address) as second,
    ):
        await start_upload(first, ada)
        await start_upload(second, ada)
        async with connection(few.api.address, "127.0.0.3") as raw:
            await raw.send(half_sent(f"Authorization: Bearer {ada.token}"))
            answer = await raw.answer()
            assert (answer.status, answer.headers["retry-after"]) == (429, "5")
            assert (error(answer)["code"], error(answer)["retryAfter"]) == ("RATE_LIMITED", 5.0)
            await raw.send(half_sent(f"Authorization: Bearer {ben.token}"))
        async with connection(few.api.address, "127.0.0.4") as raw:
            await raw.send(half_sent(f"Authorization: Bearer {ben.token}"))
            answer = await raw.answer()
            assert (answer.status, error(answer)["code"]) == (503, "UNAVAILABLE")  # 30 MiB together

    async def are_closed() -> bool:
        return temporary_files() == before

    await until(are_closed)  # after the disconnects, the slots are free again
    response = await ada.raw(CREATE, {"input.image": png()}, input={"prompt": "A fox"})
    assert response.json()["data"]["createGeneration"]["errors"] == []


@pytest.mark.usefixtures("without_collection")
@pytest.mark.parametrize("end", ["valid", "no operations", "disconnect"])
async def test_temporary_files_are_closed_at_the_end_of_the_request(few: Running, end: str) -> None:
    ada = await few.api.sign_up("ada@example.com")
    before = temporary_files()
    if end == "disconnect":
        async with connection(few.api.address) as raw:
            await start_upload(raw, ada)
    else:
        parts = [operations(CREATE, {"input": {"prompt": "A fox", "image": None}}), file_map({"0": [PICTURE]})]
        file = Part(b"0", bytes(3 * 2**20), b"fox.png", b"image/png")
        body = form([*(parts if end == "valid" else parts[1:]), file])
        headers = ada.headers(**{"content-type": CONTENT_TYPE})
        response = await few.api.http.post("/graphql", content=body, headers=headers)
        assert response.status_code == (200 if end == "valid" else 400)

    async def are_closed() -> bool:
        return temporary_files() == before

    await asyncio.wait_for(until(are_closed), 20)


async def test_uploads_with_one_upload_url_are_limited(few: Running) -> None:
    storage = few.services.integrations.storage
    made = await storage.upload_target("uploads/usr_1/upl_1", "image/png", byte_size=11 * 2**20, seconds=60)
    path = made.url.removeprefix(few.api.address)
    wire = request("POST", path, MULTIPART, f"Content-Length: {11 * 2**20}", body=START[:70_000])
    async with connection(few.api.address) as first:
        await first.send(wire)
        await few.api.http.get("/health/live")  # which is answered after the upload has begun
        async with connection(few.api.address) as second:
            await second.send(wire)
            answer = await second.answer()
            assert (answer.status, answer.headers["retry-after"]) == (429, "5")


def test_accounts_of_one_client_address_share_its_limit() -> None:
    slots = UploadSlots(ReceivingLimits(account=2, client=3))
    with slots.receiving("a", "10.0.0.1", 1), slots.receiving("b", "10.0.0.1", 1):
        with slots.receiving("c", "10.0.0.1", 1):
            with pytest.raises(RateLimitedError), slots.receiving("d", "10.0.0.1", 1):
                pass
            with slots.receiving("d", "10.0.0.2", 1):
                pass
        with slots.receiving("d", "10.0.0.1", 1):
            pass


def test_one_upload_may_be_larger_than_all_together() -> None:
    with UploadSlots(FEW).receiving("a", "10.0.0.1", 2 * FEW.total):
        pass
