"""OpenRouter's callback at the end of a video's job: its signature, and the job that it is about."""

import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable, Sequence

from services.integrations.providers.openrouter.job_id import is_job_id

_TOLERANCE = 300.0  # seconds between the signature's time and ours
_TIME = re.compile(r"[0-9]{1,12}")
_PREFIX = "video.generation."


class InvalidSignatureError(Exception):
    """The callback was not signed with one of the secrets, or not just now."""


class InvalidCallbackError(Exception):
    """It is signed, and cannot be read."""


class OpenRouterCallbacks:
    """Reads callbacks. `secrets`: of the workspace; two during a rotation. Empty: every callback is refused."""

    provider = "openrouter"

    def __init__(self, secrets: Sequence[str], clock: Callable[[], float] = time.time) -> None:
        self._secrets = [secret.encode() for secret in secrets]
        self._clock = clock

    @property
    def is_on(self) -> bool:
        """Whether callbacks can be verified, and so are worth asking for."""
        return bool(self._secrets)

    def job_of(self, signature: str, body: bytes) -> str | None:
        """Return the id of the job that has ended; None for an event of another kind.

        `signature`: the header X-OpenRouter-Signature, `t=<seconds>,v1=<hexadecimal HMAC-SHA256 over "t,body">`.

        Raises:
            InvalidSignatureError, InvalidCallbackError
        """
        self._verify(signature, body)
        try:
            event = json.loads(body)
        except (ValueError, RecursionError):
            raise InvalidCallbackError("no JSON") from None
        kind = event.get("type") if isinstance(event, dict) else None
        if not isinstance(kind, str):
            raise InvalidCallbackError("no type")
        if not kind.startswith(_PREFIX):
            return None
        data = event.get("data")
        job_id = data.get("id") if isinstance(data, dict) else None
        if not is_job_id(job_id):
            raise InvalidCallbackError("no job")
        return job_id

    def _verify(self, signature: str, body: bytes) -> None:
        parts = [part.strip().partition("=") for part in signature[:1000].split(",")]
        times = [value for name, _, value in parts if name == "t"]
        given = [value.lower() for name, _, value in parts if name == "v1"]
        if len(times) != 1 or not _TIME.fullmatch(times[0]) or not all(value.isascii() for value in given):
            raise InvalidSignatureError
        if abs(self._clock() - int(times[0])) > _TOLERANCE:
            raise InvalidSignatureError
        signed = times[0].encode() + b"," + body
        expected = [hmac.new(secret, signed, hashlib.sha256).hexdigest() for secret in self._secrets]
        if not any(hmac.compare_digest(one, other) for one in expected for other in given):
            raise InvalidSignatureError
