"""Verification of tokens that issuers have signed (RFC 7519, RFC 8725, OpenID Connect Core 1.0, 3.1.3.7)."""

import asyncio
import contextlib
import hashlib
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson
import structlog
from joserfc import jws
from joserfc.errors import JoseError, UnsupportedAlgorithmError
from joserfc.jwk import Key
from joserfc.jws import CompactSignature, JWSRegistry

from services.integrations.identity.discovery import Fetch, fetch
from services.integrations.identity.issuer import (
    SKEW_SECONDS,
    ExternalToken,
    InvalidTokenError,
    Issuer,
    is_external_token,
)
from services.integrations.identity.key_cache import KeyCache

MAX_KEPT = 10_000  # verified tokens
_MAX_SUBJECT = 255  # characters (OpenID Connect Core 1.0, 2)
_MAX_TEXT = 2048  # characters of any other claim
_MAX_TIME = 2**40  # seconds since 1970
_TYPES = {None, "jwt", "at+jwt", "application/at+jwt", "application/jwt"}
_KEYCLOAK_TYPES = {None, "ID", "Bearer"}  # Keycloak signs tokens for other uses with the same keys

log = structlog.get_logger(__name__)


class _Registry(JWSRegistry):
    """One algorithm, and no header that changes what is verified."""

    max_header_length = 2048

    def __init__(self, algorithm: str) -> None:
        super().__init__(algorithms=[algorithm], strict_check_header=False)
        self._algorithm = algorithm

    def get_alg(self, name: str) -> Any:
        # The library warns of the name EdDSA each time, which most issuers still use.
        if name != self._algorithm:
            raise UnsupportedAlgorithmError(f"Algorithm of '{name}' is not allowed")
        return self.algorithms[name]


class _Verified:
    """A verified token, which stays so while it is not expired and its key is the issuer's."""

    __slots__ = ("key", "key_id", "token")

    def __init__(self, token: ExternalToken, key_id: str | None, key: Key) -> None:
        self.token = token
        self.key_id = key_id
        self.key = key


