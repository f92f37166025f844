"""Pictures of styles, for anyone, at addresses whose content never changes."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import structlog
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from services.integrations.storage.protocol import MissingObjectError
from services.products.style_picture import CONTENT_TYPE
from services.services import Services
from web.conditional import etag_matches

log = structlog.get_logger(__name__)

_HEADERS = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "cross-origin",  # frontends on other origins embed it
}


async def send_shipped(request: Request) -> Response:
    """Serve a picture that is shipped with a style; 404 for the address of another content, which is never cached."""
    services: Services = request.state.services
    found = services.catalogue.pictures.shipped(request.path_params["collection"], request.path_params["name"])
    if found is None:
        return _not_found()
    return await _send(request, found.digest, partial(asyncio.to_thread, found.path.read_bytes))


async def send_style_picture(request: Request) -> Response:
    """Serve the picture that an admin has set for a style of the catalogue; 404 for every other address."""
    services: Services = request.state.services
    pictures, name = services.catalogue.pictures, request.path_params["name"]
    try:
        found = await pictures.find(name.removesuffix(".webp")) if name.endswith(".webp") else None
        if found is None:
            return _not_found()
        return await _send(request, found.sha256, partial(pictures.read, found, client=request.state.client))
    except MissingObjectError:  # removed meanwhile
        return _not_found()


async def _send(request: Request, digest: str, read: Callable[[], Awaitable[bytes]]) -> Response:
    headers = {**_HEADERS, "ETag": f'"{digest}"'}
    if etag_matches(request.headers.get("if-none-match", ""), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(await read(), headers=headers, media_type=CONTENT_TYPE)


def _not_found() -> Response:
    return PlainTextResponse("Not found.", status_code=404)
