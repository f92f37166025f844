"""The secret of an account's authenticator app, which is derived, not stored."""

import hashlib
import hmac
import secrets

from models import SecondFactor
from services.integrations.authenticator import SECRET_BYTES

_SALT_BYTES = 32


class FactorSecrets:
    """Derives secrets. `secret`: the deployment's SECRET_KEY, without which the database reveals none."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def new(self, user_id: str) -> tuple[str, bytes]:
        """Return a new salt and the secret of it."""
        salt = secrets.token_hex(_SALT_BYTES)
        return salt, self._derive(user_id, salt)

    def of(self, row: SecondFactor) -> bytes | None:
        """Return the secret of an account's app; None: SECRET_KEY has changed since."""
        found = self._derive(row.user_id, row.salt)
        return found if hash_secret(found) == row.secret_hash else None

    def _derive(self, user_id: str, salt: str) -> bytes:
        digest = hmac.digest(self._secret, f"second-factor:{user_id}:{salt}".encode(), "sha256")
        return digest[:SECRET_BYTES]


def hash_secret(secret: bytes) -> str:
    """Return the SHA-256 hex digest by which a secret is recognized: 160 random bits cannot be guessed."""
    return hashlib.sha256(secret).hexdigest()
