"""The cookies of sessions and known devices: which pages may use them, and how they are set and cleared."""

from datetime import UTC, datetime
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import Response

from schema.runtime.context import Context
from services.accounts.session import NewSession
from services.integrations.device_token import DEVICE_LIFETIME
from web.origin import AllowedOrigins

NAME = "darkroom_session"
DEVICE_NAME = "darkroom_device"  # stays when the session ends, so that the device is known when it signs in again
# Browsers accept this prefix only from an https host itself, for the path / and without a domain (RFC 6265bis, 4.1.3):
# neither a sibling subdomain nor a page over http can plant a session.
_HOST_PREFIX = "__Host-"


class SessionCookie:
    """HttpOnly, SameSite=Lax; Secure and with the prefix __Host- if PUBLIC_URL is https.

    A browser sends the cookie with requests of any page. Three things prevent cross-site requests: a GraphQL request is
    JSON or has a custom header, so browsers send a CORS preflight; SameSite; and the Origin, which is checked here.
    `origins`: whose pages may use it.
    """

    def __init__(self, address: str, origins: AllowedOrigins) -> None:
        self._secure = urlsplit(address).scheme == "https"
        prefix = _HOST_PREFIX if self._secure else ""
        self._name, self._device_name = prefix + NAME, prefix + DEVICE_NAME
        self._origins = origins

    def token(self, connection: HTTPConnection) -> str | None:
        """Return the session token of a request or socket, or None if its page may not use the cookie."""
        return self._read(connection, self._name)

    def device_token(self, connection: HTTPConnection) -> str | None:
        """Return the device token, under the same rules."""
        return self._read(connection, self._device_name)

    def _read(self, connection: HTTPConnection, name: str) -> str | None:
        if "cookie" not in connection.headers:
            return None
        found = connection.cookies.get(name)
        origin = connection.headers.get("origin")
        if origin is None:
            # Not from a page, or a same-origin GET. A page's WebSocket always has an Origin, and no other protection.
            return found if connection.scope["type"] == "http" else None
        return found if found and self._origins.is_own_or_trusted(connection.headers) else None

    def token_of_form(self, request: HTTPConnection) -> str:
        """Return the token that the browser sent with a form whose Origin need not be checked, or ""."""
        return request.cookies.get(self._name, "")

    def write(self, response: Response, context: Context) -> None:
        """Set or clear the cookies as the operation requires."""
        if context.changes_cookie:
            self.write_session(response, context.cookie)
        if context.new_device_cookie is not None:
            self._set(response, self._device_name, context.new_device_cookie, int(DEVICE_LIFETIME.total_seconds()))

    def write_session(self, response: Response, session: NewSession | None) -> None:
        """Set the session cookie; None clears it."""
        # The cookie may outlive the session, whose end moves on while it is used: the row decides.
        seconds = int((session.ends_at - datetime.now(UTC)).total_seconds()) if session else 0
        self._set(response, self._name, session.token if session else "", seconds)

    def _set(self, response: Response, name: str, value: str, seconds: int) -> None:
        response.set_cookie(name, value, max_age=seconds, path="/", secure=self._secure, httponly=True, samesite="lax")
