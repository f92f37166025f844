"""Webhook endpoints: Polar's stores events; OpenRouter's wakes the worker of a video whose job has ended."""

import asyncio

import structlog
from cross_web import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response

from services.integrations.payments.polar.payload import InvalidPayloadError
from services.integrations.providers.openrouter import video_callback
from services.payments.webhook import InvalidSignatureError
from services.services import Services

log = structlog.get_logger(__name__)

MAX_BODY_BYTES = 2**20
_BODY_TIMEOUT = 8.0  # seconds; Polar itself gives up after ten
_HANDLING_TIMEOUT = 1.5  # seconds to handle an event before the response; after that the sweeper does it


async def receive_polar(request: Request) -> Response:
    """Store an event and answer 202, whatever its type; 401 for an invalid signature, and then nothing is stored.

    The size of the body is limited by the route: Starlette answers 413.
    """
    services: Services = request.state.services
    webhooks, headers = services.payments.webhooks, request.headers
    event_id = headers.get("webhook-id", "")
    try:
        body = await _read(request)
        webhooks.check(
            event_id=event_id,
            timestamp=headers.get("webhook-timestamp", ""),
            signatures=headers.get("webhook-signature", ""),
            body=body,
        )
        stored = await webhooks.receive(event_id, body)
    except InvalidSignatureError:
        log.warning("webhook.signature_invalid", client=request.state.client)
        return _response("The signature is wrong.", 401)
    except InvalidPayloadError as error:
        log.error("webhook.payload_invalid", problem=str(error))
        return _response("This is not an event.", 400)
    except HTTPException as error:
        return _response(error.reason, error.status_code)
    except ClientDisconnect:
        return Response(status_code=400)  # not delivered; ends the request without an error in the log
    if stored is not None:
        await _handle(services, stored)
    return Response(status_code=202)


async def receive_openrouter(request: Request) -> Response:
    """Wake up the worker of a video and answer 202, also for an unknown job; 401 for an invalid signature."""
    services: Services = request.state.services
    try:
        body = await _read(request)
        await services.generations.video_callbacks.receive(request.headers.get("x-openrouter-signature", ""), body)
    except video_callback.InvalidSignatureError:
        log.warning("video.callback_signature_invalid", client=request.state.client)
        return _response("The signature is wrong.", 401)
    except video_callback.InvalidCallbackError as error:
        log.error("video.callback_invalid", problem=str(error))
        return _response("This is not an event.", 400)
    except HTTPException as error:
        return _response(error.reason, error.status_code)
    except ClientDisconnect:
        return Response(status_code=400)  # as above
    return Response(status_code=202)


async def _read(request: Request) -> bytes:
    try:
        async with asyncio.timeout(_BODY_TIMEOUT):
            return await request.body()
    except TimeoutError:
        raise HTTPException(408, "That took too long.") from None


async def _handle(services: Services, id: str) -> None:
    """Handle the event now, so that a customer who returns from the checkout finds the purchase."""
    try:
        async with asyncio.timeout(_HANDLING_TIMEOUT):
            await services.payments.webhooks.handle(id)
    except Exception as error:  # noqa: BLE001 - the event is stored, and the sweeper handles it later
        log.warning("webhook.handling_deferred", id=id, error=error)


def _response(text: str, status: int) -> Response:
    # After a timeout the connection is closed: otherwise the server would go on reading the rest of the body.
    return PlainTextResponse(text, status, headers={"Connection": "close"} if status == 408 else None)
