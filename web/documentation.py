"""The documentation site at /docs, where `make docs` has built it."""

import asyncio
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.staticfiles import StaticFiles

from services.core.message import message
from web.html import Reader, message_page

BUILD = Path(__file__).parent / "documentation" / "dist"  # written by tools/build_documentation.py

_NOT_BUILT = message("The documentation is not built")
_HOW_TO_BUILD = message("`make docs` builds it. It is in the folder docs/ of the repository, too.")
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "worker-src 'self'",  # the search runs in one
        "connect-src 'self'",  # its index
        "style-src 'self' 'unsafe-inline'",  # the generator writes some into elements
        "font-src 'self'",
        "img-src 'self' data:",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
_HASHED = ".min."  # names of files that contain a hash of their content


class Documentation:
    """Serves the files of the site; `build`: their folder, which may not exist yet."""

    def __init__(self, build: Path) -> None:
        self._build = build
        self._files = StaticFiles(directory=build, html=True, check_dir=False)

    def routes(self) -> list[Route]:
        """Return the routes of the site."""
        return [Route("/docs", _to_folder), Route("/docs/{path:path}", self._serve)]

    def is_built(self) -> bool:
        """Return whether there is a site."""
        return (self._build / "index.html").exists()

    async def _serve(self, request: Request) -> Response:
        if not await asyncio.to_thread(self.is_built):
            return message_page(Reader.of(request), _NOT_BUILT, _HOW_TO_BUILD, status=404)
        path = request.path_params["path"]
        try:
            response = await self._files.get_response(path or ".", request.scope)
        except HTTPException as error:
            if error.status_code != 404:
                raise
            response = FileResponse(self._build / "404.html", status_code=404)
        if isinstance(response, RedirectResponse):  # of a folder without its slash, by the request's unchecked Host
            response = RedirectResponse(f"/docs/{path}/")
        response.headers["Content-Security-Policy"] = _POLICY
        is_hashed = _HASHED in path and response.status_code == 200
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if is_hashed else "no-cache"
        return response


async def _to_folder(request: Request) -> Response:
    return RedirectResponse("/docs/")
