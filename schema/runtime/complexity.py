"""The complexity of a document, calculated and limited before validation and execution."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
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
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_abstract_type,
    is_composite_type,
    is_list_type,
)

from schema.runtime.permission import SignedIn
from schema.runtime.price import FREE, PRICES, STATEMENT_PRICE, WRITE_STATEMENTS
from schema.runtime.variables import TooComplexError, count_values, whole_number
from services.core.pagination import DEFAULT_SIZE, MAX_SIZE

MAX_DEPTH = 16  # nested fields; GraphiQL's introspection has 15, the deepest of other clients about 8
MAX_FIELDS = 1000  # with fragments expanded; the introspection has about 200
MAX_ALIASES = 50
MAX_DIRECTIVES = 50
MAX_EQUAL_NAMES = 50  # fields and spreads of one name in one selection; validation compares each with each
MAX_OPERATIONS = 50
MAX_VISITED = 5000  # selections, each fragment once for each operation
MAX_COST = 12_000  # of a page of 100 generations with all fields, with those of styles and files: about 11,600
MAX_COST_SIGNED_OUT = 2_000  # of a page of 100 styles and the whole catalogue: about 1,800

_ASSUMED_LENGTHS = {  # of lists without pages
    "Query.collections": 4,
    "Query.webhookEndpoints": 2,  # five at most
    "WebhookDelivery.attempts": 2,  # more only where the endpoint failed
    "User.followingPasses": 1,  # more only where several were bought ahead
    "Style.variables": 3,
    "StyleVariable.options": 1,
    "StyleVariable.values": 1,
    "Collection.qualities": 3,
    "Batch.generations": 4,
    "Generation.tags": 3,
    "Generation.albums": 2,
    "User.tags": 50,
    "ChangedGenerationsPayload.generations": 20,
    "Metrics.series": 100,
    "Metrics.byAccount": 50,
    "Generation.providerPath": 1,  # more only where the first call failed
    "VideoPrices.qualities": 3,
    "__Schema.types": 20,  # of a hundred: introspection has no resolvers, and takes less time for a value
}
_ASSUMED_LENGTH = 10  # of other lists without pages: styles, errors
WRITE_COST = WRITE_STATEMENTS * STATEMENT_PRICE  # of a mutation: a request must not try a hundred passwords
_FREE_VALUES = 100  # in the variables of a field
_VALUES_SIGNED_OUT = 5  # that count as one: those of the catalogue take a fifth of the time of a generation's
_VALUES_OF_ONE = 10  # further values, which are read for each field, that are priced as one value of the response
_MAX_NESTING = 100  # nested fields and fragments, far below Python's recursion limit
# `node` and `nodes` return these only to the accounts that own them, and to admins.
_PRIVATE_TYPES = {"User", "Generation", "Batch", "CreditTransaction", "ApiKey", "AuditEntry", "Album", "Tag"}


# Of each event of the subscription that this task executes.
event_cost: ContextVar[int] = ContextVar("event_cost", default=0)


@dataclass(frozen=True)
class Complexity:
    """The complexity of a selection with its fragments expanded."""

    depth: int = 0
    fields: int = 0
    aliases: int = 0
    directives: int = 0
    cost: int = 0  # for each object
    per_page: int = 0  # once for a page: totalCount, pageInfo
    batched: int = 0  # once for all objects of a list

    @property
    def total_cost(self) -> int:
        """The price of an operation: the number of values in its response, and the price of its statements."""
        return self.cost + self.per_page + self.batched

    def combined_with(self, other: "Complexity") -> "Complexity":
        """Return the complexity of both in one selection."""
        return Complexity(
            max(self.depth, other.depth),
            self.fields + other.fields,
            self.aliases + other.aliases,
            self.directives + other.directives,
            self.cost + other.cost,
            self.per_page + other.per_page,
            self.batched + other.batched,
        )


class ComplexityVisitor:
    """Calculates the complexity of one operation.

    Each fragment is visited once, however often it is spread: nested spreads would double the work at every level.
    `max_visited`: selections that may be visited. `is_signed_in`: the caller is; others get less, for less.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        variables: Mapping[str, Any],
        *,
        max_visited: int = MAX_VISITED,
        is_signed_in: bool = True,
    ) -> None:
        self._schema = schema
        self._operation = operation
        self._fragments = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        self._values = {node.variable.name.value: node.default_value for node in operation.variable_definitions or ()}
        self._variables = variables
        self._by_fragment: dict[tuple[str, bool], Complexity] = {}
        self._sizes: dict[str, int] = {}
        self._max_visited = max_visited
        self._is_signed_in = is_signed_in
        self._values_of_one = 1 if is_signed_in else _VALUES_SIGNED_OUT
        self.visited = 0  # selections, a measure of the work done

    def complexity(self) -> Complexity:
        """Return the operation's complexity.

        Raises:
            TooComplexError: it has too many equal names, or is too large or too deep to be visited.
        """
        root = self._schema.get_root_type(self._operation.operation)
        found = self._selections(self._operation.selection_set, root, 0, Counter())
        found = replace(
            found,
            cost=found.cost // self._values_of_one,
            per_page=found.per_page // self._values_of_one,
            batched=found.batched // self._values_of_one,
        )
        return found.combined_with(Complexity(directives=len(self._operation.directives or ())))

    def _selections(
        self, node: SelectionSetNode | None, parent: GraphQLCompositeType | None, level: int, names: Counter[str]
    ) -> Complexity:
        """Return the complexity of a selection. `names`: how often each name occurs in it, with inline fragments."""
        if level > _MAX_NESTING:
            raise TooComplexError("This document is nested too deeply.")
        total = Complexity()
        for selection in node.selections if node else ():
            self.visited += 1
            if self.visited > self._max_visited:
                raise TooComplexError("This document has too many selections.")
            total = total.combined_with(Complexity(directives=len(selection.directives or ())))
            if isinstance(selection, FieldNode):
                self._count(selection.alias.value if selection.alias else selection.name.value, names)
                total = total.combined_with(self._field(selection, parent, level))
            elif isinstance(selection, FragmentSpreadNode):
                self._count("..." + selection.name.value, names)
                total = total.combined_with(self._fragment(selection.name.value, parent, level))
            elif isinstance(selection, InlineFragmentNode):
                condition = selection.type_condition
                inner = self._named(condition.name.value) if condition else parent
                found = self._selections(selection.selection_set, inner, level + 1, names)
                total = total.combined_with(self._possible(found, inner, parent))
        return total

    @staticmethod
    def _count(name: str, names: Counter[str]) -> None:
        names[name] += 1
        if names[name] > MAX_EQUAL_NAMES:
            raise TooComplexError(
                f"This document has too many equal names in one selection: at most {MAX_EQUAL_NAMES}."
            )

    def _fragment(self, name: str, parent: GraphQLCompositeType | None, level: int) -> Complexity:
        fragment = self._fragments.get(name)
        if fragment is None:
            return Complexity()  # validation reports it
        inner = self._named(fragment.type_condition.name.value)
        key = (name, is_abstract_type(parent))
        if key not in self._by_fragment:
            self._by_fragment[key] = Complexity()  # for a cycle, which validation refuses
            found = self._selections(fragment.selection_set, inner, level + 1, Counter())
            self._by_fragment[key] = self._possible(found, inner, parent)
        return self._by_fragment[key]

    def _possible(
        self, found: Complexity, kind: GraphQLCompositeType | None, parent: GraphQLCompositeType | None
    ) -> Complexity:
        """Return `found`, without a price where the caller gets no object of this type."""
        is_private = is_abstract_type(parent) and kind is not None and kind.name in _PRIVATE_TYPES
        return replace(found, cost=0, per_page=0, batched=0) if is_private and not self._is_signed_in else found

    def _field(self, node: FieldNode, parent: GraphQLCompositeType | None, level: int) -> Complexity:
        field = self._schema.get_field(parent, node.name.value) if parent else None
        named = get_named_type(field.type) if field else None
        inner = self._selections(node.selection_set, named if is_composite_type(named) else None, level + 1, Counter())
        own, batched = self._cost(node, field, parent, inner)
        is_per_page = parent is not None and parent.name.endswith("Connection") and not _is_list(field)
        return Complexity(
            depth=inner.depth + 1,
            fields=inner.fields + 1,
            aliases=inner.aliases + (node.alias is not None),
            directives=inner.directives,
            cost=0 if is_per_page else own,
            per_page=own if is_per_page else 0,
            batched=batched,
        )

    def _cost(
        self,
        node: FieldNode,
        field: GraphQLField | None,
        parent: GraphQLCompositeType | None,
        inner: Complexity,
    ) -> tuple[int, int]:
        """Return the cost of a field for each object with its selection, and what is batched."""
        name = f"{parent.name}.{node.name.value}" if parent else ""
        cost = 1 + max(self._size_of_arguments(node) - _FREE_VALUES, 0) // _VALUES_OF_ONE
        if node.name.value == "__typename" and node.alias is None:
            cost = 0  # clients add it to every object
        if field is None or self._is_refused(name, field):
            return cost, 0
        price, unit = PRICES.get(name, FREE), self._values_of_one
        cost += inner.cost * self._times(node, field, parent) + inner.per_page
        if parent is not None and parent is self._schema.mutation_type:  # also in a fragment
            cost += WRITE_COST * unit
        if price.is_batched:
            most = self._size(node, "ids") if "ids" in field.args else None
            statements = price.total if most is None else min(price.total, _clamped(most) * STATEMENT_PRICE)
            return cost, inner.batched + statements * unit
        if price.statements:  # its objects arrive at other moments than those of its siblings, so in other batches
            return cost + price.total * unit + inner.batched, 0
        return cost + price.total * unit, inner.batched

    def _is_refused(self, name: str, field: GraphQLField) -> bool:
        """Return whether the caller gets nothing of what is selected on this root field."""
        if self._is_signed_in:
            return False
        definition = field.extensions.get("strawberry-definition")
        needed = definition.permission_classes if definition else ()
        return name == "Query.viewer" or any(issubclass(one, SignedIn) for one in needed)

    def _times(self, node: FieldNode, field: GraphQLField, parent: GraphQLCompositeType | None) -> int:
        """Return how often the field's selection can occur in the response."""
        if _is_page(field):
            given = [size for name in ("first", "last") if (size := self._size(node, name)) is not None]
            # The resolver refuses a size out of range with a more precise message.
            return _clamped(max(given, default=DEFAULT_SIZE))
        if not _is_list(field):
            return 1
        if parent is not None and parent.name.endswith("Connection"):
            return 1  # counted with the field that returns the connection
        if "ids" in field.args:
            return _clamped(self._size(node, "ids") or 1)
        is_introspection = parent is not None and parent.name.startswith("__")
        name = f"{parent.name}.{node.name.value}" if parent else ""
        return _ASSUMED_LENGTHS.get(name, 1 if is_introspection else _ASSUMED_LENGTH)

    def _size(self, node: FieldNode, name: str) -> int | None:
        """Return the value of a number argument, or the length of a list argument; None where it is neither."""
        value: ValueNode | None = next((each.value for each in node.arguments or () if each.name.value == name), None)
        if isinstance(value, VariableNode):
            variable = value.name.value
            if variable in self._variables:
                given = whole_number(self._variables[variable])
                return given if isinstance(given, int) else len(given) if isinstance(given, list) else None
            value = self._values.get(variable)
        if isinstance(value, IntValueNode):
            return int(value.value) if len(value.value) < 10 else MAX_SIZE
        return len(value.values) if isinstance(value, ListValueNode) else None

    def _size_of_arguments(self, node: FieldNode) -> int:
        """Return the number of values in the variables that are the field's arguments."""
        names = [each.value.name.value for each in node.arguments or () if isinstance(each.value, VariableNode)]
        for name in names:
            if name not in self._sizes:
                self._sizes[name] = count_values(self._variables.get(name))
        return sum(self._sizes[name] for name in names)

    def _named(self, name: str) -> GraphQLCompositeType | None:
        found = self._schema.get_type(name)
        return found if is_composite_type(found) else None


