"""Where a request comes from, as limits of rate count it: past our own proxies, and no further."""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

_UNKNOWN = "unknown"  # a peer without an address, as on a Unix socket
_SUBSCRIBER = 64  # bits of an IPv6 address that a provider gives to one customer


class ClientAddress:
    """Middleware that leaves the caller's address in `request.state.client`.

    The socket's peer; where that is a trusted proxy, the last hop in X-Forwarded-For that is none. What stands further
    left is whatever the caller wrote there.
    """

    def __init__(self, app: ASGIApp, proxies: Iterable[str]) -> None:
        self._app = app
        self._proxies = [ip_network(proxy) for proxy in proxies]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            connection = HTTPConnection(scope)
            connection.state.client = self.of(connection)
        await self._app(scope, receive, send)

    def of(self, connection: HTTPConnection) -> str:
        """An IPv4 address, or the network of a subscriber with IPv6."""
        found = _address(connection.client.host) if connection.client else None
        if found is None:
            return _UNKNOWN
        for hop in _hops(connection):
            if not self._is_proxy(found):
                break
            told = _address(hop)
            if told is None:
                break  # no proxy of ours writes such a thing
            found = told
        return str(found) if found.version == 4 else str(ip_network((found, _SUBSCRIBER), strict=False))

    def _is_proxy(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._proxies)


def _hops(connection: HTTPConnection) -> Iterator[str]:
    """X-Forwarded-For from right to left, its repetitions included."""
    for header in reversed(connection.headers.getlist("x-forwarded-for")):
        yield from (hop.strip() for hop in reversed(header.split(",")))


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """What a text names, with a port, brackets or an interface around it; IPv4 in IPv6's clothes is IPv4."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if found.version == 6 else found
