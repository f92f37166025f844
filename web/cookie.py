"""The session cookie: which pages may use it, and how it is set and cleared."""

from collections.abc import Iterable
from datetime import UTC, datetime
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import Response

from schema.runtime.context import Context

NAME = "darkroom_session"
# Browsers accept this prefix only from an https host itself, for the path / and without a domain (RFC 6265bis, 4.1.3):
# neither a sibling subdomain nor a page over http can plant a session.
_HOST_PREFIX = "__Host-"


def _host(origin: str) -> str | None:
    """Return the host and port of an origin, or None if it is not a URL."""
    try:
        return urlsplit(origin).netloc or None
    except ValueError:  # unbalanced brackets
        return None


class SessionCookie:
    """HttpOnly, SameSite=Lax; Secure and with the prefix __Host- if PUBLIC_URL is https.

    A browser sends the cookie with requests of any page. Three things prevent cross-site requests: a GraphQL request is
    JSON or has a custom header, so browsers send a CORS preflight; SameSite; and the Origin, which is checked here.
    `origins` are CORS_ORIGINS; "*" lets no page use the cookie.
    """

    def __init__(self, address: str, origins: Iterable[str]) -> None:
        own = urlsplit(address)
        self._secure = own.scheme == "https"
        self._name = _HOST_PREFIX + NAME if self._secure else NAME
        self._origins = {f"{own.scheme}://{own.netloc}", *origins} - {"*"}

    def token(self, connection: HTTPConnection) -> str | None:
        """Return the token of a request or socket, or None if its page may not use the cookie."""
        found = connection.cookies.get(self._name)
        origin = connection.headers.get("origin")
        if origin is None:
            # Not from a page, or a same-origin GET. A page's WebSocket always has an Origin, and no other protection.
            return found if connection.scope["type"] == "http" else None
        is_own = _host(origin) == connection.headers.get("host")
        return found if found and (is_own or origin in self._origins) else None

    def token_of_form(self, request: HTTPConnection) -> str:
        """Return the token that the browser sent with a form whose Origin need not be checked, or ""."""
        return request.cookies.get(self._name, "")

    def write(self, response: Response, context: Context) -> None:
        """Set or clear the cookie as the operation requires."""
        if not context.changes_cookie:
            return
        session = context.cookie
        response.set_cookie(
            self._name,
            session.token if session else "",
            max_age=int((session.expires_at - datetime.now(UTC)).total_seconds()) if session else 0,
            path="/",
            secure=self._secure,
            httponly=True,
            samesite="lax",
        )
