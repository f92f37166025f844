"""The endpoints of OpenAI's image API: generations, edits, and the models that are offered."""

import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

import structlog
from starlette.exceptions import HTTPException as FormError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from models import Generation
from models.enum import ErrorCode, MediaKind
from schema.runtime.context import Context
from schema.runtime.error_formatting import record_crash
from schema.runtime.instrumentation import Instrumentation, count_error
from services.core.error import Refusal, RefusalGroup, UnavailableError
from services.core.message import message
from services.integrations.lazy_event import LazyEvent
from web.body import MAX_JSON_BYTES, TooLargeError, limited
from web.connection_limit import ConnectionLimits, TooManyConnectionsError
from web.http_exchange import STOPPING
from web.limit_headers import limit_headers
from web.multipart import form_bytes
from web.openai_api.api_error import ApiError, invalid, refused
from web.openai_api.caller import context_of, sign_in
from web.openai_api.image_request import ImageBody, SubmittedOrder, generation_request, read_form, read_json
from web.openai_api.image_result import images_response, wait_for_ends
from web.openai_api.image_stream import EventStream, events
from web.openai_api.interruption import interruption, watched_session
from web.outage_response import is_unavailable
from web.upload_slots import UploadSlots, announced_bytes

log = structlog.get_logger(__name__)

OPERATIONS = ("/v1/images/generations", "/v1/images/edits", "/v1/models")
KIND = "openai"  # the type of these operations, as metrics and log lines name it

_MAX_FILES, _MAX_FIELDS = 4, 40  # of a form; a mask beside the picture is refused by its name
_NO_FORM = message("The body must be a form: multipart/form-data.")
_TOO_MANY = message("Too many connections are open. Please close some of them.")
_GONE = message("The pictures of the first request with this Idempotency-Key were deleted.")


@dataclass
class Order:
    """One request. `held`: closed when it is answered. `is_charged`: a repetition could be charged again."""

    operation: Instrumentation
    held: AsyncExitStack
    is_charged: bool = False


Answer = Callable[[Request, Context, Order], Awaitable[Response]]
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
            _route("POST", OPERATIONS[0], partial(self._order, self._submit_json)),
            _route("POST", OPERATIONS[1], partial(self._order, self._submit_form)),
            _route("GET", OPERATIONS[2], _models),
        ]

    async def _order(self, submit: Submit, request: Request, context: Context, order: Order) -> Response:
        """Answer an order. While it waits, no frame has the photo, which may be large."""
        await sign_in(context, request, "Mutation.createGeneration")
        submitted = await submit(request, context, order)
        log.info("images.ordered", generations=[row.id for row in submitted.rows], stream=bool(submitted.body.stream))
        stopping: LazyEvent = request.scope["extensions"][STOPPING]["event"]
        signed_out = order.held.enter_context(watched_session(context))
        if submitted.body.stream:
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
        return JSONResponse(await images_response(context, submitted.body, ended))

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
            except (FormError, ValueError):
                raise invalid(None, _NO_FORM) from None
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
        order.is_charged = key is None  # an outage may come after the commit
        try:
            rows: list[Generation] = await services.generations.requests.create(viewer, wanted)
        except (Refusal, RefusalGroup):
            order.is_charged = False
            raise
        if not rows:
            raise ApiError(ErrorCode.NOT_FOUND, _GONE, may_repeat=False)
        kind = "image_generation" if photo is None else "image_edit"
        return SubmittedOrder(body, kind, rows, received_at, has_key=key is not None)


async def _models(request: Request, context: Context, order: Order) -> Response:
    """Answer with the models that make images."""
    await sign_in(context, request, "Query.models")
    offered = context.services.catalogue.models.models(MediaKind.IMAGE)
    data = [{"id": model.id, "object": "model", "created": 0, "owned_by": model.provider} for model in offered]
    return JSONResponse({"object": "list", "data": data})


def _limited(request: Request, max_bytes: int) -> Request:
    """Return the request with a body of at most `max_bytes`. Raises TooLargeError, also while it is read."""
    return Request(request.scope, limited(request.receive, request.headers, max_bytes))


def _route(method: str, path: str, answer: Answer) -> Route:
    """Return a route that answers every refusal with an error in OpenAI's form."""

    async def handle(request: Request) -> Response:
        return await _answer(answer, request, path)

    return Route(path, handle, methods=[method])


async def _answer(answer: Answer, request: Request, path: str) -> Response:
    context = context_of(request)
    async with AsyncExitStack() as stack:
        operation = stack.enter_context(Instrumentation(None, None))
        operation.identify(KIND, path, None, None)
        order = Order(operation, stack)
        try:
            response = await answer(request, context, order)
        except ClientDisconnect:
            operation.is_disconnected = True
            return Response(status_code=400)  # not delivered; ends the request without an error in the log
        except TooLargeError as error:
            response = _error_response(context, invalid(None, error.message), status=413)
        except Exception as raised:  # noqa: BLE001 - a bug is logged and reported by `_api_error`
            refusal = _api_error(raised)
            refusal.may_repeat = refusal.may_repeat and not order.is_charged
            response = _error_response(context, refusal)
    if context.limits:
        response.raw_headers.extend(limit_headers(context.limits))
    return response


def _api_error(raised: Exception) -> ApiError:
    """Return the error that answers a request; an outage and a bug are logged."""
    if isinstance(raised, ApiError):
        return raised
    if isinstance(raised, Refusal | RefusalGroup):
        return refused(raised)
    if isinstance(raised, TooManyConnectionsError):
        return ApiError(ErrorCode.RATE_LIMITED, _TOO_MANY, may_repeat=True)
    if is_unavailable(raised):
        log.warning("http.unavailable", error=raised)
        return refused(UnavailableError())
    return ApiError(ErrorCode.INTERNAL, record_crash("images.crashed", raised), may_repeat=True)


def _error_response(context: Context, error: ApiError, status: int | None = None) -> Response:
    count_error(error.error_code)
    log.info("images.refused", code=error.error_code.value, parameter=error.parameter)
    return JSONResponse(error.body(context.translate(error.message)), status or error.status, error.headers())
