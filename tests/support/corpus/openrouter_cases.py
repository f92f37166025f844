"""Responses of OpenRouter without an image, and the error that each of them must cause."""

from dataclasses import dataclass

from models.enum import ErrorCode
from tests.support.fakes import openrouter_images as images
from tests.support.fakes import openrouter_response as scripted
from tests.support.fakes.raw_server import Response

MISCONFIGURED = ErrorCode.PROVIDER_MISCONFIGURED
REJECTED = ErrorCode.CONTENT_REJECTED
FAILED = ErrorCode.GENERATION_FAILED
UNAVAILABLE = ErrorCode.PROVIDER_UNAVAILABLE
TIMEOUT = ErrorCode.GENERATION_TIMEOUT


@dataclass(frozen=True)
class BadResponse:
    """A response without an image, and the error it must cause."""

    name: str
    response: Response
    code: ErrorCode
    may_retry: bool = False
    retry_after: float | None = None


def guardrail() -> Response:
    return scripted.status(403, "permission_denied", text="Request blocked: prompt injection patterns detected")


def upstream_block() -> Response:
    metadata = {"raw": '{"error":{"code":"moderation_blocked"}}', "provider_name": "OpenAI"}
    return scripted.status(400, text="Provider returned error", metadata=metadata)


BAD_RESPONSES = [
    BadResponse("401", scripted.status(401, "authentication"), MISCONFIGURED),
    BadResponse("402", scripted.status(402, "payment_required"), MISCONFIGURED),
    BadResponse("403, key without permission", scripted.status(403, "permission_denied"), MISCONFIGURED),
    BadResponse("404, no such model", scripted.status(404, "not_found"), MISCONFIGURED),
    BadResponse("404 without an error text", scripted.status(404), MISCONFIGURED),
    BadResponse("404, image not found", scripted.status(404, "image_not_found"), FAILED),
    BadResponse("403 moderation", scripted.moderation(), REJECTED),
    BadResponse("403 guardrail", guardrail(), REJECTED),
    BadResponse("403 content policy", scripted.status(403, "content_policy_violation"), REJECTED),
    BadResponse("403 refusal", scripted.status(403, "refusal"), REJECTED),
    BadResponse("400 content policy", scripted.status(400, "content_policy_violation"), REJECTED),
    BadResponse("400 with an upstream provider's block", upstream_block(), REJECTED),
    BadResponse("a refusal", scripted.refusal(), REJECTED),
    BadResponse("content_filter", scripted.message(content=None, finish_reason="content_filter"), REJECTED),
    BadResponse("a native safety reason", scripted.message(content="", native_finish_reason="IMAGE_SAFETY"), REJECTED),
    BadResponse("moderation inside a 200", scripted.error_in_200(403, "content_policy_violation"), REJECTED),
    BadResponse("moderation inside a stream", scripted.sse_error(403, "content_policy_violation"), REJECTED),
    BadResponse("400", scripted.status(400, "invalid_request"), FAILED),
    BadResponse("413", scripted.status(413, "payload_too_large"), FAILED),
    BadResponse("422", scripted.status(422, "unprocessable"), FAILED),
    BadResponse("422 without an error text", scripted.status(422), FAILED),
    BadResponse("text only", scripted.text_only(), FAILED),
    BadResponse("no content", scripted.message(content=None), FAILED),
    BadResponse("invalid base64", scripted.not_an_image(), FAILED),
    BadResponse("a URL", scripted.remote_url("https://storage.example/a.png"), FAILED),
    BadResponse("an endless body", scripted.huge(), FAILED),
    BadResponse("a gzip bomb", scripted.gzip_bomb(), FAILED),
    BadResponse("408", scripted.status(408, "timeout"), UNAVAILABLE),
    BadResponse("409", scripted.status(409), UNAVAILABLE),
    BadResponse("524", scripted.status(524, "timeout"), UNAVAILABLE),
    BadResponse("429", scripted.status(429, "rate_limit_exceeded"), UNAVAILABLE, may_retry=True),
    BadResponse(
        "429, Retry-After 7", scripted.status(429, retry_after="7"), UNAVAILABLE, may_retry=True, retry_after=7
    ),
    BadResponse("429, invalid Retry-After", scripted.status(429, retry_after="soon"), UNAVAILABLE, may_retry=True),
    BadResponse("429, negative Retry-After", scripted.status(429, retry_after="-3"), UNAVAILABLE, may_retry=True),
    BadResponse("503", scripted.status(503, "provider_unavailable"), UNAVAILABLE, may_retry=True),
    BadResponse(
        "503, Retry-After 2.5", scripted.status(503, retry_after="2.5"), UNAVAILABLE, may_retry=True, retry_after=2.5
    ),
    BadResponse("500", scripted.status(500, "server"), UNAVAILABLE),
    BadResponse("500, Retry-After 7", scripted.status(500, retry_after="7"), UNAVAILABLE),
    BadResponse("502", scripted.status(502, "provider_unavailable"), UNAVAILABLE),
    BadResponse("529", scripted.status(529, "provider_overloaded"), UNAVAILABLE),
    BadResponse("an error with an endless body", scripted.huge(500), UNAVAILABLE),
    BadResponse("an error inside a 200", scripted.error_in_200(502), UNAVAILABLE),
    BadResponse("an unnamed error inside a 200", scripted.error_in_200(None), UNAVAILABLE),
    BadResponse("429 inside a 200", scripted.error_in_200(429, "rate_limit_exceeded"), UNAVAILABLE),
    BadResponse("503 inside a 200", scripted.error_in_200(503), UNAVAILABLE),
    BadResponse("402 inside a 200", scripted.error_in_200(402), MISCONFIGURED),
    BadResponse("400 inside a 200", scripted.error_in_200(400), FAILED),
    BadResponse("a string as error inside a 200", scripted.json_200({"error": "oops"}), UNAVAILABLE),
    BadResponse("an error inside a stream", scripted.sse_error(502), UNAVAILABLE),
    BadResponse("429 inside a stream", scripted.sse_error(429), UNAVAILABLE),
    BadResponse("finish reason error", scripted.message(content="", finish_reason="error"), UNAVAILABLE),
    BadResponse("HTML", scripted.html_200(), UNAVAILABLE),
    BadResponse("nothing", scripted.empty_200(), UNAVAILABLE),
    BadResponse("choices null", scripted.json_200({"id": "gen-1", "choices": None}), UNAVAILABLE),
    BadResponse("no choices", scripted.json_200({"id": "gen-1", "choices": []}), UNAVAILABLE),
    BadResponse("JSON without a choice", scripted.json_200([]), UNAVAILABLE),
    BadResponse("a truncated body", scripted.truncated(), UNAVAILABLE),
    BadResponse("a truncated stream", scripted.truncated(scripted.sse_picture()), UNAVAILABLE),
    BadResponse("truncated within the HTTP head", scripted.truncated(keep=0.0005), UNAVAILABLE),
    BadResponse("a stream without [DONE]", scripted.sse_cut(), UNAVAILABLE),
    BadResponse("an empty stream", scripted.sse(), UNAVAILABLE),
    BadResponse("a stream of JSON without a choice", scripted.sse([1, 2]), UNAVAILABLE),
    BadResponse("a reset", scripted.reset(), UNAVAILABLE),
    BadResponse("a hang", scripted.hang(), TIMEOUT),
]

