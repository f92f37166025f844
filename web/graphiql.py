"""GraphiQL for browsers: its page, the files that it is made of, and which ready-made operations whom it gives to."""

import re
from collections.abc import Awaitable, Callable
from html import escape
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from schema.runtime.access import Audience
from schema.runtime.context import Context
from services.core.message import Message, message
from services.services import Services
from web.example_operations import example_operations
from web.html import Reader, message_page

FOLDER = Path(__file__).parent / "graphiql"
BUILD = FOLDER / "dist"  # what `npm run build` makes: index.html, and the rest in graphiql/

_NOT_BUILT = message("GraphiQL is not there yet")
_HOW_TO_BUILD = message(
    "It is being built, or `make graphiql` builds it; this page looks again by itself."
    " Everything else works without, the API at this address too."
)
_LOOK_AGAIN = "5"  # seconds
_OPENING_TAG = re.compile(r"<html\b[^>]*>")


def policy(store: str | None) -> str:
    """What the page may load: our own, and pictures of the deployment's store where that has an origin of its own."""
    ours = f"'self' {store}" if store else "'self'"
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "worker-src 'self'",
            f"connect-src {ours}",  # of browsers that know the standard's present form, WebSockets of ours are in it
            "style-src 'self' 'unsafe-inline'",  # the editor writes its colours and cursor into style elements
            "font-src 'self' data:",
            f"img-src {ours} data:",
            "form-action 'none'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )


class GraphiQL:
    """Everybody gets the page, for signing in is part of it; admins' operations are given to admins only.

    `address`: PUBLIC_URL; by it the page knows our own links, whatever address it was opened at.
    """

    def __init__(self, audience: Audience, address: str, build: Path) -> None:
        self._audience = audience
        self._address = address
        self._build = build

    async def page(self, request: Request) -> Response:
        """The page, in the language that the browser asks for; 503 where it was never built."""
        reader = Reader.of(request)
        try:
            markup = (self._build / "index.html").read_text(encoding="utf-8")
        except FileNotFoundError:
            return message_page(
                reader, _NOT_BUILT, f"<p>{reader.say(_HOW_TO_BUILD)}</p>", status=503, Refresh=_LOOK_AGAIN
            )
        services: Services = request.state.services
        store = services.integrations.storage.origin
        said = {"lang": reader.locale, "data-audience": self._audience.value, "data-address": self._address}
        if store:
            said["data-store"] = store
        opening = " ".join(("<html", *(f'{name}="{escape(value)}"' for name, value in said.items())))
        headers = {
            "Content-Security-Policy": policy(store),
            "Content-Language": reader.locale,
            "Cache-Control": "no-cache",  # it names the files of this build
            "Vary": "Accept, Accept-Language",
        }
        markup = _OPENING_TAG.sub(lambda _: f"{opening}>", markup, count=1)
        return HTMLResponse(markup, headers=headers)

    def routes(self, context_of: Callable[[Request, Response], Awaitable[Context]]) -> list[Route]:
        """What the page asks for; `context_of` says who asks."""

        async def tabs(request: Request) -> Response:
            response = Response()
            context = await context_of(request, response)
            await context.look_up()
            found = self._tabs(context.translate, is_admin=context.is_admin)
            return JSONResponse(found, headers={"Cache-Control": "no-store"})

        return [
            Route("/graphiql/tabs", tabs),
            Route("/graphiql/{name}", self._file),
        ]

    async def _file(self, request: Request) -> Response:
        path = self._build / "graphiql" / request.path_params["name"]
        try:
            is_there = path.is_file()
        except OSError:  # its name is longer than any file's
            is_there = False
        if not is_there:
            return Response(status_code=404)
        # Its name changes with its content.
        return FileResponse(path, headers={"Cache-Control": "public, max-age=31536000, immutable"})

    def _tabs(self, translate: Callable[[Message], str], *, is_admin: bool) -> dict[str, list[dict[str, str | None]]]:
        """`tabs`: what there is for this person; `opening`: what a first visit opens with."""
        if is_admin:
            ours = list(example_operations("admin", translate))
            return {"tabs": [*ours, *example_operations("everyone", translate)], "opening": ours}
        ours = [] if self._audience is Audience.ADMINS else list(example_operations("everyone", translate))
        return {"tabs": ours, "opening": ours}
