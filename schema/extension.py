"""What happens around every operation."""

from collections.abc import AsyncIterator, Callable, Iterator

from graphql import NoSchemaIntrospectionCustomRule
from strawberry.extensions import MaxTokensLimiter, SchemaExtension

MAX_TOKENS = 2000  # of a document; the largest that real clients of this API send have a few hundred


class LookUpViewer(SchemaExtension):
    """Finds out who is asking before anything else runs: once a request, and anew for every operation of a socket."""

    async def on_operation(self) -> AsyncIterator[None]:
        await self.execution_context.context.look_up()
        yield


class GuardIntrospection(SchemaExtension):
    """Keeps the schema to ourselves where the operator says so."""

    def on_operation(self) -> Iterator[None]:
        operation = self.execution_context
        if not operation.context.allows_introspection:
            operation.validation_rules = (*operation.validation_rules, NoSchemaIntrospectionCustomRule)
        yield


EXTENSIONS: list[type[SchemaExtension] | Callable[[], SchemaExtension]] = [
    LookUpViewer,
    GuardIntrospection,
    lambda: MaxTokensLimiter(max_token_count=MAX_TOKENS),
]
