"""The response to a request that an outage has ended, of whatever address: 503, and for people a page."""

import structlog
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models.database.connection import is_outage
from services.core.error import UnavailableError
from services.core.message import message
from services.integrations.storage.protocol import StorageError
from web.html import Reader, message_page
from web.http_exchange import ResponseCutOffError

log = structlog.get_logger(__name__)

_HEADERS = {"Retry-After": "5", "Cache-Control": "no-store", "X-Robots-Tag": "noindex"}  # 5 seconds
_TITLE = message("This page is not available right now")


def is_unavailable(error: Exception) -> bool:
    """Whether an error means that the database or the storage is away, rather than a bug."""
    return isinstance(error, StorageError | UnavailableError) or is_outage(error)


class OutageResponses:
    """Answers requests whose handler was ended by an outage; GraphQL's errors are in its own responses.

    Raises ResponseCutOffError where the outage has begun in the middle of a response.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_started = False

        async def send_noting_start(sent: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(sent)

        try:
            await self._app(scope, receive, send_noting_start)
        except Exception as error:
            if not is_unavailable(error):
                raise
            log.warning("http.unavailable", error=error)
            if has_started:
                raise ResponseCutOffError from None
            await _response(Request(scope))(scope, receive, send)


def _response(request: Request) -> Response:
    text = UnavailableError().message
    if "text/html" in Headers(scope=request.scope).get("accept", ""):
        return message_page(Reader.of(request), _TITLE, text, role="alert", status=503, **_HEADERS)
    return PlainTextResponse(Reader.of(request).translate(text), 503, _HEADERS)
