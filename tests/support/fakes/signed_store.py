"""An S3-compatible store that verifies every signature (AWS Signature Version 4), with or without POST forms."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, quote
from xml.sax.saxutils import escape

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from tests.support.quick_server import QuickServer
from tests.support.s3_server import BUCKET, KEY_ID, REGION, SECRET


class RefusedError(Exception):
    """The store refuses the request with an S3 error; the arguments are its status and code."""


@dataclass
class SignedStore:
    """`objects`: content types and bytes by key; `refused`: codes of refusals; `has_forms`: whether it takes forms."""

    has_forms: bool = False
    url: str = ""
    objects: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)

    async def answer(self, request: Request) -> Response:
        try:
            if request.method == "POST":
                return await self._take_form(request)
            body = await request.body()
            verify(request, body)
            return self._do(request, body)
        except RefusedError as refusal:
            status, code = refusal.args
            self.refused.append(code)
            return Response(f"<Error><Code>{code}</Code></Error>", status, media_type="application/xml")
        except ClientDisconnect:
            return Response(status_code=400)

    def _do(self, request: Request, body: bytes) -> Response:
        key = request.path_params.get("key", "")
        if request.method == "PUT":
            self.objects[key] = (request.headers.get("content-type", ""), body)
        elif request.method == "DELETE":
            self.objects.pop(key, None)
            return Response(status_code=204)
        elif not key:
            return Response(self._list(request.query_params.get("prefix", "")), media_type="application/xml")
        elif key not in self.objects:
            raise RefusedError(404, "NoSuchKey")
        else:
            content_type, data = self.objects[key]
            return Response(data, media_type=request.query_params.get("response-content-type", content_type))
        return Response(headers={"ETag": f'"{hashlib.md5(body).hexdigest()}"'})  # noqa: S324 - as S3 computes it

    def _list(self, prefix: str) -> str:
        found = "".join(
            f"<Contents><Key>{escape(key)}</Key></Contents>" for key in sorted(self.objects) if key.startswith(prefix)
        )
        return f"<ListBucketResult><IsTruncated>false</IsTruncated>{found}</ListBucketResult>"

    async def _take_form(self, request: Request) -> Response:
        if not self.has_forms:
            raise RefusedError(501, "NotImplemented")
        async with request.form() as form:
            fields = {name.lower(): value for name, value in form.items() if isinstance(value, str)}
            file = form["file"]
            assert isinstance(file, UploadFile)
            data = await file.read()
        policy = fields["policy"]
        if fields["x-amz-signature"] != sign(policy, fields["x-amz-date"][:8]):
            raise RefusedError(403, "SignatureDoesNotMatch")
        check_policy(json.loads(base64.b64decode(policy)), fields | {"bucket": BUCKET}, len(data))
        self.objects[fields["key"]] = (fields["content-type"], data)
        return Response(status_code=204)


def check_policy(policy: Mapping[str, Any], fields: Mapping[str, str], size: int) -> None:
    """Check a form against its policy. Raises RefusedError."""
    if datetime.fromisoformat(policy["expiration"]).timestamp() <= time.time():
        raise RefusedError(403, "AccessDenied")
    for condition in policy["conditions"]:
        if isinstance(condition, dict):
            ((name, value),) = condition.items()
            if fields.get(name.lower()) != value:
                raise RefusedError(403, "AccessDenied")
        elif condition[0] == "content-length-range" and size < condition[1]:
            raise RefusedError(400, "EntityTooSmall")
        elif condition[0] == "content-length-range" and size > condition[2]:
            raise RefusedError(400, "EntityTooLarge")


def sign(text: str, date: str) -> str:
    """Sign a text for a date (YYYYMMDD), by Amazon's specification, without botocore."""
    key = f"AWS4{SECRET}".encode()
    for part in (date, REGION, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()


def verify(request: Request, body: bytes) -> None:
    """Check the signature of a request, in its query or its headers. Raises RefusedError."""
    query = parse_qsl(request.scope["query_string"].decode(), keep_blank_values=True)
    given = {name: value for name, value in query if name.startswith("X-Amz-")}
    if given:
        payload, moment = "UNSIGNED-PAYLOAD", given["X-Amz-Date"]
        start = datetime.strptime(moment, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
        if time.time() > start + int(given["X-Amz-Expires"]):
            raise RefusedError(403, "AccessDenied")
        names, credential, signature = (given[f"X-Amz-{name}"] for name in ("SignedHeaders", "Credential", "Signature"))
    else:
        parts = dict(
            part.split("=", 1)
            for part in request.headers.get("authorization", "").partition(" ")[2].split(", ")
            if "=" in part
        )
        if not parts:
            raise RefusedError(403, "AccessDenied")
        payload, moment = request.headers["x-amz-content-sha256"], request.headers["x-amz-date"]
        names, credential, signature = parts["SignedHeaders"], parts["Credential"], parts["Signature"]
        if payload not in ("UNSIGNED-PAYLOAD", hashlib.sha256(body).hexdigest()):
            raise RefusedError(400, "XAmzContentSHA256Mismatch")
    scope = f"{moment[:8]}/{REGION}/s3/aws4_request"
    pairs = sorted(
        (quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in query if name != "X-Amz-Signature"
    )
    headers = [f"{name}:{' '.join(request.headers.get(name, '').split())}" for name in names.split(";")]
    canonical = [request.method, request.scope["raw_path"].decode(), "&".join(map("=".join, pairs))]
    canonical += [*headers, "", names, payload]
    digest = hashlib.sha256("\n".join(canonical).encode()).hexdigest()
    expected = sign(f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{digest}", moment[:8])
    if (signature, credential) != (expected, f"{KEY_ID}/{scope}"):
        raise RefusedError(403, "SignatureDoesNotMatch")


@contextlib.asynccontextmanager
async def signed_store(*, has_forms: bool = False) -> AsyncIterator[SignedStore]:
    """Run a store with the empty bucket BUCKET."""
    store = SignedStore(has_forms)
    methods = ["GET", "HEAD", "PUT", "POST", "DELETE"]
    paths = (f"/{BUCKET}", f"/{BUCKET}/{{key:path}}")
    routes = [Route(path, store.answer, methods=methods) for path in paths]
    server = QuickServer(uvicorn.Config(Starlette(routes=routes), port=0, log_config=None, lifespan="off"))
    task = asyncio.create_task(server.serve())
    try:
        while not server.started:
            assert not task.done(), "the store did not start"
            await asyncio.sleep(0.005)
        store.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        yield store
    finally:
        server.stop()
        await task
