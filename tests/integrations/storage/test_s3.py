"""The S3 storage: operations on objects, and the error of every kind of failure."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from services.integrations.storage.protocol import MissingObjectError, StorageError, TooLargeError
from services.integrations.storage.s3 import S3Storage
from telemetry.outage import Cause
from tests.campaigns.chaos_proxy import faulty_proxy
from tests.support.client import PATIENCE
from tests.support.s3_server import (
    BUCKET,
    KEY_ID,
    REGION,
    SECRET,
    S3Server,
    ScriptedS3,
    error_response,
    s3_server,
    scripted_s3,
)
from tests.support.server_process import HOST, free_port

KEY = "originals/usr_1/fil_1"
HOSTILE_KEYS = [
    "", "..", "../secret-key", "originals/../../x", "/x", "//x", "originals//x", "originals/", "originals/\0",
    "originals/x\n", "Originals/x", "originals\\x", "originals/%2e%2e/x", "x?acl", "x#y", "x" * 121, "originals/é",
]  # fmt: skip


def open_s3(url: str, **more: Any) -> S3Storage:
    options = {
        "region": REGION,
        "prefix": "darkroom",
        "link_seconds": 600,
        "endpoint_url": url,
        "access_key_id": KEY_ID,
        "secret_access_key": SECRET,
    }
    return S3Storage(more.pop("bucket", BUCKET), **{**options, **more})


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
async def storage(s3: S3Server, request: pytest.FixtureRequest) -> AsyncIterator[S3Storage]:
    """A storage with a prefix of its own in the bucket."""
    async with open_s3(s3.url, prefix=f"tests/{abs(hash(request.node.name))}") as found:
        yield found


@pytest.fixture(scope="module")
async def module_fake() -> AsyncIterator[ScriptedS3]:
    async with scripted_s3() as found:
        yield found


@pytest.fixture(scope="module")
async def scripted(module_fake: ScriptedS3) -> AsyncIterator[S3Storage]:
    """A storage with a short deadline, connected to the scripted store."""
    async with open_s3(module_fake.url, deadline=0.6) as found:
        yield found


@pytest.fixture
def fake(module_fake: ScriptedS3) -> ScriptedS3:
    """The scripted store, with its request count reset."""
    module_fake.requests = 0
    return module_fake


OPERATIONS: list[Callable[[S3Storage], Awaitable[Any]]] = [
    lambda storage: storage.put(KEY, b"bytes", "image/png"),
    lambda storage: storage.get(KEY),
    lambda storage: storage.get_part(KEY, 0, 100),
    lambda storage: storage.delete(KEY),
    lambda storage: storage.check(),
    lambda storage: storage.keys(),
]


async def test_objects_are_stored_replaced_and_deleted(storage: S3Storage) -> None:
    await storage.check()
    with pytest.raises(MissingObjectError):
        await storage.get(KEY)
    await storage.put(KEY, b"old", "image/png")
    await storage.put(KEY, b"new", "image/png")
    assert await storage.get(KEY) == b"new"
    assert await storage.keys() == {KEY}
    await storage.delete(KEY)
    await storage.delete(KEY)
    assert await storage.keys() == set()


async def test_object_has_its_content_type_and_the_prefix(s3: S3Server) -> None:
    async with open_s3(s3.url, prefix="one/place") as storage, open_s3(s3.url, prefix="one/places") as other:
        await storage.put(KEY, b"bytes", "image/webp")
        await other.put("generated/usr_1/fil_2", b"bytes", "image/webp")
        found = await asyncio.to_thread(s3.client().head_object, Bucket=BUCKET, Key=f"one/place/{KEY}")
        assert (found["ContentType"], found["ContentLength"]) == ("image/webp", 5)
        assert await storage.keys() == {KEY}
        assert await other.keys() == {"generated/usr_1/fil_2"}


async def test_object_over_max_bytes_is_not_read_and_leaks_no_connection(storage: S3Storage) -> None:
    await storage.put(KEY, b"x" * 2_000_000, "image/png")
    assert len(await storage.get(KEY, max_bytes=2_000_000)) == 2_000_000
    for _ in range(60):  # more than there are connections
        with pytest.raises(TooLargeError):
            await storage.get(KEY, max_bytes=1_999_999)
    assert len(await storage.get(KEY)) == 2_000_000


async def test_get_part_reads_a_range_and_leaks_no_connection(storage: S3Storage) -> None:
    data = bytes(range(256)) * 1000
    await storage.put(KEY, data, "image/png")
    for start, size in ((0, 1), (0, 100), (77, 1000), (len(data) - 1, 1), (0, len(data))):
        assert await storage.get_part(KEY, start, size) == data[start : start + size]
    for _ in range(60):  # more than there are connections
        for start, size in ((len(data) - 1, 2), (len(data), 1)):
            with pytest.raises(StorageError):
                await storage.get_part(KEY, start, size)
    with pytest.raises(MissingObjectError):
        await storage.get_part(KEY + "x", 0, 1)


async def test_store_without_ranges_is_read_from_the_beginning(fake: ScriptedS3, scripted: S3Storage) -> None:
    fake.response = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789"
    assert await scripted.get_part(KEY, 3, 4) == b"3456"
    with pytest.raises(StorageError, match="wrong range"):
        await scripted.get_part(KEY, 8, 4)
    fake.response = b"HTTP/1.1 206 Partial Content\r\nContent-Length: 10\r\n\r\n0123456789"
    with pytest.raises(StorageError, match="wrong range"):
        await scripted.get_part(KEY, 3, 4)


async def test_keys_lists_more_than_one_page(s3: S3Server) -> None:
    expected = {f"generated/usr_1/fil_{number}" for number in range(1001)}
    s3.fill(f"many/pages/{key}" for key in expected)
    async with open_s3(s3.url, prefix="many/pages") as storage:
        assert await storage.keys() == expected


@pytest.mark.parametrize("key", HOSTILE_KEYS, ids=repr)
async def test_invalid_key_is_refused_without_a_request(fake: ScriptedS3, scripted: S3Storage, key: str) -> None:
    operations: list[Awaitable[Any]] = [
        scripted.put(key, b"x", "image/png"),
        scripted.get(key),
        scripted.get_part(key, 0, 1),
        scripted.delete(key),
        scripted.link(key, "image/png"),
        scripted.upload_target(key, "image/png", byte_size=1, seconds=60),
    ]
    for operation in operations:
        with pytest.raises(StorageError, match="invalid key"):
            await operation
    assert fake.requests == 0


@pytest.mark.parametrize(
    "answer",
    [
        error_response("403 Forbidden", "AccessDenied", f"{KEY_ID} may not, nor may {SECRET}"),
        error_response("404 Not Found", "NoSuchBucket"),
        error_response("500 Internal Server Error", "InternalError"),
        error_response("503 Service Unavailable", "SlowDown"),
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf",
        b"what is this?\r\n\r\n",
        b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 10\r\n\r\nno backend",
        b"HTTP/1.1 301 Moved Permanently\r\nContent-Length: 0\r\n\r\n",
        None,
    ],
    ids=["403", "no bucket", "500", "503", "half", "nonsense", "502", "404 of a proxy", "301", "silence"],
)
async def test_every_failure_is_a_storage_error_in_time_without_secrets(
    fake: ScriptedS3, scripted: S3Storage, answer: bytes | None
) -> None:
    fake.response = answer
    async with asyncio.timeout(PATIENCE):
        errors = await asyncio.gather(*(ask(scripted) for ask in OPERATIONS), return_exceptions=True)
    # Never MissingObjectError: the object may exist.
    assert [type(error) for error in errors] == [StorageError] * len(OPERATIONS)
    assert fake.requests >= len(OPERATIONS)
    assert not any(secret in str(error) for error in errors for secret in (KEY_ID, SECRET))


async def test_check_reports_a_missing_bucket(s3: S3Server) -> None:
    async with open_s3(s3.url, bucket="elsewhere") as storage:
        with pytest.raises(StorageError, match="no such bucket: 'elsewhere'"):
            await storage.check()
        with pytest.raises(StorageError, match="NoSuchBucket"):
            await storage.delete(KEY)


async def test_check_reads_back_what_it_stored(s3: S3Server) -> None:
    async with faulty_proxy(s3.url, random.Random(1)) as proxy, open_s3(proxy.url) as storage:
        await storage.check()
        proxy.refuses.add("GET")
        with pytest.raises(StorageError, match="AccessDenied") as refused:
            await storage.check()
        assert refused.value.cause is Cause.REFUSED
        proxy.refusal = error_response("404 Not Found", "NoSuchKey")
        with pytest.raises(StorageError, match="what was stored is not there"):
            await storage.check()
        proxy.refusal = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nother"
        with pytest.raises(StorageError, match="other bytes were read than stored"):
            await storage.check()


async def test_server_error_is_retried_once_and_refusal_is_not(fake: ScriptedS3) -> None:
    fake.response = error_response("503 Service Unavailable", "SlowDown")
    async with open_s3(fake.url) as storage:
        with pytest.raises(StorageError):
            await storage.put(KEY, b"bytes", "image/png")
        assert fake.requests == 2
        fake.response = error_response("403 Forbidden", "AccessDenied")
        with pytest.raises(StorageError):
            await storage.put(KEY, b"bytes", "image/png")
        assert fake.requests == 3


async def test_delete_of_missing_object_succeeds(fake: ScriptedS3, scripted: S3Storage) -> None:
    fake.response = error_response("404 Not Found", "NoSuchKey")
    await scripted.delete(KEY)
    with pytest.raises(MissingObjectError):
        await scripted.get(KEY)


async def test_response_without_content_length_is_read_up_to_max_bytes(fake: ScriptedS3, scripted: S3Storage) -> None:
    fake.response = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
    assert await scripted.get(KEY, max_bytes=5) == b"hello"
    fake.response = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n"  # and never ends
    with pytest.raises(TooLargeError):
        await scripted.get(KEY, max_bytes=4)


@pytest.mark.parametrize("what", ["<a></a>", "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"])
async def test_invalid_list_response_is_an_error_not_an_empty_list(
    fake: ScriptedS3, scripted: S3Storage, what: str
) -> None:
    fake.response = f"HTTP/1.1 200 OK\r\nContent-Length: {len(what)}\r\n\r\n{what}".encode()
    with pytest.raises(StorageError, match="S3 list: invalid response"):
        await scripted.keys()


async def test_store_that_is_down_fails_fast_and_links_are_still_signed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    unreachable = f"http://{HOST}:{free_port()}"
    async with open_s3(unreachable, deadline=5) as storage:
        with caplog.at_level(logging.WARNING), pytest.raises(StorageError, match="S3 put: EndpointConnectionError"):
            await storage.put(KEY, b"bytes", "image/png")
        assert (await storage.link(KEY, "image/png")).url.startswith(unreachable)
        target = await storage.upload_target(KEY, "image/png", byte_size=9, seconds=60)
        assert target.url.startswith(unreachable)
    assert SECRET not in caplog.text


async def test_canceled_reads_leave_the_client_usable_and_no_connection_open() -> None:
    async with scripted_s3() as fake:
        await _cancel_reads_repeatedly(fake)


async def _cancel_reads_repeatedly(fake: ScriptedS3) -> None:
    fake.response = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf"
    async with open_s3(fake.url) as storage:
        for number in range(1, 61):  # more than there are connections
            reading = asyncio.create_task(storage.get(KEY))
            async with asyncio.timeout(PATIENCE):
                while fake.requests < number:  # noqa: ASYNC110 - the fake only counts
                    await asyncio.sleep(0)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
        fake.response = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole"
        assert await storage.get(KEY) == b"whole"
        async with asyncio.timeout(PATIENCE):
            while len(fake.open) > 1:  # noqa: ASYNC110 - a closed connection sends no event
                await asyncio.sleep(0)
    async with asyncio.timeout(PATIENCE):
        while fake.open:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0)


async def test_concurrent_operations_share_one_client(storage: S3Storage) -> None:
    keys = [f"generated/usr_1/fil_{number}" for number in range(80)]
    await asyncio.gather(*(storage.put(key, key.encode(), "image/png") for key in keys))
    found = await asyncio.gather(*(storage.get(key) for key in keys))
    assert found == [key.encode() for key in keys]
