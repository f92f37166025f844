"""Documents as clients send them: parsed, limited, validated and priced once, and kept for the next request."""

import hashlib
import re
from collections import OrderedDict
from collections.abc import Mapping
from functools import cached_property
from itertools import islice
from typing import Any, NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    InlineFragmentNode,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    SelectionSetNode,
    parse,
    specified_rules,
    validate,
)
from graphql.execution.values import VariableValues, get_variable_values
from graphql.validation import validation_context
from graphql.validation.rules import overlapping_fields_can_be_merged
from strawberry.types.graphql import OperationType

from schema.runtime import complexity
from schema.runtime.coverage import Caching, Coverage, caching_of, coverage_of
from schema.runtime.error_formatting import MAX_ERRORS, TOO_COMPLEX
from schema.runtime.variables import TooComplexError, count_values, whole_number
from services.core.pagination import MAX_SIZE
from telemetry import metric

MAX_TOKENS = 1000  # of a document; the largest of real clients have a few hundred
MAX_LENGTH = 100_000  # characters of a document, spaces and comments included; over HTTP the body has a limit, too
MAX_NAME = 128  # characters; the response repeats the names of fields for each object, and in the paths of errors
_MAX_DOCUMENTS = 128  # that are kept; those used last
_MAX_COSTS = 64  # of one document, by the sizes in its variables
_MAX_LABEL = 64  # characters of an operation's name in logs
_INTROSPECTION = "introspection"
# About as graphql-core reads tokens, but in a fraction of the time, so that long documents need not be parsed.
_TOKEN = re.compile(
    r'"""(?s:\\"""|.)*?(?:"""|\Z)|"(?:\\.|[^"\\\n])*+"?|#[^\n\r]*|[A-Za-z_]\w*|-?[0-9][0-9.eE+-]*|\.\.\.|[^\s,]',
    re.ASCII,
)
_RULES = {True: tuple(specified_rules), False: (*specified_rules, NoSchemaIntrospectionCustomRule)}
_MAX_SIMPLE, _MAX_SIMPLE_LENGTH = 16, 512  # variables, and characters of all together, of which something is kept
_MAX_SIMPLE_INT = 2**63  # larger ones can have thousands of digits
_SCALARS = (str, int, float, type(None))
_SIMPLE = frozenset({str, int, float, bool, type(None)})

# Validation compares the fields of one name with each other, and each fragment with each. Documents of real clients
# need about none of these steps; graphql-core's defaults allow for seconds.
overlapping_fields_can_be_merged.MAX_COMPLEXITY_BUDGET = 2_000
validation_context.MAX_FRAGMENT_WORK = 2_000  # fragments and variables, for each operation that uses them


