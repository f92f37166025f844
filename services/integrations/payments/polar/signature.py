"""Verifies that a webhook is from Polar: Standard Webhooks, with either of two keys for one secret.

Secrets made before 2026-09-08 sign with the whole secret as displayed, `whsec_` included; those made since with the
base64-decoded part after `whsec_`, as the standard has it (polarsource/polar#14102, #14117).
"""

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
_PREFIX = "whsec_"
_MIN_KEY_BYTES = 16  # of a decoded key: what is shorter could be guessed, and is no secret of Polar's


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
    for key in _keys(secrets):
        expected = hmac.new(key, signed, hashlib.sha256).digest()
        for signature in offered:
            found |= hmac.compare_digest(expected, signature)
    return found


def _keys(secrets: Iterable[str]) -> Iterator[bytes]:
    for secret in secrets:
        yield secret.encode()
        if secret.startswith(_PREFIX):
            try:
                decoded = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
            except (binascii.Error, ValueError):
                continue  # only the whole secret can be its key
            if len(decoded) >= _MIN_KEY_BYTES:
                yield decoded


def _offered(signatures: str) -> Iterator[bytes]:
    for versioned in signatures.split(" "):
        version, _, encoded = versioned.partition(",")
        if version == _VERSION:
            try:
                yield base64.b64decode(encoded, validate=True)
            except (binascii.Error, ValueError):
                continue  # an invalid signature does not invalidate the others
