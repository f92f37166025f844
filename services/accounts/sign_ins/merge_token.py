"""Tokens with which an account takes over what a guest has: each names one session of the guest."""

import base64
import binascii
import hmac
import time
from datetime import UTC, datetime, timedelta

from models import ids

LIFETIME = timedelta(hours=1)  # to sign in to the account, also by a mailed link
_TIME = 8  # bytes
_SIGNATURE = 32


class MergeTokens:
    """Makes and reads tokens, which need no row: they work while the guest and its session exist.

    So signing the session out revokes them, and a guest is merged once. `secret`: the deployment's SECRET_KEY.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def issue(self, session_id: str) -> tuple[str, datetime]:
        """Return a token for a session of a guest, and when it expires."""
        expires_at = datetime.now(UTC) + LIFETIME
        body = int(expires_at.timestamp()).to_bytes(_TIME) + session_id.encode()
        return _encode(body + self._sign(body)), expires_at

    def session_of(self, token: str) -> str | None:
        """Return the id of the session that a token names; None: it was not issued here, or has expired."""
        try:
            data = base64.b64decode(token + "=" * (-len(token) % 4), b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        if _encode(data) != token:
            return None
        body, signature = data[:-_SIGNATURE], data[-_SIGNATURE:]
        if len(body) != _TIME + ids.LENGTH or not hmac.compare_digest(signature, self._sign(body)):
            return None
        return body[_TIME:].decode() if int.from_bytes(body[:_TIME]) > time.time() else None

    def _sign(self, body: bytes) -> bytes:
        return hmac.digest(self._secret, b"merge:" + body, "sha256")


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
