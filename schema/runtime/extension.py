"""Schema extensions, which run around every operation."""

import re
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from functools import lru_cache
from itertools import islice
from typing import Any

from graphql import (
    ASTValidationRule,
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    validate,
)
from graphql.validation import validation_context
from graphql.validation.rules import overlapping_fields_can_be_merged
from strawberry.extensions import SchemaExtension
from strawberry.types.graphql import OperationType

from schema.runtime import complexity
from schema.runtime.error_formatting import MAX_ERRORS, TOO_COMPLEX
from schema.runtime.instrumentation import Instrumentation
from schema.runtime.variables import TooComplexError
from services.operations.query_slots import PREPARATION, REQUEST_SECONDS, UPLOAD_SECONDS, QuerySlots

MAX_TOKENS = 1000  # of a document; the largest of real clients have a few hundred
MAX_LENGTH = 100_000  # characters of a document, spaces and comments included; over HTTP the body has a limit, too
MAX_NAME = 128  # characters; the response repeats the names of fields for each object, and in the paths of errors
_CACHED_DOCUMENTS = 128
# The cost above which a caller's operations are executed one at a time; that of a mutation includes its writes.
_EXPENSIVE = {OperationType.QUERY: 300, OperationType.MUTATION: 2 * complexity.WRITE_COST}
# About as graphql-core reads tokens, but in a fraction of the time, so that long documents need not be parsed.
_TOKEN = re.compile(
    r'"""(?s:\\"""|.)*?(?:"""|\Z)|"(?:\\.|[^"\\\n])*+"?|#[^\n\r]*|[A-Za-z_]\w*|-?[0-9][0-9.eE+-]*|\.\.\.|[^\s,]',
    re.ASCII,
)
_documents: OrderedDict[str, DocumentNode] = OrderedDict()  # by their text; those used last at the end

# Validation compares the fields of one name with each other, and each fragment with each. Documents of real clients
# need about none of these steps; graphql-core's defaults allow for seconds.
overlapping_fields_can_be_merged.MAX_COMPLEXITY_BUDGET = 2_000
validation_context.MAX_FRAGMENT_WORK = 2_000  # fragments and variables, for each operation that uses them


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


class CacheParsing(SchemaExtension):
    """Caches parsed documents. Strawberry parses the others, once, and reports syntax errors, which are not cached."""

    def on_parse(self) -> Iterator[None]:
        operation = self.execution_context
        query = operation.query or ""
        operation.graphql_document = _documents.get(query)
        yield
        if operation.graphql_document is not None:
            _documents[query] = operation.graphql_document
            _documents.move_to_end(query)
            if len(_documents) > _CACHED_DOCUMENTS:
                _documents.popitem(last=False)


class LimitDocument(SchemaExtension):
    """Refuses documents that are too large or too complex, before they are validated."""

    _cost = 0
    _has_long_name = False

    async def on_operation(self) -> AsyncIterator[None]:
        options: dict[str, Any] = self.execution_context.parse_options  # type: ignore[assignment]  # lacks the second
        tokens = islice(_TOKEN.finditer(self.execution_context.query or ""), MAX_TOKENS + 1)
        lengths = [_length_of_name(token[0]) for token in tokens]
        self._has_long_name = max(lengths, default=0) > MAX_NAME
        is_too_long = len(lengths) > MAX_TOKENS
        options.update(max_tokens=0 if is_too_long else MAX_TOKENS, max_source_length=MAX_LENGTH)
        context = self.execution_context.context
        slots: QuerySlots = context.services.operations.query_slots
        slots.note(context.caller)
        besides = UPLOAD_SECONDS if context.has_files else REQUEST_SECONDS
        async with AsyncExitStack() as self._preparation:
            await self._preparation.enter_async_context(slots.slot(context.caller, PREPARATION, besides))
            yield

    def on_parse(self) -> Iterator[None]:
        yield
        for error in self.execution_context.pre_execution_errors or ():
            # graphql-core has one class for all syntax errors; only those of its limits end like this.
            if error.message.endswith("Parsing aborted."):
                error.message = error.message.replace("more than 0 tokens", f"more than {MAX_TOKENS} tokens")
                error.extensions = {TOO_COMPLEX: {}}

    def on_validate(self) -> Iterator[None]:
        operation = self.execution_context
        document = operation.graphql_document
        if document is not None:
            # The public property makes up a name where none was given.
            if operation._provided_operation_name is None and _count_operations(document) > 1:
                # GraphQL specification, 6.1: the operation to execute is ambiguous.
                operation.pre_execution_errors = [GraphQLError("This document needs an operationName.")]
            is_signed_in = operation.context.viewer is not None
            try:
                if self._has_long_name:
                    raise TooComplexError(f"A name in this document is too long: at most {MAX_NAME} characters.")
                self._cost = complexity.check(
                    operation.schema._schema, document, operation.variables, is_signed_in=is_signed_in
                )
            except TooComplexError as error:
                operation.pre_execution_errors = [GraphQLError(str(error), extensions={TOO_COMPLEX: error.extensions})]
        yield

    async def on_execute(self) -> AsyncIterator[None]:
        kind, context = self.execution_context.operation_type, self.execution_context.context
        slots: QuerySlots = context.services.operations.query_slots
        await self._preparation.aclose()
        complexity.operation_cost.set(self._cost)
        if self._cost <= _EXPENSIVE.get(kind, complexity.MAX_COST):
            yield
            return
        async with slots.slot(context.caller, kind.value):
            yield


def _length_of_name(token: str) -> int:
    """Return the length of a name; 0 of numbers, strings, comments and punctuators."""
    return len(token) if token[0].isalpha() or token[0] == "_" else 0


def _count_operations(document: DocumentNode) -> int:
    return sum(isinstance(node, OperationDefinitionNode) for node in document.definitions)


class _InvalidError(Exception):
    """The document is invalid; raised because exceptions are not cached."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__()
        self.errors = errors


@lru_cache(maxsize=_CACHED_DOCUMENTS)
def _validate(schema: GraphQLSchema, document: DocumentNode, rules: tuple[type[ASTValidationRule], ...]) -> None:
    """Raise _InvalidError if the document is invalid.

    Without suggestions, which reveal names of a schema that may be secret, and whose search takes longer than the rest.
    """
    if errors := validate(schema, document, rules, max_errors=MAX_ERRORS, hide_suggestions=True):
        raise _InvalidError(errors)


class CacheValidation(SchemaExtension):
    """Validates a document, and caches that it is valid; errors are new for each request, which formats them."""

    def on_validate(self) -> Iterator[None]:
        operation = self.execution_context
        if operation.graphql_document is not None and operation.pre_execution_errors is None:
            try:
                _validate(operation.schema._schema, operation.graphql_document, operation.validation_rules)
                operation.pre_execution_errors = []
            except _InvalidError as invalid:
                operation.pre_execution_errors = _limited(invalid.errors)
        yield


def _limited(errors: list[GraphQLError]) -> list[GraphQLError]:
    """Return the first errors, or the one that graphql-core's limits ended the validation with."""
    if errors[-1].message == "Validation aborted.":
        text = "This document compares too many fields or fragments with each other."
        return [GraphQLError(text, extensions={TOO_COMPLEX: {}})]
    return errors[:MAX_ERRORS]


EXTENSIONS: list[type[SchemaExtension]] = [
    Instrumentation,
    AuthenticateViewer,
    GuardIntrospection,
    CacheParsing,
    LimitDocument,
    CacheValidation,
]
