"""How schema/root.py declares a root field: its resolver, who may use it, and what it is for."""

import functools
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, TypeVar, overload

import strawberry
from strawberry.permission import BasePermission

from schema.runtime.complexity import event_cost
from schema.runtime.payload import RefusalsAsErrors
from schema.runtime.permission import ADMIN, Writable

R = TypeVar("R")

# The functions return what a class body needs to be well typed; at runtime, each returns a StrawberryField.


@overload
def query(resolver: Callable[..., Awaitable[R]], permission: type[BasePermission], description: str) -> R: ...
@overload
def query(resolver: Callable[..., R], permission: type[BasePermission], description: str) -> R: ...
def query(resolver: Callable[..., Any], permission: type[BasePermission], description: str) -> Any:
    """Declare a field of Query."""
    return strawberry.field(resolver=resolver, permission_classes=[permission], description=description)


def mutation(
    resolver: Callable[..., Awaitable[R]],
    permission: type[BasePermission],
    description: str,
    *,
    while_read_only: bool = False,
) -> R:
    """Declare a field of Mutation, whose refusals become its payload's `errors`.

    `while_read_only`: it also works while the deployment is read-only, as every mutation for admins does.
    """
    is_for_admins = issubclass(permission, ADMIN)
    field: Any = strawberry.mutation(
        resolver=resolver,
        permission_classes=[permission] if while_read_only or is_for_admins else [Writable, permission],
        extensions=[RefusalsAsErrors()],
        description=description,
    )
    return field  # type: ignore[no-any-return]  # see above


def subscription(
    resolver: Callable[..., AsyncGenerator[R, None]], permission: type[BasePermission], description: str
) -> AsyncGenerator[R, None]:
    """Declare a field of Subscription, whose events wait until the caller may execute them."""

    @functools.wraps(resolver)
    async def paced(*args: Any, **kwargs: Any) -> AsyncGenerator[R, None]:
        context, cost = kwargs["info"].context, event_cost.get()
        async with aclosing(resolver(*args, **kwargs)) as events:
            async for event in events:
                await context.services.operations.query_slots.wait_for_event(context.caller, cost)
                yield event

    field: Any = strawberry.subscription(resolver=paced, permission_classes=[permission], description=description)
    return field  # type: ignore[no-any-return]  # see above
