"""Files of the local storage, behind signed links."""

import asyncio
from pathlib import PurePath
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response

from services.integrations.storage.local import LocalStorage
from services.services import Services
from web.conditional import etag_matches


async def serve_file(request: Request) -> Response:
    """Serve the file of a signed link, including range requests; 404 for any other link."""
    services: Services = request.state.services
    storage = services.integrations.storage
    found = storage.resolve(request.path_params["token"]) if isinstance(storage, LocalStorage) else None
    try:
        status = await asyncio.to_thread(found.path.stat) if found else None
    except FileNotFoundError:  # removed meanwhile
        status = None
    if found is None or status is None:
        return PlainTextResponse("Not found.", status_code=404)
    headers = {
        "Cache-Control": f"private, max-age={found.seconds_left}, immutable",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cross-Origin-Resource-Policy": "cross-origin",  # frontends on other origins embed it
    }
    if found.download_as is not None:
        name = PurePath(found.download_as).name
        headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name)}; filename=\"{name}\""
    response = FileResponse(found.path, media_type=found.content_type, headers=headers, stat_result=status)
    if etag_matches(request.headers.get("if-none-match", ""), response.headers["etag"]):
        validators = {name: response.headers[name] for name in ("etag", "last-modified", *headers)}
        return Response(status_code=304, headers=validators)
    return response
