"""The secrets of webhook endpoints: derived from SECRET_KEY, so that the database holds none."""

import hmac
import secrets
from datetime import UTC, datetime

from models import WebhookEndpoint
from services.integrations.webhooks.signature import fingerprint, secret_of


class SecretLostError(Exception):
    """SECRET_KEY has changed since, so that the secret cannot be derived again."""


class EndpointSecrets:
    """Derives and finds secrets. `key`: SECRET_KEY. `own`: those of WEBHOOK_URLS, two during a rotation."""

    def __init__(self, key: str, own: tuple[str, ...]) -> None:
        self._key = key.encode()
        self._own = own

    @staticmethod
    def new_salt() -> str:
        """Return a random salt, which makes a new secret."""
        return secrets.token_hex(32)

    def derive(self, endpoint_id: str, salt: str) -> str:
        """Return the secret of an endpoint with this salt."""
        return secret_of(hmac.digest(self._key, f"webhook:{endpoint_id}:{salt}".encode(), "sha256"))

    def of(self, endpoint: WebhookEndpoint) -> tuple[str, ...]:
        """Return the secrets that sign now: two for a while after a rotation, the present one first.

        Raises:
            SecretLostError: receivers could not verify what the derived secret signs.
        """
        if endpoint.user_id is None:
            return self._own
        present = self.derive(endpoint.id, endpoint.salt)
        if not hmac.compare_digest(fingerprint(present), endpoint.secret_hash):
            raise SecretLostError
        if endpoint.previous_salt is None or endpoint.previous_until is None:
            return (present,)
        is_over = endpoint.previous_until <= datetime.now(UTC)
        return (present,) if is_over else (present, self.derive(endpoint.id, endpoint.previous_salt))
