"""WebhookSender: public addresses are reached, all others cause no network access, and no answer holds it up."""

import asyncio
import email.utils
import ssl
import time
from collections.abc import AsyncIterator, Sequence

import pytest

from models.enum import AttemptFailure
from services.integrations.webhooks.outcome import SendError
from services.integrations.webhooks.sender import WebhookSender
from services.integrations.webhooks.target import BadTargetError, parse_target
from tests.integrations.providers.test_safe_fetch import (
    HOST,
    PEM,
    PUBLIC,
    PUBLIC_V6,
    FakeResolver,
    RecordingNetwork,
    Site,
)
from tests.support.fakes.raw_server import Ending, Response, raw_head, raw_response
from tests.support.fakes.webhook_receiver import WebhookReceiver

URL = f"https://{HOST}/hooks?a=b"
BODY = b'{"type":"webhook.test"}'
PRIVATE = [
    "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "224.0.0.1",  # noqa: S104 - refused
    "255.255.255.255", "192.0.0.1", "198.18.0.1", "::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254",
    "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1", "ff02::1",
]  # fmt: skip


@pytest.fixture
async def site() -> Site:
    found = Site()
    found.wire = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    return found


@pytest.fixture
async def wire(site: Site) -> AsyncIterator[RecordingNetwork]:
    server = await asyncio.start_server(site.serve, "127.0.0.1", 0, ssl=site.tls)
    yield RecordingNetwork(server.sockets[0].getsockname()[1])
    server.close()


def sender(wire: RecordingNetwork, *answers: Sequence[str], is_development: bool = False) -> WebhookSender:
    """A sender whose names resolve to `answers`, one after another, and that trusts the certificate of `HOST`."""
    return WebhookSender(
        is_development=is_development,
        resolver=FakeResolver(*(answers or ([PUBLIC],))),
        network=wire,
        tls=ssl.create_default_context(cafile=str(PEM)),
    )


async def failure(sending: WebhookSender, url: str = URL) -> AttemptFailure:
    """Send a body that must not arrive, and return why."""
    with pytest.raises(SendError) as failed:
        await sending.send(url, {}, BODY)
    return failed.value.failure


async def test_body_is_posted_to_the_resolved_address_under_the_hosts_name(site: Site, wire: RecordingNetwork) -> None:
    response = await sender(wire).send(URL, {"webhook-id": "msg_1"}, BODY)
    assert (response.status, response.excerpt) == (200, "ok")
    assert wire.connections == [(PUBLIC, 443)]
    assert site.names == [HOST]
    [head] = site.requests
    assert head.startswith(b"POST /hooks?a=b HTTP/1.1\r\n")
    for line in (b"Host: pictures.example", b"Content-Length: 23", b"webhook-id: msg_1", b"Connection: close"):
        assert b"\r\n" + line + b"\r\n" in head


@pytest.mark.parametrize("address", PRIVATE)
async def test_host_with_a_private_address_is_not_connected_to(address: str, wire: RecordingNetwork) -> None:
    assert await failure(sender(wire, [address])) is AttemptFailure.UNSAFE_ADDRESS
    assert await failure(sender(wire, [PUBLIC, address])) is AttemptFailure.UNSAFE_ADDRESS
    assert wire.connections == []


async def test_second_answer_of_the_dns_is_not_asked_for(wire: RecordingNetwork) -> None:
    await sender(wire, [PUBLIC], ["127.0.0.1"]).send(URL, {}, BODY)
    assert wire.connections == [(PUBLIC, 443)]


async def test_development_allows_this_machine_and_no_other_private_address(wire: RecordingNetwork) -> None:
    for address in (found for found in PRIVATE if found not in ("127.0.0.1", "::1")):
        assert await failure(sender(wire, [address], is_development=True)) is AttemptFailure.UNSAFE_ADDRESS
    assert wire.connections == []


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_redirect_is_not_followed(status: int, site: Site, wire: RecordingNetwork) -> None:
    site.wire = b"HTTP/1.1 %d Moved\r\nLocation: https://127.0.0.1/\r\nContent-Length: 0\r\n\r\n" % status
    assert (await sender(wire).send(URL, {}, BODY)).status == status
    assert len(wire.connections) == 1


async def test_next_address_is_tried_where_nothing_was_sent(site: Site, wire: RecordingNetwork) -> None:
    wire.unreachable = {PUBLIC_V6}
    await sender(wire, [PUBLIC_V6, PUBLIC]).send(URL, {}, BODY)
    assert wire.connections == [(PUBLIC_V6, 443), (PUBLIC, 443)]
    wire.unreachable = {PUBLIC_V6, PUBLIC}
    assert await failure(sender(wire, [PUBLIC_V6, PUBLIC])) is AttemptFailure.CONNECTION


