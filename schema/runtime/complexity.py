"""How much a document asks for, measured before anything is validated or run."""

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

MAX_DEPTH = 16  # fields below each other; GraphiQL's introspection has 15, the deepest of other clients about 8
MAX_FIELDS = 1000  # fragments spread out; the introspection has about 200
MAX_ALIASES = 50
MAX_DIRECTIVES = 50
MAX_COST = 10_000  # values that the answer may hold; a page of 100 generations with everything in them has about 6,000

_ASSUMED_LIST = 10  # items of a list that is no page: collections, variables, errors
_WRITE_COST = 1000  # of a mutation: nobody may try a hundred passwords with one request
# What takes a statement of its own for each object that it is asked of, however many there are: 100 objects may not ask
# for 40 pages each. Everything else is gathered.
_STATEMENT_COST = 25
_COSTS = {
    ("User", "generation"): _STATEMENT_COST,
    ("User", "billingPortalUrl"): 200,  # asks the payment provider
    # These read whole tables, or the list of everything that is stored.
    ("Admin", "metrics"): 1500,
    ("Admin", "ledgerCheck"): 3000,
}
_MAX_NESTING = 100  # fields and fragments inside each other, so that the walk stays far from Python's own limit


class TooComplexError(Exception):
    """The document asks for too much; the text says of what."""


@dataclass(frozen=True)
class Measure:
    """What a selection holds, its fragments spread out."""

    depth: int = 0
    fields: int = 0
    aliases: int = 0
    directives: int = 0
    cost: int = 0

    def beside(self, other: "Measure") -> "Measure":
        """This and `other` in one selection."""
        return Measure(
            max(self.depth, other.depth),
            self.fields + other.fields,
            self.aliases + other.aliases,
            self.directives + other.directives,
            self.cost + other.cost,
        )


class Meter:
    """Measures one operation. Each fragment is visited once, however often it is spread: nested spreads would double
    the work at every level.
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
        self._known: dict[str, Measure] = {}
        self.visited = 0  # nodes looked at: the work done

    def measure(self) -> Measure:
        """Raises TooComplexError where the nesting alone is too much to be walked."""
        root = self._schema.get_root_type(self._operation.operation)
        found = self._selections(self._operation.selection_set, root, 0)
        return found.beside(Measure(directives=len(self._operation.directives or ())))

    def _selections(self, node: SelectionSetNode | None, parent: GraphQLCompositeType | None, level: int) -> Measure:
        if level > _MAX_NESTING:
            raise TooComplexError("This document is nested too deeply.")
        total = Measure()
        for selection in node.selections if node else ():
            self.visited += 1
            total = total.beside(Measure(directives=len(selection.directives or ())))
            if isinstance(selection, FieldNode):
                total = total.beside(self._field(selection, parent, level))
            elif isinstance(selection, FragmentSpreadNode):
                total = total.beside(self._fragment(selection.name.value, level))
            elif isinstance(selection, InlineFragmentNode):
                condition = selection.type_condition
                inner = self._named(condition.name.value) if condition else parent
                total = total.beside(self._selections(selection.selection_set, inner, level + 1))
        return total

    def _fragment(self, name: str, level: int) -> Measure:
        fragment = self._fragments.get(name)
        if fragment is None:
            return Measure()  # validation will say so
        if name not in self._known:
            self._known[name] = Measure()  # what a cycle finds; validation refuses it
            self._known[name] = self._selections(
                fragment.selection_set, self._named(fragment.type_condition.name.value), level + 1
            )
        return self._known[name]

    def _field(self, node: FieldNode, parent: GraphQLCompositeType | None, level: int) -> Measure:
        field = self._schema.get_field(parent, node.name.value) if parent else None
        named = get_named_type(field.type) if field else None
        inner = self._selections(node.selection_set, named if is_composite_type(named) else None, level + 1)
        times = self._times(node, field, parent) if field else 1
        is_write = level == 0 and self._operation.operation is OperationType.MUTATION
        return Measure(
            depth=inner.depth + 1,
            fields=inner.fields + 1,
            aliases=inner.aliases + (node.alias is not None),
            directives=inner.directives,
            cost=inner.cost * times + (_WRITE_COST if is_write else self._own_cost(node, field, parent)),
        )

    @staticmethod
    def _own_cost(node: FieldNode, field: GraphQLField | None, parent: GraphQLCompositeType | None) -> int:
        """What the field itself costs, without what is selected below it."""
        if field is None or parent is None:
            return 1
        return _STATEMENT_COST if _is_page(field) else _COSTS.get((parent.name, node.name.value), 1)

    def _times(self, node: FieldNode, field: GraphQLField, parent: GraphQLCompositeType | None) -> int:
        """How often at most what is selected below this field comes in the answer."""
        if get_named_type(field.type).name.startswith("__"):
            return 1  # introspection has a limit of its own among graphql-core's rules
        if _is_page(field):
            given = [size for name in ("first", "last") if (size := self._size(node, name)) is not None]
            # A size out of range is refused by the resolver, which says so better.
            return _clamped(max(given, default=DEFAULT_SIZE))
        if not is_list_type(get_nullable_type(field.type)):
            return 1
        if parent is not None and parent.name.endswith("Connection"):
            return 1  # counted with the field that chose the page
        if "ids" in field.args:
            return _clamped(self._size(node, "ids") or 1)
        return _ASSUMED_LIST

    def _size(self, node: FieldNode, name: str) -> int | None:
        """The number that an argument gives, or the length of its list."""
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
    """Raises TooComplexError for a document that asks for more than the limits above."""
    for operation in _operations(document):
        found = Meter(schema, document, operation, variables or {}).measure()
        for name, value, limit in (
            ("levels", found.depth, MAX_DEPTH),
            ("fields", found.fields, MAX_FIELDS),
            ("aliases", found.aliases, MAX_ALIASES),
            ("directives", found.directives, MAX_DIRECTIVES),
        ):
            if value > limit:
                raise TooComplexError(f"This document has too many {name}: at most {limit}.")
        if found.cost > MAX_COST:
            raise TooComplexError(f"This document may cost more than {MAX_COST}; ask for less at a time.")


def _operations(document: DocumentNode) -> Iterator[OperationDefinitionNode]:
    for node in document.definitions:
        if isinstance(node, OperationDefinitionNode):
            yield node
