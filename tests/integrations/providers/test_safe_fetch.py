"""SafeFetch: allowed URLs are fetched, and all others cause no network access."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path

import httpcore2
import pytest

from services.integrations.providers.openrouter.client import OpenRouterProvider
from services.integrations.providers.protocol import FinalImage, ImageRequest
from services.integrations.providers.safe_fetch import FetchError, SafeFetch, UnsafeUrlError, is_global
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.fakes.openrouter_response import COST, GENERATION_ID, MODEL, remote_url

HOST = "pictures.example"
URL = f"https://{HOST}/a/b.png"
PEM = Path(__file__).with_name("pictures.example.pem")
PUBLIC = "93.184.216.34"  # public addresses; every connection to them is redirected to the local server
PUBLIC_V6 = "2606:2800:220:1:248:1893:25c8:1946"
PICTURE = b"\x89PNG" + bytes(1000)


class RecordingNetwork(httpcore2.AsyncNetworkBackend):
    """A network backend that records the requested addresses and connects to the local server instead."""

    def __init__(self, port: int) -> None:
        self.connections: list[tuple[str, int]] = []
        self.unreachable: set[str] = set()
        self._port = port
        self._real = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore2's
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        self.connections.append((host, port))
        if host in self.unreachable:
            raise httpcore2.ConnectError("refused")
        return await self._real.connect_tcp("127.0.0.1", self._port, timeout)


class Site:
    """A local https server that sends `wire` to every request, then `repeat` until the client disconnects."""

    def __init__(self) -> None:
        self.wire = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(PICTURE), PICTURE)
        self.repeat = b""
        self.requests: list[bytes] = []
        self.names: list[str | None] = []  # requested by SNI
        self.disconnected = asyncio.Event()
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(PEM)
        tls.sni_callback = lambda _socket, name, _context: self.names.append(name)
        self.tls = tls

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.requests.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(self.wire)
            await writer.drain()
            while self.repeat and not reader.at_eof():
                writer.write(self.repeat)
                await writer.drain()
                await asyncio.sleep(0.01)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client disconnected, or rejected the certificate
        finally:
            self.disconnected.set()
            writer.close()


class FakeResolver:
    """A resolver with one answer per query; the last one repeats."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.queries: list[str] = []
        self._answers = answers

    async def __call__(self, host: str) -> Sequence[str]:
        self.queries.append(host)
        return self._answers[min(len(self.queries), len(self._answers)) - 1]


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
async def wire(site: Site) -> AsyncIterator[RecordingNetwork]:
    server = await asyncio.start_server(site.serve, "127.0.0.1", 0, ssl=site.tls)
    yield RecordingNetwork(server.sockets[0].getsockname()[1])
    server.close()


def fetcher(
    wire: RecordingNetwork, *answers: Sequence[str], max_bytes: int = 10_000, seconds: float = 5.0
) -> SafeFetch:
    trust = ssl.create_default_context(cafile=str(PEM))
    names = FakeResolver(*(answers or ([PUBLIC],)))
    return SafeFetch(frozenset({HOST}), resolver=names, max_bytes=max_bytes, seconds=seconds, network=wire, tls=trust)


@pytest.mark.parametrize("url", [URL, f"HTTPS://{HOST.upper()}/a/b.png", f"https://{HOST}:443/a/b.png#part"])
async def test_image_on_an_allowed_host_is_fetched_from_the_resolved_address(
    url: str, site: Site, wire: RecordingNetwork
) -> None:
    assert await fetcher(wire).get(url) == PICTURE
    assert wire.connections == [(PUBLIC, 443)]
    assert site.names == [HOST]
    [request] = site.requests
    assert request.startswith(b"GET /a/b.png HTTP/1.1\r\n")
    assert b"\r\nHost: pictures.example\r\n" in request


async def test_query_is_sent_and_ipv6_works(site: Site, wire: RecordingNetwork) -> None:
    assert await fetcher(wire, [PUBLIC_V6]).get(f"https://{HOST}?a=1&b=%20") == PICTURE
    assert wire.connections == [(PUBLIC_V6, 443)]
    assert site.requests[0].startswith(b"GET /?a=1&b=%20 HTTP/1.1\r\n")


async def test_image_url_of_a_model_on_an_allowed_host_becomes_the_result(wire: RecordingNetwork) -> None:
    async with ScriptedOpenRouter() as fake:
        fake.script(remote_url(URL))
        provider = OpenRouterProvider(fake.key, base_url=fake.base_url, app_url=None, fetch=fetcher(wire))
        events = [event async for event in provider.generate(ImageRequest("gen_1", "A fox"))]
        await provider.aclose()
    assert events[-1] == FinalImage(PICTURE, MODEL, COST, GENERATION_ID)


