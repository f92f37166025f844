"""Share links: the page, and the picture or video at URLs that work as long as the share exists."""

import functools
from collections.abc import AsyncIterator, Awaitable, Callable

import structlog
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from models import File
from services.core.message import message
from services.gallery.share import SharedPicture, ShareService
from services.gallery.share_preview import PREVIEW_TYPE
from services.integrations.storage.protocol import MissingObjectError
from services.media.new_file import POSTER_TYPE, THUMBNAIL_TYPE
from services.services import Services
from web.conditional import ByteRange, RangeNotSatisfiableError, etag_matches, requested_range
from web.html import Reader, message_page
from web.security_headers import media_policy
from web.shared_page import shared_page

log = structlog.get_logger(__name__)

_CHUNK = 2**20  # bytes read from the storage at once: a slow client holds no storage connection
# A short max-age: caches may show a picture for that long after its share was revoked.
_HEADERS = {
    "Cache-Control": "public, max-age=300",
    "Content-Security-Policy": media_policy(PREVIEW_TYPE),
    "Cross-Origin-Resource-Policy": "cross-origin",  # other sites embed it
}

_Handler = Callable[[Request, ShareService, SharedPicture], Awaitable[Response]]


async def show_not_found(request: Request) -> Response:
    """Answer the same 404 for every slug that leads to no shared picture."""
    title, text = message("This picture is not available."), message("It is no longer shared, or was never shared.")
    return message_page(Reader.of(request), title, text, status=404)


def _with_shared_picture(handler: _Handler) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint that passes the slug's picture to `handler`, or answers with an HTML error page."""

    @functools.wraps(handler)
    async def endpoint(request: Request) -> Response:
        services: Services = request.state.services
        try:
            shared = await services.gallery.shares.find(request.path_params["slug"])
            return await handler(request, services.gallery.shares, shared) if shared else await show_not_found(request)
        except MissingObjectError:  # removed meanwhile
            return await show_not_found(request)

    return endpoint


@_with_shared_picture
async def show_page(request: Request, shares: ShareService, shared: SharedPicture) -> Response:
    """Show the page of a shared picture."""
    return shared_page(Reader.of(request), shared)


@_with_shared_picture
async def send_media(request: Request, shares: ShareService, shared: SharedPicture) -> Response:
    """Serve the picture or the video, including range requests; with `?download=1` as an attachment."""
    file, etag = shared.file, f'"{shared.file.sha256}"'
    headers = {**_HEADERS, "Content-Security-Policy": media_policy(file.content_type)}
    headers |= {"ETag": etag, "Accept-Ranges": "bytes"}
    if request.query_params.get("download") == "1":
        headers["Content-Disposition"] = f'attachment; filename="{shared.file_name}"'
    if etag_matches(request.headers.get("if-none-match", ""), etag):
        return Response(status_code=304, headers=headers)
    try:
        part = requested_range(request.headers, etag, file.byte_size) if request.method == "GET" else None
    except RangeNotSatisfiableError:
        return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{file.byte_size}"})
    status = 200
    if part is not None:
        status = 206
        headers["Content-Range"] = f"bytes {part.first}-{part.last}/{file.byte_size}"
    part = part or ByteRange(0, file.byte_size - 1)
    headers["Content-Length"] = str(part.size)
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=file.content_type)
    # Read the first chunk before the headers are sent, so that an unavailable storage is a 503.
    client: str = request.state.client
    first_chunk = await shares.read_part(file, part.first, min(_CHUNK, part.size), client=client)
    return StreamingResponse(_stream(shares, file, part, first_chunk, client), status, headers, file.content_type)


async def _stream(
    shares: ShareService, file: File, part: ByteRange, first_chunk: bytes, client: str
) -> AsyncIterator[bytes]:
    yield first_chunk
    for start in range(part.first + len(first_chunk), part.last + 1, _CHUNK):
        yield await shares.read_part(file, start, min(_CHUNK, part.last + 1 - start), client=client)


@_with_shared_picture
async def send_poster(request: Request, shares: ShareService, shared: SharedPicture) -> Response:
    """Serve the poster of a video; always whole, because it is small."""
    if not shared.file.is_video:
        return await show_not_found(request)
    headers = {**_HEADERS, "ETag": f'"{shared.file.sha256}-poster"'}
    if etag_matches(request.headers.get("if-none-match", ""), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    poster = await shares.read_poster(shared.file, client=request.state.client)
    return Response(poster, headers=headers, media_type=POSTER_TYPE)


@_with_shared_picture
async def send_thumbnail(request: Request, shares: ShareService, shared: SharedPicture) -> Response:
    """Serve the narrowest thumbnail, or with `?width=` another one; always whole, because thumbnails are small."""
    file, requested = shared.file, request.query_params.get("width")
    width = next((width for width in file.thumbnail_widths if str(width) == requested), file.thumbnail_widths[0])
    headers = {**_HEADERS, "ETag": f'"{file.sha256}-{width}"'}
    if etag_matches(request.headers.get("if-none-match", ""), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    thumbnail = await shares.read_thumbnail(file, width, client=request.state.client)
    return Response(thumbnail, headers=headers, media_type=THUMBNAIL_TYPE)


@_with_shared_picture
async def send_preview(request: Request, shares: ShareService, shared: SharedPicture) -> Response:
    """Serve the preview for chats; always whole, because it is small."""
    headers = {**_HEADERS, "ETag": f'"{shared.file.sha256}-preview"'}
    if etag_matches(request.headers.get("if-none-match", ""), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    preview = await shares.read_preview(shared.file, client=request.state.client)
    return Response(preview, headers=headers, media_type=PREVIEW_TYPE)
