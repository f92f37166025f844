"""The sign-in cookie: which page may use it, and how it is set and cleared."""

from collections.abc import Iterable
from datetime import UTC, datetime
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import Response

from schema.runtime.context import Context

NAME = "darkroom_session"


def _host(origin: str) -> str | None:
    """The host and port of an origin; None of whatever is no address."""
    try:
        return urlsplit(origin).netloc or None
    except ValueError:  # brackets that do not close
        return None


class SessionCookie:
    """HttpOnly, SameSite=Lax, Secure where clients come by https.

    A browser sends it along whoever's page asks. Three things keep other people's pages out: a GraphQL request is JSON
    or carries a header of its own, for which a browser asks first (CORS); SameSite; and the Origin, which is looked at
    here. `origins` are those of CORS_ORIGINS; "*" lets no page use the cookie.
    """

    def __init__(self, address: str, origins: Iterable[str]) -> None:
        own = urlsplit(address)
        self._secure = own.scheme == "https"
        self._origins = {f"{own.scheme}://{own.netloc}", *origins} - {"*"}

    def token(self, connection: HTTPConnection) -> str | None:
        """The token of a request or a socket; None where a page asks that is not to be trusted with it."""
        found = connection.cookies.get(NAME)
        origin = connection.headers.get("origin")
        if origin is None:
            # No browser's page, or a read of our own; sockets of pages always have one, and nothing else guards them.
            return found if connection.scope["type"] == "http" else None
        is_own = _host(origin) == connection.headers.get("host")
        return found if found and (is_own or origin in self._origins) else None

    def write(self, response: Response, context: Context) -> None:
        """Set or clear the cookie as the operation wants it."""
        if not context.changes_cookie:
            return
        session = context.cookie
        response.set_cookie(
            NAME,
            session.token if session else "",
            max_age=int((session.expires_at - datetime.now(UTC)).total_seconds()) if session else 0,
            path="/",
            secure=self._secure,
            httponly=True,
            samesite="lax",
        )
