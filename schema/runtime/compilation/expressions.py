"""Objects and lists as one expression: attributes, columns of rows, and resolvers that do not wait."""

from typing import Any

from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    SelectionSetNode,
    is_leaf_type,
    is_list_type,
    is_object_type,
)

from schema.runtime.compilation.leaves import column_expression, is_plain, leaf_expression
from schema.runtime.compilation.objects import KnownClasses, Rows, rows_of
from schema.runtime.compilation.resolvers import Resolvers, declaration
from schema.runtime.compilation.run import FieldPlan
from schema.runtime.compilation.selection import Selections, UnsupportedError
from schema.runtime.compilation.source import Source, indented

# Of an operation, each counted for each type of object that an interface can have, and again where an expression has
# functions to fall back on.
MAX_FIELDS = 2000


class Module:
    """What the parts of the compiler share: the generated text, the selections, the resolvers and names of classes."""

    def __init__(self, source: Source, selections: Selections, resolvers: Resolvers) -> None:
        self.source, self.selections, self.resolvers = source, selections, resolvers
        self.fields = 0  # that were compiled, see Compiler.fields
        self.waiting: set[tuple[Any, ...]] = set()  # selections that are no expression, by type
        self._classes: dict[str, str] = {}  # names of KnownClasses, by type

    def field(self, kind: GraphQLObjectType, nodes: list[FieldNode]) -> GraphQLField | None:
        """Return the definition of a field; None of __typename."""
        name = nodes[0].name.value
        self.fields += 1
        if self.fields > MAX_FIELDS:
            raise UnsupportedError("too many fields")
        if name == "__typename":
            return None
        field: GraphQLField | None = kind.fields.get(name)
        if field is None:
            raise UnsupportedError(name)
        return field

    def known_classes(self, kind: GraphQLObjectType) -> str:
        """Return the name of the classes of a type's objects."""
        if kind.name not in self._classes:
            self._classes[kind.name] = self.source.bind(KnownClasses(kind), f"{kind.name}_classes")
        return self._classes[kind.name]


class Expression:
    """Builds the expression of the response of one value.

    With `calls` it calls the resolvers that do not wait, and reads rows by their columns. It then raises an exception
    wherever something is not as usual, and the functions that do the same step by step have to run instead; `is_sure`
    is whether it has neither. Without `calls`, and where `is_sure`, graphql-core has to execute the operation then.

    `is_repeated`: for each item of a list. `dictionaries`: names of empty ones that it needs. `is_plain`: it reads
    nothing but columns, which may also be those of a message, as text or numbers.
    """

    def __init__(self, module: Module, *, calls: bool, is_repeated: bool = False) -> None:
        self._module, self._calls, self._is_repeated = module, calls, is_repeated
        self._source = module.source
        self.is_sure = self.is_plain = True
        self.dictionaries: list[str] = []

    def value(self, kind: GraphQLOutputType, nodes: list[FieldNode], raw: str) -> str | None:
        """Return the expression of the value `raw`; None if a part of it may wait, or has an abstract type."""
        inner = kind.of_type if isinstance(kind, GraphQLNonNull) else kind
        name = raw if raw.isidentifier() else self._source.new_name("value")
        value = name if raw == name else f"({name} := {raw})"
        if is_leaf_type(inner):
            return leaf_expression(self._source, inner, value, name, is_nullable=is_nullable(kind))
        if is_list_type(inner):
            item = self._source.new_name("item")
            around, self._is_repeated = self._is_repeated, True
            found = self.value(inner.of_type, nodes, item)
            self._is_repeated = around
            expression = found and f"[\n    {indented(found)}\n    for {item} in {name}\n]"
            # An iterator could not be read again.
            test = "type({}) is list or " + ("unexpected()" if self._calls else f"check_list({name})")
        elif is_object_type(inner):
            expression, test = self.object(inner, sets_of(nodes), name)
        else:
            return None
        if expression is None:
            return None
        if is_nullable(kind):
            return f"(None if {value} is None else {expression} if {test.format(name)} else None)"
        return f"({expression} if {test.format(value)} else None)"

    def object(self, kind: GraphQLObjectType, sets: list[SelectionSetNode], name: str) -> tuple[str | None, str]:
        """Return the expression of an object, and the test of its class with `{}` in the object's place."""
        rows = rows_of(kind) if self._calls else None
        if rows:
            self.is_sure = False
            test = f"type({{}}) in {self._source.let(f'{kind.name}_rows', rows.classes)} or unexpected()"
        else:
            classes = self._module.known_classes(kind)
            test = f"type({{}}) in {classes} or {classes}.check({name})"
        memo = (kind.name, self._calls, *map(id, sets))
        entries: list[str] = []
        if memo in self._module.waiting:
            return None, test
        for key, nodes in self._module.selections.fields(kind, sets).items():
            field = self._module.field(kind, nodes)
            value = repr(kind.name) if field is None else self._field(kind, field, nodes, name, rows)
            if value is None:
                self._module.waiting.add(memo)
                return None, test
            entries.append(f"    {key!r}: {indented(value)},\n")
        return "{\n" + "".join(entries) + "}", test

    def _field(
        self, kind: GraphQLObjectType, field: GraphQLField, nodes: list[FieldNode], name: str, rows: Rows | None
    ) -> str | None:
        attribute = self._module.resolvers.attribute(field)
        python_name = declaration(field).python_name
        if attribute is None and rows and python_name in rows.attributes:
            attribute = python_name
        if attribute is None:
            return self._call(kind, field, nodes, name, rows)
        if rows and attribute in rows.columns:
            found = column_expression(self._source, field.type, rows.columns[attribute], name)
            if found is not None:
                self.is_plain &= is_plain(field.type)
                return found
        self.is_plain = False
        return self.value(field.type, nodes, f"{name}.{attribute}")

    def _call(
        self, kind: GraphQLObjectType, field: GraphQLField, nodes: list[FieldNode], name: str, rows: Rows | None
    ) -> str | None:
        if not self._calls:
            return None
        plan = FieldPlan(field, nodes, kind, is_nullable(field.type))
        call = self._module.resolvers.prompt_call(self._source, plan, name)
        self.is_sure = False
        self.is_plain &= call == name  # the event itself
        value = call and self.value(field.type, nodes, call)
        column = rows.shared.get(plan.strawberry_field.python_name) if rows else None
        if not value or not column or not self._is_repeated:
            return value
        known, key = self._source.new_name("known"), self._source.new_name("key")
        self.dictionaries.append(known)
        found = f"{known}[{key}] if ({key} := {name}[{column!r}]) in {known}"
        return f"({found} else {known}.setdefault({key}, {value}))"


def is_nullable(kind: GraphQLOutputType) -> bool:
    """Return whether a place of this type may be null."""
    return not isinstance(kind, GraphQLNonNull)


def sets_of(nodes: list[FieldNode]) -> list[SelectionSetNode]:
    """Return the selections of a field in all its nodes."""
    return [node.selection_set for node in nodes if node.selection_set is not None]
