"""The local storage's upload endpoint: a form, as for a bucket's presigned POST, or the file itself, as for its PUT."""

import asyncio
from pathlib import PurePosixPath

from cross_web import HTTPException
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException as FormError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response

from services.core.error import RateLimitedError, UnavailableError
from services.integrations.images.formats import normalize_content_type
from services.integrations.storage.local import LocalStorage, LocalUpload
from services.integrations.storage.protocol import StorageError
from services.services import Services
from web.body import TooLargeError, limited
from web.content_length import content_length
from web.multipart import MULTIPART_OVERHEAD_BYTES
from web.upload_slots import UploadSlots, announced_bytes

_MAX_FIELDS = 20  # an S3 policy has some; they are ignored here
_MIN_BYTES_PER_SECOND = 64 * 1024  # the slowest upload that is accepted, after the base timeout


async def receive_upload(request: Request, slots: UploadSlots, base_timeout: float) -> Response:
    """Store the form's `file`, or the body of a PUT, replacing an earlier upload; 204 on success.

    The whole body must arrive within `base_timeout` seconds plus one second for each 64 KiB of the size, or the
    response is 408. An account that sends too much at once gets 429.
    """
    services: Services = request.state.services
    try:
        services.operations.maintenance.check_writable()
    except UnavailableError as refusal:
        return PlainTextResponse(refusal.message.text, status_code=503)
    storage, token = services.integrations.storage, request.path_params["token"]
    target = storage.resolve_upload(token) if isinstance(storage, LocalStorage) else None
    if target is None or not isinstance(storage, LocalStorage):
        return PlainTextResponse("Not found.", status_code=404)
    # One deadline for the whole body: a timeout between bytes would let a client send one at a time for ever.
    seconds = min(base_timeout + target.byte_size / _MIN_BYTES_PER_SECOND, services.media.uploads.seconds / 2)
    read = _read_body if request.method == "PUT" else _read_form
    try:
        size = announced_bytes(request.headers, target.byte_size + MULTIPART_OVERHEAD_BYTES)
        with slots.receiving(PurePosixPath(target.key).parent.name, request.state.client, size):
            async with asyncio.timeout(seconds):
                data = await read(request, target)
        if len(data) > target.byte_size:
            raise TooLargeError
        if len(data) < target.byte_size:
            raise HTTPException(400, "The file is smaller than declared.")
        # Checked again: storing after the token has expired could come after the sweeper's cleanup.
        if storage.resolve_upload(token) is None:
            return PlainTextResponse("Not found.", status_code=404)
        await storage.put(target.key, data, target.content_type)
    except TimeoutError:
        # Unless the connection is closed, the server would go on reading the rest of the body.
        return PlainTextResponse("That took too long.", status_code=408, headers={"Connection": "close"})
    except RateLimitedError as refusal:
        headers = {"Retry-After": f"{refusal.retry_after:.0f}"}
        return PlainTextResponse(refusal.message.text.format(**refusal.message.values), 429, headers)
    except UnavailableError as refusal:
        return PlainTextResponse(refusal.message.text, status_code=503)
    except HTTPException as error:
        return PlainTextResponse(error.reason, status_code=error.status_code)
    except StorageError:
        return PlainTextResponse("The picture could not be stored. Please try again.", status_code=503)
    except ClientDisconnect:
        return Response(status_code=400)  # not delivered; ends the request without an error in the log
    return Response(status_code=204)


async def _read_body(request: Request, target: LocalUpload) -> bytes:
    """Return the body of a PUT, whose length and type must be announced, because an S3 store signs both.

    Raises:
        HTTPException: 400, 411, 413 or 415.
    """
    announced = content_length(request.headers.get("content-length"))
    if announced is None:
        raise HTTPException(411, "A Content-Length is required.")
    if normalize_content_type(request.headers.get("content-type", "")) != target.content_type:
        raise HTTPException(415, f"The Content-Type must be {target.content_type}.")
    if announced < target.byte_size:
        raise HTTPException(400, "The file is smaller than declared.")
    return await Request(request.scope, limited(request.receive, request.headers, target.byte_size)).body()


async def _read_form(request: Request, target: LocalUpload) -> bytes:
    """Return the form's only file.

    Raises:
        HTTPException: 400 or 413.
    """
    limited_request = Request(
        request.scope, limited(request.receive, request.headers, target.byte_size + MULTIPART_OVERHEAD_BYTES)
    )
    try:
        async with limited_request.form(max_files=1, max_fields=_MAX_FIELDS) as form:
            file = form.get("file")
            if not isinstance(file, UploadFile):
                raise HTTPException(400, "The form has no file in a part named `file`.")
            if (file.size or 0) > target.byte_size:
                raise TooLargeError
            return await file.read()
    except (FormError, ValueError):
        raise HTTPException(400, "Unable to parse the multipart body") from None
