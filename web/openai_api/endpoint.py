"""The endpoints of OpenAI's image API: generations, edits, and the models that are offered."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
from starlette.exceptions import HTTPException as FormError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from models.enum import ErrorCode, MediaKind
from schema.runtime.context import Context
from services.core.error import Refusal, RefusalGroup
from services.core.message import message
from services.generations import unanswered
from services.integrations.lazy_event import LazyEvent
from web.body import MAX_JSON_BYTES, limited
from web.connection_limit import ConnectionLimits
from web.http_exchange import STOPPING
from web.multipart import form_bytes
from web.openai_api.api_error import ApiError, unknown_model
from web.openai_api.caller import attempt_of, sign_in
from web.openai_api.image_request import (
    ImageBody,
    SubmittedOrder,
    form_problem,
    generation_request,
    read_form,
    read_json,
)
from web.openai_api.image_result import failed, images_response, skip_mail, wait_for_ends
from web.openai_api.image_stream import EventStream, events
from web.openai_api.interruption import interruption, watched_session
from web.openai_api.route import Order, fallback, route
from web.upload_slots import UploadSlots, announced_bytes

log = structlog.get_logger(__name__)

OPERATIONS = ("/v1/images/generations", "/v1/images/edits", "/v1/models")

_MAX_FILES, _MAX_FIELDS = 4, 40  # of a form; a mask beside the picture is refused by its name
_GONE = message("The pictures of the first request with this Idempotency-Key were deleted.")


Submit = Callable[[Request, Context, Order], Awaitable[SubmittedOrder]]


@dataclass(frozen=True)
class Patience:
    """Seconds for which orders are waited for, and after which an idle stream sends a comment."""

    answer: float
    stream: float
    heartbeat: float


class OpenAIEndpoints:
    """Takes orders in the form of OpenAI's API, and answers when their pictures are made.

    `connections`: an order holds one of its client's and of its account's until it is answered.
    """

    def __init__(self, uploads: UploadSlots, connections: ConnectionLimits, patience: Patience) -> None:
        self._uploads = uploads
        self._connections = connections
        self._patience = patience

    def routes(self) -> list[Route]:
        """Return the routes below /v1."""
        return [
            route("POST", OPERATIONS[0], partial(self._order, self._submit_json)),
            route("POST", OPERATIONS[1], partial(self._order, self._submit_form)),
            route("GET", OPERATIONS[2], _models),
            route("GET", f"{OPERATIONS[2]}/{{id:path}}", _model, OPERATIONS[2]),
            fallback(),
        ]

    async def _order(self, submit: Submit, request: Request, context: Context, order: Order) -> Response:
        """Answer an order. While it waits, no frame has the photo, which may be large."""
        await sign_in(context, request, "Mutation.createGeneration")
        submitted = await submit(request, context, order)
        log.info("images.ordered", generations=[row.id for row in submitted.rows], stream=bool(submitted.body.stream))
        stopping: LazyEvent = request.scope["extensions"][STOPPING]["event"]
        signed_out = order.held.enter_context(watched_session(context))
        if submitted.body.stream:
            if await request.is_disconnected():  # otherwise it has begun, and clients do not repeat it
                raise ClientDisconnect
            early = partial(interruption, signed_out, stopping, self._patience.stream)
            stream = events(context, submitted, early, self._patience.heartbeat)
            return EventStream(stream, order.operation, order.held.pop_all())
        left = max(submitted.received_at + self._patience.answer - time.monotonic(), 0.0)
        ended = await wait_for_ends(
            context,
            submitted.rows,
            interruption(signed_out, stopping, left, request.receive),
            has_key=submitted.has_key,
        )
        response = JSONResponse(await images_response(context, submitted.body, ended))
        if await request.is_disconnected():  # while the pictures were read
            raise ClientDisconnect
        await skip_mail(context, submitted.rows)
        return response

    async def _submit_json(self, request: Request, context: Context, order: Order) -> SubmittedOrder:
        received = _limited(request, MAX_JSON_BYTES)
        return await self._submit(request, context, order, read_json(await received.body()), None)

    async def _submit_form(self, request: Request, context: Context, order: Order) -> SubmittedOrder:
        most = form_bytes(context.services.media.files.limits.max_bytes)
        size = announced_bytes(request.headers, most)
        with self._uploads.receiving(context.require_viewer().id, context.client, size):  # until the photo is stored
            form = _limited(request, most).form(
                max_files=_MAX_FILES, max_fields=_MAX_FIELDS, max_part_size=MAX_JSON_BYTES
            )
            try:
                async with form as fields:
                    body, photo = read_form(fields)
                    data = await photo.read()
            except (FormError, ValueError) as error:
                raise form_problem(error) from None
            return await self._submit(request, context, order, body, data)

    async def _submit(
        self, request: Request, context: Context, order: Order, body: ImageBody, photo: bytes | None
    ) -> SubmittedOrder:
        received_at, viewer, services = time.monotonic(), context.require_viewer(), context.services
        services.operations.maintenance.check_writable()
        key = request.headers.get("idempotency-key")
        wanted = generation_request(body, photo, key)
        order.held.enter_context(self._connections.client(context.client))
        most = services.products.profile.limits.connections_per_account
        order.held.enter_context(self._connections.account(viewer.id, most))
        attempt = attempt_of(request) if key is None else None
        fingerprint = None if attempt is None else unanswered.fingerprint_of(viewer, wanted)
        order.is_charged = key is None  # by this attempt, also where an outage follows the commit, or by the one before
        rows = await unanswered.take(viewer.id, fingerprint) if attempt and fingerprint else None
        if rows is None:
            try:
                rows = await services.generations.requests.create(viewer, wanted)
            except (Refusal, RefusalGroup):
                order.is_charged = False
                raise
        if not rows:
            raise failed(None) if key is None else ApiError(ErrorCode.NOT_FOUND, _GONE, may_repeat=False)
        if fingerprint is not None:
            order.keep = partial(unanswered.keep, viewer.id, fingerprint, rows[0].batch_id)
        kind = "image_generation" if photo is None else "image_edit"
        return SubmittedOrder(body, kind, rows, received_at, has_key=key is not None)


async def _models(request: Request, context: Context, order: Order) -> Response:
    """Answer with the models that make images."""
    await sign_in(context, request, "Query.models")
    return JSONResponse({"object": "list", "data": _offered(context)})


async def _model(request: Request, context: Context, order: Order) -> Response:
    """Answer with one of them."""
    await sign_in(context, request, "Query.models")
    id = request.path_params["id"]
    for model in _offered(context):
        if model["id"] == id:
            return JSONResponse(model)
    raise unknown_model(id)


def _offered(context: Context) -> list[dict[str, Any]]:
    offered = context.services.catalogue.models.models(MediaKind.IMAGE)
    return [{"id": model.id, "object": "model", "created": 0, "owned_by": model.provider} for model in offered]


def _limited(request: Request, max_bytes: int) -> Request:
    """Return the request with a body of at most `max_bytes`. Raises TooLargeError, also while it is read."""
    return Request(request.scope, limited(request.receive, request.headers, max_bytes))
