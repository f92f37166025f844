"""What the errors of HTTP providers have in common: failed connections, Retry-After, and excerpts without secrets."""

import re
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import httpx2

from models.enum import ErrorCode
from services.integrations.providers.failure_cause import connection_cause
from services.integrations.providers.protocol import ProviderError

MAX_RETRY_AFTER = 3600.0  # seconds; a plausibility limit, the caller's deadline is far shorter

_KEY = re.compile(r"(?:sk-|hf_)[\w-]{4,}|Bearer\s+\S+", re.IGNORECASE)
_DATA = re.compile(r"[\w+/=-]{40,}")  # base64, hashes, tokens
_MIN_ECHO = 8  # characters in a row that also occur in the prompt are treated as a quote of it
_EXCERPT = 160  # characters


@dataclass(frozen=True)
class Secrets:
    """Data that must not reach a log through an error text of the provider."""

    key: str
    prompt: str

    def clean(self, text: str) -> str:
        """Return a short printable excerpt of `text` without the key, image data or parts of the prompt."""
        text = text.replace(self.key, "[key]") if self.key else text
        text = _DATA.sub("[data]", _KEY.sub("[key]", text))[: 3 * _EXCERPT]
        hidden = self._echoes(text)
        text = "".join("" if at in hidden else char if char.isprintable() else " " for at, char in enumerate(text))
        return " ".join(text.split())[:_EXCERPT]

    def _echoes(self, text: str) -> set[int]:
        prompt = self.prompt.lower()
        width = min(_MIN_ECHO, len(prompt))
        starts = (at for at in range(len(text) - width + 1) if width and text[at : at + width].lower() in prompt)
        return {at + step for at in starts for step in range(width)}


def connection_error(error: BaseException | None) -> ProviderError:
    """Return the error for a failed connection; its detail is only the exception's class, as httpx quotes the key."""
    cause = connection_cause(error)
    detail = f"connection: {type(error).__name__} ({cause})"
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout):
        return ProviderError(ErrorCode.PROVIDER_UNAVAILABLE, detail, may_retry=True, request_left=False, cause=cause)
    if isinstance(error, httpx2.UnsupportedProtocol | httpx2.LocalProtocolError):
        return ProviderError(ErrorCode.PROVIDER_MISCONFIGURED, detail, request_left=False, cause=cause)
    if isinstance(error, httpx2.TimeoutException):
        return ProviderError(ErrorCode.GENERATION_TIMEOUT, detail, cause=cause)
    return ProviderError(ErrorCode.PROVIDER_UNAVAILABLE, detail, cause=cause)


def retry_after(value: str | None, longest: float = MAX_RETRY_AFTER) -> float | None:
    """Parse a Retry-After header, in seconds or as a date, to 0 to `longest` seconds; None if it is invalid."""
    text = (value or "").strip()
    if re.fullmatch(r"\d+(\.\d+)?", text, re.ASCII):
        return min(float(text), longest)
    try:
        seconds = parsedate_to_datetime(text).timestamp() - time.time()
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), longest)
