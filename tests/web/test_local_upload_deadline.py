"""Slow uploads: one deadline for the whole body, which grows with the size limit."""

import asyncio
import contextlib
import time

import pytest

from settings import Settings
from tests.conftest import Running, running
from tests.support.integrity import stored_keys
from tests.support.raw_multipart import CONTENT_TYPE, Part, form

pytestmark = pytest.mark.any_database

PIECES = 300  # of a body
KEY = "uploads/usr_1/upl_slow"


async def upload_slowly(server: Running, size: int, seconds: float) -> bytes:
    """Send a file of `size` bytes piece by piece over `seconds` and return the response."""
    body = form([Part(b"file", bytes(size), b"photo.jpg")])
    made = await server.services.integrations.storage.upload_target(KEY, "image/jpeg", byte_size=size, seconds=60)
    address = made.url.removeprefix(server.api.address)
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.api.address.rsplit(":", 1)[1]))
    length = f"Content-Length: {len(body)}"
    lines = [f"POST {address} HTTP/1.1", "Host: localhost", f"Content-Type: {CONTENT_TYPE}", length, "", ""]
    writer.write("\r\n".join(lines).encode())
    answer, started = asyncio.create_task(reader.read(4096)), time.monotonic()
    for number in range(PIECES):
        due = started + seconds * number / PIECES
        await asyncio.wait([answer], timeout=max(due - time.monotonic(), 0))
        if answer.done():
            break
        writer.write(body[len(body) * number // PIECES : len(body) * (number + 1) // PIECES])
    response = await asyncio.wait_for(answer, 20)
    if b"connection: close" in response.lower():
        with contextlib.suppress(ConnectionError):
            await asyncio.wait_for(reader.read(), 20)  # until it is closed
    writer.close()
    return response


async def test_slow_upload_is_aborted_at_its_deadline(settings: Settings) -> None:
    async with running(settings, upload_seconds=0.2) as server:
        answer = await upload_slowly(server, size=1000, seconds=30)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"connection: close" in answer.lower()
        assert await stored_keys(server.services) == set()
        # A limit of 1 MiB adds 16 seconds.
        assert (await upload_slowly(server, size=2**20, seconds=0.5)).startswith(b"HTTP/1.1 204 ")
        assert await stored_keys(server.services) == {KEY}


async def test_upload_deadline_is_before_the_url_expires(settings: Settings) -> None:
    async with running(settings.model_copy(update={"upload_seconds": 1})) as server:
        assert (await upload_slowly(server, size=2**20, seconds=30)).startswith(b"HTTP/1.1 408 ")
