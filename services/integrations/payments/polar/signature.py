"""Whether a webhook is from Polar: Standard Webhooks, but for the key, which is the whole secret as it is shown."""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Iterator

TOLERANCE = 300  # seconds that a delivery may be old, or that its sender's clock may be ahead

_ID = re.compile(r"[A-Za-z0-9_-]{1,200}")  # without a dot: it is what separates the parts that are signed
_TIMESTAMP = re.compile(r"[0-9]{1,12}")  # whole seconds since 1970
_VERSION = "v1"


def is_authentic(
    secrets: Iterable[str], *, event_id: str, timestamp: str, signatures: str, body: bytes, now: float
) -> bool:
    """Whether one of `secrets` signed these bytes under this id, within the tolerance around `now`.

    `signatures` is the header as it came: `v1,<base64>`, several divided by spaces while the sender changes its key;
    other versions are passed over. Only the time that is spent tells nothing about the right signature.
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
                continue  # one that cannot be read does not spoil the others
