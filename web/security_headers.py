"""Security headers of every response, by the rules of Mozilla's HTTP Observatory."""

from collections.abc import Awaitable, Mapping
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

DEFAULTS: Mapping[str, str] = {
    # For responses that are no page: should a browser render one all the same, nothing in it loads or runs.
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",  # images override it, because frontends on other origins embed them
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",  # answers contain tokens and personal data; what may be cached overrides it
}
# Of stored files. A browser opens a video in a page of its own, which must be of our origin to load it.
_PICTURE_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"
_VIDEO_POLICY = "default-src 'none'; media-src 'self'; frame-ancestors 'none'; sandbox allow-same-origin"
_HSTS = "max-age=31536000"  # a year, without the subdomains, which may be other services
_STARTS = {"http.response.start", "websocket.http.response.start"}


def default_headers(address: str) -> dict[str, str]:
    """Return DEFAULTS, and HSTS if `address`, PUBLIC_URL, has https: then browsers use nothing else (RFC 6797)."""
    hsts = {"Strict-Transport-Security": _HSTS} if urlsplit(address).scheme == "https" else {}
    return {**DEFAULTS, **hsts}


def media_policy(content_type: str) -> str:
    """Return the Content-Security-Policy of a stored file: nothing in it runs, wherever it is opened."""
    return _VIDEO_POLICY if content_type.startswith("video/") else _PICTURE_POLICY


def encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Return headers as ASGI has them."""
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


class SecurityHeaders:
    """ASGI wrapper that adds each of the default headers that the response does not set itself."""

    def __init__(self, app: ASGIApp, address: str) -> None:
        self._app = app
        self._defaults = encoded(default_headers(address))
        self._names = {name for name, _ in self._defaults}

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        # A handshake that the application refuses without a response is answered by the server, without our headers.
        is_unanswered = scope["type"] == "websocket" and "websocket.http.response" in scope.get("extensions", {})

        async def send_with_headers(message: Message) -> None:
            nonlocal is_unanswered
            if is_unanswered and message["type"] == "websocket.close":
                # Not by calling this function itself: a reference cycle would keep each request until a collection.
                headers = self._complete([])
                await send({"type": "websocket.http.response.start", "status": 403, "headers": headers})
                message = {"type": "websocket.http.response.body", "body": b""}
            is_unanswered = False
            if message["type"] in _STARTS:
                message["headers"] = self._complete(list(message.get("headers", ())))
            await send(message)

        return self._app(scope, receive, send if scope["type"] == "lifespan" else send_with_headers)

    def _complete(self, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        given = {name.lower() for name, _ in headers}
        if given.isdisjoint(self._names):
            return headers + self._defaults
        return headers + [header for header in self._defaults if header[0] not in given]