async def test_certificate_of_another_name_is_refused(wire: RecordingNetwork) -> None:
    assert await failure(sender(wire), "https://other.example/") is AttemptFailure.TLS


async def test_host_without_an_address_is_reported(wire: RecordingNetwork) -> None:
    assert await failure(WebhookSender(), "https://nothing.invalid/") is AttemptFailure.DNS
    assert await failure(sender(wire, [])) is AttemptFailure.DNS


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (Response(ending=Ending.SILENCE), AttemptFailure.TIMEOUT),
        (Response(b"HTTP/1.1 200 OK\r\n", repeat=b"X-A: b\r\n", gap=0.05), AttemptFailure.TIMEOUT),  # a head, slowly
        (Response(b"", repeat=b"HTTP/1.1 100 Continue\r\n\r\n", gap=0.05), AttemptFailure.TIMEOUT),
        (Response(b"HTTP/1.1 200 OK\r\n", repeat=b"X-A: " + b"b" * 65_536 + b"\r\n"), AttemptFailure.PROTOCOL),
        (Response(b"SSH-2.0-OpenSSH_9.2\r\n"), AttemptFailure.PROTOCOL),
        (Response(), AttemptFailure.PROTOCOL),  # closed without an answer
        (Response(ending=Ending.RESET), AttemptFailure.CONNECTION),
    ],
)
async def test_broken_answers_end_within_the_time(response: Response, expected: AttemptFailure) -> None:
    async with WebhookReceiver() as receiver:
        receiver.otherwise = response
        sending, started = WebhookSender(is_development=True, seconds=1.0), time.monotonic()
        assert await failure(sending, receiver.url) is expected
        assert time.monotonic() - started < 15


async def test_excerpt_and_pause_of_an_answer_are_bounded() -> None:
    async with WebhookReceiver() as receiver:
        body = b"no\x00\x1b[31m \xff" + "\u202e".encode() + b"x" * 10_000
        receiver.otherwise = raw_response(503, "text/plain", body, **{"Retry-After": "9" * 100})
        response = await WebhookSender(is_development=True).send(receiver.url, {}, BODY)
        assert len(response.excerpt) == 500
        assert response.excerpt.isprintable()
        assert response.retry_after == 999_999_999
        receiver.otherwise = Response(raw_head(503, "text/plain", **{"Retry-After": "soon"}))
        assert (await WebhookSender(is_development=True).send(receiver.url, {}, BODY)).retry_after is None


@pytest.mark.parametrize(("ahead", "least", "most"), [(7200, 7100, 7200), (-7200, 0, 0)])
async def test_pause_may_be_given_as_a_date(ahead: float, least: float, most: float) -> None:
    async with WebhookReceiver() as receiver:
        date = email.utils.formatdate(time.time() + ahead, usegmt=True)
        receiver.otherwise = raw_response(503, "text/plain", b"", **{"Retry-After": date})
        response = await WebhookSender(is_development=True).send(receiver.url, {}, BODY)
        assert response.retry_after is not None
        assert least <= response.retry_after <= most


@pytest.mark.parametrize(
    "url",
    [
        "", "hooks", "ftp://example.com/", "https://", "https:///path", "http://example.com/", "https://127.0.0.1/",
        "https://[::1]/", "https://2130706433/", "https://0x7f.1/", "https://localhost/", "https://example.com:25/",
        "https://example.com:0/", "https://example.com:99999/", "https://a:b@example.com/", "https://example.com/#part",
        "https://example.com\\@127.0.0.1/", "https://example.com/ x", "https://example.com/\n", "https://例子.example/",
        "https://example.com/" + "x" * 2048, "https://internal/", "https://example.com./", "https://-.example/",
    ],
)  # fmt: skip
def test_urls_of_accounts_are_public_https_addresses(url: str) -> None:
    with pytest.raises(BadTargetError):
        parse_target(url, is_own=False, is_development=False)


@pytest.mark.parametrize(
    ("url", "port"),
    [("https://example.com", 443), ("HTTPS://Example.com:443/a?b=c", 443), ("https://hooks.example.com:8443/x", 8443)],
)
def test_public_https_addresses_are_accepted(url: str, port: int) -> None:
    target = parse_target(url, is_own=False, is_development=False)
    assert (target.port, target.host.endswith("example.com")) == (port, True)


def test_operators_may_name_any_address() -> None:
    target = parse_target("http://10.0.0.5:9000/x", is_own=True, is_development=False)
    assert (target.netloc, target.scheme) == ("10.0.0.5:9000", "http")
    assert parse_target("http://[::1]:80/", is_own=True, is_development=False).netloc == "[::1]"
