"""Map OpenRouter's errors to ProviderError."""

import math
import re
from collections.abc import Mapping
from typing import Any

from models.enum import ErrorCode
from services.integrations.providers.failure_cause import FailureCause, status_cause
from services.integrations.providers.http_error import MAX_RETRY_AFTER, Secrets, retry_after
from services.integrations.providers.json_body import name_of
from services.integrations.providers.protocol import ProviderError

# `error.metadata.error_type`, as listed on OpenRouter's errors page.
_TYPES = {
    # moderation_blocked: OpenAI's, as `code` of an error inside a stream of the images API.
    ErrorCode.CONTENT_REJECTED: {"content_policy_violation", "refusal", "moderation_blocked"},
    ErrorCode.PROVIDER_MISCONFIGURED: {"authentication", "permission_denied", "payment_required", "not_found"},
    ErrorCode.PROVIDER_UNAVAILABLE: {
        "rate_limit_exceeded",
        "provider_overloaded",
        "provider_unavailable",
        "server",
        "timeout",
    },
    ErrorCode.GENERATION_FAILED: {
        "invalid_request",
        "invalid_prompt",
        "unprocessable",
        "precondition_failed",
        "payload_too_large",
        "context_length_exceeded",
        "max_tokens_exceeded",
        "token_limit_exceeded",
        "string_too_long",
        "invalid_image",
        "image_too_large",
        "image_too_small",
        "unsupported_image_format",
        "image_not_found",
        "image_download_failed",
        # OpenAI's names, which an error inside a stream of the images API has in `type`.
        "invalid_request_error",
        "image_generation_user_error",
    },
}
_CODE_OF_TYPE = {name: code for code, names in _TYPES.items() for name in names}
_MISCONFIGURED = {401, 402, 403, 404, 405}  # 404: no such model; 404 and 405 also for a wrong base URL
_TEMPORARY = {408, 409, 425, 429}  # 4xx that do not mean a wrong request
_INPUT_STATUSES = {None, 400, 403, 422}
# Texts of the upstream providers, which OpenRouter passes on in `message` and `metadata.raw`.
_MODERATION_TEXTS = re.compile(
    r"content_policy|content policy|moderation_blocked|safety system|image_safety|prohibited_content"
    r"|input was flagged|request blocked",
    re.IGNORECASE,
)


def status_error(
    status: int, headers: Mapping[str, str], error: Mapping[str, Any] | None, secrets: Secrets
) -> ProviderError:
    """Return the error for an HTTP status other than 200. `error`: the body's error object, None if it has none."""
    error = error or {}
    may_retry = status in (429, 503)  # rejected before the work started
    code = _classify(status, error)
    wait = retry_after(headers.get("retry-after"))
    return ProviderError(
        code,
        _describe(f"HTTP {status}", error, secrets),
        may_retry=may_retry,
        was_refused=code is ErrorCode.PROVIDER_MISCONFIGURED,
        cause=status_cause(status) if code is ErrorCode.PROVIDER_MISCONFIGURED else FailureCause.OTHER,
        retry_after=(_wait_in_body(error) if wait is None else wait) if may_retry else None,
        request_id=name_of(headers.get("x-generation-id")),
    )


def embedded_error(
    error: Mapping[str, Any], secrets: Secrets, *, cost: float | None, request_id: str | None
) -> ProviderError:
    """Return the error for an error object inside a 200: the work had started, so it is never retried."""
    return ProviderError(
        _classify(_status_in(error), error),
        _describe("error inside a 200", error, secrets),
        cost=cost,
        request_id=request_id,
    )


def error_object(body: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the error object of a JSON body; None if it has none."""
    error = (body or {}).get("error")
    if isinstance(error, str) and error:
        return {"message": error}
    return error if isinstance(error, dict) and error else None


def _wait_in_body(error: Mapping[str, Any]) -> float | None:
    availability = error.get("availability")
    value = availability.get("retry_after") if isinstance(availability, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return min(float(value), MAX_RETRY_AFTER) if math.isfinite(value) and value > 0 else None


def _classify(status: int | None, error: Mapping[str, Any]) -> ErrorCode:
    if _is_moderation(status, error):
        return ErrorCode.CONTENT_REJECTED
    if status is not None and (status < 400 or status >= 500 or status in _TEMPORARY):
        return ErrorCode.PROVIDER_UNAVAILABLE
    by_type = _CODE_OF_TYPE.get(_error_type(error))
    if by_type is not None:
        return by_type
    if status in _MISCONFIGURED:
        return ErrorCode.PROVIDER_MISCONFIGURED
    return ErrorCode.PROVIDER_UNAVAILABLE if status is None else ErrorCode.GENERATION_FAILED


def _is_moderation(status: int | None, error: Mapping[str, Any]) -> bool:
    metadata = _metadata(error)
    names = (_error_type(error), metadata.get("provider_code"), error.get("code"))
    if any(isinstance(name, str) and name in _TYPES[ErrorCode.CONTENT_REJECTED] for name in names):
        return True
    if status in _INPUT_STATUSES and any(metadata.get(field) for field in ("reasons", "flagged_input", "patterns")):
        return True
    return bool(_MODERATION_TEXTS.search(f"{error.get('message')} {metadata.get('raw')}"[:4000]))


def _metadata(error: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = error.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def _error_type(error: Mapping[str, Any]) -> str:
    """Return OpenRouter's name of the error: in metadata or beside the message, the documentation shows both."""
    for value in (_metadata(error).get("error_type"), error.get("error_type"), error.get("type"), error.get("code")):
        if isinstance(value, str) and (value in _CODE_OF_TYPE or value == "unmapped"):
            return value
    return ""


def _status_in(error: Mapping[str, Any]) -> int | None:
    """Return the HTTP status that an error object states."""
    for value in (error.get("code"), error.get("http_status")):
        if isinstance(value, int) and not isinstance(value, bool) and 100 <= value <= 599:
            return value
        if isinstance(value, str) and re.fullmatch(r"[1-5]\d\d", value, re.ASCII):
            return int(value)
    return None


def _describe(head: str, error: Mapping[str, Any], secrets: Secrets) -> str:
    status = _status_in(error)
    parts = [head, f"code {status}" if status is not None and head != f"HTTP {status}" else "", _error_type(error)]
    message = error.get("message")
    excerpt = secrets.clean(message) if isinstance(message, str) else ""
    return ", ".join(part for part in parts if part) + (f": {excerpt}" if excerpt else "")
