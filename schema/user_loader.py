"""Accounts as the API's User, for types that schema/accounts.py itself imports."""

from typing import TYPE_CHECKING, Annotated

import strawberry

import models
from schema.runtime.context import Info
from services.core.error import NotFoundError

if TYPE_CHECKING:
    from schema.accounts import User


def user_node(row: models.User) -> "User":
    """Return the account as the API's User, for types that User itself names."""
    from schema.accounts import User  # imported late: schema.accounts imports the modules that call this

    return User.of(row)


async def present_user(info: Info, user_id: str) -> "User":
    """Return an account in its present state, for callers who have checked that the viewer may see it."""
    row = await info.context.account_by_id.load(user_id)
    if row is None:
        raise NotFoundError
    return user_node(row)


async def payload_viewer(info: Info) -> Annotated["User", strawberry.lazy("schema.accounts")] | None:
    """Resolve `viewer` of a payload: the account as the mutation left it; None if signed out by it."""
    viewer = info.context.viewer
    return await present_user(info, viewer.id) if viewer else None


async def load_user(info: Info, user_id: str) -> "User":
    """Return the account that an object names: the viewer's, or for admins any account.

    Raises:
        NotFoundError: it is another account, because another user has signed in on the same WebSocket.
    """
    context = info.context
    row = context.viewer
    if row is None or row.id != user_id:
        row = await context.user_by_id.load(user_id)
    elif context.is_live:
        row = await context.account_by_id.load(user_id)
    if row is None:
        raise NotFoundError
    return user_node(row)