class TokenVerifier:
    """Verifies the tokens of several issuers. `now`: the time; `clock`: for ages of keys."""

    def __init__(
        self,
        issuers: Iterable[Issuer],
        *,
        fetch: Fetch = fetch,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.issuers = {one.issuer: one for one in issuers}
        self._keys = {name: KeyCache(one, fetch, clock) for name, one in self.issuers.items()}
        self._registries = {name: _Registry(one.algorithm) for name, one in self.issuers.items()}
        self._now = now
        self._kept: OrderedDict[bytes, _Verified] = OrderedDict()

    async def aclose(self) -> None:
        """Stop fetching keys."""
        await asyncio.gather(*(keys.aclose() for keys in self._keys.values()))

    async def check(self, issuer: str) -> int:
        """Return the number of an issuer's keys, fetched anew. Raises IssuerUnavailableError."""
        return await self._keys[issuer].check()

    async def verify(self, token: str) -> ExternalToken:
        """Return what a token says.

        Raises:
            InvalidTokenError: it is not accepted.
            IssuerUnavailableError: the keys of its issuer cannot be fetched.
        """
        digest = hashlib.sha256(token.encode()).digest()
        kept = self._kept.get(digest)
        if kept is not None and await self._keys[kept.token.issuer.issuer].key(kept.key_id) is kept.key:
            self._check_times(kept.token)
            self._kept.move_to_end(digest)
            return kept.token
        try:
            verified = await self._verify(token)
        except InvalidTokenError as error:
            log.info("token.refused", reason=error.reason)
            raise
        self._kept[digest] = verified
        while len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
        return verified.token

    async def _verify(self, token: str) -> _Verified:
        if not is_external_token(token):
            raise InvalidTokenError("not a signed token")
        try:
            signed = jws.extract_compact(token.encode())
            claims = orjson.loads(signed.payload)
        except (JoseError, ValueError, TypeError, RecursionError):
            raise InvalidTokenError("malformed") from None
        if not isinstance(claims, dict):
            raise InvalidTokenError("the claims are no object")
        name = claims.get("iss")
        issuer = self.issuers.get(name) if isinstance(name, str) else None
        if issuer is None:
            raise InvalidTokenError("unknown issuer")
        key_id = _check_header(signed.headers(), issuer)
        key = await self._keys[issuer.issuer].key(key_id)
        if key is None:
            raise InvalidTokenError("unknown key")
        self._check_signature(signed, key, issuer)
        return _Verified(self._read(claims, issuer), key_id, key)

    def _check_signature(self, signed: CompactSignature, key: Key, issuer: Issuer) -> None:
        is_valid = False
        with contextlib.suppress(JoseError, ValueError, TypeError):
            is_valid = jws.validate_compact(signed, key, registry=self._registries[issuer.issuer])
        if not is_valid:
            raise InvalidTokenError("wrong signature")

    def _read(self, claims: Mapping[str, Any], issuer: Issuer) -> ExternalToken:
        if claims.get("typ") not in _KEYCLOAK_TYPES or "events" in claims:  # events: a logout token
            raise InvalidTokenError("a token for another use")
        found = ExternalToken(
            issuer,
            subject=_subject(claims.get("sub")),
            issued_at=_time(claims.get("iat"), "iat"),
            expires_at=_time(claims.get("exp"), "exp"),
            not_before=_time(claims["nbf"], "nbf") if "nbf" in claims else 0.0,
            audiences=_check_audience(claims, issuer),
            nonce=_text(claims.get("nonce")),
            authenticated_at=_time(claims["auth_time"], "auth_time") if "auth_time" in claims else None,
            email=_text(issuer.claim(claims, "email")),
            email_verified=_is_true(issuer.claim(claims, "email_verified")),
            name=_text(issuer.claim(claims, "name")),
            picture=_text(issuer.claim(claims, "picture")),
        )
        self._check_times(found)
        return found

    def _check_times(self, token: ExternalToken) -> None:
        now = self._now()
        if now >= token.expires_at + SKEW_SECONDS:
            raise InvalidTokenError("expired", expired=True)
        if now < token.not_before - SKEW_SECONDS or now < token.issued_at - SKEW_SECONDS:
            raise InvalidTokenError("not valid yet")


def _check_header(header: Mapping[str, Any], issuer: Issuer) -> str | None:
    """Return the id of the key. Keys that come with the token (jwk, jku, x5c, x5u) are never looked at."""
    if header.get("alg") != issuer.algorithm:
        raise InvalidTokenError("another algorithm than the issuer's")
    if "crit" in header or "b64" in header or "cty" in header:
        raise InvalidTokenError("an extension that is not understood")
    kind, key_id = header.get("typ"), header.get("kid")
    if not isinstance(kind, str | None) or (kind.lower() if kind else kind) not in _TYPES:
        raise InvalidTokenError("a token for another use")
    if not isinstance(key_id, str | None):
        raise InvalidTokenError("the id of the key is no text")
    return key_id


def _check_audience(claims: Mapping[str, Any], issuer: Issuer) -> tuple[str, ...]:
    """Return the audiences. Raises InvalidTokenError if the token was issued to, or for, another one."""
    given, party = claims.get("aud", []), claims.get("azp")
    audiences = [given] if isinstance(given, str) else given
    if not isinstance(audiences, list) or not all(isinstance(one, str) for one in audiences):
        raise InvalidTokenError("the audience is no text")
    if issuer.audiences and not set(audiences) & set(issuer.audiences):
        raise InvalidTokenError("for another audience")
    if issuer.parties:
        if party not in issuer.parties:
            raise InvalidTokenError("issued to another party")
    elif not set(audiences) <= set(issuer.audiences):
        raise InvalidTokenError("for further audiences, from no known party")
    return tuple(audiences)


def _subject(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_SUBJECT or not value.isprintable():
        raise InvalidTokenError("no subject")
    return value


def _time(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidTokenError(f"no {name}")
    if not 0 < value < _MAX_TIME:
        raise InvalidTokenError(f"no {name}")
    return float(value)


def _is_true(value: object) -> bool:
    return value is True or value == "true"  # a text at Amazon Cognito and Apple


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= _MAX_TEXT else None
