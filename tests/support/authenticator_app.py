"""An authenticator app of a test: it computes codes by itself, from the secret that the API returned."""

import base64
import hmac
import struct
import time
from dataclasses import dataclass
from typing import Any

from models.database.connection import rows
from tests.support.client import Api

START = """
mutation($input: StartSecondFactorInput) {
  startSecondFactor(input: $input) { secret uri expiresAt errors { code field message } }
}"""
CONFIRM = """
mutation($code: String!) {
  confirmSecondFactor(code: $code) {
    recoveryCodes user { secondFactor { since isProved recoveryCodesLeft } } errors { code field message }
  }
}"""
VERIFY = """
mutation($code: String!) {
  verifySecondFactor(code: $code) {
    user { secondFactor { isProved recoveryCodesLeft } } errors { code field message }
  }
}"""
REMOVE = """
mutation($code: String!) {
  removeSecondFactor(code: $code) { user { secondFactor { since } } errors { code field message } }
}"""
STEP = 30  # seconds


@dataclass
class App:
    """The app of one account; `recovery`: its recovery codes."""

    user_id: str
    secret: str
    recovery: list[str]

    def code(self, ahead: int = 0) -> str:
        """Return the code that is shown now, or some steps of 30 seconds ahead."""
        return code_of(self.secret, int(time.time()) // STEP + ahead)

    async def fresh_code(self) -> str:
        """Return the code that is shown now, which counts as unused: a test need not wait for the next one."""
        assert await rows("UPDATE second_factors SET last_step = 0 WHERE user_id = $1 RETURNING user_id", self.user_id)
        return self.code()


def code_of(secret: str, step: int) -> str:
    """Return a code by RFC 4226 and RFC 6238."""
    digest = hmac.digest(base64.b32decode(secret), struct.pack(">Q", step), "sha1")
    offset = digest[-1] & 15
    (number,) = struct.unpack(">I", digest[offset : offset + 4])
    return f"{(number & 0x7FFFFFFF) % 1_000_000:06}"


async def set_up(admin: Api) -> App:
    """Set up the second factor of an admin, in a session that is new."""
    started = await admin.one(START)
    assert started["errors"] == []
    app = App(str(admin.user["id"]), started["secret"], [])
    confirmed: dict[str, Any] = await admin.one(CONFIRM, code=app.code())
    assert confirmed["errors"] == []
    app.recovery = confirmed["recoveryCodes"]
    return app
