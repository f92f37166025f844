"""GraphiQL in the browser: its page, the page's files, and the example operations for its tabs."""

import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from models.enum import Role
from schema.runtime.access import Audience
from schema.runtime.context import Context
from services.core.error import Refusal
from services.core.message import message
from services.services import Services
from web.built_page import BuiltPage
from web.example_operations import example_operations
from web.html import Reader, message_page

FOLDER = Path(__file__).parent / "graphiql"
BUILD = FOLDER / "dist"  # written by `npm run build`: index.html, and its assets in graphiql/

_NOT_BUILT = message("GraphiQL is not built yet")
_HOW_TO_BUILD = message(
    "`make run` builds it in the background, and `make graphiql` builds it alone. This page reloads itself."
    " The API at this address works without it."
)
_RELOAD_SECONDS = "5"


def policy(store: str | None) -> str:
    """The page's Content-Security-Policy; `store`: the object storage's origin, if pictures are served from one."""
    ours = f"'self' {store}" if store else "'self'"
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "worker-src 'self'",
            f"connect-src {ours}",  # 'self' includes WebSockets to this origin since CSP 3
            "style-src 'self' 'unsafe-inline'",  # the editor writes colours and cursor into style elements
            "font-src 'self' data:",
            f"img-src {ours} data:",
            "form-action 'none'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )


class GraphiQL:
    """The page is served to everyone, because it contains the sign-in; admin operations only to admins.

    `address`: PUBLIC_URL, by which the page recognizes this server's links, even if it was opened at another host name.
    """

    def __init__(self, audience: Audience, address: str, build: Path) -> None:
        self._audience = audience
        self._address = address
        self._page = BuiltPage("graphiql", build)

    async def page(self, request: Request) -> Response:
        """Return the page in the browser's language; 503 if it has not been built."""
        reader = Reader.of(request)
        services: Services = request.state.services
        store = services.integrations.storage.origin
        attributes = {
            "lang": reader.locale,
            "data-audience": self._audience.value,
            "data-address": self._address,
            "data-store": store,  # left out if None
        }
        markup = self._page.markup(attributes)
        if markup is None:
            return message_page(reader, _NOT_BUILT, _HOW_TO_BUILD, status=503, Refresh=_RELOAD_SECONDS)
        headers = {
            "Content-Security-Policy": policy(store),
            "Content-Language": reader.locale,
            "Cache-Control": "no-cache",  # it names the files of this build
            "Vary": "Accept, Accept-Language",
        }
        return HTMLResponse(markup, headers=headers)

    def routes(self, context_of: Callable[[Request, Response], Awaitable[Context]]) -> list[Route]:
        """Return the routes of the page's own requests; `context_of` authenticates a request."""

        async def tabs(request: Request) -> Response:
            response = Response()
            context = await context_of(request, response)
            with contextlib.suppress(Refusal):  # the operations of this page say why
                await context.authenticate()
            found = self._tabs(context)
            return JSONResponse(found, headers={"Cache-Control": "no-store"})

        return [
            Route("/graphiql/tabs", tabs),
            self._page.files(),
        ]

    def _tabs(self, context: Context) -> dict[str, list[dict[str, str | None]]]:
        """Return `tabs`, all operations of this user's menu, and `opening`, the tabs of a first visit."""
        translate, viewer = context.translate, context.viewer
        if context.is_admin:
            opening = list(example_operations("admin", translate))
            return {"tabs": [*opening, *example_operations("everyone", translate)], "opening": opening}
        if viewer is not None and viewer.role is not Role.USER and not context.uses_api_key:
            *setup, proof = example_operations("second-factor", translate)
            opening = setup if viewer.second_factor_since is None else [proof]
            return {"tabs": opening, "opening": opening}
        opening = [] if self._audience is Audience.ADMINS else list(example_operations("everyone", translate))
        return {"tabs": opening, "opening": opening}