class InvalidDocumentError(Exception):
    """The document is not executed. `errors`: new ones for each request, because their texts are formatted in place."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__()
        self.errors = errors


class CoercedVariables(NamedTuple):
    """Variables as resolvers get them.

    `arguments`: of fields, which plans add, by the place in the document; None: do not keep any.
    """

    values: VariableValues
    arguments: dict[tuple[int, int], dict[str, Any]] | None


class KnownVariables:
    """What one operation does with variables of these types and values: few, declared, and short scalars.

    `costs`: by whether the caller is signed in.
    """

    __slots__ = ("coerced", "costs", "json")

    def __init__(self) -> None:
        self.costs: dict[bool, int] = {}
        self.coerced: CoercedVariables | None = None
        self.json: bytes | None = None


class PreparedOperation:
    """One operation of a document, with everything that depends only on its text.

    `given_name`: the operationName of the request, if it has one.
    """

    def __init__(self, text: str, document: DocumentNode, given_name: str | None, *, has_long_name: bool) -> None:
        self.text = text
        self.document = document
        operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
        self.operation = _chosen(operations, given_name)
        self.name = self.operation.name.value if self.operation and self.operation.name else None
        self.kind = OperationType(self.operation.operation.value) if self.operation else None
        self.kind_name = self.kind.value if self.kind else metric.OTHER
        self.label = self.name[:_MAX_LABEL] if self.name else None
        self.root_field = _root_field(document, self.operation) if self.operation else metric.OTHER
        # GraphQL specification, 6.1: the operation to execute is ambiguous.
        self._needs_name = given_name is None and len(operations) > 1
        self._has_long_name = has_long_name
        self._variables = tuple(
            dict.fromkeys(
                definition.variable.name.value for node in operations for definition in node.variable_definitions or ()
            )
        )
        self._is_valid = {True: False, False: False}  # by whether the caller may introspect the schema
        self._costs: dict[tuple[object, ...], int] = {}
        self._known: dict[object, KnownVariables] = {}
        self._caching: Caching | None = None
        self._coverage: Coverage | None = None
        self._has_coverage = False

    @cached_property
    def digest(self) -> bytes:
        """A hash of the document and the name of the operation: what is kept by it does not keep the document."""
        return hashlib.sha256(f"{self.name or ''}\n{self.text}".encode("utf-8", "surrogatepass")).digest()

    def known_variables(self, variables: Mapping[str, Any] | None) -> KnownVariables | None:
        """Return what is known for these variables, to be filled in.

        None: they are too many, not short scalars, or the document does not declare one of them.
        """
        key: tuple[object, ...] = ()
        if variables:
            if len(variables) > _MAX_SIMPLE:
                return None
            found: list[object] = []
            length = 0
            for name, value in variables.items():
                kind = value.__class__
                if kind not in _SIMPLE or name not in self._variables:
                    return None
                if kind is str:
                    length += len(value)
                elif kind is int and not -_MAX_SIMPLE_INT <= value < _MAX_SIMPLE_INT:
                    return None
                elif kind is float and value == 0:
                    return None  # 0.0 and -0.0 are equal, but not the same
                found += (name, kind, value)
            if length > _MAX_SIMPLE_LENGTH:
                return None
            key = tuple(found)
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _MAX_COSTS:
                self._known.clear()
            known = self._known[key] = KnownVariables()
        return known

    def coerce(
        self, schema: GraphQLSchema, variables: Mapping[str, Any] | None, known: KnownVariables | None = None
    ) -> CoercedVariables | None:
        """Return the variables of a valid document as resolvers get them; None: they are invalid.

        `known`: what is known for them, if it was found before.
        """
        known = known or self.known_variables(variables)
        if known is not None and known.coerced is not None:
            return known.coerced
        if self.operation is None:
            return None
        values = get_variable_values(schema, self.operation.variable_definitions or (), dict(variables or {}), 1)
        if isinstance(values, list):
            return None
        coerced = CoercedVariables(values, None if known is None else {})
        if known is not None:
            known.coerced = coerced
        return coerced

    def coverage(self, schema: GraphQLSchema) -> Coverage | None:
        """Return what the account's version covers, of a valid document; None if it does not cover all of it."""
        if not self._has_coverage:
            self._coverage, self._has_coverage = coverage_of(schema, self.document), True
        return self._coverage

    def caching(self, schema: GraphQLSchema) -> Caching:
        """Return who may store the answer to a valid document."""
        if self._caching is None:
            is_query = self.kind is OperationType.QUERY
            self._caching = caching_of(schema, self.document) if is_query else Caching.NONE
        return self._caching

    def known_cost(
        self,
        variables: Mapping[str, Any] | None,
        known: KnownVariables | None = None,
        *,
        is_signed_in: bool,
        allows_introspection: bool,
    ) -> int | None:
        """Return the cost if the document is known to be valid, within the limits with variables of these sizes.

        `known`: what is known for the variables, if it was found before.
        """
        if not self._is_valid[allows_introspection]:
            return None
        cost = known.costs.get(is_signed_in) if known is not None else None
        if cost is None:
            key = self._key(variables or {}, is_signed_in=is_signed_in)
            cost = None if key is None else self._costs.get(key)
            if cost is not None and known is not None:
                known.costs[is_signed_in] = cost
        return cost

    def check(
        self,
        schema: GraphQLSchema,
        variables: Mapping[str, Any] | None,
        *,
        is_signed_in: bool,
        allows_introspection: bool,
        suggests_names: bool = False,
    ) -> int:
        """Return the cost of the document. `suggests_names`: errors say what was probably meant.

        Raises:
            InvalidDocumentError: it is too complex, ambiguous, or invalid.
        """
        try:
            if self._has_long_name:
                raise TooComplexError(f"A name in this document is too long: at most {MAX_NAME} characters.")
            cost = complexity.check(schema, self.document, variables, is_signed_in=is_signed_in)
        except TooComplexError as error:
            limits = {TOO_COMPLEX: error.extensions}
            raise InvalidDocumentError([GraphQLError(str(error), extensions=limits)]) from None
        if self._needs_name:
            raise InvalidDocumentError([GraphQLError("This document needs an operationName.")])
        if not self._is_valid[allows_introspection]:
            # Without suggestions where the schema may be secret, because they reveal its names, and their search takes
            # longer than the rest.
            rules = _RULES[allows_introspection]
            hides = not suggests_names
            if errors := validate(schema, self.document, rules, max_errors=MAX_ERRORS, hide_suggestions=hides):
                raise InvalidDocumentError(_limited(errors))
            self._is_valid[allows_introspection] = True
        key = self._key(variables or {}, is_signed_in=is_signed_in)
        if key is not None:
            if len(self._costs) >= _MAX_COSTS:
                self._costs.clear()
            self._costs[key] = cost
        return cost

    def _key(self, variables: Mapping[str, Any], *, is_signed_in: bool) -> tuple[object, ...] | None:
        """Return what the cost depends on besides the document; None if the variables have too many values."""
        if not variables:
            return (is_signed_in,)
        if not all(isinstance(value, _SCALARS) for value in variables.values()) or len(variables) > MAX_SIZE:
            try:
                count_values(variables)
            except TooComplexError:
                return None
        return (is_signed_in, *(_size(variables[name]) if name in variables else "" for name in self._variables))


