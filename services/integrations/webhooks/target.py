"""The URLs that webhooks may be sent to."""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from models.webhooks import MAX_URL

_URL = re.compile(r"[!-\[\]-~]+")  # printable ASCII without space and backslash, which parsers read differently
_NAME = re.compile(
    r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?"
)  # no IP address in any form
_PORTS = {"https": 443, "http": 80}
_FIRST_FREE_PORT = 1024  # below are services that are not HTTP, such as mail; 443 is allowed besides


class BadTargetError(Exception):
    """The URL is not one that webhooks may be sent to; the text says why, for developers."""


@dataclass(frozen=True)
class Target:
    """Where a request goes. `is_own`: the operator chose it, so that its address need not be public."""

    scheme: str
    host: str  # lower case
    port: int
    path: str  # with the query
    is_own: bool

    @property
    def netloc(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def parse_target(url: str, *, is_own: bool, is_development: bool) -> Target:
    """Return the target of a URL.

    Of accounts, in production: https, a DNS name, and port 443 or one from 1024. In development also http, and this
    machine.

    Raises:
        BadTargetError: it is none, without any look at its addresses.
    """
    if len(url) > MAX_URL:
        raise BadTargetError("the URL is too long")
    if not _URL.fullmatch(url):
        raise BadTargetError("the URL has characters that need to be encoded")
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        raise BadTargetError("this is not a URL") from None
    if parts.scheme not in _PORTS or not host or parts.fragment:
        raise BadTargetError("this is not an https URL")
    if "@" in parts.netloc:
        raise BadTargetError("the URL must not contain a name or password")
    port = _PORTS[parts.scheme] if port is None else port
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    target = Target(parts.scheme, host, port, path, is_own)
    if not is_own:
        _check_public(target, is_development=is_development)
    return target


def _check_public(target: Target, *, is_development: bool) -> None:
    if is_development and (target.host == "localhost" or is_loopback(target.host)):
        return
    if target.scheme != "https" and not is_development:
        raise BadTargetError("only https URLs are allowed")
    if not _NAME.fullmatch(target.host):
        raise BadTargetError("the host must be a public DNS name")
    if target.port not in _PORTS.values() and target.port < _FIRST_FREE_PORT:
        raise BadTargetError("this port is not allowed")


def is_loopback(address: str) -> bool:
    """Whether a string is an address of this machine itself, in its usual notation."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
