"""Nonces of sign-ins: each ties one token of an issuer to one sign-in here, and works once."""

import base64
import binascii
import hashlib
import hmac
import secrets
import time
from datetime import UTC, datetime, timedelta

from services.accounts.identity import identity_table
from services.core.error import InvalidInputError
from services.core.message import message

LIFETIME = timedelta(minutes=15)  # to sign in at the issuer
_TIME, _RANDOM, _SIGNATURE = 8, 16, 32  # bytes


class Nonces:
    """Issues nonces, which need no row until they are used. `secret`: the deployment's SECRET_KEY."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def issue(self) -> tuple[str, datetime]:
        """Return a new nonce, and when it expires."""
        expires_at = datetime.now(UTC) + LIFETIME
        body = int(expires_at.timestamp()).to_bytes(_TIME) + secrets.token_bytes(_RANDOM)
        return _encode(body + self._sign(body)), expires_at

    async def use(self, nonce: str, claim: str | None) -> None:
        """Use up a nonce, of which a token has the claim `claim`: the nonce itself, or its SHA-256.

        With the hash, what the issuer and its redirects see does not suffice to sign in here.

        Raises:
            InvalidInputError: it is not the token's, was not issued here, has expired or was used.
        """
        expires_at = self._expiry(nonce)
        if expires_at is None or claim is None or not _matches(nonce, claim):
            raise self._refusal()
        if not await identity_table.spend(nonce, datetime.fromtimestamp(expires_at, UTC)):
            raise self._refusal()

    @staticmethod
    def _refusal() -> InvalidInputError:
        text = message("This nonce is not the token's, has expired, or was used before. Start the sign-in again.")
        return InvalidInputError(text, ("nonce",))

    def _expiry(self, nonce: str) -> float | None:
        """Return when a nonce expires; None: it was not issued here, or has expired."""
        try:
            data = base64.b64decode(nonce + "=" * (-len(nonce) % 4), b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        if _encode(data) != nonce:  # another spelling of the same bytes would work a second time
            return None
        body = data[: _TIME + _RANDOM]
        if len(data) != _TIME + _RANDOM + _SIGNATURE or not hmac.compare_digest(data[len(body) :], self._sign(body)):
            return None
        expires_at = int.from_bytes(body[:_TIME])
        return expires_at if expires_at > time.time() else None

    def _sign(self, body: bytes) -> bytes:
        return hmac.digest(self._secret, b"nonce:" + body, "sha256")


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _matches(nonce: str, claim: str) -> bool:
    digest = hashlib.sha256(nonce.encode()).digest()
    given = claim.encode()
    return any(hmac.compare_digest(given, known.encode()) for known in (nonce, digest.hex(), _encode(digest)))
