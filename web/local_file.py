"""Files of the local storage, behind signed links."""

import asyncio
import os
from pathlib import PurePath
from typing import BinaryIO
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from services.integrations.storage.local import LocalStorage
from services.services import Services
from web.conditional import etag_matches, is_range_understood
from web.security_headers import media_policy


class OpenFileResponse(FileResponse):
    """Sends a file that is open already, whole even if it is deleted while the response is under way."""

    def __init__(self, file: BinaryIO, media_type: str, headers: dict[str, str]) -> None:
        # A name of the open file itself, which leads to its bytes for as long as it is open.
        path = f"/dev/fd/{file.fileno()}"
        super().__init__(path, media_type=media_type, headers=headers, stat_result=os.fstat(file.fileno()))
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Starlette would refuse ranges that are to be ignored, and send a HEAD the headers of a part.
        if scope["method"] != "GET" or not is_range_understood(Headers(scope=scope).get("range", "")):
            scope = {**scope, "headers": [header for header in scope["headers"] if header[0] != b"range"]}
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._file.close()


async def serve_file(request: Request) -> Response:
    """Serve the file of a signed link, including range requests; 404 for any other link."""
    services: Services = request.state.services
    storage = services.integrations.storage
    found = None
    if isinstance(storage, LocalStorage):
        found = storage.resolve(request.path_params["path"], request.query_params)
    try:
        file = await asyncio.to_thread(found.path.open, "rb") if found else None
    except FileNotFoundError:  # removed meanwhile
        file = None
    if found is None or file is None:
        return PlainTextResponse("Not found.", status_code=404)
    headers = {
        "Cache-Control": f"private, max-age={found.seconds_left}, immutable",
        "Content-Security-Policy": media_policy(found.content_type),
        "Cross-Origin-Resource-Policy": "cross-origin",  # frontends on other origins embed it
    }
    if found.download_as is not None:
        name = PurePath(found.download_as).name
        headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name)}; filename=\"{name}\""
    response = OpenFileResponse(file, found.content_type, headers)
    if etag_matches(request.headers.get("if-none-match", ""), response.headers["etag"]):
        file.close()
        validators = {name: response.headers[name] for name in ("etag", "last-modified", *headers)}
        return Response(status_code=304, headers=validators)
    return response
