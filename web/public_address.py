"""The server's address as one client reaches it: PUBLIC_URL, unless a request that is trusted for it says otherwise."""

import re
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network, IPv6Network
from urllib.parse import urlsplit

from starlette.types import Scope

from web.client_address import networks, parse_address
from web.origin import is_loopback

_HOST = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?", re.ASCII
)
_SCHEMES = ("http", "https")


class PublicAddress:
    """Finds the address to which the client of a request sends what follows, as the bytes of an upload.

    A trusted proxy says it by X-Forwarded-Host and X-Forwarded-Proto. In development (`follows_loopback`), where
    `address` is on this machine itself, the client does, by a Host that is: the port of a container or of a frontend's
    development server differs from that of this server. Everything else that a client sends is ignored.
    """

    def __init__(self, address: str, proxies: Iterable[str], *, follows_loopback: bool) -> None:
        own = urlsplit(address)
        self._address = address
        self._scheme, self._host = own.scheme, own.netloc
        self._proxies: list[IPv4Network | IPv6Network] = [found for proxy in proxies for found in networks(proxy)]
        self._follows_loopback = follows_loopback and is_loopback(own.netloc)

    def of(self, scope: Scope, headers: Mapping[str, str]) -> str:
        """Return the address of the server, without a slash at its end."""
        forwarded = headers.get("x-forwarded-host")
        if forwarded is not None and self._is_proxy(scope):
            host = forwarded.partition(",")[0].strip()
            scheme = headers.get("x-forwarded-proto", "").partition(",")[0].strip().casefold()
            if _HOST.fullmatch(host):
                return f"{scheme if scheme in _SCHEMES else self._scheme}://{host}"
        host = headers.get("host", self._host)
        if host == self._host or not self._follows_loopback or not is_loopback(host):
            return self._address
        origin = headers.get("origin", "")
        # A page of the same host knows the scheme, which a development server's proxy does not pass on.
        return origin if origin in (f"http://{host}", f"https://{host}") else f"http://{host}"

    def _is_proxy(self, scope: Scope) -> bool:
        peer = scope.get("client")
        address = parse_address(tuple(peer)) if peer and self._proxies else None
        return address is not None and any(address in network for network in self._proxies)
