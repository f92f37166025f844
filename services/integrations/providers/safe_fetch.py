"""Fetch an image or a video from a URL of a third party, protected against server-side request forgery."""

import asyncio
import contextlib
import ipaddress
import re
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpcore2

from services.integrations.providers.http_client import trusted_certificates
from services.integrations.providers.protocol import MAX_ANSWER_BYTES

Resolver = Callable[[str], Awaitable[Sequence[str]]]

TOTAL_SECONDS = 30.0  # for an answer of the largest size, 18 Mbit/s
_CONNECT_SECONDS = 3.0  # per address
_MAX_ADDRESSES = 4
_MAX_URL = 2048  # characters
_URL = re.compile(r"[!-\[\]-~]+")  # printable ASCII without space and backslash, which parsers read differently
_NAME = re.compile(
    r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?"
)  # no IP address in any form
_PORTS = {"https": 443, "http": 80}
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")  # leaves out v4-mapped, NAT64, link-local, unique-local, multicast
# Inside the global ranges, but not part of the public internet (IANA special-purpose registries).
_SPECIAL = tuple(
    ipaddress.ip_network(network)
    for network in (
        "192.0.0.0/24",  # protocol assignments
        "192.88.99.0/24",  # 6to4 relays
        "2001::/23",  # protocol assignments, Teredo
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: carries any IPv4 address
        "3fff::/20",  # documentation
    )
)


@dataclass(frozen=True)
class _Target:
    """Where a request goes. `is_own`: to the provider's own API, whose address the operator chose."""

    scheme: str
    host: str
    port: int
    path: str  # with the query
    is_own: bool = False

    @property
    def netloc(self) -> str:
        return self.host if self.port == _PORTS[self.scheme] else f"{self.host}:{self.port}"


class UnsafeUrlError(Exception):
    """The URL, or an address of its host, is not allowed; nothing was sent."""


class FetchError(Exception):
    """The URL is allowed, but fetching it failed. `status`: of the response, if that is why."""

    def __init__(self, detail: str, status: int | None = None) -> None:
        super().__init__(detail)
        self.status = status


class UnusableAnswerError(FetchError):
    """The answer came, and is too large or compressed: fetched again, it is the same."""


