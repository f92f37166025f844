"""Errors in the form of OpenAI's API: a status, and a body that its clients read."""

from collections.abc import Mapping
from typing import Any

from models.enum import ErrorCode
from services.core.error import RateLimitedError, Refusal, RefusalGroup
from services.core.message import Message, message
from services.core.rate_limit import note_retry
from services.core.text import shortened

_INVALID, _SERVER, _QUOTA = "invalid_request_error", "server_error", "insufficient_quota"

# The status, `type` and `code` of each error code. Of OpenAI's own codes, those that its clients know are used.
_KINDS: Mapping[ErrorCode, tuple[int, str, str]] = {
    ErrorCode.UNAUTHENTICATED: (401, _INVALID, "invalid_api_key"),
    ErrorCode.FORBIDDEN: (403, "permission_error", "forbidden"),
    ErrorCode.MEMBERSHIP_REQUIRED: (403, "permission_error", "membership_required"),
    ErrorCode.NOT_FOUND: (404, _INVALID, "not_found"),
    ErrorCode.INVALID_INPUT: (400, _INVALID, "invalid_value"),
    ErrorCode.CONTENT_REJECTED: (400, _INVALID, "content_policy_violation"),
    ErrorCode.CONFLICT: (409, _INVALID, "conflict"),
    ErrorCode.INSUFFICIENT_CREDITS: (429, _QUOTA, _QUOTA),
    ErrorCode.QUOTA_EXCEEDED: (429, _QUOTA, "quota_exceeded"),
    ErrorCode.RATE_LIMITED: (429, "rate_limit_error", "rate_limit_exceeded"),
    ErrorCode.UPLOAD_FAILED: (503, _SERVER, "upload_failed"),
    ErrorCode.GENERATION_FAILED: (502, _SERVER, "generation_failed"),
    ErrorCode.GENERATION_TIMEOUT: (504, _SERVER, "generation_timeout"),
    ErrorCode.PROVIDER_UNAVAILABLE: (503, _SERVER, "provider_unavailable"),
    ErrorCode.PROVIDER_MISCONFIGURED: (503, _SERVER, "provider_unavailable"),
    ErrorCode.UNAVAILABLE: (503, _SERVER, "unavailable"),
}
_INTERNAL = (500, _SERVER, "internal_error")
_REPEATABLE = {ErrorCode.RATE_LIMITED, ErrorCode.UNAVAILABLE, ErrorCode.UPLOAD_FAILED}  # may go well later

# How OpenAI's API calls the fields of an input.
_PARAMETERS = {
    "count": "n",
    "aspectRatio": "size",
    "styleId": "style_id",
    "enhancePrompt": "enhance_prompt",
    "idempotencyKey": "Idempotency-Key",
}


class ApiError(Exception):
    """A request that is answered with an error.

    `may_repeat`: whether clients may repeat the request by themselves, as OpenAI's do. Once the request is charged,
    only where it has an idempotency key.
    """

    def __init__(self, code: ErrorCode, text: Message, parameter: str | None = None, *, may_repeat: bool) -> None:
        super().__init__(text.text)
        self.error_code = code
        self.message = text
        self.parameter = parameter
        self.status, self.type, self.code = _KINDS.get(code, _INTERNAL)
        self.may_repeat = may_repeat
        self.allowed: str | None = None  # of a method that is not: the one that is

    def body(self, text: str) -> dict[str, Any]:
        """Return the body of the response. `text`: the message in the reader's language."""
        return {"error": {"message": text, "type": self.type, "param": self.parameter, "code": self.code}}

    def headers(self) -> dict[str, str]:
        """Return the headers that go with it."""
        headers = {"Cache-Control": "no-store"}
        if self.status == 405 and self.allowed is not None:
            headers["Allow"] = self.allowed
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        if not self.may_repeat:
            headers["X-Should-Retry"] = "false"  # OpenAI's clients repeat 408, 409, 429 and 5xx without being asked
        return headers


def invalid(parameter: str | None, text: Message | None = None) -> ApiError:
    """Return the error of a parameter that cannot be used."""
    text = text or message("The value of `{parameter}` cannot be used.", parameter=parameter)
    return ApiError(ErrorCode.INVALID_INPUT, text, parameter, may_repeat=False)


def refused(refusal: Refusal | RefusalGroup) -> ApiError:
    """Return the error of a request that a service has refused, of several the first."""
    first = refusal.refusals[0] if isinstance(refusal, RefusalGroup) else refusal
    if isinstance(first, RateLimitedError):
        note_retry(first.retry_after)
    field = first.field[0] if first.field else None
    parameter = _PARAMETERS.get(field, field) if field is not None else None
    return ApiError(first.code, first.message, parameter, may_repeat=first.code in _REPEATABLE)


def unknown_model(model: str) -> ApiError:
    """Return the error of a model that is not offered."""
    error = ApiError(
        ErrorCode.NOT_FOUND, message("There is no model `{model}`.", model=shortened(model)), "model", may_repeat=False
    )
    error.code = "model_not_found"
    return error


def unknown_address(method: str, path: str) -> ApiError:
    """Return the error of an address that is not offered."""
    text = message("There is nothing at this address: {method} {path}.", method=shortened(method), path=shortened(path))
    error = ApiError(ErrorCode.NOT_FOUND, text, may_repeat=False)
    error.code = "unknown_url"
    return error


def wrong_method(method: str, path: str, allowed: str) -> ApiError:
    """Return the error of a method that an address does not have."""
    text = message("{path} takes {allowed}, not {method}.", path=path, allowed=allowed, method=shortened(method))
    error = ApiError(ErrorCode.INVALID_INPUT, text, may_repeat=False)
    error.status, error.code, error.allowed = 405, "method_not_supported", allowed
    return error
