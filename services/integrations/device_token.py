"""Tokens by which a device that signed in before is recognized (OWASP: "device cookies")."""

import secrets
from datetime import timedelta

from itsdangerous import BadData, URLSafeTimedSerializer

DEVICE_LIFETIME = timedelta(days=365)  # of a token; every sign-in issues a new one
_ID_BYTES = 16
_MAX_LENGTH = 200  # characters


class DeviceTokens:
    """Issues and checks device tokens, which are signed, not stored, and do not sign in.

    One is valid for one account, and until its password changes. `secret`: signs them.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def issue(self, user_id: str, password_hash: str) -> str:
        """Return a token for a device that has just signed in."""
        return self._signer(user_id, password_hash).dumps(secrets.token_urlsafe(_ID_BYTES))

    def device(self, user_id: str, password_hash: str, token: str | None) -> str | None:
        """Return the id of the device that the token was issued to, or None if it is not valid for the account."""
        if token is None or not 0 < len(token) <= _MAX_LENGTH or not token.isascii():
            return None
        try:
            found = self._signer(user_id, password_hash).loads(token, max_age=int(DEVICE_LIFETIME.total_seconds()))
        except BadData:
            return None
        return str(found)

    def _signer(self, user_id: str, password_hash: str) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(self._secret, salt=f"device:{user_id}:{password_hash}")
