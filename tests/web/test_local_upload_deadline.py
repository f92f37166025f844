"""Photos sent ahead byte by byte: there is one deadline for all of it, and the larger it may be, the later it comes."""

import asyncio
import contextlib
import time

import pytest

from settings import Settings
from tests.conftest import Running, running
from tests.support.integrity import stored_keys
from tests.support.raw_multipart import CONTENT_TYPE, Part, form

pytestmark = pytest.mark.any_database

BODY = form([Part(b"file", bytes(100), b"photo.jpg")])
KEY = "uploads/usr_1/upl_drip"


async def drip(server: Running, size: int, seconds: float) -> bytes:
    """What the server answers to who needs so many seconds to send the body; `size`: of what the address takes."""
    made = await server.services.integrations.storage.upload_target(KEY, "image/jpeg", max_bytes=size, seconds=60)
    address = made.url.removeprefix(server.api.address)
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.api.address.rsplit(":", 1)[1]))
    length = f"Content-Length: {len(BODY)}"
    lines = [f"POST {address} HTTP/1.1", "Host: localhost", f"Content-Type: {CONTENT_TYPE}", length, "", ""]
    writer.write("\r\n".join(lines).encode())
    answer, started = asyncio.create_task(reader.read(4096)), time.monotonic()
    for number, byte in enumerate(BODY):
        due = started + seconds * number / len(BODY)
        await asyncio.wait([answer], timeout=max(due - time.monotonic(), 0))
        if answer.done():
            break
        writer.write(bytes([byte]))
    found = await asyncio.wait_for(answer, 20)
    if b"connection: close" in found.lower():
        with contextlib.suppress(ConnectionError):
            await asyncio.wait_for(reader.read(), 20)  # it hangs up
    writer.close()
    return found


async def test_who_drips_is_left_at_the_deadline(settings: Settings) -> None:
    async with running(settings, upload_seconds=0.2) as server:
        answer = await drip(server, size=1000, seconds=30)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"connection: close" in answer.lower()
        assert await stored_keys(server.services) == set()
        # 1 MiB has 16 seconds more.
        assert (await drip(server, size=2**20, seconds=0.5)).startswith(b"HTTP/1.1 204 ")
        assert await stored_keys(server.services) == {KEY}


async def test_nobody_may_send_for_longer_than_an_address_lives(settings: Settings) -> None:
    async with running(settings.model_copy(update={"upload_seconds": 1})) as server:
        assert (await drip(server, size=2**20, seconds=30)).startswith(b"HTTP/1.1 408 ")
