"""Where pictures are sent ahead to the local storage: the same form that an S3 store takes."""

import asyncio

from cross_web import HTTPException
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException as FormError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response

from services.core.error import UnavailableError
from services.integrations.storage.local import LocalStorage
from services.integrations.storage.protocol import StorageError
from services.services import Services
from web.body import MULTIPART_OVERHEAD_BYTES, TooLargeError, limited

_MAX_FIELDS = 20  # a store's policy takes some; here they mean nothing
_SLOWEST = 64 * 1024  # bytes per second that a body may have on top of its patience


async def receive_upload(request: Request, patience: float) -> Response:
    """Take the `file` part of a form; a second one replaces it. 204 when it is stored, as S3 answers.

    A body has `patience` seconds in all, and one more for each 64 KiB that its address takes; then 408.
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
    # One deadline for all of it: each byte of somebody who drips comes soon enough after the one before.
    seconds = min(patience + target.max_bytes / _SLOWEST, services.media.uploads.seconds / 2)
    try:
        async with asyncio.timeout(seconds):
            data = await _read_file(request, target.max_bytes)
        # Once more: a sender who took longer than the target lives could come after the sweeper.
        if storage.resolve_upload(token) is None:
            return PlainTextResponse("Not found.", status_code=404)
        await storage.put(target.key, data, target.content_type)
    except TimeoutError:
        # Without a goodbye the server would go on reading what is left, for as long as it takes.
        return PlainTextResponse("That took too long.", status_code=408, headers={"Connection": "close"})
    except HTTPException as error:
        return PlainTextResponse(error.reason, status_code=error.status_code)
    except StorageError:
        return PlainTextResponse("The picture could not be stored. Please try again.", status_code=503)
    except ClientDisconnect:
        return Response(status_code=400)  # nobody is there to read it
    return Response(status_code=204)


async def _read_file(request: Request, max_bytes: int) -> bytes:
    """The bytes of the form's only file, counted while they come."""
    limited_request = Request(
        request.scope, limited(request.receive, request.headers, max_bytes + MULTIPART_OVERHEAD_BYTES)
    )
    try:
        async with limited_request.form(max_files=1, max_fields=_MAX_FIELDS) as form:
            file = form.get("file")
            if not isinstance(file, UploadFile):
                raise HTTPException(400, "The form has no file in a part named `file`.")
            if (file.size or 0) > max_bytes:
                raise TooLargeError
            if not file.size:
                raise HTTPException(400, "The file is empty.")
            return await file.read()
    except (FormError, ValueError):
        raise HTTPException(400, "Unable to parse the multipart body") from None
