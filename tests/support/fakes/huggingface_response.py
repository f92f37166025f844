"""Responses for the scripted Hugging Face: those of the router and of models behind it, and what can go wrong."""

import json

from tests.support.fakes.openrouter_response import good_picture
from tests.support.fakes.raw_server import Ending, Response, raw_head, raw_response

REQUEST_ID = "Root=1-6579f2a1-3b2c1d0e4f5a6b7c8d9e0f1a"
_MODEL = "stable-diffusion-v1-5/stable-diffusion-v1-5"


def image(data: bytes | None = None, content_type: str = "image/png") -> Response:
    """The bytes of an image; the whole body of a good response."""
    return response(200, content_type, good_picture() if data is None else data, **{"x-compute-time": "3.912"})


def error(status: int, text: object = "", **headers: str) -> Response:
    """An HTTP error with the body of Hugging Face: a text, a list of texts, or an object."""
    return response(status, "application/json", json.dumps({"error": text or f"HTTP {status}"}).encode(), **headers)


def loading(seconds: float | None = 20.0, model: str = _MODEL) -> Response:
    """A 503 while the model is loaded; `seconds`: None leaves the estimate out."""
    body = {"error": f"Model {model} is currently loading"} | ({} if seconds is None else {"estimated_time": seconds})
    return response(503, "application/json", json.dumps(body).encode())


def crafted(start: str) -> Response:
    """A JSON object that begins so, of half a megabyte, which is ten megabytes once it is parsed."""
    return response(200, "application/json", f'{{{start}, "a": ['.encode() + b"[]," * 150_000 + b"[]]}")


def invalid_token() -> Response:
    return error(401, "Invalid credentials in Authorization header")


def no_permission() -> Response:
    text = "This authentication method does not have sufficient permissions to call Inference Providers on behalf of"
    return error(403, f"{text} user ada")


def no_credits() -> Response:
    text = "You have exceeded your monthly included credits for Inference Providers. Subscribe to PRO to get 20x more"
    return error(402, text)


def rate_limited(retry_after: str | None = None, *, ratelimit: str | None = None) -> Response:
    """A 429: with Retry-After, with the Hub's RateLimit header, or with neither."""
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    headers |= (
        {} if ratelimit is None else {"RateLimit": ratelimit, "RateLimit-Policy": '"fixed window";"api";q=30;w=3600'}
    )
    return error(429, "Rate limit reached. Please log in or use a HF access token", **headers)


def not_served(status: int = 400) -> Response:
    return error(status, f"Model not supported by provider hf-inference: {_MODEL}")


def deprecated() -> Response:
    return error(410, "The requested model is deprecated and no longer supported by provider hf-inference.")


def unprocessable() -> Response:
    """A 422 of the model's server, with one entry for each wrong parameter."""
    detail = [
        {
            "loc": ["body", "parameters", "width"],
            "msg": "height and width have to be divisible by 8",
            "type": "value_error",
        }
    ]
    return response(422, "application/json", json.dumps({"detail": detail}).encode())


def unsafe() -> Response:
    return error(400, "Potential NSFW content was detected in one or more images. Try again with a different prompt.")


def error_in_200(text: str = "CUDA out of memory") -> Response:
    """An error object with status 200."""
    return response(200, "application/json", json.dumps({"error": text}).encode())


def html(status: int = 200) -> Response:
    """The page of a gateway."""
    return response(status, "text/html", b"<!doctype html><title>Service Unavailable</title>")


def compressed() -> Response:
    """A compressed image, though none was asked for."""
    return response(200, "image/png", b"\x1f\x8b" + bytes(64), **{"Content-Encoding": "gzip"})


def announced(length: int) -> Response:
    """An image of `length` bytes by its head, which the server goes on sending."""
    return Response(_head(200, "image/png", **{"Content-Length": str(length)}), repeat=b"A" * 65536)


def endless(status: int = 200) -> Response:
    """An endless body, sent as fast as it is read."""
    return Response(_head(status, "image/png"), repeat=b"A" * 65536)


def truncated() -> Response:
    """The first half of an image, then the connection is closed."""
    wire = image().wire
    return Response(wire[: len(wire) // 2])


def redirect(to: str) -> Response:
    """A 307, which would resend the call and its token to another host."""
    return response(307, "text/plain", b"", Location=to)


def reset() -> Response:
    """The connection is reset after the request."""
    return Response(ending=Ending.RESET)


def hang() -> Response:
    """No response at all."""
    return Response(ending=Ending.SILENCE)


def response(status: int, content_type: str, body: bytes, **headers: str) -> Response:
    """A response with a body of known length."""
    return raw_response(status, content_type, body, **{"x-request-id": REQUEST_ID, **headers})


def _head(status: int, content_type: str, **headers: str) -> bytes:
    return raw_head(status, content_type, **{"x-request-id": REQUEST_ID, **headers})
