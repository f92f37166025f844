"""Documents of an issuer: its discovery document (OpenID Connect Discovery 1.0), and those that it names."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import orjson

from services.integrations.identity.issuer import Issuer, IssuerUnavailableError
from services.integrations.providers.safe_fetch import FetchError, SafeFetch, UnsafeUrlError

_FETCH_SECONDS = 5.0
_MAX_BYTES = 256 * 1024

Fetch = Callable[[str, bool], Awaitable[bytes]]


async def fetch(url: str, is_configured: bool) -> bytes:
    """Fetch a document of an issuer.

    `is_configured`: the operator chose this host. Another one, which a document names, must be on the public internet.

    Raises:
        IssuerUnavailableError: it cannot be fetched.
    """
    try:
        host = (urlsplit(url).hostname or "").lower()
        hosts = frozenset() if is_configured else frozenset({host})
        origin = url if is_configured else None
        client = SafeFetch(hosts, seconds=_FETCH_SECONDS, max_bytes=_MAX_BYTES, origin=origin)
        return await client.get(url, accept="application/json")
    except (FetchError, UnsafeUrlError, ValueError) as error:
        raise IssuerUnavailableError(f"{type(error).__name__}: {error}") from None


async def discover(issuer: Issuer, fetch: Fetch = fetch) -> dict[str, Any]:
    """Return the discovery document of an issuer.

    Raises:
        IssuerUnavailableError: it cannot be fetched, or is another issuer's.
    """
    found = read_json(await fetch(issuer.issuer.rstrip("/") + "/.well-known/openid-configuration", True))
    if found.get("issuer") != issuer.issuer:
        raise IssuerUnavailableError("the discovery document is another issuer's")
    return found


def read_json(data: bytes) -> dict[str, Any]:
    """Return the object in a document. Raises IssuerUnavailableError if there is none."""
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise IssuerUnavailableError("not JSON") from None
    if not isinstance(found, dict):
        raise IssuerUnavailableError("not an object")
    return found