async def test_next_address_is_tried_when_one_is_unreachable(wire: RecordingNetwork) -> None:
    wire.unreachable = {PUBLIC_V6}
    assert await fetcher(wire, [PUBLIC_V6, PUBLIC]).get(URL) == PICTURE
    assert wire.connections == [(PUBLIC_V6, 443), (PUBLIC, 443)]


REFUSED = [
    "",
    "pictures.example/a.png",
    "//pictures.example/a.png",
    "http://pictures.example/a.png",
    "ftp://pictures.example/a.png",
    "file:///etc/passwd",
    "file://pictures.example/etc/passwd",
    "gopher://pictures.example/_x",
    "data:image/png;base64,AAAA",
    "javascript:alert(1)",
    "ws://pictures.example/",
    "https:",
    "https://",
    "https:///a.png",
    "https:pictures.example/a.png",
    "https://pictures.example:80/",
    "https://pictures.example:6379/",
    "https://pictures.example:5432/",
    "https://pictures.example:0443/",
    "https://pictures.example:/",
    "https://pictures.example:443:443/",
    "https://user@pictures.example/",
    "https://user:password@pictures.example/",
    "https://pictures.example@127.0.0.1/",
    "https://pictures.example:443@127.0.0.1/",
    "https://127.0.0.1#@pictures.example/",
    "https://127.0.0.1?@pictures.example/",
    "https://127.0.0.1\\@pictures.example/",
    "https://pictures.example\\@127.0.0.1/",
    "https://127.0.0.1%2f@pictures.example/",
    "https://pictures.example./a.png",
    "https://.pictures.example/",
    "https://evil.pictures.example/",
    "https://pictures.example.evil.example/",
    "https://pictures-example/",
    "https://pictures%2eexample/",
    "https://pictures.example%00.evil.example/",
    "https://pictures\uff0eexample/",
    "https://p\u0456ctures.example/",
    "https://pictures.example\u3002evil.example/",
    "https://pictures.example /",
    " https://pictures.example/",
    "https://pictures.example/\r\nHost: 127.0.0.1",
    "https://pictures.example/a\tb",
    "https://pictures.example/a b.png",
    "https://pictures.example/\x00",
    "https://pict\nures.example/",
    "https://localhost/",
    "https://localhost./",
    "https://LOCALHOST/",
    "https://127.0.0.1/",
    "https://127.1/",
    "https://0/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.1/",
    "https://017700000001/",
    "https://0177.0.0.1/",
    "https://127.0.0.1.nip.io/",
    "https://169.254.169.254/latest/meta-data/",
    "https://metadata.google.internal/",
    "https://10.0.0.1/",
    "https://[::1]/",
    "https://[::]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[fe80::1%25eth0]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[pictures.example]/",
    "https://[",
    "https://pictures.example/" + "a" * 3000,
]


@pytest.mark.parametrize("url", REFUSED, ids=lambda url: ascii(url)[1:61])
async def test_url_that_is_not_plainly_allowed_causes_no_connection(url: str, wire: RecordingNetwork) -> None:
    names = FakeResolver([PUBLIC])
    fetch = SafeFetch(frozenset({HOST}), resolver=names, network=wire)
    with pytest.raises(UnsafeUrlError):
        await fetch.get(url)
    assert (names.queries, wire.connections) == ([], [])


NOT_GLOBAL = [
    "0.0.0.0",  # noqa: S104 - nothing is bound here
    "0.1.2.3",
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.9",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:93.184.216.34",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::7f00:1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:5db8:d822::1",
    "3fff::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "localhost",
    "127.1",
    "0x7f.0.0.1",
    "",
]


@pytest.mark.parametrize("address", NOT_GLOBAL)
async def test_allowed_host_with_a_private_address_causes_no_connection(address: str, wire: RecordingNetwork) -> None:
    for answer in ([address], [PUBLIC, address], [address, PUBLIC]):
        with pytest.raises(UnsafeUrlError):
            await fetcher(wire, answer).get(URL)
    assert wire.connections == []


@pytest.mark.parametrize("address", [PUBLIC, PUBLIC_V6, "8.8.8.8", "172.32.0.1", "2a00:1450:4001:81b::200e"])
def test_public_addresses_are_global(address: str) -> None:
    assert is_global(address)


async def test_name_is_resolved_once_so_dns_rebinding_has_no_effect(wire: RecordingNetwork) -> None:
    names = FakeResolver([PUBLIC], ["127.0.0.1"])
    trust = ssl.create_default_context(cafile=str(PEM))
    fetch = SafeFetch(frozenset({HOST}), resolver=names, network=wire, tls=trust)
    assert await fetch.get(URL) == PICTURE
    assert (names.queries, wire.connections) == ([HOST], [(PUBLIC, 443)])


