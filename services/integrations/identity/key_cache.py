"""The keys of an issuer: fetched when they are needed, kept for a while, and rotated."""

import asyncio
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import structlog
from joserfc.errors import JoseError
from joserfc.jwk import Key, RSAKey, import_key

from services.integrations.identity.discovery import Fetch, discover, fetch, read_json
from services.integrations.identity.issuer import Issuer, IssuerUnavailableError

REFRESH_SECONDS = 300.0  # after which the keys are fetched again: for so long a withdrawn key may still be accepted
UNKNOWN_SECONDS = 30.0  # between two fetches because of tokens with an unknown key
RETRY_SECONDS = 5.0  # after a fetch that failed
KEEP_SECONDS = 4 * 3600.0  # for which the last keys are used while the issuer cannot be reached
_MAX_KEYS = 50
_MIN_RSA_BITS = 2048
_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "EdDSA": "Ed25519", "Ed25519": "Ed25519"}
_KINDS = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"}
)

log = structlog.get_logger(__name__)


class KeyCache:
    """The keys of one issuer that verify its one algorithm, by their id."""

    def __init__(self, issuer: Issuer, fetch: Fetch = fetch, clock: Callable[[], float] = time.monotonic) -> None:
        self._issuer = issuer
        self._fetch = fetch
        self._clock = clock
        self._keys: dict[str | None, tuple[dict[str, Any], Key]] | None = None
        self._fetched = 0.0  # when the present keys were
        self._tried: float | None = None  # when the last fetch began
        self._problem = ""  # of the last fetch; empty: it succeeded
        self._fetching: asyncio.Task[None] | None = None

    async def key(self, key_id: str | None) -> Key | None:
        """Return a key; None: the issuer has no such key. Without an id, its only key.

        Raises:
            IssuerUnavailableError: that cannot be found out now.
        """
        await self._refresh()
        found = self._find(key_id)
        if found is not None:
            return found
        if self._tried is None or self._clock() - self._tried >= UNKNOWN_SECONDS:
            await self._update()
            found = self._find(key_id)
        if found is None and self._problem:  # the issuer may have the key by now
            raise IssuerUnavailableError(self._problem)
        return found

    async def check(self) -> int:
        """Fetch the keys and return their number. Raises IssuerUnavailableError."""
        await self._update()
        if self._problem:
            raise IssuerUnavailableError(self._problem)
        return len(self._keys or ())

    async def aclose(self) -> None:
        """Stop fetching."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.wait([self._fetching])

    async def _refresh(self) -> None:
        """Fetch keys that are missing or old. Raises IssuerUnavailableError if there are none that may be used."""
        age = self._clock() - self._fetched if self._keys is not None else KEEP_SECONDS + 1
        if age < REFRESH_SECONDS:
            return
        is_due = not self._problem or self._tried is None or self._clock() - self._tried >= RETRY_SECONDS
        if age < 2 * REFRESH_SECONDS and not self._problem:
            self._start()  # meanwhile, the present ones are used
        elif is_due:
            await self._update()
        if self._keys is None or self._clock() - self._fetched > KEEP_SECONDS:
            raise IssuerUnavailableError(self._problem)

    def _find(self, key_id: str | None) -> Key | None:
        keys = self._keys or {}
        if key_id is None:
            return next(iter(keys.values()))[1] if len(keys) == 1 else None
        return keys[key_id][1] if key_id in keys else None

    def _start(self) -> "asyncio.Task[None]":
        if self._fetching is None or self._fetching.done():
            self._tried = self._clock()
            self._fetching = asyncio.create_task(self._fetch_keys(), name="issuer-keys")
        return self._fetching

    async def _update(self) -> None:
        await asyncio.shield(self._start())  # others wait for it, too

    async def _fetch_keys(self) -> None:
        try:
            url, is_configured = await self._address()
            keys = self._read(read_json(await self._fetch(url, is_configured)))
        except IssuerUnavailableError as error:
            self._problem = str(error) or "unavailable"
            log.warning("issuer.unavailable", issuer=self._issuer.issuer, error=self._problem)
            return
        before = self._keys
        self._keys, self._fetched, self._problem = keys, self._clock(), ""
        if before is None or before.keys() != keys.keys():
            log.info("issuer.keys_changed", issuer=self._issuer.issuer, keys=len(keys))

    async def _address(self) -> tuple[str, bool]:
        """Return the URL of the keys, and whether its host is one that the operator chose."""
        issuer = self._issuer
        if issuer.jwks_url is not None:
            return issuer.jwks_url, True
        url = (await discover(issuer, self._fetch)).get("jwks_uri")
        if not isinstance(url, str):
            raise IssuerUnavailableError("the discovery document has no jwks_uri")
        return url, _origin(url) == _origin(issuer.issuer)

    def _read(self, document: dict[str, Any]) -> dict[str | None, tuple[dict[str, Any], Key]]:
        """Return the usable keys of a JWK Set; a key that has not changed stays the same object."""
        found: dict[str | None, tuple[dict[str, Any], Key]] = {}
        listed = document.get("keys")
        if not isinstance(listed, list):
            raise IssuerUnavailableError("there is no list of keys")
        ambiguous: set[str | None] = set()
        for data in listed[:_MAX_KEYS]:
            if not isinstance(data, dict) or (key := self._import(data)) is None:
                continue
            key_id = data.get("kid")
            if key_id in found:
                ambiguous.add(key_id)
            before = (self._keys or {}).get(key_id)
            found[key_id] = before if before is not None and before[0] == data else (data, key)
        return {key_id: key for key_id, key in found.items() if key_id not in ambiguous}

    def _import(self, data: dict[str, Any]) -> Key | None:
        """Return a key for the issuer's algorithm, or None if it is for something else."""
        algorithm, operations = self._issuer.algorithm, data.get("key_ops")
        is_usable = (
            data.get("kty") == _KINDS[algorithm[:2]]
            and data.get("use", "sig") == "sig"
            and data.get("alg", algorithm) in (algorithm, *(("EdDSA", "Ed25519") if algorithm[:2] == "Ed" else ()))
            and (operations is None or (isinstance(operations, list) and "verify" in operations))
            and data.get("crv") == _CURVES.get(algorithm)
            and isinstance(data.get("kid"), str | None)
        )
        if not is_usable:
            return None
        try:
            key = import_key(data)
            if isinstance(key, RSAKey) and key.public_key.key_size < _MIN_RSA_BITS:
                return None
        except (JoseError, ValueError, TypeError):
            return None
        return key


def _origin(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", url
    return parts.scheme, parts.netloc.lower()
