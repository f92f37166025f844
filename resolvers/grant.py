"""Memberships and passes, as admins give them."""

import strawberry

from models import ids
from schema.context import Info
from schema.error import user_errors
from schema.node import known_id
from schema.user import User, UserPayload
from services.billing.admin_grant import PassRequest
from services.core.error import Refusal


async def admin_set_membership(info: Info, user_id: strawberry.ID, is_member: bool) -> UserPayload:
    admin, grants = info.context.require_viewer(), info.context.services.grants
    try:
        user = await grants.set_membership(admin, known_id(user_id, ids.USER, "userId"), is_member=is_member)
    except Refusal as refusal:
        return UserPayload(user=None, errors=user_errors(refusal, info.context))
    return UserPayload(user=User.of(user), errors=[])


async def admin_grant_pass(
    info: Info, user_id: strawberry.ID, plan: str, hours: int | None = None, idempotency_key: str | None = None
) -> UserPayload:
    admin, grants = info.context.require_viewer(), info.context.services.grants
    try:
        request = PassRequest(known_id(user_id, ids.USER, "userId"), plan, hours, idempotency_key)
        user = await grants.grant_pass(admin, request)
    except Refusal as refusal:
        return UserPayload(user=None, errors=user_errors(refusal, info.context))
    return UserPayload(user=User.of(user), errors=[])
