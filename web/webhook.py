"""Where Polar tells what was paid: checked on the bytes as they came, stored, and answered at once."""

import asyncio

import structlog
from cross_web import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response

from models.database.connection import is_outage
from services.integrations.payments.polar.payload import InvalidPayloadError
from services.payments.webhook import InvalidSignatureError
from services.services import Services
from web.body import limited

log = structlog.get_logger(__name__)

_MAX_BYTES = 2**20
_PATIENCE = 8.0  # seconds that a body may take; Polar itself gives up after ten
_QUICK = 1.5  # seconds in which an event is handled before it is answered; else the sweeper does it


async def receive_polar(request: Request) -> Response:
    """202 as soon as an event is stored, whatever it means; 401 for what nobody signed, of which nothing is kept."""
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
        log.warning("webhook.refused", client=request.state.client)
        return _answer("The signature is wrong.", 401)
    except InvalidPayloadError as error:
        log.error("webhook.senseless", problem=str(error))
        return _answer("This is no event.", 400)
    except HTTPException as error:
        return _answer(error.reason, error.status_code)
    except ClientDisconnect:
        return Response(status_code=400)  # nobody is there to read it
    except Exception as error:
        if not is_outage(error):
            raise
        log.warning("webhook.unavailable", error=repr(error))
        return _answer("Please try again later.", 503)
    if stored is not None:
        await _handle(services, stored)
    return Response(status_code=202)


async def _read(request: Request) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(_PATIENCE):
            async for chunk in Request(request.scope, limited(request.receive, request.headers, _MAX_BYTES)).stream():
                body += chunk
    except TimeoutError:
        raise HTTPException(408, "That took too long.") from None
    return bytes(body)


async def _handle(services: Services, id: str) -> None:
    """At once, so that a person who comes back from the till finds what they paid for; it is stored in any case."""
    try:
        async with asyncio.timeout(_QUICK):
            await services.payments.webhooks.handle(id)
    except Exception as error:  # noqa: BLE001 - the event is stored, and the sweeper comes back to it
        log.warning("webhook.handled_later", id=id, error=repr(error))


def _answer(text: str, status: int) -> Response:
    # Without a goodbye the server would go on reading a slow body, for as long as it takes.
    return PlainTextResponse(text, status, headers={"Connection": "close"} if status == 408 else None)
