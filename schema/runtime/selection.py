"""The fields that an operation selects below one of its fields, so that only what they show is read."""

import weakref
from collections.abc import Iterator

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    SelectionSetNode,
    get_named_type,
)

from schema.runtime.compilation.run import ResolverInfo
from schema.runtime.context import Info

_cache: dict[int, tuple["weakref.ref[FieldNode]", frozenset[str]]] = {}  # by the id of a document's field


def selected_below(info: Info) -> frozenset[str]:
    """Return the fields selected anywhere below the resolved one, as `Type.field`, whether skipped or not."""
    nodes = info.nodes if isinstance(info, ResolverInfo) else info._raw_info.field_nodes
    found: frozenset[str] = frozenset()
    for node in nodes:
        cached = _cache.get(id(node))
        if cached is not None and cached[0]() is node:
            fields = cached[1]
        else:
            raw = info._raw_info
            walk = _Walk(raw.schema, raw.fragments)
            kind = get_named_type(raw.return_type)
            fields = frozenset(walk.fields(kind, node.selection_set) if node.selection_set else ())
            key = id(node)
            _cache[key] = weakref.ref(node, lambda _, key=key: _cache.pop(key, None)), fields  # type: ignore[misc]  # the default of a lambda is untyped
        found = found | fields if found else fields
    return found


class _Walk:
    def __init__(self, schema: GraphQLSchema, fragments: dict[str, FragmentDefinitionNode]) -> None:
        self._schema = schema
        self._fragments = fragments
        self._visited: set[str] = set()

    def fields(self, kind: GraphQLNamedType, selected: SelectionSetNode) -> Iterator[str]:
        for selection in selected.selections:
            if isinstance(selection, FieldNode):
                name = selection.name.value
                if not isinstance(kind, (GraphQLObjectType, GraphQLInterfaceType)) or name not in kind.fields:
                    continue  # __typename
                yield f"{kind.name}.{name}"
                if selection.selection_set:
                    yield from self.fields(get_named_type(kind.fields[name].type), selection.selection_set)
            elif isinstance(selection, InlineFragmentNode):
                condition = selection.type_condition
                yield from self.fields(self._type(condition.name.value) if condition else kind, selection.selection_set)
            elif isinstance(selection, FragmentSpreadNode) and selection.name.value not in self._visited:
                self._visited.add(selection.name.value)
                fragment = self._fragments[selection.name.value]
                yield from self.fields(self._type(fragment.type_condition.name.value), fragment.selection_set)

    def _type(self, name: str) -> GraphQLNamedType:
        return self._schema.type_map[name]
