"""Admission of bodies with pictures: the client is signed in, and their bytes are counted, before they are read."""

import contextlib
from collections.abc import Iterator
from contextlib import AsyncExitStack

from starlette.requests import Request

from models.database.connection import is_outage
from schema.runtime.context import Context
from services.core.error import Refusal, UnauthenticatedError, UnavailableError
from services.services import Services
from web.body import MAX_JSON_BYTES, RefusedRequestError, TooLargeError
from web.data_url import json_bytes
from web.upload_slots import UploadSlots, announced_bytes

_COPIES = 3  # of a JSON body with a picture, in memory at the same time: as bytes, as text, and decoded


async def admit_form(request: Request, uploads: UploadSlots) -> None:
    """Check the token, and count the upload until the request has ended. Raises RefusedRequestError."""
    context: Context = request.state.context
    stack: AsyncExitStack = request.state.stack
    with _refused_before_reading():
        context.has_files = True
        await context.authenticate()
        viewer = context.require_viewer()
        size = announced_bytes(request.headers, request.state.max_bytes)
        stack.enter_context(uploads.receiving(viewer.id, context.client, size))
        stack.push_async_callback(request.close)  # otherwise its temporary files stay until they are collected


async def admit_json(request: Request, uploads: UploadSlots) -> int:
    """Return the larger limit of a JSON body, and count it as an upload until the request has ended.

    Raises:
        TooLargeError: the request is signed out, or more than the larger limit is announced.
        RefusedRequestError: the credential is invalid, or too much is being received.
    """
    context: Context = request.state.context
    stack: AsyncExitStack = request.state.stack
    services: Services = request.state.services
    limit = json_bytes(services.media.files.limits.max_bytes)
    with _refused_before_reading():
        viewer = await context.authenticate()
        if viewer is None:
            raise TooLargeError(MAX_JSON_BYTES)
        announced = announced_bytes(request.headers, limit + 1)
        is_announced = "content-length" in request.headers
        if is_announced and announced > limit:
            raise TooLargeError(limit)
        context.has_files = True
        stack.enter_context(uploads.receiving(viewer.id, context.client, _COPIES * min(announced, limit)))
    return limit


@contextlib.contextmanager
def _refused_before_reading() -> Iterator[None]:
    """Raise RefusedRequestError for a refusal within the block."""
    try:
        yield
    except Refusal as refusal:
        is_signed_out = isinstance(refusal, UnauthenticatedError)
        raise RefusedRequestError(refusal, as_operation=is_signed_out) from None
    except Exception as error:
        if not is_outage(error):
            raise
        raise RefusedRequestError(UnavailableError(), as_operation=True) from error
