"""A storage in a bucket of S3, or of a compatible store."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from functools import lru_cache
from pathlib import PurePath
from typing import TYPE_CHECKING, BinaryIO, Self
from urllib.parse import quote, urlsplit, urlunsplit

import aioboto3
from aiobotocore.config import AioConfig
from aiohttp import ClientError as ConnectionClientError
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.handlers import add_expect_header

from services.integrations.storage.measurement import measured
from services.integrations.storage.protocol import (
    PROBE_BODY,
    Link,
    MissingObjectError,
    StorageError,
    Target,
    TooLargeError,
    check_key,
)
from services.integrations.storage.s3_presigning import sign_form, sign_link, sign_put
from telemetry.outage import Cause

if TYPE_CHECKING:
    from aiobotocore.response import StreamingBody
    from types_aiobotocore_s3 import S3Client
    from types_aiobotocore_s3.type_defs import CompletedPartTypeDef

DEADLINE = 20.0  # seconds for one operation, including the retry
_CONNECT_TIMEOUT = 2  # seconds, each attempt
_READ_TIMEOUT = 10  # seconds between two reads
_PART = 8 * 2**20  # bytes per part of a multipart upload; S3 allows 10,000 parts, all but the last of 5 MiB or more
_KEPT_LINKS = 20_000  # that a process keeps, since each stays the same for a while: about 20 MiB
_CONNECTIONS = 50  # concurrent, per process
PROBE = "health/probe"  # the key of the object that `check` writes; no file has it
_CAUSES = {
    "QuotaExceeded": Cause.FULL,
    "XMinioStorageFull": Cause.FULL,  # MinIO's
    "SlowDown": Cause.SLOW,
    "ServiceUnavailable": Cause.UNREACHABLE,
}
_STATUSES = {401: Cause.REFUSED, 403: Cause.REFUSED, 507: Cause.FULL}  # of codes that are not above


class S3Storage:
    """One bucket, with one client for the lifetime of the process; entered with `async with`.

    `endpoint_url`: of a store other than AWS. `public_url`: the URL of that store for clients. `puts_uploads`: clients
    upload with PUT, because the store takes no forms.
    Without `access_key_id`, credentials come from boto's default chain, including an instance's role.
    """

    def __init__(
        self,
        bucket: str,
        *,
        region: str,
        prefix: str,
        link_seconds: int,
        endpoint_url: str | None = None,
        public_url: str | None = None,
        access_key_id: str | None = None,
        secret_access_key: str | None = None,
        session_token: str | None = None,
        puts_uploads: bool = False,
        deadline: float = DEADLINE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._bucket = bucket
        self._region = region
        self._prefix = f"{prefix}/"
        self._endpoint_url = endpoint_url
        self._public_url = public_url
        self._session = aioboto3.Session(
            aws_access_key_id=access_key_id,
            aws_secret_access_key=secret_access_key,
            aws_session_token=session_token,
            region_name=region,
        )
        # Others may have to be fetched, or be renewed.
        self._known_credentials = (
            ReadOnlyCredentials(access_key_id, secret_access_key, session_token)
            if access_key_id and secret_access_key
            else None
        )
        self._signed = lru_cache(_KEPT_LINKS)(self._new_link)
        self._puts_uploads = puts_uploads
        self._deadline = deadline
        # A link stays the same for half of its lifetime, so that browsers can cache the object.
        self._window = max(link_seconds // 2, 1)
        self._clock = clock
        self._stack = contextlib.AsyncExitStack()
        self._client: S3Client

    async def __aenter__(self) -> Self:
        # No checksums that only AWS supports, and path-style addressing, which every other store supports.
        config = AioConfig(
            signature_version="s3v4",
            retries={"total_max_attempts": 2, "mode": "standard"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            max_pool_connections=_CONNECTIONS,
            s3={"addressing_style": "path" if self._endpoint_url else "auto"},
            connect_timeout=_CONNECT_TIMEOUT,
            read_timeout=_READ_TIMEOUT,
        )
        client = self._session.client("s3", endpoint_url=self._endpoint_url, config=config)
        self._client = await self._stack.enter_async_context(client)
        # Some stores never respond to `Expect: 100-continue`, and aiohttp would wait until the deadline.
        self._client.meta.events.unregister("before-call.s3", add_expect_header)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def origin(self) -> str:
        """The origin of the bucket's public URL."""
        return urlunsplit(urlsplit(self._address())._replace(path=""))

    async def put(self, key: str, data: bytes, content_type: str) -> None:
        name = self._name(key)
        async with self._operation("put"):
            await self._client.put_object(Bucket=self._bucket, Key=name, Body=data, ContentType=content_type)

    async def put_file(self, key: str, file: BinaryIO, content_type: str) -> None:
        """Upload in parts, each under the deadline.

        A process that is killed in between leaves parts, which a lifecycle rule of the bucket must remove
        (AbortIncompleteMultipartUpload).
        """
        file.seek(0)
        await self._put_parts(key, _parts_of_file(file), content_type)

    async def put_stream(self, key: str, chunks: AsyncIterator[bytes], content_type: str) -> None:
        """Upload in parts, as `put_file` does."""
        await self._put_parts(key, _parts_of_stream(chunks), content_type)

    async def _put_parts(self, key: str, contents: AsyncGenerator[bytes, None], content_type: str) -> None:
        """Store what comes in parts of _PART bytes, the last of which may have less."""
        async with contextlib.aclosing(contents):
            first = await anext(contents, b"")
            if len(first) < _PART:
                await self.put(key, first, content_type)
            else:
                await self._upload_parts(self._name(key), first, contents, content_type)

    async def _upload_parts(self, name: str, first: bytes, others: AsyncIterator[bytes], content_type: str) -> None:
        async with self._operation("put"):
            started = await self._client.create_multipart_upload(
                Bucket=self._bucket, Key=name, ContentType=content_type
            )
        upload = started["UploadId"]
        try:
            parts: list[CompletedPartTypeDef] = []
            while part := first or await anext(others, b""):
                first, number = b"", len(parts) + 1
                async with self._operation("put"):
                    stored = await self._client.upload_part(
                        Bucket=self._bucket, Key=name, UploadId=upload, PartNumber=number, Body=part
                    )
                parts.append({"PartNumber": number, "ETag": stored["ETag"]})
            async with self._operation("put"):
                await self._client.complete_multipart_upload(
                    Bucket=self._bucket, Key=name, UploadId=upload, MultipartUpload={"Parts": parts}
                )
        except BaseException:
            with contextlib.suppress(StorageError):
                async with self._operation("put"):
                    await self._client.abort_multipart_upload(Bucket=self._bucket, Key=name, UploadId=upload)
            raise

    async def get(self, key: str, *, max_bytes: int | None = None) -> bytes:
        name = self._name(key)
        async with self._operation("get"):
            response = await self._client.get_object(Bucket=self._bucket, Key=name)
            body = response["Body"]
            async with body:
                if max_bytes is None:
                    return await body.read()
                # Not every store sends a Content-Length.
                declared = response.get("ContentLength", 0)
                if declared > max_bytes or len(data := await _read(body, max_bytes + 1)) > max_bytes:
                    raise TooLargeError(f"more than {max_bytes} bytes")
                return data

    async def get_part(self, key: str, start: int, size: int) -> bytes:
        name = self._name(key)
        async with self._operation("get"):
            byte_range = f"bytes={start}-{start + size - 1}"
            response = await self._client.get_object(Bucket=self._bucket, Key=name, Range=byte_range)
            body = response["Body"]
            async with body:
                # A store without support for ranges sends the object from the beginning.
                whole = response["ResponseMetadata"]["HTTPStatusCode"] != 206
                part = (await _read(body, start + size))[start:] if whole else await _read(body, size + 1)
        if len(part) != size:
            raise StorageError("S3 get: wrong range in the response")
        return part

    async def delete(self, key: str) -> None:
        name = self._name(key)
        with contextlib.suppress(MissingObjectError):
            async with self._operation("delete"):
                await self._client.delete_object(Bucket=self._bucket, Key=name)

    async def link(self, key: str, content_type: str, *, download_as: str | None = None) -> Link:
        return self._signed(key, content_type, download_as, self._start, await self._credentials())

    def sign(self, key: str, content_type: str, download_as: str | None = None) -> Link | None:
        known = self._known_credentials
        return self._signed(key, content_type, download_as, self._start, known) if known else None

    @property
    def _start(self) -> int:
        """When the present window began, in Unix seconds."""
        return int(self._clock()) // self._window * self._window

    def _new_link(
        self, key: str, content_type: str, download_as: str | None, start: int, credentials: ReadOnlyCredentials
    ) -> Link:
        url = f"{self._address()}/{self._name(key)}"
        lifetime = 2 * self._window
        parameters = {
            "response-content-type": content_type,  # never the type that an uploader may have set
            "response-cache-control": f"private, max-age={lifetime}, immutable",
        }
        if download_as is not None:
            parameters["response-content-disposition"] = _attachment(download_as)
        url = sign_link(url, parameters, credentials, self._region, moment=start, seconds=lifetime)
        return Link(url, start + lifetime)

    async def upload_target(self, key: str, content_type: str, *, byte_size: int, seconds: int) -> Target:
        now, name, credentials = int(self._clock()), self._name(key), await self._credentials()
        if self._puts_uploads:
            url = sign_put(
                f"{self._address()}/{name}",
                content_type,
                byte_size,
                credentials,
                self._region,
                moment=now,
                seconds=seconds,
            )
            return Target(url, "PUT", now + seconds, headers={"Content-Type": content_type}, fields=None)
        fields = sign_form(
            self._bucket,
            name,
            content_type,
            credentials,
            self._region,
            byte_size=byte_size,
            expires_at=now + seconds,
        )
        return Target(self._address(), "POST", now + seconds, fields=fields)

    async def check(self) -> None:
        async with self._operation("check"):
            name = self._prefix + PROBE
            try:
                await self._client.put_object(Bucket=self._bucket, Key=name, Body=PROBE_BODY, ContentType="text/plain")
                response = await self._client.get_object(Bucket=self._bucket, Key=name)
            except ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
                    raise
                if error.response["Error"].get("Code") == "NoSuchKey":
                    raise StorageError("S3 check: what was stored is not there") from None
                raise StorageError(f"no such bucket: {self._bucket!r}") from None
            body = response["Body"]
            async with body:
                if await _read(body, len(PROBE_BODY) + 1) != PROBE_BODY:
                    raise StorageError("S3 check: other bytes were read than stored")

    async def keys(self) -> set[str]:
        found: set[str] = set()
        after = self._prefix
        while after:
            async with self._operation("list"):
                page = await self._client.list_objects_v2(Bucket=self._bucket, Prefix=self._prefix, StartAfter=after)
            names = [item["Key"] for item in page.get("Contents", ())]
            found.update(name.removeprefix(self._prefix) for name in names)
            found.discard(PROBE)
            if "IsTruncated" not in page or (page["IsTruncated"] and not names):
                raise StorageError("S3 list: invalid response")
            after = names[-1] if page["IsTruncated"] else ""
        return found

    def _name(self, key: str) -> str:
        check_key(key)
        return self._prefix + key

    def _address(self) -> str:
        """Return the bucket's public URL."""
        if endpoint := self._public_url or self._endpoint_url:
            return f"{endpoint}/{self._bucket}"
        parts = urlsplit(self._client.meta.endpoint_url)
        if "." in self._bucket:  # AWS's wildcard certificate does not cover it as a host name
            return urlunsplit(parts._replace(path=f"/{self._bucket}"))
        return urlunsplit(parts._replace(netloc=f"{self._bucket}.{parts.netloc}", path=""))

    async def _credentials(self) -> ReadOnlyCredentials:
        with _storage_errors("sign"):
            found = await self._session.get_credentials()  # type: ignore[misc]  # its stub does not declare it as a coroutine
            if found is None:
                raise StorageError("S3 sign: no credentials")
            frozen: ReadOnlyCredentials = await found.get_frozen_credentials()
            return frozen

    @contextlib.asynccontextmanager
    async def _operation(self, operation: str) -> AsyncIterator[None]:
        """Run one operation under the deadline; errors state only their kind, as S3's texts may contain anything."""
        with measured(operation), _storage_errors(operation):
            async with asyncio.timeout(self._deadline):
                yield