async def test_real_network_backend_never_connects_to_a_loopback_listener() -> None:
    connections = 0

    def count(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        writer.close()

    server = await asyncio.start_server(count, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    fetch = SafeFetch(frozenset({HOST}), resolver=FakeResolver(["127.0.0.1"]))
    for authority in ("127.0.0.1", "localhost", "2130706433", f"{HOST}@127.0.0.1", "[::ffff:127.0.0.1]", HOST):
        with pytest.raises(UnsafeUrlError):
            await fetch.get(f"https://{authority}:{port}/")
    with pytest.raises(UnsafeUrlError):
        await fetch.get(URL)
    server.close()
    assert connections == 0


@pytest.mark.parametrize(
    "target", ["http://127.0.0.1/", "https://169.254.169.254/", f"https://{HOST}/b.png", "file:///etc/passwd"]
)
async def test_redirect_is_not_followed(target: str, site: Site, wire: RecordingNetwork) -> None:
    site.wire = f"HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode()
    with pytest.raises(FetchError):
        await fetcher(wire).get(URL)
    assert len(wire.connections) == len(site.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nABCD",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ncut",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10001\r\n\r\n" + bytes(10_001),
        b"nonsense\r\n\r\n",
        b"",
    ],
    ids=["404", "500", "compressed", "cut", "over the cap", "no HTTP", "nothing"],
)
async def test_incomplete_or_invalid_response_fails(answer: bytes, site: Site, wire: RecordingNetwork) -> None:
    site.wire = answer
    with pytest.raises(FetchError):
        await fetcher(wire).get(URL)


async def test_endless_body_is_closed_at_the_limit(site: Site, wire: RecordingNetwork) -> None:
    site.wire, site.repeat = b"HTTP/1.1 200 OK\r\n\r\n", bytes(1000)
    with pytest.raises(FetchError, match="more than 10000 bytes"):
        await fetcher(wire).get(URL)
    await asyncio.wait_for(site.disconnected.wait(), 5)


async def test_body_that_is_announced_over_the_limit_is_not_read(site: Site, wire: RecordingNetwork) -> None:
    site.wire, site.repeat = b"HTTP/1.1 200 OK\r\nContent-Length: 10001\r\n\r\n", b""
    with pytest.raises(FetchError, match="announced more than 10000 bytes"):
        await fetcher(wire).get(URL)


async def test_slow_body_is_closed_at_the_deadline(site: Site, wire: RecordingNetwork) -> None:
    site.wire, site.repeat = b"HTTP/1.1 200 OK\r\n\r\n", b"."
    with pytest.raises(FetchError, match=r"longer than 0\.3 s"):
        await fetcher(wire, seconds=0.3).get(URL)
    await asyncio.wait_for(site.disconnected.wait(), 5)


async def test_certificate_for_another_name_is_refused(site: Site, wire: RecordingNetwork) -> None:
    trust = ssl.create_default_context(cafile=str(PEM))
    fetch = SafeFetch(frozenset({"other.example"}), resolver=FakeResolver([PUBLIC]), network=wire, tls=trust)
    with pytest.raises(FetchError):
        await fetch.get("https://other.example/")
    assert site.requests == []


async def test_untrusted_certificate_is_refused(site: Site, wire: RecordingNetwork) -> None:
    fetch = SafeFetch(frozenset({HOST}), resolver=FakeResolver([PUBLIC]), network=wire)
    with pytest.raises(FetchError):
        await fetch.get(URL)
    assert site.requests == []


async def test_name_without_an_address_fails(wire: RecordingNetwork) -> None:
    with pytest.raises(FetchError):
        await fetcher(wire, []).get(URL)
    with pytest.raises(FetchError):
        await SafeFetch(frozenset({"nowhere.invalid"})).get("https://nowhere.invalid/")
    assert wire.connections == []


async def test_error_text_does_not_contain_the_query(site: Site, wire: RecordingNetwork) -> None:
    site.wire = b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"
    with pytest.raises(FetchError) as caught:
        await fetcher(wire).get(f"{URL}?signature=abc")
    assert "abc" not in str(caught.value)


@pytest.mark.parametrize(
    "host",
    ["", "*", "*.example", "127.0.0.1", "0x7f.1", "2130706433", "localhost", "::1", "[::1]", "A.example", "a.example."],
)
def test_only_plain_dns_names_can_be_allowed(host: str) -> None:
    with pytest.raises(ValueError, match="not a plain DNS name"):
        SafeFetch(frozenset({host}))
