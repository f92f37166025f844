"""Fetch an image from a URL of a third party, protected against server-side request forgery."""

import asyncio
import ipaddress
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import urlsplit

import httpcore2
import httpx2

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


class UnsafeUrlError(Exception):
    """The URL, or an address of its host, is not allowed; nothing was sent."""


class FetchError(Exception):
    """The URL is allowed, but fetching it failed."""


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
        self._tls = tls or httpx2.create_ssl_context(trust_env=False)

    async def get(self, url: str) -> bytes:
        """Fetch the bytes at `url`.

        Raises:
            UnsafeUrlError: the URL is not allowed; nothing was sent.
            FetchError: unreachable, a status other than 200, too large, or not done within the time.
        """
        host, target = self._check(url)
        try:
            async with asyncio.timeout(self._seconds):
                addresses = await self._addresses(host)
                for address in addresses[:-1]:
                    try:
                        return await self._get_from(address, host, target)
                    except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                        continue  # nothing was sent: try the next address
                return await self._get_from(addresses[-1], host, target)
        except TimeoutError:
            raise FetchError(f"{host} took longer than {self._seconds:g} s") from None
        except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException, OSError) as error:
            raise FetchError(f"{host}: {type(error).__name__}") from None

    def _check(self, url: str) -> tuple[str, str]:
        """Return host and request target of an allowed URL; error texts omit the query, which is often a signature."""
        if len(url) > _MAX_URL or not _URL.fullmatch(url):
            raise UnsafeUrlError("not a plain URL")
        try:
            parts = urlsplit(url)
        except ValueError:
            raise UnsafeUrlError("not a plain URL") from None
        if parts.scheme != "https":
            raise UnsafeUrlError("only https")
        host = parts.netloc.lower().removesuffix(":443")
        if host not in self._allowed_hosts:  # the whole netloc, so that user names, ports and brackets are refused
            raise UnsafeUrlError("the host is not allowed")
        return host, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    async def _addresses(self, host: str) -> Sequence[str]:
        addresses = await self._resolver(host)
        if not addresses:
            raise FetchError(f"{host} has no address")
        if not all(is_global(address) for address in addresses):
            raise UnsafeUrlError(f"{host} resolves to an address that is not global")
        return addresses[:_MAX_ADDRESSES]

    async def _get_from(self, address: str, host: str, target: str) -> bytes:
        limits = {"connect": _CONNECT_SECONDS, "read": self._seconds, "write": self._seconds, "pool": self._seconds}
        # One pool per fetch: a connection opened for one name must not be reused for another at the same address.
        async with (
            httpcore2.AsyncConnectionPool(ssl_context=self._tls, network_backend=self._network) as pool,
            pool.stream(
                "GET",
                httpcore2.URL(scheme="https", host=address, port=443, target=target),
                headers={"Host": host, "Accept": "image/*", "Accept-Encoding": "identity", "Connection": "close"},
                extensions={"sni_hostname": host, "timeout": limits},
            ) as response,
        ):
            if response.status != 200:
                raise FetchError(f"{host} answered {response.status}")
            headers = {name.lower(): value for name, value in response.headers}
            if headers.get(b"content-encoding", b"identity").lower() != b"identity":
                raise FetchError(f"{host} sent a compressed response")
            announced = headers.get(b"content-length", b"")
            if announced.isdigit() and int(announced[:19]) > self._max_bytes:
                raise FetchError(f"{host} announced more than {self._max_bytes} bytes")
            body = bytearray()
            async for chunk in response.aiter_stream():
                body += chunk
                if len(body) > self._max_bytes:
                    raise FetchError(f"{host} sent more than {self._max_bytes} bytes")
            return bytes(body)


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
