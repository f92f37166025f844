"""What happens around every operation."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator

from graphql import GraphQLError, NoSchemaIntrospectionCustomRule, OperationDefinitionNode
from strawberry.extensions import ParserCache, SchemaExtension, ValidationCache

from schema.runtime import complexity
from schema.runtime.error_formatting import TOO_COMPLEX
from schema.runtime.instrumentation import Observation

MAX_TOKENS = 2000  # of a document; the largest that real clients of this API send have a few hundred
_MAX_ERRORS = 10  # of validation: enough to mend a document by, too few to make a large answer out of a small question


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


class LimitDocument(SchemaExtension):
    """Refuses documents that ask for too much, before they cost anything."""

    def on_operation(self) -> Iterator[None]:
        self.execution_context.parse_options["max_tokens"] = MAX_TOKENS
        yield

    def on_parse(self) -> Iterator[None]:
        yield
        for error in self.execution_context.pre_execution_errors or ():
            # graphql-core has one class for all syntax errors; only these two mean "too much".
            if error.message.endswith("Parsing aborted."):
                error.extensions = {TOO_COMPLEX: True}

    def on_validate(self) -> Iterator[None]:
        operation = self.execution_context
        # The property makes up a name where none was given.
        if operation.graphql_document is not None and operation._provided_operation_name is None:
            definitions = operation.graphql_document.definitions
            if sum(isinstance(node, OperationDefinitionNode) for node in definitions) > 1:
                # The specification, 6.1: which one is meant cannot be guessed.
                operation.pre_execution_errors = [GraphQLError("This document needs an operationName.")]
        if operation.graphql_document is not None:
            try:
                complexity.check(operation.schema._schema, operation.graphql_document, operation.variables)
            except complexity.TooComplexError as error:
                operation.pre_execution_errors = [GraphQLError(str(error), extensions={TOO_COMPLEX: True})]
        yield
        if operation.pre_execution_errors:
            del operation.pre_execution_errors[_MAX_ERRORS:]


class RememberParsing(ParserCache):
    """Parses a document that is sent again and again once; what cannot be parsed is never remembered."""

    def on_parse(self) -> Iterator[None]:
        operation = self.execution_context
        if operation.query:
            with contextlib.suppress(GraphQLError):  # Strawberry parses it itself, and tells the error
                operation.graphql_document = self.cached_parse_document(operation.query, **operation.parse_options)
        yield


class RememberValidation(ValidationCache):
    """Validates a document that is sent again and again once; errors are made anew, for they are told by language."""

    def on_validate(self) -> Iterator[None]:
        operation = self.execution_context
        if operation.graphql_document is not None and operation.pre_execution_errors is None:
            asked = (operation.schema._schema, operation.graphql_document, operation.validation_rules)
            if not self.cached_validate_document(*asked):
                operation.pre_execution_errors = []
        yield


EXTENSIONS: list[type[SchemaExtension] | Callable[[], SchemaExtension]] = [
    Observation,
    LookUpViewer,
    GuardIntrospection,
    RememberParsing,
    LimitDocument,
    RememberValidation,
]
