"""Presigned S3 links and upload forms; signatures are verified here, because moto does not check them."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import boto3  # type: ignore[import-untyped]  # no stubs for a client that only tests use
import httpx
import pytest
from botocore.config import Config
from botocore.credentials import ReadOnlyCredentials

from services.integrations.storage.s3 import S3Storage
from services.integrations.storage.s3_presigning import sign_link
from tests.support.s3_server import BUCKET, KEY_ID, REGION, SECRET, S3Server, s3_server

KEY = "generated/usr_1/fil_1"
START = 1_800_000_000  # a window of 300 seconds begins here


class Clock:
    def __init__(self) -> None:
        self.now = float(START)

    def __call__(self) -> float:
        return self.now


def make_storage(clock: Clock, **more: Any) -> S3Storage:
    options = {
        "region": REGION,
        "prefix": "darkroom",
        "link_seconds": 600,
        "endpoint_url": "http://minio:9000",
        "access_key_id": KEY_ID,
        "secret_access_key": SECRET,
    }
    return S3Storage(more.pop("bucket", BUCKET), **{**options, **more}, clock=clock)


@pytest.fixture(scope="module")
def shared_clock() -> Clock:
    return Clock()


@pytest.fixture
def clock(shared_clock: Clock) -> Clock:
    """The storage's clock, set to the beginning of a window."""
    shared_clock.now = float(START)
    return shared_clock


@pytest.fixture(scope="module")
async def storage(shared_clock: Clock) -> AsyncIterator[S3Storage]:
    """A storage without a server: presigning sends no requests."""
    async with make_storage(shared_clock) as found:
        yield found


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


