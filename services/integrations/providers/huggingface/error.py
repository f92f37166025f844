"""Map the errors of Hugging Face and of the models that it serves to ProviderError."""

import math
import re
from collections.abc import Mapping
from typing import Any

from models.enum import ErrorCode
from services.integrations.providers.failure_cause import FailureCause, status_cause
from services.integrations.providers.http_error import MAX_RETRY_AFTER, Secrets, retry_after
from services.integrations.providers.json_body import read_json
from services.integrations.providers.protocol import ProviderError

_DEFAULT_LOADING = 20.0  # seconds; what Hugging Face itself estimates for most models
# 401 and 403: the token; 402: the included credits are used up; 404, 405 and 410: the model is not served any more.
_MISCONFIGURED = {401, 402, 403, 404, 405, 410}
_BILLING = 402
_TIMEOUTS = {408, 504, 524}
_INPUT_STATUSES = {400, 403, 422}
_NOT_SERVED = re.compile(r"not supported by provider|no longer supported|not supported for task|does not exist", re.I)
_LOADING = re.compile(r"\bloading\b", re.IGNORECASE)
# Texts of the safety checkers of diffusion models, and of the services behind the other providers.
REJECTED = re.compile(r"nsfw|safety checker|content.policy|sensitive content|flagged|moderation", re.IGNORECASE)
_RATE_LIMIT = re.compile(r'"\w+"\s*;\s*r\s*=\s*\d+\s*;\s*t\s*=\s*(\d{1,9})')  # `RateLimit` of the Hub: "api";r=0;t=55
_MAX_TEXT = 4000  # characters of an error text that are looked at


def status_error(status: int, headers: Mapping[str, str], body: bytes, secrets: Secrets) -> ProviderError:
    """Return the error for a response with a status other than 200."""
    error = _read(body)
    text = _text_of(error)
    may_retry = status in (429, 503)  # refused before the work started
    excerpt = secrets.clean(text)
    kind = ", billing" if status == _BILLING else ""
    code = _classify(status, text)
    return ProviderError(
        code,
        f"HTTP {status}{kind}" + (f": {excerpt}" if excerpt else ""),
        may_retry=may_retry,
        was_refused=code is ErrorCode.PROVIDER_MISCONFIGURED,
        cause=status_cause(status) if code is ErrorCode.PROVIDER_MISCONFIGURED else FailureCause.OTHER,
        retry_after=_wait(headers, error) if may_retry else None,
        request_id=request_id(headers),
    )


def unexpected_body(content_type: str, body: bytes, headers: Mapping[str, str], secrets: Secrets) -> ProviderError:
    """Return the error for a 200 that is no image: an error text as JSON, or the page of a gateway."""
    text = _text_of(_read(body))
    code = ErrorCode.CONTENT_REJECTED if REJECTED.search(text) else ErrorCode.PROVIDER_UNAVAILABLE
    detail = secrets.clean(text) or f"{secrets.clean(content_type)[:40] or 'untyped'}, {len(body)} bytes"
    return ProviderError(code, f"no image in a 200: {detail}", request_id=request_id(headers))


def loading_seconds(status: int, body: bytes) -> float | None:
    """Return the estimated seconds until the model is loaded; None if the response does not say that it is loading."""
    if status != 503:
        return None
    error = _read(body)
    estimated = _seconds(error.get("estimated_time"))
    if estimated is None and _LOADING.search(_text_of(error)):
        return _DEFAULT_LOADING
    return estimated


def request_id(headers: Mapping[str, str]) -> str | None:
    """Return the id under which Hugging Face knows a request."""
    value = headers.get("x-request-id", "")
    return value[:200] if value.isascii() and value.isprintable() and value else None


def _classify(status: int, text: str) -> ErrorCode:
    if status in _INPUT_STATUSES and REJECTED.search(text):
        return ErrorCode.CONTENT_REJECTED
    if status in _MISCONFIGURED or (status == 400 and _NOT_SERVED.search(text)):
        return ErrorCode.PROVIDER_MISCONFIGURED
    if status in _TIMEOUTS:
        return ErrorCode.GENERATION_TIMEOUT
    if status == 429:
        return ErrorCode.RATE_LIMITED
    return ErrorCode.GENERATION_FAILED if 400 <= status < 500 else ErrorCode.PROVIDER_UNAVAILABLE


def _wait(headers: Mapping[str, str], error: Mapping[str, Any]) -> float | None:
    """Return the seconds to wait: by Retry-After, else by the Hub's RateLimit header, else by the loading model."""
    found = retry_after(headers.get("retry-after"))
    if found is None and (match := _RATE_LIMIT.search(headers.get("ratelimit", ""))):
        found = min(float(match.group(1)), MAX_RETRY_AFTER)
    return _seconds(error.get("estimated_time")) if found is None else found


def _seconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return min(max(float(value), 0.0), MAX_RETRY_AFTER)


def _read(body: bytes) -> dict[str, Any]:
    parsed = read_json(body)
    if isinstance(parsed, list) and parsed:
        parsed = parsed[0]
    return parsed if isinstance(parsed, dict) else {}


def _text_of(error: Mapping[str, Any]) -> str:
    """Return the error's text, which is in `error`, `message` or `detail`: a string, a list or an object with one."""
    for name in ("error", "message", "detail"):
        value = error.get(name)
        if isinstance(value, dict):
            value = value.get("message") or value.get("type")
        if isinstance(value, list):
            value = "; ".join(str(part.get("msg", part)) if isinstance(part, dict) else str(part) for part in value)
        if isinstance(value, str) and value:
            return value[:_MAX_TEXT]
    return ""