# Of the images API.
BAD_IMAGES = [
    BadResponse("no image", images.no_images(), FAILED),
    BadResponse("invalid base64", images.not_base64(), FAILED),
    BadResponse("a drawing's text without the drawing", scripted.sse(images.text_chunk("<svg>")), UNAVAILABLE),
    BadResponse("an error after a preview", images.failed_stream("Generation failed", "server_error"), UNAVAILABLE),
    BadResponse("an error without a code", images.failed_stream("Failed", None), UNAVAILABLE),
    BadResponse(
        "OpenAI's moderation", images.failed_stream("No", "moderation_blocked", "image_generation_user_error"), REJECTED
    ),
    BadResponse("OpenAI's refusal of a parameter", images.failed_stream("No", None, "invalid_request_error"), FAILED),
    BadResponse("an error inside a 200", scripted.error_in_200(502), UNAVAILABLE),
    BadResponse("moderation inside a 200", scripted.error_in_200(403, "content_policy_violation"), REJECTED),
    BadResponse("402 inside a 200", scripted.error_in_200(402, "payment_required"), MISCONFIGURED),
    BadResponse("a truncated body", scripted.truncated(images.images()), UNAVAILABLE),
    BadResponse("a truncated stream", scripted.truncated(images.streamed(scripted.good_picture())), UNAVAILABLE),
    BadResponse("an empty stream", scripted.sse(), UNAVAILABLE),
    BadResponse("HTML", scripted.html_200(), UNAVAILABLE),
    BadResponse("nothing", scripted.empty_200(), UNAVAILABLE),
    BadResponse("an endless body", scripted.huge(), FAILED),
    BadResponse("a gzip bomb", scripted.gzip_bomb(), FAILED),
    BadResponse("a redirect", scripted.redirect("http://169.254.169.254/"), UNAVAILABLE),
    BadResponse("a reset", scripted.reset(), UNAVAILABLE),
    BadResponse("a hang", scripted.hang(), TIMEOUT),
]

# Every documented `error_type`, and the error code that it causes where the status says no more.
ERROR_TYPES = {
    "content_policy_violation": REJECTED,
    "refusal": REJECTED,
    "authentication": MISCONFIGURED,
    "permission_denied": MISCONFIGURED,
    "payment_required": MISCONFIGURED,
    "not_found": MISCONFIGURED,
    "rate_limit_exceeded": UNAVAILABLE,
    "provider_overloaded": UNAVAILABLE,
    "provider_unavailable": UNAVAILABLE,
    "server": UNAVAILABLE,
    "timeout": UNAVAILABLE,
    "context_length_exceeded": FAILED,
    "max_tokens_exceeded": FAILED,
    "token_limit_exceeded": FAILED,
    "string_too_long": FAILED,
    "invalid_request": FAILED,
    "invalid_prompt": FAILED,
    "precondition_failed": FAILED,
    "payload_too_large": FAILED,
    "unprocessable": FAILED,
    "invalid_image": FAILED,
    "image_too_large": FAILED,
    "image_too_small": FAILED,
    "unsupported_image_format": FAILED,
    "image_not_found": FAILED,
    "image_download_failed": FAILED,
}
