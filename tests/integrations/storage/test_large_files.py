"""Files larger than memory: stored completely or not at all, in a local folder and in S3."""

import asyncio
import io
import secrets
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.integrations.storage.local import LocalStorage
from services.integrations.storage.protocol import StorageError
from services.integrations.storage.s3 import S3Storage
from tests.support.s3_server import BUCKET, KEY_ID, REGION, SECRET, s3_server

KEY = "exports/usr_1/exp_1"
PART = 8 * 2**20


class BrokenFile(io.BytesIO):
    """A file whose reads fail."""

    def read(self, _: int | None = -1) -> bytes:
        raise OSError("input/output error")


async def pieces(data: bytes, size: int, *, error: Exception | None = None) -> AsyncIterator[bytes]:
    """Yield the bytes in pieces of a size, an empty one among them, and raise what is given at the end."""
    yield b""
    for start in range(0, len(data), size):
        yield data[start : start + size]
    if error is not None:
        raise error


async def test_local_put_file_replaces_and_a_failed_one_leaves_nothing(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path / "files", address="", secret="unused", link_seconds=60)
    for size in (0, 1, 3 * 2**20):
        data = secrets.token_bytes(size)
        await storage.put_file(KEY, io.BytesIO(data), "application/zip")
        assert await storage.get(KEY) == data
    assert await storage.keys() == {KEY}
    with pytest.raises(StorageError):
        await storage.put_file("exports/other", BrokenFile(), "application/zip")
    assert await storage.keys() == {KEY}


async def test_s3_put_file_uploads_parts_and_aborts_a_failed_upload() -> None:
    credentials = {"access_key_id": KEY_ID, "secret_access_key": SECRET}
    with s3_server() as server:
        options = {"region": REGION, "prefix": "large", "link_seconds": 600, "endpoint_url": server.url, **credentials}
        async with S3Storage(BUCKET, **options) as storage:  # type: ignore[arg-type]  # one dict for all its options
            for size in (1, PART, 2 * PART, 2 * PART + 1):
                data = secrets.token_bytes(size)
                await storage.put_file(KEY, io.BytesIO(data), "application/zip")
                assert await storage.get(KEY) == data
            assert await storage.keys() == {KEY}

            async def broken(**_: object) -> None:
                raise OSError("connection reset")

            storage._client.complete_multipart_upload = broken  # type: ignore[method-assign, assignment]  # a failure before the upload is completed
            with pytest.raises(StorageError):
                await storage.put_file("exports/usr_1/exp_2", io.BytesIO(data), "application/zip")
            assert await storage.keys() == {KEY}
            left = await storage._client.list_multipart_uploads(Bucket=BUCKET)
            assert left.get("Uploads", []) == []


async def test_local_put_stream_replaces_and_a_failed_or_canceled_one_leaves_nothing(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path / "files", address="", secret="unused", link_seconds=60)
    for size in (0, 1, 3 * 2**20):
        data = secrets.token_bytes(size)
        await storage.put_stream(KEY, pieces(data, 2**20), "application/zip")
        assert await storage.get(KEY) == data
    with pytest.raises(LookupError):
        await storage.put_stream(KEY, pieces(b"other bytes", 4, error=LookupError()), "application/zip")
    assert (await storage.get(KEY), await storage.keys()) == (data, {KEY})

    begun = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            begun.set()
            yield bytes(2**20)
            await asyncio.sleep(0)

    putting = asyncio.create_task(storage.put_stream("exports/usr_1/exp_2", endless(), "application/zip"))
    await begun.wait()
    putting.cancel()
    await asyncio.wait([putting])
    assert putting.cancelled()
    assert await storage.keys() == {KEY}


async def test_local_put_stream_that_is_canceled_while_it_creates_its_file_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = LocalStorage(tmp_path / "files", address="", secret="unused", link_seconds=60)
    creating, goes_on = threading.Event(), threading.Event()
    original = Path.open

    def slow_open(path: Path, *args: Any) -> Any:
        creating.set()
        assert goes_on.wait(10)
        return original(path, *args)

    monkeypatch.setattr(Path, "open", slow_open)
    putting = asyncio.create_task(storage.put_stream(KEY, pieces(b"bytes", 4), "application/zip"))
    assert await asyncio.to_thread(creating.wait, 10)
    for _ in range(3):  # also while it waits for the thread
        putting.cancel()
        await asyncio.sleep(0)
    goes_on.set()
    await asyncio.wait([putting])
    assert putting.cancelled()
    assert await storage.keys() == set()


async def test_s3_put_stream_uploads_parts_and_aborts_a_failed_upload() -> None:
    credentials = {"access_key_id": KEY_ID, "secret_access_key": SECRET}
    with s3_server() as server:
        options = {"region": REGION, "prefix": "large", "link_seconds": 600, "endpoint_url": server.url, **credentials}
        async with S3Storage(BUCKET, **options) as storage:  # type: ignore[arg-type]  # one dict for all its options
            for size in (0, 1, PART, 2 * PART + 1):
                data = secrets.token_bytes(size)
                await storage.put_stream(KEY, pieces(data, 3 * 2**20), "application/zip")
                assert await storage.get(KEY) == data
            for size in (1, PART + 1):
                broken = pieces(bytes(size), 3 * 2**20, error=LookupError())
                with pytest.raises(LookupError):
                    await storage.put_stream("exports/usr_1/exp_2", broken, "application/zip")
            assert await storage.keys() == {KEY}
            left = await storage._client.list_multipart_uploads(Bucket=BUCKET)
            assert left.get("Uploads", []) == []
