"""The pictures of a request in the form of OpenAI's API, once they are made."""

import asyncio
import base64
from collections.abc import Coroutine, Sequence
from contextlib import aclosing
from typing import Any

from starlette.requests import ClientDisconnect

from models import Generation
from models.enum import ErrorCode, GenerationStatus
from models.generation_row import GenerationRow
from schema.runtime.context import Context
from services.core.error import InvalidCredentialError, UnavailableError
from services.core.message import message
from services.events.generation_states import states
from services.generations import status_message
from services.integrations.storage.protocol import StorageError
from web.openai_api.api_error import ApiError, refused
from web.openai_api.image_request import ImageBody
from web.openai_api.interruption import Interruption

_STILL_MADE = message("The picture is still being made. You will find it in the gallery.")
_STILL_MADE_KEYED = message(
    "The picture is still being made. Repeat the request with the same Idempotency-Key to wait for it, or find it in"
    " the gallery."
)
_CANCELED = message("The picture was canceled.")
_DELETED = message("The picture was deleted.")


async def wait_for_ends(
    context: Context,
    submitted: Sequence[Generation],
    interruption: Coroutine[Any, Any, Interruption],
    *,
    has_key: bool,
) -> list[GenerationRow]:
    """Return the generations once all have ended, without those that were deleted. At least one was completed.

    `interruption`: what may end the wait before. `has_key`: as in `unfinished`.

    Raises:
        ApiError: none was completed, or the wait was interrupted.
        ClientDisconnect: the client has left.
    """
    ends = asyncio.create_task(_ends(context, submitted))
    early = asyncio.create_task(interruption)
    waiting: list[asyncio.Task[Any]] = [ends, early]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if not ends.done():
            if early.result() is Interruption.DEPARTURE:
                raise ClientDisconnect
            raise unfinished(early.result(), has_key=has_key)
        found = [row for row in ends.result() if row is not None]
    finally:
        early.cancel()
        ends.cancel()
    if not any(row.status is GenerationStatus.COMPLETED for row in found):
        await skip_mail(context, submitted)
        raise failed(found[0] if found else None)
    return found


async def skip_mail(context: Context, submitted: Sequence[Generation]) -> None:
    """Send no mail about an order that is answered by its results."""
    if context.require_viewer().notify_by_mail:
        await context.services.accounts.result_mail.mails.skip(submitted[0].batch_id)


def unfinished(why: Interruption, *, has_key: bool) -> ApiError:
    """Return the error of an order that is not waited for any longer. `has_key`: it has an idempotency key."""
    if why is Interruption.SIGN_OUT:
        return refused(InvalidCredentialError())
    return ApiError(ErrorCode.GENERATION_TIMEOUT, _STILL_MADE_KEYED if has_key else _STILL_MADE, may_repeat=True)


async def _ends(context: Context, submitted: Sequence[Generation]) -> list[GenerationRow | None]:
    return await asyncio.gather(*(_end(context, row.id) for row in submitted))


async def _end(context: Context, generation_id: str) -> GenerationRow | None:
    """Return a generation in its final status; None: it was deleted."""
    async with aclosing(states(context.services.events.topics, generation_id)) as found:
        async for row in found:
            if row.status.is_final:
                return row
    return None


def failed(row: GenerationRow | None) -> ApiError:
    """Return the error of a generation that ended otherwise than completed. None: it was deleted."""
    if row is None:
        return ApiError(ErrorCode.NOT_FOUND, _DELETED, may_repeat=False)
    if row.error_code is None:
        return ApiError(ErrorCode.CONFLICT, _CANCELED, may_repeat=False)
    return ApiError(row.error_code, status_message.error_message(row.error_code, row.media), may_repeat=False)


async def images_response(context: Context, body: ImageBody, rows: Sequence[GenerationRow]) -> dict[str, Any]:
    """Return the body of the response: the pictures that were made, and what all of `rows` cost.

    Raises:
        UnavailableError: the storage does not respond.
    """
    pictures = [await picture(context, body, row) for row in rows if row.status is GenerationStatus.COMPLETED]
    viewer = await context.services.accounts.users.get(context.require_viewer().id)
    return {
        "created": int(rows[0].created_at.timestamp()),
        "data": [{name: value for name, value in each.items() if name != "output_format"} for each in pictures],
        "output_format": pictures[0]["output_format"],
        "credits": {
            "spent": sum(0 if row.refunded else row.cost - row.size_refund for row in rows),
            "balance": viewer.credits,
        },
    }


async def picture(context: Context, body: ImageBody, row: GenerationRow) -> dict[str, Any]:
    """Return a completed picture: its bytes or its address, its format, and what is known of it.

    Raises:
        UnavailableError: the storage does not respond.
    """
    file, files = row.result, context.services.media.files
    found: dict[str, Any] = {"id": row.id}
    if row.enhanced_prompt is not None:
        found["revised_prompt"] = row.enhanced_prompt
    if body.is_url_wanted:
        link = files.link(file)
        url = link.url if isinstance(link.url, str) else await link.url
        return found | {"url": url, "output_format": file.content_type.removeprefix("image/")}
    try:
        data, format = await files.read_as(file, body.format, body.output_compression)
    except StorageError:
        raise UnavailableError from None
    encoded = await asyncio.to_thread(base64.b64encode, data)
    return found | {"b64_json": encoded.decode(), "output_format": format.lower()}
