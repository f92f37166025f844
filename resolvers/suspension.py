"""Suspension: locking an account, and opening it again."""

import strawberry

from models import ids
from schema.context import Info
from schema.error import user_errors
from schema.node import known_id
from schema.user import User, UserPayload
from services.core.error import Refusal


async def admin_set_suspended(info: Info, user_id: strawberry.ID, suspended: bool, reason: str) -> UserPayload:
    try:
        user = await info.context.services.suspensions.set(
            info.context.require_viewer(), known_id(user_id, ids.USER, "userId"), reason, suspended=suspended
        )
    except Refusal as refusal:
        return UserPayload(user=None, errors=user_errors(refusal, info.context))
    return UserPayload(user=User.of(user), errors=[])
