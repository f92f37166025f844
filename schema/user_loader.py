"""Accounts as the API's User, for types that schema/accounts.py itself imports."""

from typing import TYPE_CHECKING

import models
from schema.runtime.context import Info
from services.core.error import NotFoundError

if TYPE_CHECKING:
    from schema.accounts import User


def user_node(row: models.User) -> "User":
    """Return the account as the API's User, for types that User itself names."""
    from schema.accounts import User  # imported late: schema.accounts imports the modules that call this

    return User.of(row)


async def load_user(info: Info, user_id: str) -> "User":
    """Return the account that an object names: the viewer's, or for admins any account.

    Raises:
        NotFoundError: it is another account, because another user has signed in on the same WebSocket.
    """
    viewer = info.context.viewer
    row = viewer if viewer and viewer.id == user_id else await info.context.user_by_id.load(user_id)
    if row is None:
        raise NotFoundError
    return user_node(row)