def _is_page(field: GraphQLField) -> bool:
    return "first" in field.args and "last" in field.args


def _is_list(field: GraphQLField | None) -> bool:
    return field is not None and is_list_type(get_nullable_type(field.type))


def _clamped(size: int) -> int:
    return min(max(size, 1), MAX_SIZE)


def check(
    schema: GraphQLSchema, document: DocumentNode, variables: Mapping[str, Any] | None, *, is_signed_in: bool
) -> int:
    """Return the cost of the document's most expensive operation.

    Raises:
        TooComplexError: the variables or an operation exceed one of the limits above.
    """
    count_values(variables)
    operations = list(_operations(document))
    if len(operations) > MAX_OPERATIONS:
        raise TooComplexError(f"This document has too many operations: at most {MAX_OPERATIONS}.")
    remaining, highest = MAX_VISITED, 0
    for operation in operations:
        visitor = ComplexityVisitor(schema, document, operation, variables or {}, max_visited=remaining)
        found = visitor.complexity()
        remaining -= visitor.visited
        for name, value, limit in (
            ("levels", found.depth, MAX_DEPTH),
            ("fields", found.fields, MAX_FIELDS),
            ("aliases", found.aliases, MAX_ALIASES),
            ("directives", found.directives, MAX_DIRECTIVES),
        ):
            if value > limit:
                raise TooComplexError(f"This document has too many {name}: at most {limit}.")
        highest = max(highest, found.total_cost)
        _check_cost(found.total_cost, MAX_COST, "request less at a time.")
        if not is_signed_in and found.total_cost > MAX_COST_SIGNED_OUT:
            visitor = ComplexityVisitor(schema, document, operation, variables or {}, is_signed_in=False)
            _check_cost(visitor.complexity().total_cost, MAX_COST_SIGNED_OUT, "request less at a time, or sign in.")
    return highest


def _check_cost(cost: int, limit: int, advice: str) -> None:
    if cost > limit:
        text = f"This document may cost {cost}, more than {limit}; {advice}"
        raise TooComplexError(text, {"price": cost, "limit": limit})


def _operations(document: DocumentNode) -> Iterator[OperationDefinitionNode]:
    for node in document.definitions:
        if isinstance(node, OperationDefinitionNode):
            yield node
