"""The client's address, by which rate limits count: resolved through trusted proxies only."""

from collections.abc import Awaitable, Iterable, Iterator
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, cast

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

_UNKNOWN = "unknown"  # a peer without an address, as on a Unix socket
_FORWARDED = b"x-forwarded-for"
_IPV6_PREFIX = 64  # bits; a provider assigns one such network to one customer


class ClientAddress:
    """Middleware that stores the client's address in `request.state.client`.

    uvicorn's ProxyHeadersMiddleware finds it: the socket's peer or, if that is a trusted proxy, the last hop in
    X-Forwarded-For that is not one; hops further left come from the client and are ignored.
    Stricter than uvicorn alone:

    - IPv4 proxies are also recognized by their IPv4-mapped IPv6 address (::ffff:10.0.0.1);
    - a hop that is not an IP address is never used, the peer is used instead;
    - IPv6 clients are counted by their /64 network, because a customer can use any address in it;
    - nothing but the address is taken: X-Forwarded-Proto is ignored, and `request.client` stays the peer.
    """

    def __init__(self, app: ASGIApp, proxies: Iterable[str]) -> None:
        self._app = app
        trusted = [str(network) for proxy in proxies for network in networks(proxy)]
        self._resolve = cast(ASGIApp, ProxyHeadersMiddleware(cast(Any, _no_app), trusted))

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] in ("http", "websocket"):
            for name, _ in scope["headers"]:
                if name == _FORWARDED:
                    return self._serve_forwarded(scope, receive, send)
            peer = scope.get("client")
            scope.setdefault("state", {})["client"] = _key_of(tuple(peer) if peer else None)
        return self._app(scope, receive, send)

    async def _serve_forwarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})["client"] = await self._of_forwarded(scope)
        await self._app(scope, receive, send)

    async def _of_forwarded(self, scope: Scope) -> str:
        """Return an IPv4 address, or the /64 network of an IPv6 address."""
        resolved = dict(scope)  # the middleware replaces `client` and `scheme`
        await self._resolve(resolved, _no_receive, _no_send)
        address = parse_address(resolved.get("client")) or parse_address(scope.get("client"))
        return _UNKNOWN if address is None else client_key(address)


@lru_cache(4096)
def _key_of(peer: tuple[str, int] | None) -> str:
    """Return what a peer is counted by. One connection has the same peer in each of its requests."""
    address = parse_address(peer)
    return _UNKNOWN if address is None else client_key(address)


def networks(proxy: str) -> Iterator[IPv4Network | IPv6Network]:
    """Yield a trusted network, and its IPv4-mapped equivalent if it is one of IPv4."""
    network = ip_network(proxy)
    yield network
    if network.version == 4:
        yield ip_network(f"::ffff:{network.network_address}/{96 + network.prefixlen}")


def parse_address(client: tuple[str, int | None] | None) -> IPv4Address | IPv6Address | None:
    """Return the address of a peer, without its zone; an IPv4-mapped one as IPv4. None if it has no IP address."""
    try:
        found = ip_address(client[0].partition("%")[0]) if client else None
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if found is not None and found.version == 6 else found


def client_key(address: IPv4Address | IPv6Address) -> str:
    """Return what a client is counted by: its IPv4 address, or the /64 network of its IPv6 address."""
    return str(address) if address.version == 4 else str(ip_network((address, _IPV6_PREFIX), strict=False))


async def _no_app(scope: Scope, receive: Receive, send: Send) -> None:
    pass


async def _no_receive() -> Any:
    raise NotImplementedError


async def _no_send(message: Any) -> None:
    raise NotImplementedError
