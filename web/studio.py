"""The studio: the page for users at `/`, an application of the browser that has an address for each of its views."""

import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from schema.runtime.access import Audience
from services.accounts.user import DEMO_EMAIL
from services.core.message import message
from services.services import Services
from web.built_page import BuiltPage
from web.cookie import SessionCookie
from web.documentation import Documentation
from web.html import Reader, message_page

FOLDER = Path(__file__).parent / "studio"
BUILD = FOLDER / "dist"  # written by `npm run build`: index.html, and its assets in studio/
# The views of web/studio/src/app/routes.tsx; every other address is 404.
VIEWS = (
    "/",
    "/create",
    "/create/{rest:path}",
    "/gallery",
    "/pictures/{id}",
    "/batches/{id}",
    "/account",
    "/account/{rest:path}",
    "/sign-in/callback",
    "/credits",
    "/credits/{rest:path}",
    "/admin",
    "/admin/{rest:path}",
)
# Views behind mailed links, whose addresses are also those of plain pages (account_page.py).
MAILED_LINKS = ("/verify-email", "/change-email", "/reset-password", "/sign-in")

_NOT_BUILT = message("The studio is not built yet")
_HOW_TO_BUILD = message(
    "`make run` builds it in the background, and `make studio` builds it alone. This page reloads itself."
    " The API at /graphql works without it."
)
_RELOAD_SECONDS = "5"
# The page takes photos, which no other page of this server does.
_PERMISSIONS = "camera=(self), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"


def policy(address: str, store: str | None, nonce: str) -> str:
    """The page's Content-Security-Policy.

    `address`: PUBLIC_URL, to which links of pictures lead, also where the page was opened at another host name.
    `store`: the object storage's origin, if pictures are served from one.
    """
    ours = f"'self' {store}" if store else "'self'"
    own = urlsplit(address)
    pictures = f"{ours} {own.scheme}://{own.netloc}"
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            f"connect-src {ours}",  # 'self' includes WebSockets to this origin since CSP 3
            f"style-src 'self' 'nonce-{nonce}'",
            "font-src 'self'",
            f"img-src {pictures} data: blob:",  # placeholders, and photos before they are sent
            f"media-src {pictures}",
            "form-action 'none'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )


class Studio:
    """The page is the same for everyone: what a visitor may see is decided by the API.

    `address`: PUBLIC_URL. `cookie`: of sessions; without one, the start is shown before the scripts have come.
    `graphiql`: for whom the page has links to it. `is_development`: it offers the demo account.
    """

    def __init__(
        self,
        address: str,
        build: Path,
        cookie: SessionCookie,
        *,
        graphiql: Audience,
        documentation: Documentation,
        is_development: bool,
    ) -> None:
        self._address = address
        self._cookie = cookie
        self._page = BuiltPage("studio", build)
        self._graphiql = graphiql
        self._documentation = documentation
        self._is_development = is_development

    def routes(self) -> list[Route]:
        """Return the routes of the views and of the page's files."""
        return [*(Route(view, self.page) for view in VIEWS), self._page.files()]

    async def page(self, request: Request) -> Response:
        """Return the page in the browser's language; 503 if it has not been built."""
        return self._render(request) or message_page(
            Reader.of(request), _NOT_BUILT, _HOW_TO_BUILD, status=503, Refresh=_RELOAD_SECONDS
        )

    def instead_of(self, plain: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        """Return a handler that shows the studio, or the plain page where it has not been built."""

        async def show(request: Request) -> Response:
            return self._render(request) or await plain(request)

        return show

    def _render(self, request: Request) -> Response | None:
        reader = Reader.of(request)
        services: Services = request.state.services
        nonce = secrets.token_urlsafe(16)
        attributes = {
            "lang": reader.locale,
            "data-title": reader.site,
            "data-graphiql": None if self._graphiql is Audience.NONE else self._graphiql.value,
            "data-docs": "" if self._documentation.is_built() else None,
            "data-demo": DEMO_EMAIL if self._is_development else None,
        }
        is_start = request.url.path == "/" and self._cookie.token(request) is None
        markup = self._page.markup(attributes, nonce, f"opening.{reader.locale}.html" if is_start else None)
        if markup is None:
            return None
        headers = {
            "Content-Security-Policy": policy(self._address, services.integrations.storage.origin, nonce),
            "Content-Language": reader.locale,
            "Permissions-Policy": _PERMISSIONS,
            "Cache-Control": "no-cache",  # it names the files of this build
            "Vary": "Accept-Language, Cookie",
        }
        return HTMLResponse(markup, headers=headers)
