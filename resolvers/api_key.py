"""API keys: made and revoked by their owner."""

import strawberry

from models import ids
from schema.api_key import ApiKey, ApiKeyPayload
from schema.context import Info
from schema.deleted import DeletedPayload
from schema.error import user_errors
from schema.node import known_id
from services.core.error import Refusal


async def create_api_key(info: Info, name: str, idempotency_key: str | None = None) -> ApiKeyPayload:
    try:
        made = await info.context.services.api_keys.create(info.context.require_viewer(), name, idempotency_key)
    except Refusal as refusal:
        return ApiKeyPayload(api_key=None, key=None, errors=user_errors(refusal, info.context))
    return ApiKeyPayload(api_key=ApiKey.of(made.row), key=made.key, errors=[])


async def revoke_api_key(info: Info, id: strawberry.ID) -> DeletedPayload:
    try:
        await info.context.services.api_keys.revoke(info.context.require_viewer().id, known_id(id, ids.API_KEY))
    except Refusal as refusal:
        return DeletedPayload(deleted_ids=[], errors=user_errors(refusal, info.context))
    return DeletedPayload(deleted_ids=[id], errors=[])
