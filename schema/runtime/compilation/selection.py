"""Which fields of a selection are executed for an object type, as graphql-core collects them."""

from collections.abc import Iterable, Iterator, Mapping

from graphql import (
    BooleanValueNode,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    is_abstract_type,
)

_SWITCHES = {"skip", "include"}


class UnsupportedError(Exception):
    """The operation has something that is not compiled; graphql-core executes it."""


class Selections:
    """Collects the fields of selections. `switches`: the values of the variables of @skip and @include."""

    def __init__(
        self, schema: GraphQLSchema, fragments: Mapping[str, FragmentDefinitionNode], switches: Mapping[str, bool]
    ) -> None:
        self._schema, self._fragments, self._switches = schema, fragments, switches

    def fields(self, runtime_type: GraphQLObjectType, sets: Iterable[SelectionSetNode]) -> dict[str, list[FieldNode]]:
        """Return the nodes of each field by its key in the response, in the order of the response."""
        found: dict[str, list[FieldNode]] = {}
        visited: set[str] = set()  # names of fragments, each of which counts once
        for selected in sets:
            self._collect(runtime_type, selected, found, visited)
        return found

    def _collect(
        self,
        runtime_type: GraphQLObjectType,
        selected: SelectionSetNode,
        found: dict[str, list[FieldNode]],
        visited: set[str],
    ) -> None:
        for node in selected.selections:
            if not self._is_included(node.directives or ()):
                continue
            if isinstance(node, FieldNode):
                found.setdefault(node.alias.value if node.alias else node.name.value, []).append(node)
            elif isinstance(node, InlineFragmentNode):
                if self._applies(node, runtime_type):
                    self._collect(runtime_type, node.selection_set, found, visited)
            elif isinstance(node, FragmentSpreadNode):
                fragment = self._fragment(node)
                if node.name.value not in visited and self._applies(fragment, runtime_type):
                    visited.add(node.name.value)
                    self._collect(runtime_type, fragment.selection_set, found, visited)

    def _fragment(self, node: FragmentSpreadNode) -> FragmentDefinitionNode:
        fragment = self._fragments.get(node.name.value)
        if fragment is None or fragment.variable_definitions or node.arguments:
            raise UnsupportedError("variables of a fragment")
        return fragment

    def _applies(self, fragment: InlineFragmentNode | FragmentDefinitionNode, runtime_type: GraphQLObjectType) -> bool:
        if fragment.type_condition is None:
            return True
        condition = self._schema.get_type(fragment.type_condition.name.value)
        if condition is runtime_type:
            return True
        return is_abstract_type(condition) and self._schema.is_sub_type(condition, runtime_type)

    def _is_included(self, directives: Iterable[DirectiveNode]) -> bool:
        return all(self._switch(directive) == (directive.name.value == "include") for directive in directives)

    def _switch(self, directive: DirectiveNode) -> bool:
        if directive.name.value not in _SWITCHES:
            raise UnsupportedError(f"@{directive.name.value}")
        value = _condition(directive)
        if isinstance(value, BooleanValueNode):
            return value.value
        if isinstance(value, VariableNode) and value.name.value in self._switches:
            return self._switches[value.name.value]
        raise UnsupportedError("a condition without a value")


def _condition(directive: DirectiveNode) -> ValueNode | None:
    """Return the argument of @skip or @include."""
    return directive.arguments[0].value if directive.arguments else None


def switch_names(document: DocumentNode) -> tuple[str, ...]:
    """Return the variables of @skip and @include in a document: each combination of their values has its own plan."""
    found: set[str] = set()
    for node in selections_of(document):
        for directive in node.directives or ():
            value = _condition(directive) if directive.name.value in _SWITCHES else None
            if isinstance(value, VariableNode):
                found.add(value.name.value)
    return tuple(sorted(found))


def selections_of(document: DocumentNode) -> Iterator[SelectionNode]:
    """Yield all fields, spreads and inline fragments of a document."""
    waiting = [node.selection_set for node in document.definitions if isinstance(node, _WITH_SELECTION)]
    while waiting:
        for node in waiting.pop().selections:
            yield node
            inner = None if isinstance(node, FragmentSpreadNode) else getattr(node, "selection_set", None)
            if inner is not None:
                waiting.append(inner)


_WITH_SELECTION = (OperationDefinitionNode, FragmentDefinitionNode)
