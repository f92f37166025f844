"""Which pages of other origins may use the API: CORS_ORIGINS, and in development every page of this machine."""

import re
from collections.abc import Collection, Mapping

import structlog
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from strawberry.http.websocket_origin import is_same_origin

from services.core.text import shortened
from web.accept import VARY_ORIGIN
from web.request_log import REQUEST_ID_HEADER

log = structlog.get_logger(__name__)

SETTING = "CORS_ORIGINS"
# Headers of responses that scripts of other origins may read besides the few that they always may.
EXPOSED = (
    REQUEST_ID_HEADER,
    "ETag",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "WWW-Authenticate",
    "X-Should-Retry",  # without it, OpenAI's clients in browsers would repeat what is charged
)
_LOOPBACK_HOST = r"(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?"
_IS_LOOPBACK_HOST = re.compile(_LOOPBACK_HOST, re.ASCII).fullmatch
_IS_LOOPBACK_ORIGIN = re.compile(rf"https?://{_LOOPBACK_HOST}", re.ASCII).fullmatch
_MAX_LOGGED = 50  # refused origins that are logged: a client can make up any number of them


def is_loopback(host: str) -> bool:
    """Return whether a Host header, or the host and port of a URL, names the machine itself."""
    return _IS_LOOPBACK_HOST(host) is not None


class AllowedOrigins:
    """The origins that may send requests and open sockets.

    `listed`: CORS_ORIGINS; "*" allows every page, but lets none use cookies. `loopback`: whether pages of localhost,
    127.0.0.1 and [::1] are allowed on any port, as the development servers of frontends are.
    """

    def __init__(self, own: str, listed: Collection[str], *, loopback: bool) -> None:
        self._own = own
        self._listed = frozenset(listed) - {"*"}
        self._loopback = loopback
        self.has_all = "*" in listed
        self.has_any = self.has_all or loopback or bool(self._listed)
        self._logged: set[str] = set()

    def trusts(self, origin: str) -> bool:
        """Whether a page of this origin may act for the user, with cookies."""
        return origin == self._own or origin in self._listed or (self._loopback and bool(_IS_LOOPBACK_ORIGIN(origin)))

    def allows(self, origin: str) -> bool:
        """Whether a page of this other origin may send requests and read their responses."""
        return self.has_all or origin in self._listed or (self._loopback and bool(_IS_LOOPBACK_ORIGIN(origin)))

    def is_own_or_trusted(self, headers: Mapping[str, str]) -> bool:
        """Whether the page that sent these headers is of the server's own origin, or may use cookies.

        A development server's proxy may change the Host that the browser sent, but not Sec-Fetch-Site.
        """
        if headers.get("sec-fetch-site") == "same-origin":
            return True
        origin = headers.get("origin")
        return origin is not None and (is_same_origin(origin, headers.get("host")) or self.trusts(origin))

    def admits(self, headers: Mapping[str, str]) -> bool:
        """Whether a request may be answered to its page; programs have no Origin. A refusal is logged."""
        origin = headers.get("origin")
        if origin is None or self.has_all or self.is_own_or_trusted(headers):
            return True
        self._log(origin)
        return False

    def _log(self, origin: str) -> None:
        """Name the setting, once for each origin."""
        origin = shortened(origin)
        if origin not in self._logged and len(self._logged) < _MAX_LOGGED:
            self._logged.add(origin)
            log.warning("http.origin_refused", origin=origin, setting=SETTING)


class Cors(CORSMiddleware):
    """Starlette's CORS for AllowedOrigins, with fewer steps for the response to an ordinary request."""

    def __init__(self, app: ASGIApp, origins: AllowedOrigins) -> None:
        super().__init__(
            app,
            allow_origins=("*",) if origins.has_all else (),
            allow_methods=("*",),
            allow_headers=("*",),
            allow_credentials=not origins.has_all,  # cookies only for explicitly allowed origins
        )
        self._origins = origins
        self._headers = [(b"access-control-expose-headers", ", ".join(EXPOSED).encode())]
        if not origins.has_all:
            self._headers.append((b"access-control-allow-credentials", b"true"))

    def is_allowed_origin(self, origin: str) -> bool:
        return self._origins.allows(origin)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        origins = self._origins
        origin = next((value for name, value in scope["headers"] if name == b"origin"), None)
        added = [VARY_ORIGIN]
        if origin is not None:
            headers = Headers(scope=scope)
            is_other = not is_same_origin(origin.decode("latin-1"), headers.get("host"))
            is_allowed = origins.admits(headers) and origins.allows(origin.decode("latin-1")) and is_other
            if scope["method"] == "OPTIONS" and origins.has_any and "access-control-request-method" in headers:
                await self.preflight_response(headers)(scope, receive, send)
                return
            if is_allowed:
                allowed = b"*" if origins.has_all else origin
                added = [(b"access-control-allow-origin", allowed), *self._headers, VARY_ORIGIN]
        if not origins.has_any:
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *added]
            await send(message)

        await self.app(scope, receive, send_with_headers)
