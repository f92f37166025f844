"""Verifies that a webhook is from Polar: Standard Webhooks, but the key is the whole secret as displayed."""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Iterator

TOLERANCE = 300  # seconds that a delivery may be old, or the sender's clock ahead

_ID = re.compile(r"[A-Za-z0-9_-]{1,200}")  # no dot: it separates the signed parts
_TIMESTAMP = re.compile(r"[0-9]{1,12}")  # whole seconds since 1970
_VERSION = "v1"


def is_authentic(
    secrets: Iterable[str], *, event_id: str, timestamp: str, signatures: str, body: bytes, now: float
) -> bool:
    """Whether one of `secrets` signed these bytes under this id, within the tolerance around `now`.

    `signatures` is the raw header: `v1,<base64>`, several separated by spaces while the sender rotates its key; other
    versions are ignored. Signatures are compared in constant time.
    """
    if not _ID.fullmatch(event_id) or not _TIMESTAMP.fullmatch(timestamp):
        return False
    if abs(now - int(timestamp)) > TOLERANCE:
        return False
    signed = f"{event_id}.{timestamp}.".encode() + body
    offered = list(_offered(signatures))
    found = False
    for secret in secrets:
        expected = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
        for signature in offered:
            found |= hmac.compare_digest(expected, signature)
    return found


def _offered(signatures: str) -> Iterator[bytes]:
    for versioned in signatures.split(" "):
        version, _, encoded = versioned.partition(",")
        if version == _VERSION:
            try:
                yield base64.b64decode(encoded, validate=True)
            except (binascii.Error, ValueError):
                continue  # an invalid signature does not invalidate the others
