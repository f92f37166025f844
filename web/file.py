"""Pictures of the local storage, behind signed links."""

import time
from pathlib import PurePath
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response

from services.integrations.storage import LocalStorage
from services.services import Services


async def serve_file(request: Request) -> Response:
    """What a link of ours leads to, Range requests included; 404 for anything else, whatever is wrong with it."""
    services: Services = request.state.services
    storage = services.storage
    found = storage.resolve(request.path_params["token"]) if isinstance(storage, LocalStorage) else None
    if found is None:
        return PlainTextResponse("Not found.", status_code=404)
    headers = {
        "Cache-Control": f"private, max-age={max(int(found.expires_at - time.time()), 0)}, immutable",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cross-Origin-Resource-Policy": "cross-origin",  # a frontend on another origin shows it
    }
    if found.download_as is not None:
        name = PurePath(found.download_as).name
        headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name)}; filename=\"{name}\""
    return FileResponse(found.path, media_type=found.content_type, headers=headers)