async def resolve(host: str) -> Sequence[str]:
    """Resolve `host` by the system's resolver.

    Raises:
        OSError: it has no address, or the resolver failed.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, 443, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class SafeFetch:
    """Fetches https URLs of the allowed hosts.

    The name is resolved once and every address must be global; the connection goes to one of exactly these
    addresses, so a second DNS response (DNS rebinding) has no effect. No redirects, proxy, environment or
    compression. `network` and `tls` replace the network backend and the trusted certificates in tests.

    `origin`: the provider's own API as the operator configured it, such as https://openrouter.ai. There, and nowhere
    else, a key may be sent, and the address need not be global.
    """

    def __init__(
        self,
        allowed_hosts: frozenset[str],
        *,
        resolver: Resolver = resolve,
        max_bytes: int = MAX_ANSWER_BYTES,
        seconds: float = TOTAL_SECONDS,
        network: httpcore2.AsyncNetworkBackend | None = None,
        tls: ssl.SSLContext | None = None,
        origin: str | None = None,
    ) -> None:
        """Raises ValueError for an allowed host that is not a plain lower-case DNS name."""
        for host in allowed_hosts:
            if not _NAME.fullmatch(host):
                raise ValueError(f"not a plain DNS name: {host!r}")
        self._allowed_hosts = allowed_hosts
        self._resolver = resolver
        self._max_bytes = max_bytes
        self._seconds = seconds
        self._network = network
        self._tls = tls or trusted_certificates()
        self._origin = _origin(origin) if origin is not None else None

    async def get(self, url: str, *, accept: str = "image/*", key: str | None = None) -> bytes:
        """Fetch the bytes at `url`. `key`: sent as a bearer token, and only to `origin`.

        Raises:
            UnsafeUrlError: the URL is not allowed; nothing was sent.
            FetchError: unreachable, a status other than 200, too large, or not done within the time.
        """
        target = self._check(url)
        headers: dict[bytes | str, bytes | str] = {
            "Host": target.netloc,
            "Accept": accept,
            "Accept-Encoding": "identity",
            "Connection": "close",
        }
        if key is not None:
            if not target.is_own:
                raise UnsafeUrlError("the key is for the provider's own host only")
            headers["Authorization"] = f"Bearer {key}"
        host = target.host
        try:
            async with asyncio.timeout(self._seconds):
                addresses = await self._addresses(target)
                for address in addresses[:-1]:
                    try:
                        return await self._get_from(address, target, headers)
                    except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                        continue  # nothing was sent: try the next address
                return await self._get_from(addresses[-1], target, headers)
        except TimeoutError:
            raise FetchError(f"{host} took longer than {self._seconds:g} s") from None
        except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException, OSError) as error:
            raise FetchError(f"{host}: {type(error).__name__}") from None

    def _check(self, url: str) -> _Target:
        """Return the target of an allowed URL; error texts omit the query, which is often a signature."""
        if len(url) > _MAX_URL or not _URL.fullmatch(url):
            raise UnsafeUrlError("not a plain URL")
        try:
            parts = urlsplit(url)
            own = _origin(url) if self._origin is not None and parts.scheme in _PORTS else None
        except ValueError:
            raise UnsafeUrlError("not a plain URL") from None
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if own is not None and own == self._origin and "@" not in parts.netloc:
            return _Target(*own, path, is_own=True)
        if parts.scheme != "https":
            raise UnsafeUrlError("only https")
        host = parts.netloc.lower().removesuffix(":443")
        if host not in self._allowed_hosts:  # the whole netloc, so that user names, ports and brackets are refused
            raise UnsafeUrlError("the host is not allowed")
        return _Target("https", host, 443, path)

    async def _addresses(self, target: _Target) -> Sequence[str]:
        host = target.host
        addresses = await self._resolver(host)
        if not addresses:
            raise FetchError(f"{host} has no address")
        if not target.is_own and not all(is_global(address) for address in addresses):
            raise UnsafeUrlError(f"{host} resolves to an address that is not global")
        return addresses[:_MAX_ADDRESSES]

    async def _get_from(self, address: str, target: _Target, headers: Mapping[bytes | str, bytes | str]) -> bytes:
        host = target.host
        # One pool per fetch: a connection opened for one name must not be reused for another at the same address.
        async with pinned_stream(
            "GET",
            httpcore2.URL(scheme=target.scheme, host=address, port=target.port, target=target.path),
            host,
            headers,
            seconds=self._seconds,
            tls=self._tls,
            network=self._network,
        ) as response:
            if response.status != 200:
                raise FetchError(f"{host} answered {response.status}", response.status)
            received = {name.lower(): value for name, value in response.headers}
            if received.get(b"content-encoding", b"identity").lower() != b"identity":
                raise UnusableAnswerError(f"{host} sent a compressed response")
            announced = received.get(b"content-length", b"")
            if announced.isdigit() and int(announced[:19]) > self._max_bytes:
                raise UnusableAnswerError(f"{host} announced more than {self._max_bytes} bytes")
            body = bytearray()
            async for chunk in response.aiter_stream():
                body += chunk
                if len(body) > self._max_bytes:
                    raise UnusableAnswerError(f"{host} sent more than {self._max_bytes} bytes")
            return bytes(body)


@contextlib.asynccontextmanager
async def pinned_stream(
    method: str,
    url: httpcore2.URL,
    host: str,
    headers: Mapping[bytes | str, bytes | str],
    *,
    seconds: float,
    tls: ssl.SSLContext,
    network: httpcore2.AsyncNetworkBackend | None = None,
    content: bytes | None = None,
) -> AsyncIterator[httpcore2.Response]:
    """Send a request to the address in `url`, which was resolved from `host`, by a connection of its own.

    `seconds`: the longest that one read or write takes; the caller limits the whole. No redirects, proxy or cookies.

    Raises:
        httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException: as httpcore2 does.
    """
    limits = {"connect": _CONNECT_SECONDS, "read": seconds, "write": seconds, "pool": seconds}
    async with (
        httpcore2.AsyncConnectionPool(ssl_context=tls, network_backend=network) as pool,
        pool.stream(
            method, url, headers=headers, content=content, extensions={"sni_hostname": host, "timeout": limits}
        ) as response,
    ):
        yield response


def _origin(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port of a URL. Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError("not an origin")
    return parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme]


def is_global(address: str) -> bool:
    """Return whether a string is an IP address of the public internet; False for names and unusual notations."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if ip.is_multicast or ip.is_reserved or not ip.is_global:
        return False
    if ip.version == 6 and ip not in _GLOBAL_UNICAST:
        return False
    return not any(ip in network for network in _SPECIAL if network.version == ip.version)
