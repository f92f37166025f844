"""Deletions: of one's pictures, and of oneself."""

import strawberry

from schema.context import Info
from schema.deleted import DeletedPayload
from schema.deletion import DeleteAccountInput
from schema.error import user_errors
from schema.input import given
from services.core.error import NotFoundError, Refusal


async def delete_generations(info: Info, ids: list[strawberry.ID]) -> DeletedPayload:
    viewer = info.context.require_viewer()
    try:
        done = await info.context.services.deletion.delete(viewer.id, [str(id) for id in ids])
    except Refusal as refusal:
        return DeletedPayload(deleted_ids=[], errors=user_errors(refusal, info.context))
    missing = [NotFoundError(field=("ids", str(place))) for place in done.missing]
    return DeletedPayload(
        deleted_ids=[strawberry.ID(id) for id in done.deleted],
        errors=[error for refusal in missing for error in user_errors(refusal, info.context)],
    )


async def delete_account(info: Info, input: DeleteAccountInput) -> DeletedPayload:
    viewer = info.context.require_viewer()
    try:
        await info.context.services.departures.leave(viewer, given(input.password, None), input.confirm_email)
    except Refusal as refusal:
        return DeletedPayload(deleted_ids=[], errors=user_errors(refusal, info.context))
    info.context.become(None)
    return DeletedPayload(deleted_ids=[strawberry.ID(viewer.id)], errors=[])
