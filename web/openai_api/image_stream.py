"""The events of one picture while it is made, as OpenAI's API streams them."""

import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, aclosing
from typing import Any

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from models.enum import ErrorCode, GenerationStatus, Quality
from models.generation_row import GenerationRow
from schema.runtime.context import Context
from schema.runtime.instrumentation import Instrumentation, count_error
from services.core.error import Refusal, UnavailableError
from services.core.message import message
from services.events.generation_states import states
from web.openai_api.api_error import ApiError, refused
from web.openai_api.image_request import ImageBody, SubmittedOrder
from web.openai_api.image_result import failed, picture, skip_mail, unfinished
from web.openai_api.interruption import Interruption
from web.outage_response import is_unavailable
from web.streaming import Heartbeat, interrupted

# How OpenAI's API calls the qualities in its events.
_QUALITIES = {Quality.STANDARD: "medium", Quality.HD: "high", Quality.ULTRA: "max"}
# Its clients require the field; pictures are paid for in credits, and no tokens are counted.
_NO_TOKENS = {
    "input_tokens": 0,
    "input_tokens_details": {"image_tokens": 0, "text_tokens": 0},
    "output_tokens": 0,
    "total_tokens": 0,
}
_COMMENT = ": ping\n\n"  # which clients skip
_STOPPING = message("The server restarts. The picture is still being made: find it in the gallery.")


def events(
    context: Context,
    order: SubmittedOrder,
    interruption: Callable[[], Awaitable[Interruption]],
    heartbeat_seconds: float,
) -> AsyncGenerator[str, None]:
    """Return the events of a picture, up to the completed one or an error, and comments while there is none."""

    async def end() -> Sequence[str]:
        why = await interruption()
        if why is Interruption.STOP:  # as planned: not counted
            return [_error(context, ApiError(ErrorCode.UNAVAILABLE, _STOPPING, may_repeat=False))]
        return [_failed(context, unfinished(why, has_key=order.has_key))]

    return interrupted(lambda: _events(context, order), end, Heartbeat(_COMMENT, heartbeat_seconds))()


class EventStream(StreamingResponse):
    """A response of events that ends the operation, and closes what it holds, however it ends."""

    def __init__(self, stream: AsyncGenerator[str, None], operation: Instrumentation, held: AsyncExitStack) -> None:
        headers = {"X-Accel-Buffering": "no", "Cache-Control": "no-store"}
        super().__init__(self._whole(), media_type="text/event-stream", headers=headers)
        self._stream = stream
        self._operation = operation
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Not in a generator, which is never begun if the client has left before.
        async with self._held, aclosing(self._stream):
            self._operation.is_disconnected = True
            await super().__call__(scope, receive, send)

    async def _whole(self) -> AsyncIterator[str]:
        async for event in self._stream:
            yield event
        self._operation.is_disconnected = False


async def _events(context: Context, order: SubmittedOrder) -> AsyncGenerator[str, None]:
    body, kind = order.body, order.kind
    left = body.partial_images or 0
    shown: str | None = None
    number = 0
    last: GenerationRow | None = None
    try:
        async with aclosing(states(context.services.events.topics, order.rows[0].id)) as found:
            async for row in found:
                last = row
                if row.preview is not None and row.preview != shown and number < left:
                    shown = row.preview
                    yield _event(f"{kind}.partial_image", _settings(body, row) | _partial(shown, number))
                    number += 1
        if last is None or last.status is not GenerationStatus.COMPLETED:
            raise failed(last)
        made = await picture(context, body, last)
        yield _event(f"{kind}.completed", _settings(body, last) | made | _completed(last))
        await skip_mail(context, order.rows)  # the client has not left before
    except ApiError as error:
        yield _failed(context, error)
        await skip_mail(context, order.rows)
    except Refusal as refusal:
        yield _failed(context, refused(refusal))
    except Exception as error:
        if not is_unavailable(error):
            raise
        yield _failed(context, refused(UnavailableError()))


def _partial(preview: str, number: int) -> dict[str, Any]:
    """Return the event of a preview, a small WebP as a data URI."""
    return {
        "b64_json": preview.partition(",")[2],
        "partial_image_index": number,
        "output_format": "webp",
    }


def _completed(row: GenerationRow) -> dict[str, Any]:
    return {"size": f"{row.result.width}x{row.result.height}", "usage": _NO_TOKENS}


def _settings(body: ImageBody, row: GenerationRow) -> dict[str, Any]:
    """Return what every event has of the request."""
    return {
        "created_at": int(time.time()),
        "size": body.size or "auto",
        "quality": _QUALITIES[row.quality],
        "background": body.background or "auto",
    }


def _event(kind: str, fields: dict[str, Any]) -> str:
    return f"event: {kind}\ndata: {json.dumps({'type': kind} | fields, separators=(',', ':'))}\n\n"


def _failed(context: Context, error: ApiError) -> str:
    count_error(error.error_code)
    return _error(context, error)


def _error(context: Context, error: ApiError) -> str:
    return _event("error", error.body(context.translate(error.message)))
