"""Mutation payloads: a refused request returns one that is empty but for its `errors`."""

from typing import Any, Self

import strawberry
from strawberry.extensions.field_extension import AsyncExtensionResolver, FieldExtension
from strawberry.types.field import StrawberryField

from schema.runtime.context import Info
from schema.runtime.user_error import UserError, user_errors
from services.core.error import Refusal, RefusalGroup


class Payload:
    """Base of every payload with `errors`. Its fields' defaults are what a refused request returns beside them."""

    errors: list[UserError]

    @classmethod
    async def refused(cls, errors: list[UserError], info: Info) -> Self:
        """Return the payload of a request that was refused."""
        payload = cls()
        payload.errors = errors
        return payload


class RefusalsAsErrors(FieldExtension):
    """Turns the Refusal that a mutation's resolver raises into the `errors` of the mutation's payload.

    Permission errors, which are raised outside of it, and refusals where the payload has no `errors` remain GraphQL
    errors.
    """

    payload: type[Payload] | None = None

    def apply(self, field: StrawberryField) -> None:
        if isinstance(field.type, type) and issubclass(field.type, Payload):
            self.payload = field.type

    async def resolve_async(
        self, next_: AsyncExtensionResolver, source: Any, info: strawberry.Info, **kwargs: Any
    ) -> Any:
        try:
            return await next_(source, info, **kwargs)
        except (Refusal, RefusalGroup) as refusal:
            if self.payload is None:
                raise
            return await self.payload.refused(user_errors(refusal, info.context), info)
