"""Codes of authenticator apps, by the test vectors of RFC 6238 and with clocks that are wrong."""

from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from services.integrations.authenticator import STEP_SECONDS, Authenticator

SECRET = b"12345678901234567890"
STEP = 59_000_000
NOW = STEP * STEP_SECONDS + 17.0


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_codes_are_those_of_the_rfc(seconds: int, code: str) -> None:
    app = Authenticator(SECRET)
    assert app.code(seconds // STEP_SECONDS) == code
    assert app.step_of(code, seconds) == seconds // STEP_SECONDS


@pytest.mark.parametrize(("ahead", "is_accepted"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
@pytest.mark.parametrize("second", [0.0, 29.9])
def test_clock_may_be_one_step_ahead_or_behind(ahead: int, is_accepted: bool, second: float) -> None:
    app = Authenticator(SECRET)
    found = app.step_of(app.code(STEP + ahead), STEP * STEP_SECONDS + second)
    assert found == (STEP + ahead if is_accepted else None)


@pytest.mark.parametrize("code", ["", "0", "0000000", "١٢٣٤٥٦", "abcdef", "\x00" * 6])
def test_anything_else_is_no_code(code: str) -> None:
    assert Authenticator(SECRET).step_of(code, NOW) is None


def test_uri_names_account_and_issuer_without_plus_signs() -> None:
    uri = Authenticator(SECRET).uri("ada+test@example.com", "影楼: Dark room")
    assert uri.startswith("otpauth://totp/")
    assert "+" not in uri
    parts = urlsplit(uri)
    assert unquote(parts.path) == "/影楼  Dark room:ada+test@example.com"
    assert parse_qs(parts.query)["secret"] == ["GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"]
    assert parse_qs(parts.query)["issuer"] == ["影楼  Dark room"]
