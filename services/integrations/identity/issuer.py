"""Identity providers that issue signed tokens, and what a verified token says."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

SKEW_SECONDS = 60.0  # that the clocks of an issuer and this server may differ
MAX_TOKEN = 8192  # characters; browsers and proxies limit a header to about that

# Where providers put what OpenID Connect (Core 1.0, 5.1) calls by the first name of each line.
_CLAIMS: Mapping[str, tuple[str, ...]] = {
    "email": ("email",),
    "email_verified": ("email_verified", "emailVerified"),
    "name": ("name", "full_name"),
    "picture": ("picture", "image", "avatar_url"),
}


class InvalidTokenError(Exception):
    """The token is not accepted; `reason` is for the log and contains nothing secret. `expired`: that is all."""

    def __init__(self, reason: str, *, expired: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.expired = expired


class IssuerUnavailableError(Exception):
    """The issuer's keys cannot be fetched, so that nothing is known about its tokens."""


@dataclass(frozen=True)
class Issuer:
    """One provider, as the operator configured it.

    A token must be for one of `audiences` and, where there are any, come from one of `parties` (the claim azp).
    """

    issuer: str
    audiences: tuple[str, ...] = ()
    parties: tuple[str, ...] = ()
    algorithm: str = "RS256"
    jwks_url: str | None = None  # None: from the discovery document
    claims: Mapping[str, str] = field(default_factory=dict)  # where a token has email, email_verified, name, picture
    links_by_email: bool = True  # a verified address signs in to the account that has proved the same
    client_id: str | None = None  # of this server's own page at the issuer; None: it does not offer the issuer
    name: str | None = None  # that the page calls it by
    authorization_endpoint: str | None = None  # None: from the discovery document

    def claim(self, claims: Mapping[str, Any], name: str) -> object:
        """Return one of the claims about the user, wherever this issuer puts it."""
        for path in (self.claims[name],) if name in self.claims else _CLAIMS[name]:
            found = _at(claims, path)
            if found is not None:
                return found
        return None


def _at(claims: Mapping[str, Any], path: str) -> object:
    """Return the claim with this name, else the one that a path such as user_metadata.name leads to."""
    if path in claims:  # the names of custom claims are often URLs, with dots
        return claims[path]
    found: Any = claims
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


@dataclass(frozen=True)
class ExternalToken:
    """A verified token of an issuer."""

    issuer: Issuer
    subject: str
    issued_at: float  # seconds since 1970
    expires_at: float
    not_before: float = 0.0
    audiences: Sequence[str] = ()
    nonce: str | None = None
    authenticated_at: float | None = None  # when the user signed in at the issuer, if it says so
    email: str | None = None
    email_verified: bool = False
    name: str | None = None
    picture: str | None = None


def is_external_token(token: str) -> bool:
    """Whether a token has the form of a signed token; neither sessions nor API keys contain dots."""
    return len(token) <= MAX_TOKEN and token.count(".") == 2 and token.isascii()


def end_of(token: str) -> datetime:
    """Return when a token that was verified stops working."""
    expires_at = _moment_of(token, "exp")
    return expires_at + timedelta(seconds=SKEW_SECONDS) if expires_at else datetime.max.replace(tzinfo=UTC)


def sign_in_of(token: str) -> datetime:
    """Return when the user of a token that was verified signed in at the issuer, else when the token was issued."""
    return _moment_of(token, "auth_time") or _moment_of(token, "iat") or datetime.min.replace(tzinfo=UTC)


def _moment_of(token: str, claim: str) -> datetime | None:
    payload = token.split(".")[1]
    try:
        moment = orjson.loads(base64.b64decode(payload + "=" * (-len(payload) % 4), b"-_"))[claim]
        return datetime.fromtimestamp(moment, UTC)
    except (binascii.Error, orjson.JSONDecodeError, KeyError, TypeError, ValueError, OverflowError, OSError):
        return None
