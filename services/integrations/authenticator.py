"""Codes of authenticator apps: TOTP (RFC 6238) with what every app supports: SHA-1, six digits, 30 seconds."""

import hmac

STEP_SECONDS = 30
SECRET_BYTES = 20
DIGITS = 6
SKEW_STEPS = 1  # by which the clock of a phone may be ahead or behind


class Authenticator:
    """What an app does with a secret of SECRET_BYTES bytes. The library is imported where a second factor is used."""

    def __init__(self, secret: bytes) -> None:
        from cryptography.hazmat.primitives.hashes import SHA1
        from cryptography.hazmat.primitives.twofactor.totp import TOTP

        self._totp = TOTP(secret, DIGITS, SHA1(), STEP_SECONDS)  # noqa: S303 - an HMAC, which collisions do not weaken

    def code(self, step: int) -> str:
        """Return the code of a time step, counted since 1970."""
        return self._totp.generate(step * STEP_SECONDS).decode()

    def step_of(self, code: str, now: float) -> int | None:
        """Return the newest time step around `now`, in seconds since 1970, that has this code; None: none has it."""
        present = int(now // STEP_SECONDS)
        steps = range(present - SKEW_STEPS, present + SKEW_STEPS + 1)
        # All are compared, so that the time does not depend on which one matches.
        matching = [step for step in steps if hmac.compare_digest(self.code(step).encode(), code.encode())]
        return matching[-1] if matching else None

    def uri(self, account: str, issuer: str) -> str:
        """Return what the QR code holds that apps scan, with these two as its name."""
        uri = self._totp.get_provisioning_uri(account, issuer.replace(":", " "))  # a colon ends the issuer
        return uri.replace("+", "%20")  # a space; some apps show a plus sign, and a real one is encoded
