"""S3 servers for tests: moto in a thread of this process, and a fake with scripted responses."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import boto3  # type: ignore[import-untyped]  # no stubs for a client that only tests use
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends
from moto.s3.responses import S3Response
from moto.server import ThreadedMotoServer

BUCKET = "pictures"
KEY_ID = "AKIATESTTESTTESTTEST"
SECRET = "hush-hush-hush-hush-hush-hush-hush-hush"
REGION = "eu-central-1"
_LISTINGS = 100


@dataclass
class S3Server:
    """moto's server, which checks neither signatures nor form policies. When stopped, it refuses connections."""

    url: str
    _server: ThreadedMotoServer

    def client(self) -> Any:
        """Return a plain blocking client, to inspect the bucket independently."""
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=KEY_ID,
            aws_secret_access_key=SECRET,
        )

    def make_bucket(self, name: str) -> None:
        self.client().create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})

    def fill(self, keys: Iterable[str]) -> None:
        """Create many small objects without HTTP requests."""
        bucket = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
        for key in keys:
            bucket.put_object(BUCKET, key, b"x")

    def stop(self) -> None:
        self._server.stop()


def _list_objects(request: S3Response, list_once: Any = S3Response.list_objects_v2) -> Any:
    """List a bucket as S3 does while objects are deleted: moto reads each of them after it has listed them all."""
    for _ in range(_LISTINGS):
        with contextlib.suppress(KeyError, RuntimeError, ValueError):  # one of them is gone
            return list_once(request)
    raise AssertionError(f"{_LISTINGS} listings met deleted objects")


@contextlib.contextmanager
def s3_server() -> Iterator[S3Server]:
    """Run a server with the empty bucket BUCKET; only one at a time."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # otherwise it logs every request
    moto = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    server = S3Server(f"http://{host}:{port}", moto)
    server.make_bucket(BUCKET)
    try:
        with mock.patch.object(S3Response, "list_objects_v2", _list_objects):
            yield server
    finally:
        server.stop()
        s3_backends.reset()  # moto's state belongs to the process, not to the server


@dataclass
class ScriptedS3:
    """Sends the same raw response to every request, or none; counts requests and open connections."""

    url: str = ""
    response: bytes | None = None  # None: never respond
    requests: int = 0
    open: set[asyncio.StreamWriter] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open.add(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.requests += 1
                length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
                await reader.readexactly(int(length[0].partition(b":")[2]) if length else 0)
                if self.response is not None:
                    writer.write(self.response)
                    await writer.drain()
        self.open.discard(writer)
        writer.close()


@contextlib.asynccontextmanager
async def scripted_s3() -> AsyncIterator[ScriptedS3]:
    fake = ScriptedS3()
    server = await asyncio.start_server(fake.serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    fake.url = f"http://{host}:{port}"
    try:
        yield fake
    finally:
        server.close()
        for writer in list(fake.open):
            writer.close()


def error_response(status: str, code: str, text: str = "as the script says") -> bytes:
    """Return an S3 error response."""
    body = f"<Error><Code>{code}</Code><Message>{text}</Message></Error>"
    return f"HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
