"""Webhook signatures by both of Polar's rules: the whole secret as key, and the decoded part after `whsec_`."""

import base64
import hashlib
import hmac

import pytest

from services.integrations.payments.polar.signature import is_authentic

KEY = b"darkroom-example-signing-key-32b"
SECRET = f"whsec_{base64.b64encode(KEY).decode()}"
EVENT_ID, TIMESTAMP = "msg_example_1", "1795860000"
BODY = b'{"type":"order.paid","timestamp":"2026-11-28T10:00:00Z","data":{"id":"00000000-0000-4000-8000-000000000001"}}'
BY_WHOLE_SECRET = "v1,QDjl+4uBuvOcpD2E5jZORMheaTAnbR3aHpueRhfMaC4="
BY_DECODED_SECRET = "v1,dlhlFgEb/jTCz5IO/E0wprYt5STq15dfMes15LFFjPY="


def is_accepted(secret: str, signatures: str, body: bytes = BODY) -> bool:
    return is_authentic(
        [secret],
        event_id=EVENT_ID,
        timestamp=TIMESTAMP,
        signatures=signatures,
        body=body,
        now=float(TIMESTAMP),
    )


def sign_with(key: bytes) -> str:
    digest = hmac.new(key, f"{EVENT_ID}.{TIMESTAMP}.".encode() + BODY, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


@pytest.mark.parametrize("signatures", [BY_WHOLE_SECRET, BY_DECODED_SECRET, f"{BY_WHOLE_SECRET} {BY_DECODED_SECRET}"])
def test_signatures_by_the_whole_and_by_the_decoded_secret_are_accepted(signatures: str) -> None:
    assert is_accepted(SECRET, signatures)
    assert not is_accepted(SECRET, signatures, BODY + b" ")


@pytest.mark.parametrize("key", [b"", KEY[:15], SECRET.removeprefix("whsec_").encode(), KEY + b"x"])
def test_other_keys_made_of_the_secret_are_refused(key: bytes) -> None:
    assert not is_accepted(SECRET, sign_with(key))


@pytest.mark.parametrize("secret", ["whsec_", f"whsec_{base64.b64encode(KEY[:15]).decode()}"])
def test_a_secret_that_decodes_to_a_short_key_signs_only_as_a_whole(secret: str) -> None:
    assert not is_accepted(secret, sign_with(base64.b64decode(secret.removeprefix("whsec_"))))
    assert is_accepted(secret, sign_with(secret.encode()))


def test_a_secret_that_is_no_base64_signs_as_a_whole() -> None:
    secret = "whsec_not base64 at all"
    assert is_accepted(secret, sign_with(secret.encode()))