@contextlib.contextmanager
def _storage_errors(operation: str) -> Iterator[None]:
    """Raise StorageError for the errors of S3 and of the connection to it."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        text = f"S3 {operation}: {code if code.isalnum() else 'refused'} (HTTP {status})"
        # Only NoSuchKey means a missing object: a 404 may also mean a missing bucket, or a proxy without a backend.
        cause = _CAUSES.get(code) or _STATUSES.get(status or 0, Cause.FAILED)
        raise (MissingObjectError if code == "NoSuchKey" else StorageError)(text, cause) from error
    except TimeoutError as error:
        raise StorageError(f"S3 {operation}: timed out", Cause.SLOW) from error
    # RecursionError: on a redirect, botocore requests the bucket's region, and may be redirected again.
    except (BotoCoreError, HTTPClientError, ConnectionClientError, OSError, RecursionError) as error:
        raise StorageError(f"S3 {operation}: {type(error).__name__}", Cause.UNREACHABLE) from error


async def _parts_of_file(file: BinaryIO) -> AsyncGenerator[bytes, None]:
    while part := await asyncio.to_thread(file.read, _PART):
        yield part


async def _parts_of_stream(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    waiting = bytearray()
    async for chunk in chunks:
        waiting += chunk
        while len(waiting) >= _PART:
            yield bytes(waiting[:_PART])
            del waiting[:_PART]
    if waiting:
        yield bytes(waiting)


async def _read(body: "StreamingBody", most: int) -> bytes:
    """Read a body, up to `most` bytes."""
    found = b""
    while len(found) < most and (chunk := await body.read(most - len(found))):
        found += chunk
    return found


def _attachment(download_as: str) -> str:
    """Return a Content-Disposition with this file name (RFC 6266), in ASCII and for modern clients in UTF-8."""
    name = PurePath(download_as).name
    ascii_name = "".join(
        letter if letter.isascii() and letter.isprintable() and letter not in '"\\%' else "_" for letter in name
    )
    return f"attachment; filename=\"{ascii_name}\"; filename*=UTF-8''{quote(name, safe='')}"
