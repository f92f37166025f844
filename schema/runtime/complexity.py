"""The complexity of a document, calculated and limited before validation and execution."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLCompositeType,
    GraphQLField,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_list_type,
)

from services.core.pagination import DEFAULT_SIZE, MAX_SIZE

MAX_DEPTH = 16  # nested fields; GraphiQL's introspection has 15, the deepest of other clients about 8
MAX_FIELDS = 1000  # with fragments expanded; the introspection has about 200
MAX_ALIASES = 50
MAX_DIRECTIVES = 50
MAX_COST = 10_000  # values in the response; a page of 100 generations with all their fields has about 6,000

_ASSUMED_LENGTH = 10  # of a list without pages: collections, variables, errors
_WRITE_COST = 1000  # of a mutation: one request must not try a hundred passwords
# Of a field that runs a statement for each object it is selected on: 100 objects must not read 40 pages each. Loaders
# batch all other fields.
_STATEMENT_COST = 25
_COSTS = {
    ("User", "generation"): _STATEMENT_COST,
    ("User", "billingPortalUrl"): 200,  # calls the payment provider
    # These read whole tables, or list all stored objects.
    ("Admin", "metrics"): 1500,
    ("Admin", "ledgerCheck"): 3000,
}
_MAX_NESTING = 100  # nested fields and fragments, far below Python's recursion limit


class TooComplexError(Exception):
    """The document exceeds a limit, which the text names."""


@dataclass(frozen=True)
class Complexity:
    """The complexity of a selection with its fragments expanded."""

    depth: int = 0
    fields: int = 0
    aliases: int = 0
    directives: int = 0
    cost: int = 0

    def combined_with(self, other: "Complexity") -> "Complexity":
        """Return the complexity of both in one selection."""
        return Complexity(
            max(self.depth, other.depth),
            self.fields + other.fields,
            self.aliases + other.aliases,
            self.directives + other.directives,
            self.cost + other.cost,
        )


class ComplexityVisitor:
    """Calculates the complexity of one operation.

    Each fragment is visited once, however often it is spread: nested spreads would double the work at every level.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        variables: Mapping[str, Any],
    ) -> None:
        self._schema = schema
        self._operation = operation
        self._fragments = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        self._values = {node.variable.name.value: node.default_value for node in operation.variable_definitions or ()}
        self._variables = variables
        self._by_fragment: dict[str, Complexity] = {}
        self.visited = 0  # selections, a measure of the work done

    def complexity(self) -> Complexity:
        """Return the operation's complexity. Raises TooComplexError where it is nested too deeply to be visited."""
        root = self._schema.get_root_type(self._operation.operation)
        found = self._selections(self._operation.selection_set, root, 0)
        return found.combined_with(Complexity(directives=len(self._operation.directives or ())))

    def _selections(self, node: SelectionSetNode | None, parent: GraphQLCompositeType | None, level: int) -> Complexity:
        if level > _MAX_NESTING:
            raise TooComplexError("This document is nested too deeply.")
        total = Complexity()
        for selection in node.selections if node else ():
            self.visited += 1
            total = total.combined_with(Complexity(directives=len(selection.directives or ())))
            if isinstance(selection, FieldNode):
                total = total.combined_with(self._field(selection, parent, level))
            elif isinstance(selection, FragmentSpreadNode):
                total = total.combined_with(self._fragment(selection.name.value, level))
            elif isinstance(selection, InlineFragmentNode):
                condition = selection.type_condition
                inner = self._named(condition.name.value) if condition else parent
                total = total.combined_with(self._selections(selection.selection_set, inner, level + 1))
        return total

    def _fragment(self, name: str, level: int) -> Complexity:
        fragment = self._fragments.get(name)
        if fragment is None:
            return Complexity()  # validation reports it
        if name not in self._by_fragment:
            self._by_fragment[name] = Complexity()  # for a cycle, which validation refuses
            self._by_fragment[name] = self._selections(
                fragment.selection_set, self._named(fragment.type_condition.name.value), level + 1
            )
        return self._by_fragment[name]

    def _field(self, node: FieldNode, parent: GraphQLCompositeType | None, level: int) -> Complexity:
        field = self._schema.get_field(parent, node.name.value) if parent else None
        named = get_named_type(field.type) if field else None
        inner = self._selections(node.selection_set, named if is_composite_type(named) else None, level + 1)
        times = self._times(node, field, parent) if field else 1
        is_write = level == 0 and self._operation.operation is OperationType.MUTATION
        return Complexity(
            depth=inner.depth + 1,
            fields=inner.fields + 1,
            aliases=inner.aliases + (node.alias is not None),
            directives=inner.directives,
            cost=inner.cost * times + (_WRITE_COST if is_write else self._own_cost(node, field, parent)),
        )

    @staticmethod
    def _own_cost(node: FieldNode, field: GraphQLField | None, parent: GraphQLCompositeType | None) -> int:
        """Return the cost of the field without its selection."""
        if field is None or parent is None:
            return 1
        return _STATEMENT_COST if _is_page(field) else _COSTS.get((parent.name, node.name.value), 1)

    def _times(self, node: FieldNode, field: GraphQLField, parent: GraphQLCompositeType | None) -> int:
        """Return how often the field's selection can occur in the response."""
        if get_named_type(field.type).name.startswith("__"):
            return 1  # graphql-core's rules limit introspection
        if _is_page(field):
            given = [size for name in ("first", "last") if (size := self._size(node, name)) is not None]
            # The resolver refuses a size out of range with a more precise message.
            return _clamped(max(given, default=DEFAULT_SIZE))
        if not is_list_type(get_nullable_type(field.type)):
            return 1
        if parent is not None and parent.name.endswith("Connection"):
            return 1  # counted with the field that returns the connection
        if "ids" in field.args:
            return _clamped(self._size(node, "ids") or 1)
        return _ASSUMED_LENGTH

    def _size(self, node: FieldNode, name: str) -> int | None:
        """Return the value of a number argument, or the length of a list argument; None where it is neither."""
        value: ValueNode | None = next((each.value for each in node.arguments or () if each.name.value == name), None)
        if isinstance(value, VariableNode):
            variable = value.name.value
            if variable in self._variables:
                given = self._variables[variable]
                return given if isinstance(given, int) else len(given) if isinstance(given, list) else None
            value = self._values.get(variable)
        if isinstance(value, IntValueNode):
            return int(value.value) if len(value.value) < 10 else MAX_SIZE
        return len(value.values) if isinstance(value, ListValueNode) else None

    def _named(self, name: str) -> GraphQLCompositeType | None:
        found = self._schema.get_type(name)
        return found if is_composite_type(found) else None


def _is_page(field: GraphQLField) -> bool:
    return "first" in field.args and "last" in field.args


def _clamped(size: int) -> int:
    return min(max(size, 1), MAX_SIZE)


def check(schema: GraphQLSchema, document: DocumentNode, variables: Mapping[str, Any] | None) -> None:
    """Raises TooComplexError if an operation of the document exceeds one of the limits above."""
    for operation in _operations(document):
        found = ComplexityVisitor(schema, document, operation, variables or {}).complexity()
        for name, value, limit in (
            ("levels", found.depth, MAX_DEPTH),
            ("fields", found.fields, MAX_FIELDS),
            ("aliases", found.aliases, MAX_ALIASES),
            ("directives", found.directives, MAX_DIRECTIVES),
        ):
            if value > limit:
                raise TooComplexError(f"This document has too many {name}: at most {limit}.")
        if found.cost > MAX_COST:
            raise TooComplexError(f"This document may cost more than {MAX_COST}; request less at a time.")


def _operations(document: DocumentNode) -> Iterator[OperationDefinitionNode]:
    for node in document.definitions:
        if isinstance(node, OperationDefinitionNode):
            yield node
