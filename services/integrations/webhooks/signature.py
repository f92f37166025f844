"""Secrets and signatures of Standard Webhooks (https://www.standardwebhooks.com): HMAC-SHA256, version 1."""

import base64
import hashlib
from collections.abc import Iterable
from datetime import datetime

from standardwebhooks import Webhook

PREFIX = "whsec_"
_MIN_BYTES, _MAX_BYTES = 24, 64  # of a key, by the specification


def secret_of(key: bytes) -> str:
    """Return the secret of a key, as receivers are given it: `whsec_` and the key in base64."""
    return PREFIX + base64.b64encode(key).decode()


def is_secret(text: str) -> bool:
    """Whether a text is a secret with a key of 24 to 64 bytes."""
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except ValueError:
        return False
    return text.startswith(PREFIX) and _MIN_BYTES <= len(key) <= _MAX_BYTES


def fingerprint(secret: str) -> str:
    """Return the SHA-256 of a secret, hex: what may be stored of it."""
    return hashlib.sha256(secret.encode()).hexdigest()


def signed_headers(secrets: Iterable[str], message_id: str, sent_at: datetime, body: str) -> dict[str, str]:
    """Return the headers that let a receiver verify the body. `secrets`: two while one is rotated. `sent_at`: UTC."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(sent_at.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(message_id, sent_at, body) for secret in secrets),
    }
