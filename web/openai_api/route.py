"""Routes of OpenAI's API: every refusal, also of an address or a method that is not offered, is in its form."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from models.enum import ErrorCode
from schema.runtime.context import Context
from schema.runtime.error_formatting import record_crash
from schema.runtime.instrumentation import Instrumentation, count_error
from services.core.error import Refusal, RefusalGroup, UnavailableError
from services.core.message import message
from services.core.rate_limit import note_retry
from web.body import TooLargeError
from web.connection_limit import RETRY_SECONDS, TooManyConnectionsError
from web.limit_headers import limit_headers
from web.openai_api.api_error import ApiError, invalid, refused, unknown_address, wrong_method
from web.openai_api.caller import context_of
from web.outage_response import is_unavailable

log = structlog.get_logger(__name__)

KIND = "openai"  # the type of these operations, as metrics and log lines name it
_TOO_MANY = message("Too many connections are open. Please close some of them.")
_STOP_SECONDS = 2.0  # in which an order is kept while the server stops


@dataclass
class Order:
    """One request.

    `held`: closed when it is answered. `is_charged`: a repetition could be charged again. `keep`: lets a repetition be
    answered by this order; None: repetitions are not recognized, or it has been kept.
    """

    operation: Instrumentation
    held: AsyncExitStack
    is_charged: bool = False
    keep: Callable[[], Awaitable[None]] | None = None

    async def keep_unanswered(self) -> None:
        """Let a repetition be answered by this order, if it is charged and was not kept yet."""
        if self.is_charged and self.keep is not None:
            keep, self.keep = self.keep, None
            await keep()


Answer = Callable[[Request, Context, Order], Awaitable[Response]]


def route(method: str, path: str, answer: Answer, operation: str | None = None) -> Route:
    """Return a route. `operation`: as metrics name it, by default by its path."""

    async def respond(request: Request) -> Response:
        if request.method == method or (request.method == "HEAD" and method == "GET"):
            return await _answer(answer, request, operation or path)
        return error_response(context_of(request), wrong_method(request.method, request.scope["path"], method))

    return Route(path, _App(respond))


def fallback() -> Route:
    """Return the route of all other addresses."""

    async def respond(request: Request) -> Response:
        return error_response(context_of(request), unknown_address(request.method, request.scope["path"]))

    return Route("/v1/{rest:path}", _App(respond))


class _App:
    """An ASGI application: a route passes it requests of any method, where a function would get some only."""

    def __init__(self, respond: Callable[[Request], Awaitable[Response]]) -> None:
        self._respond = respond

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._respond(Request(scope, receive, send))
        await response(scope, receive, send)


async def _answer(answer: Answer, request: Request, name: str) -> Response:
    context = context_of(request)
    async with AsyncExitStack() as stack:
        operation = stack.enter_context(Instrumentation(None, None))
        operation.identify(KIND, name, None, None)
        order = Order(operation, stack)
        try:
            response = await _respond(answer, request, context, order)
        except asyncio.CancelledError:  # it takes longer than the server gives it when it stops
            if not order.is_charged:
                raise  # the server's own answer asks clients to repeat the request
            response = await _stopped(context, order)
    if context.limits:
        response.raw_headers.extend(limit_headers(context.limits))
    return response


async def _respond(answer: Answer, request: Request, context: Context, order: Order) -> Response:
    try:
        return await answer(request, context, order)
    except ClientDisconnect:
        order.operation.is_disconnected = True
        await order.keep_unanswered()
        return Response(status_code=400)  # not delivered; ends the request without an error in the log
    except TooLargeError as error:
        return _logged(context, invalid(None, error.message), status=413)
    except Exception as raised:  # noqa: BLE001 - a bug is logged and reported by `_api_error`
        refusal = _api_error(raised)
        if refusal.may_repeat:
            await order.keep_unanswered()
            # Also where it was kept: the repetition may reach a server of a release that does not recognize it.
            refusal.may_repeat = not order.is_charged
        return _logged(context, refusal)


async def _stopped(context: Context, order: Order) -> Response:
    """Return the response of a charged order whose task was canceled."""
    if task := asyncio.current_task():
        task.uncancel()
    await asyncio.wait([asyncio.create_task(order.keep_unanswered())], timeout=_STOP_SECONDS)
    refusal = refused(UnavailableError())
    refusal.may_repeat = False
    return _logged(context, refusal)


def _api_error(raised: Exception) -> ApiError:
    """Return the error that answers a request; an outage and a bug are logged."""
    if isinstance(raised, ApiError):
        return raised
    if isinstance(raised, Refusal | RefusalGroup):
        return refused(raised)
    if isinstance(raised, TooManyConnectionsError):
        note_retry(RETRY_SECONDS)
        return ApiError(ErrorCode.RATE_LIMITED, _TOO_MANY, may_repeat=True)
    if is_unavailable(raised):
        log.warning("http.unavailable", error=raised)
        return refused(UnavailableError())
    return ApiError(ErrorCode.INTERNAL, record_crash("images.crashed", raised), may_repeat=True)


def _logged(context: Context, error: ApiError, status: int | None = None) -> Response:
    count_error(error.error_code)
    log.info("images.refused", code=error.error_code.value, parameter=error.parameter)
    return error_response(context, error, status)


def error_response(context: Context, error: ApiError, status: int | None = None) -> Response:
    """Return the response of an error."""
    return JSONResponse(error.body(context.translate(error.message)), status or error.status, error.headers())
