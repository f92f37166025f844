"""Schema extensions, which run around every operation."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator

from graphql import GraphQLError, NoSchemaIntrospectionCustomRule, OperationDefinitionNode
from strawberry.extensions import ParserCache, SchemaExtension, ValidationCache

from schema.runtime import complexity
from schema.runtime.error_formatting import TOO_COMPLEX
from schema.runtime.instrumentation import Instrumentation

MAX_TOKENS = 2000  # of a document; the largest of real clients have a few hundred
_MAX_ERRORS = 10  # of validation: enough to fix a document, too few for a small request to cause a large response


class AuthenticateViewer(SchemaExtension):
    """Authenticates the viewer: once for an HTTP request, and again for every operation of a WebSocket."""

    async def on_operation(self) -> AsyncIterator[None]:
        await self.execution_context.context.authenticate()
        yield


class GuardIntrospection(SchemaExtension):
    """Refuses introspection where the settings do not allow it."""

    def on_operation(self) -> Iterator[None]:
        operation = self.execution_context
        if not operation.context.allows_introspection:
            operation.validation_rules = (*operation.validation_rules, NoSchemaIntrospectionCustomRule)
        yield


class LimitDocument(SchemaExtension):
    """Refuses documents that are too large or too complex, before they are executed."""

    def on_operation(self) -> Iterator[None]:
        self.execution_context.parse_options["max_tokens"] = MAX_TOKENS
        yield

    def on_parse(self) -> Iterator[None]:
        yield
        for error in self.execution_context.pre_execution_errors or ():
            # graphql-core has one class for all syntax errors; only those of its limits end like this.
            if error.message.endswith("Parsing aborted."):
                error.extensions = {TOO_COMPLEX: True}

    def on_validate(self) -> Iterator[None]:
        operation = self.execution_context
        # The public property makes up a name where none was given.
        if operation.graphql_document is not None and operation._provided_operation_name is None:
            definitions = operation.graphql_document.definitions
            if sum(isinstance(node, OperationDefinitionNode) for node in definitions) > 1:
                # GraphQL specification, 6.1: the operation to execute is ambiguous.
                operation.pre_execution_errors = [GraphQLError("This document needs an operationName.")]
        if operation.graphql_document is not None:
            try:
                complexity.check(operation.schema._schema, operation.graphql_document, operation.variables)
            except complexity.TooComplexError as error:
                operation.pre_execution_errors = [GraphQLError(str(error), extensions={TOO_COMPLEX: True})]
        yield
        if operation.pre_execution_errors:
            del operation.pre_execution_errors[_MAX_ERRORS:]


class CacheParsing(ParserCache):
    """Caches parsed documents; syntax errors are not cached."""

    def on_parse(self) -> Iterator[None]:
        operation = self.execution_context
        if operation.query:
            with contextlib.suppress(GraphQLError):  # Strawberry parses it again and reports the error
                operation.graphql_document = self.cached_parse_document(operation.query, **operation.parse_options)
        yield


class CacheValidation(ValidationCache):
    """Caches that a document is valid; errors are not cached, because their messages depend on the language."""

    def on_validate(self) -> Iterator[None]:
        operation = self.execution_context
        if operation.graphql_document is not None and operation.pre_execution_errors is None:
            key = (operation.schema._schema, operation.graphql_document, operation.validation_rules)
            if not self.cached_validate_document(*key):
                operation.pre_execution_errors = []
        yield


EXTENSIONS: list[type[SchemaExtension] | Callable[[], SchemaExtension]] = [
    Instrumentation,
    AuthenticateViewer,
    GuardIntrospection,
    CacheParsing,
    LimitDocument,
    CacheValidation,
]