def signature_v4(text: str, date: str) -> str:
    """Compute an AWS Signature Version 4 by Amazon's specification, without botocore."""
    key = f"AWS4{SECRET}".encode()
    for part in (date, REGION, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()


def is_valid(url: str, now: float) -> bool:
    """Return whether S3 would accept this link at this time."""
    parts = urlsplit(url)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    signature = query.pop("X-Amz-Signature")
    sorted_query = "&".join(f"{quote(name, safe='')}={quote(query[name], safe='')}" for name in sorted(query))
    request = f"GET\n{parts.path}\n{sorted_query}\nhost:{parts.netloc}\n\nhost\nUNSIGNED-PAYLOAD"
    moment = query["X-Amz-Date"]
    scope = f"{moment[:8]}/{REGION}/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    start = datetime.strptime(moment, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    in_time = start <= now < start + int(query["X-Amz-Expires"])
    return in_time and signature == signature_v4(text, moment[:8]) and query["X-Amz-Credential"] == f"{KEY_ID}/{scope}"


async def test_link_is_stable_within_its_window_on_every_server(storage: S3Storage, clock: Clock) -> None:
    async with make_storage(clock) as another_server:
        links = []
        for seconds in range(0, 900, 10):
            clock.now = START + seconds + 0.5
            links.append(await storage.link(KEY, "image/png"))
            assert await another_server.link(KEY, "image/png") == links[-1]
    assert [links.count(link) for link in dict.fromkeys(links)] == [30, 30, 30]


async def test_link_is_valid_for_at_least_half_of_its_lifetime_then_expires(storage: S3Storage, clock: Clock) -> None:
    for start in (START, START + 0.5, START + 299.9):
        clock.now = start
        link = await storage.link(KEY, "image/png", download_as="darkroom.png")
        assert 300 <= link.expires_at - start <= 600
        assert is_valid(link.url, start)
        assert is_valid(link.url, link.expires_at - 1)
        assert not is_valid(link.url, link.expires_at)


@pytest.mark.parametrize(
    ("part", "replacement"),
    [
        ("fil_1?", "fil_2?"),
        ("image%2Fpng", "text%2Fhtml"),
        ("Expires=600", "Expires=6000"),
        ("minio", "other"),
        ("X-Amz-Date=2027", "X-Amz-Date=2028"),
    ],
)
async def test_modified_link_is_invalid(storage: S3Storage, clock: Clock, part: str, replacement: str) -> None:
    url = (await storage.link(KEY, "image/png")).url
    assert part in url
    assert not is_valid(url.replace(part, replacement), START)


@pytest.mark.parametrize(
    ("options", "address"),
    [
        ({}, "http://minio:9000/pictures/"),
        ({"public_url": "https://pictures.example.com"}, "https://pictures.example.com/pictures/"),
        ({"endpoint_url": None}, f"https://pictures.s3.{REGION}.amazonaws.com/"),
        ({"endpoint_url": None, "bucket": "our.pictures"}, f"https://s3.{REGION}.amazonaws.com/our.pictures/"),
        ({"session_token": "lent/for+a=while"}, "http://minio:9000/pictures/"),
    ],
    ids=["another store", "public", "AWS", "a bucket with dots", "a lent key"],
)
async def test_links_and_forms_equal_those_of_botocore(clock: Clock, options: dict[str, Any], address: str) -> None:
    bucket = options.get("bucket", BUCKET)
    endpoint = options.get("public_url") or options.get("endpoint_url", "http://minio:9000")
    botocore_client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=KEY_ID,
        aws_secret_access_key=SECRET,
        aws_session_token=options.get("session_token"),
        config=Config(
            signature_version="s3v4", s3={"addressing_style": "path" if endpoint or "." in bucket else "virtual"}
        ),
    )
    wanted = {"Bucket": bucket, "Key": f"darkroom/{KEY}", "ResponseContentType": "image/png"}
    link = botocore_client.generate_presigned_url("get_object", wanted, ExpiresIn=600)
    expected = {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}
    moment = datetime.strptime(expected["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    keys = ReadOnlyCredentials(KEY_ID, SECRET, options.get("session_token"))
    answer = {"response-content-type": "image/png"}
    plain = link.partition("?")[0]
    signed_url = sign_link(plain, answer, keys, REGION, moment=int(moment.timestamp()), seconds=600)
    assert {name: values[0] for name, values in parse_qs(urlsplit(signed_url).query).items()} == expected

    async with make_storage(clock, **options) as storage:
        assert (await storage.link(KEY, "image/png")).url.partition("?")[0] == plain == f"{address}darkroom/{KEY}"
        target = await storage.upload_target(KEY, "image/png", byte_size=1000, seconds=60)
        assert address.startswith(f"{storage.origin}/")
        assert storage.origin.count("/") == 2, "as a Content-Security-Policy names it"
    form = botocore_client.generate_presigned_post(bucket, f"darkroom/{KEY}")
    assert target.url.rstrip("/") == form["url"].rstrip("/")
    assert target.fields is not None
    assert target.fields.keys() == form["fields"].keys() | {"Content-Type"}
    assert target.fields.get("x-amz-security-token") == options.get("session_token")


async def test_form_allows_one_key_one_type_and_one_size_until_it_expires(storage: S3Storage, clock: Clock) -> None:
    target = await storage.upload_target(KEY, "image/webp", byte_size=1000, seconds=60)
    assert (target.method, target.url, target.headers) == ("POST", "http://minio:9000/pictures", {})
    assert target.expires_at == clock.now + 60
    fields = target.fields
    assert fields is not None
    assert (fields["key"], fields["Content-Type"]) == (f"darkroom/{KEY}", "image/webp")
    date = fields["x-amz-date"][:8]
    assert fields["x-amz-signature"] == signature_v4(fields["policy"], date)
    assert json.loads(base64.b64decode(fields["policy"])) == {
        "expiration": datetime.fromtimestamp(START + 60, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "conditions": [
            {"bucket": BUCKET},
            {"key": f"darkroom/{KEY}"},
            {"Content-Type": "image/webp"},
            ["content-length-range", 1000, 1000],
            {"x-amz-algorithm": "AWS4-HMAC-SHA256"},
            {"x-amz-credential": f"{KEY_ID}/{date}/{REGION}/s3/aws4_request"},
            {"x-amz-date": fields["x-amz-date"]},
        ],
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("darkroom-1.jpg", "attachment; filename=\"darkroom-1.jpg\"; filename*=UTF-8''darkroom-1.jpg"),
        ("../../etc/passwd", "attachment; filename=\"passwd\"; filename*=UTF-8''passwd"),
        ('a";b\r\nX: y.png', "attachment; filename=\"a_;b__X: y.png\"; filename*=UTF-8''a%22%3Bb%0D%0AX%3A%20y.png"),
        ("café.png", "attachment; filename=\"caf_.png\"; filename*=UTF-8''caf%C3%A9.png"),
    ],
)
async def test_download_name_is_escaped_in_the_header(
    storage: S3Storage, clock: Clock, name: str, expected: str
) -> None:
    link = await storage.link(KEY, "image/png", download_as=name)
    assert parse_qs(urlsplit(link.url).query)["response-content-disposition"] == [expected]
    assert is_valid(link.url, START)


async def test_form_upload_is_stored_and_link_sets_the_content_type(s3: S3Server) -> None:
    storage = S3Storage(
        BUCKET,
        region=REGION,
        prefix="darkroom",
        link_seconds=600,
        endpoint_url=s3.url,
        access_key_id=KEY_ID,
        secret_access_key=SECRET,
    )
    async with storage, httpx.AsyncClient() as browser:
        target = await storage.upload_target(KEY, "image/png", byte_size=17, seconds=60)
        sent = await browser.post(target.url, data=target.fields, files={"file": ("photo", b"sent by a browser")})
        assert sent.is_success
        assert await storage.get(KEY) == b"sent by a browser"
        link = await storage.link(KEY, "image/webp", download_as="mine.webp")
        found = await browser.get(link.url)
        assert (found.status_code, found.content) == (200, b"sent by a browser")
        assert found.headers["content-type"] == "image/webp"
        assert found.headers["content-disposition"].startswith('attachment; filename="mine.webp"')
        assert found.headers["cache-control"] == "private, max-age=600, immutable"