def _size(value: object) -> object:
    """Return what the cost of a document depends on in a variable, as complexity.py reads it."""
    value = whole_number(value)
    if isinstance(value, int):
        return min(max(value, 1), MAX_SIZE)
    if isinstance(value, list):
        return len(value), count_values(value)
    return (count_values(value),) if isinstance(value, dict) else None


class DocumentCache:
    """The operations that clients sent last, by their text and name. Documents with syntax errors are not kept."""

    def __init__(self, most: int = _MAX_DOCUMENTS) -> None:
        self._most = most
        self._known: OrderedDict[tuple[str, str | None], PreparedOperation] = OrderedDict()

    def find(self, text: str, name: str | None) -> PreparedOperation | None:
        """Return an operation that was prepared before."""
        found = self._known.get((text, name))
        if found is not None:
            self._known.move_to_end((text, name))
        return found

    def prepare(self, text: str, name: str | None) -> PreparedOperation:
        """Return an operation, parsed unless it is known.

        Raises:
            InvalidDocumentError: it is too long, or has a syntax error.
        """
        found = self.find(text, name)
        if found is None:
            found = _parse(text, name)
            if found.operation is not None:  # the name of none would be kept as often as clients make up another
                self._known[text, name] = found
                if len(self._known) > self._most:
                    self._known.popitem(last=False)
        return found


def _parse(text: str, name: str | None) -> PreparedOperation:
    lengths = [_length_of_name(token[0]) for token in islice(_TOKEN.finditer(text), MAX_TOKENS + 1)]
    is_too_long = len(lengths) > MAX_TOKENS
    try:
        document = parse(text, max_tokens=0 if is_too_long else MAX_TOKENS, max_source_length=MAX_LENGTH)
    except GraphQLError as error:
        # graphql-core has one class for all syntax errors; only those of its limits end like this.
        if error.message.endswith("Parsing aborted."):
            error.message = error.message.replace("more than 0 tokens", f"more than {MAX_TOKENS} tokens")
            error.extensions = {TOO_COMPLEX: {}}
        raise InvalidDocumentError([error]) from None
    except Exception as error:  # noqa: BLE001 - reported as an error of the operation
        raise InvalidDocumentError([GraphQLError(str(error), original_error=error)]) from None
    return PreparedOperation(text, document, name, has_long_name=max(lengths, default=0) > MAX_NAME)


def _length_of_name(token: str) -> int:
    """Return the length of a name; 0 of numbers, strings, comments and punctuators."""
    return len(token) if token[0].isalpha() or token[0] == "_" else 0


def _chosen(operations: list[OperationDefinitionNode], name: str | None) -> OperationDefinitionNode | None:
    """Return the operation with this name; without a name, the first."""
    if name is None:
        return operations[0] if operations else None
    return next((node for node in operations if node.name and node.name.value == name), None)


def _limited(errors: list[GraphQLError]) -> list[GraphQLError]:
    """Return the first errors, or the one that graphql-core's limits ended the validation with."""
    if errors[-1].message == "Validation aborted.":
        text = "This document compares too many fields or fragments with each other."
        return [GraphQLError(text, extensions={TOO_COMPLEX: {}})]
    return errors[:MAX_ERRORS]


def _root_field(document: DocumentNode, operation: OperationDefinitionNode) -> str:
    """Return the label of an operation in metrics: its first root field."""
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    found = _first_field(operation.selection_set, fragments, set()) or metric.OTHER
    return _INTROSPECTION if found.startswith("__") else found


def _first_field(
    selected: SelectionSetNode, fragments: Mapping[str, FragmentDefinitionNode], visited: set[str]
) -> str | None:
    """Return the name of the first field, through fragments; each is visited once, because there may be cycles."""
    for node in selected.selections:
        inner: object = node
        if isinstance(node, FragmentSpreadNode):
            name = node.name.value
            inner = None if name in visited else fragments.get(name)
            visited.add(name)
        if isinstance(inner, FieldNode):
            return inner.name.value
        if isinstance(inner, InlineFragmentNode | FragmentDefinitionNode):
            found = _first_field(inner.selection_set, fragments, visited)
            if found is not None:
                return found
    return None
