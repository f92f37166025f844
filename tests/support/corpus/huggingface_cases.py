"""Responses of Hugging Face without an image, and the error that each of them must cause."""

from dataclasses import dataclass

from models.enum import ErrorCode
from services.integrations.providers.protocol import MAX_ANSWER_BYTES
from tests.support.fakes import huggingface_response as scripted
from tests.support.fakes.raw_server import Response

MISCONFIGURED = ErrorCode.PROVIDER_MISCONFIGURED
REJECTED = ErrorCode.CONTENT_REJECTED
FAILED = ErrorCode.GENERATION_FAILED
UNAVAILABLE = ErrorCode.PROVIDER_UNAVAILABLE
TIMEOUT = ErrorCode.GENERATION_TIMEOUT
LIMITED = ErrorCode.RATE_LIMITED


@dataclass(frozen=True)
class BadResponse:
    """A response without an image, and the error it must cause."""

    name: str
    response: Response
    code: ErrorCode
    may_retry: bool = False
    retry_after: float | None = None


BAD_RESPONSES = [
    BadResponse("401, invalid token", scripted.invalid_token(), MISCONFIGURED),
    BadResponse("403, token without permission", scripted.no_permission(), MISCONFIGURED),
    BadResponse("402, credits used up", scripted.no_credits(), MISCONFIGURED),
    BadResponse("400, model not served", scripted.not_served(400), MISCONFIGURED),
    BadResponse("404, model not served", scripted.not_served(404), MISCONFIGURED),
    BadResponse("410, model deprecated", scripted.deprecated(), MISCONFIGURED),
    BadResponse("400, unsafe content", scripted.unsafe(), REJECTED),
    BadResponse("unsafe content in a 200", scripted.error_in_200("NSFW content detected"), REJECTED),
    BadResponse("400", scripted.error(400, ["Error in `parameters.seed`"]), FAILED),
    BadResponse("413", scripted.error(413, "Payload too large"), FAILED),
    BadResponse("422", scripted.unprocessable(), FAILED),
    BadResponse("422 without JSON", scripted.html(422), FAILED),
    BadResponse("a body that is too long", scripted.announced(MAX_ANSWER_BYTES + 1), FAILED),
    BadResponse("an endless body", scripted.endless(), FAILED),
    BadResponse("a compressed body", scripted.compressed(), FAILED),
    BadResponse("429 with Retry-After", scripted.rate_limited("7"), LIMITED, True, 7.0),
    BadResponse("429 with RateLimit", scripted.rate_limited(ratelimit='"api";r=0;t=55'), LIMITED, True, 55.0),
    BadResponse("429", scripted.rate_limited(), LIMITED, True),
    BadResponse(
        "503, overloaded", scripted.error(503, "Model too busy", **{"Retry-After": "3"}), UNAVAILABLE, True, 3.0
    ),
    BadResponse("503 without JSON", scripted.html(503), UNAVAILABLE, True),
    BadResponse("500", scripted.error(500, {"message": "CUDA out of memory"}), UNAVAILABLE),
    BadResponse("502", scripted.html(502), UNAVAILABLE),
    BadResponse("504", scripted.error(504, "Gateway Timeout"), TIMEOUT),
    BadResponse("408", scripted.error(408, "Request Timeout"), TIMEOUT),
    BadResponse("an endless 500", scripted.endless(500), UNAVAILABLE),
    BadResponse("an error in a 200", scripted.error_in_200(), UNAVAILABLE),
    BadResponse("an HTML page", scripted.html(), UNAVAILABLE),
    BadResponse("a truncated body", scripted.truncated(), UNAVAILABLE),
    BadResponse("a redirect", scripted.redirect("http://127.0.0.1:9/"), UNAVAILABLE),
    BadResponse("a reset", scripted.reset(), UNAVAILABLE),
    BadResponse("silence", scripted.hang(), TIMEOUT),
]
