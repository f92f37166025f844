"""Downloads of archives, by links that need no sign-in and end soon."""

from collections.abc import AsyncGenerator, AsyncIterator
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from models import Archive
from services.core.message import message
from services.gallery.archive import ArchiveBusyError, ArchiveService
from services.services import Services
from web.html import Reader, message_page

_TYPE = "application/zip"
_RETRY_SECONDS = 10


class _Download(StreamingResponse):
    """The zip of a download that has begun, which ends with the response, however that ends."""

    def __init__(
        self, archives: ArchiveService, archive: Archive, first: bytes, rest: AsyncGenerator[bytes, None]
    ) -> None:
        super().__init__(_chained(first, rest), headers=_headers(), media_type=_TYPE)
        self._archives = archives
        self._archive = archive
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._archives.end(self._archive)
            await self._rest.aclose()


async def send_archive(request: Request) -> Response:
    """Stream the zip of a link: 404 after the link has ended, 429 while the account downloads another one."""
    services: Services = request.state.services
    archives, reader = services.gallery.archives, Reader.of(request)
    archive = await archives.find(request.path_params["token"])
    if archive is None:
        title, text = message("This download is not available."), message("Its link has ended. Request it again.")
        return message_page(reader, title, text, status=404)
    if request.method == "HEAD":
        return StreamingResponse(_nothing(), headers=_headers(), media_type=_TYPE)  # whose length is not known
    try:
        archives.begin(archive)
    except ArchiveBusyError:
        title, text = message("Other downloads are still running."), message("Try again when they have ended.")
        return message_page(reader, title, text, status=429, **{"Retry-After": str(_RETRY_SECONDS)})
    chunks = archives.chunks(archive, reader.translate)
    try:
        # Before the headers are sent, so that an unavailable storage is a 503.
        first = await anext(chunks)
    except BaseException:
        archives.end(archive)
        raise
    return _Download(archives, archive, first, chunks)


def _headers() -> dict[str, str]:
    name = f"pictures-{datetime.now(UTC):%Y-%m-%d}.zip"
    return {"Content-Disposition": f'attachment; filename="{name}"', "X-Robots-Tag": "noindex"}


async def _chained(first: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk


async def _nothing() -> AsyncIterator[bytes]:
    yield b""
