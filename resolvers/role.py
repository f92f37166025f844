"""Roles: who is an admin."""

import strawberry

from models import ids
from schema.context import Info
from schema.enum import Role
from schema.error import user_errors
from schema.node import known_id
from schema.user import User, UserPayload
from services.core.error import Refusal


async def admin_set_role(info: Info, user_id: strawberry.ID, role: Role) -> UserPayload:
    try:
        user = await info.context.services.roles.set(
            info.context.require_viewer(), known_id(user_id, ids.USER, "userId"), role
        )
    except Refusal as refusal:
        return UserPayload(user=None, errors=user_errors(refusal, info.context))
    return UserPayload(user=User.of(user), errors=[])
