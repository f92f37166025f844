"""The compiler: the operation of a document becomes the text of one Python module.

Attributes of an object become one expression. An object with resolvers becomes a function of (run, source, path), which
calls them in the order of the response. What a resolver returns is made a response by a function of (run, value, path).
"""

from collections.abc import Iterable
from typing import Any

from graphql import (
    FieldNode,
    GraphQLAbstractType,
    GraphQLField,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    SelectionSetNode,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_object_type,
)

from schema.runtime.compilation.leaves import leaf_expression
from schema.runtime.compilation.objects import AbstractPlan, KnownClasses, check_list
from schema.runtime.compilation.resolvers import Resolvers
from schema.runtime.compilation.run import FieldPlan, ItemPlan, RerunError, ResolverInfo
from schema.runtime.compilation.selection import Selections, UnsupportedError
from schema.runtime.compilation.source import Source, indented

MAX_FIELDS = 1000  # of an operation, each counted for each type of object that an interface can have

_Attributes = dict[str, set[str]]


class Compiler:
    """Compiles one operation."""

    def __init__(self, source: Source, selections: Selections, resolvers: Resolvers, schema: Any) -> None:
        self.reads: _Attributes = {}  # the attributes that are read of each type's objects
        self._source, self._selections, self._resolvers, self._schema = source, selections, resolvers, schema
        self._functions: dict[tuple[Any, ...], str] = {}  # of objects, by type and selection
        self._with_resolvers: set[tuple[Any, ...]] = set()  # selections that are no expression
        self._classes: dict[str, str] = {}  # names of KnownClasses, by type
        self._plans: list[tuple[FieldPlan | ItemPlan, str]] = []  # with the name of its `complete`
        self._abstract: list[tuple[str, GraphQLAbstractType, dict[str, tuple[str, str]]]] = []
        self.fields = 0  # that were compiled, a measure of the plan's size: each takes about a kilobyte
        for known in (RerunError, ResolverInfo, check_list):
            source.let(known.__name__, known)

    def link(self, module: dict[str, Any]) -> None:
        """Connect the plans of fields with the functions of the executed module."""
        for plan, name in self._plans:
            plan.complete = module[name]
        for name, kind, functions in self._abstract:
            found = {key: (module[classes], module[function]) for key, (classes, function) in functions.items()}
            module[name] = AbstractPlan(kind, found)

    # Objects

    def object_function(self, kind: GraphQLObjectType, sets: Iterable[SelectionSetNode]) -> str:
        """Add the function that executes a selection for an object, and return its name."""
        sets = list(sets)
        memo = (kind.name, *map(id, sets))
        if memo not in self._functions:
            self._functions[memo] = name = self._source.new_name(kind.name)
            self._source.add(self._object_lines(name, kind, sets))
        return self._functions[memo]

    def _object_lines(self, name: str, kind: GraphQLObjectType, sets: list[SelectionSetNode]) -> list[str]:
        entries: list[str] = []
        steps: list[str] = []
        for key, nodes in self._selections.fields(kind, sets).items():
            field = self._field(kind, nodes)
            if field is None:
                entries.append(f"{key!r}: {kind.name!r}")
                continue
            attribute = self._resolvers.attribute(field)
            if attribute is None:
                self.reads.setdefault(kind.name, set()).add(self._resolvers.reads(field))
                entries.append(f"{key!r}: None")
                steps += self._resolver_lines(kind, field, nodes, key)
                continue
            expression = self._attribute(kind, field, nodes, attribute)
            if expression is None:
                entries.append(f"{key!r}: source.{attribute}")
                plan = self._plan(kind, field, nodes)
                steps += [f"    run.put(data, waiting, {key!r}, {plan}, (path, {key!r}, {kind.name!r}))"]
            else:
                entries.append(f"{key!r}: {indented(expression, 3)}")
        lines = [f"def {name}(run, source, path):", "    try:", "        data = {"]
        lines += [f"            {entry}," for entry in entries]
        lines += ["        }", "    except Exception as error:", "        raise RerunError from error"]
        if not steps:
            return [*lines, "    return data"]
        lines += ["    waiting = []", "    try:", *(f"    {step}" for step in steps)]
        lines += ["    except Exception as error:", "        run.abandon(error, data, waiting)", "        raise"]
        return [*lines, "    return run.settle(data, waiting) if waiting else data"]

    def _field(self, kind: GraphQLObjectType, nodes: list[FieldNode]) -> GraphQLField | None:
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

    def _attribute(
        self, kind: GraphQLObjectType, field: GraphQLField, nodes: list[FieldNode], attribute: str
    ) -> str | None:
        self.reads.setdefault(kind.name, set()).add(attribute)
        return self._expression(field.type, nodes, f"source.{attribute}")

    # Resolvers

    def _resolver_lines(
        self, kind: GraphQLObjectType, field: GraphQLField, nodes: list[FieldNode], key: str
    ) -> list[str]:
        plan = self._plan(kind, field, nodes)
        call = self._resolvers.call(self._source, kind, plan, self._source.values[plan])
        lines = [
            f"    here = (path, {key!r}, {kind.name!r})",
            "    try:",
            f"        data[{key!r}] = {call}",
            "    except Exception as error:",
            f"        data[{key!r}] = run.fail(error, {plan}, here)",
            "    else:",
        ]
        return [*lines, f"        run.put(data, waiting, {key!r}, {plan}, here)"]

    def _plan(self, kind: GraphQLObjectType, field: GraphQLField, nodes: list[FieldNode]) -> str:
        """Bind the plan of a field, with the function that completes its value, and return its name."""
        plan = FieldPlan(field, nodes, kind, is_nullable(field.type))
        name = self._source.bind(plan, f"{kind.name}_{nodes[0].name.value}")
        self._plans.append((plan, self._complete_function(field.type, nodes, name)))
        return name

    # Values of resolvers

    def _complete_function(self, kind: GraphQLOutputType, nodes: list[FieldNode], plan: str) -> str:
        """Add the function of (run, value, path) that makes a response of a value, and return its name."""
        name = self._source.new_name(f"complete_{plan}")
        null = "return None" if is_nullable(kind) else f"raise {plan}.null_error()"
        lines = [f"def {name}(run, value, path):", "    if value is None:", f"        {null}"]
        inner = kind.of_type if isinstance(kind, GraphQLNonNull) else kind
        if is_leaf_type(inner):
            leaf = leaf_expression(self._source, inner, "value", "value", is_nullable=False)
            lines.append(f"    return {leaf}")
        elif is_list_type(inner):
            lines += self._list_lines(inner, nodes, plan)
        elif is_object_type(inner):
            lines += self._object_value_lines(inner, nodes)
        elif is_abstract_type(inner):
            lines += self._abstract_lines(inner, nodes, plan)
        else:
            raise UnsupportedError(str(inner))
        self._source.add(lines)
        return name

    def _list_lines(self, kind: "GraphQLList[Any]", nodes: list[FieldNode], plan: str) -> list[str]:
        lines = ["    if type(value) is not list:", "        check_list(value)"]
        item = self._expression(kind.of_type, nodes, "item")
        if item is not None:
            return [*lines, *_pure_lines(f"[\n    {indented(item)}\n    for item in value\n]")]
        items = ItemPlan(nodes, is_nullable(kind.of_type))
        name = self._source.bind(items, f"{plan}_item")
        self._plans.append((items, self._complete_function(kind.of_type, nodes, plan)))
        return [*lines, f"    return run.items(value, {name}, path)"]

    def _object_value_lines(self, kind: GraphQLObjectType, nodes: list[FieldNode]) -> list[str]:
        classes = self._known_classes(kind)
        lines = [f"    if type(value) not in {classes}:", f"        {classes}.check(value)"]
        sets = _sets(nodes)
        expression = self._object(kind, sets, "value")
        if expression is not None:
            return [*lines, *_pure_lines(expression)]
        return [*lines, f"    return {self.object_function(kind, sets)}(run, value, path)"]

    def _abstract_lines(self, kind: GraphQLAbstractType, nodes: list[FieldNode], plan: str) -> list[str]:
        functions = {
            possible.name: (self._known_classes(possible), self.object_function(possible, _sets(nodes)))
            for possible in self._schema.get_possible_types(kind)
        }
        table = self._source.new_name(kind.name)
        self._abstract.append((table, kind, functions))
        return [
            f"    function = {table}.get(type(value)) or {table}.find(run, value, {plan}, path)",
            "    return function(run, value, path)",
        ]

    # Attributes

    def _expression(self, kind: GraphQLOutputType, nodes: list[FieldNode], raw: str) -> str | None:
        """Return the expression of the response of the value `raw`; None if it has resolvers or an abstract type.

        It raises RerunError, or any other exception, where the value is not as the schema says.
        """
        inner = kind.of_type if isinstance(kind, GraphQLNonNull) else kind
        name = raw if raw.isidentifier() else self._source.new_name("value")
        value = name if raw == name else f"({name} := {raw})"
        if is_leaf_type(inner):
            return leaf_expression(self._source, inner, value, name, is_nullable=is_nullable(kind))
        if is_list_type(inner):
            item = self._source.new_name("item")
            found = self._expression(inner.of_type, nodes, item)
            expression = found and f"[\n    {indented(found)}\n    for {item} in {name}\n]"
            test = f"type({{}}) is list or check_list({name})"
        elif is_object_type(inner):
            expression = self._object(inner, _sets(nodes), name)
            classes = self._known_classes(inner)
            test = f"type({{}}) in {classes} or {classes}.check({name})"
        else:
            return None
        if expression is None:
            return None
        if is_nullable(kind):
            return f"(None if {value} is None else {expression} if {test.format(name)} else None)"
        return f"({expression} if {test.format(value)} else None)"

    def _object(self, kind: GraphQLObjectType, sets: list[SelectionSetNode], name: str) -> str | None:
        """Return the expression of an object's response; None if it has resolvers."""
        memo = (kind.name, *map(id, sets))
        expression = None if memo in self._with_resolvers else self._object_entries(kind, sets, name)
        if expression is None:
            self._with_resolvers.add(memo)
        return expression

    def _object_entries(self, kind: GraphQLObjectType, sets: list[SelectionSetNode], name: str) -> str | None:
        entries: list[str] = []
        reads: set[str] = set()
        for key, nodes in self._selections.fields(kind, sets).items():
            field = self._field(kind, nodes)
            if field is None:
                entries.append(f"{key!r}: {kind.name!r}")
                continue
            attribute = self._resolvers.attribute(field)
            expression = attribute and self._expression(field.type, nodes, f"{name}.{attribute}")
            if not attribute or not expression:
                return None
            reads.add(attribute)
            entries.append(f"{key!r}: {indented(expression)}")
        self.reads.setdefault(kind.name, set()).update(reads)
        return "{\n" + "".join(f"    {entry},\n" for entry in entries) + "}"

    def _known_classes(self, kind: GraphQLObjectType) -> str:
        if kind.name not in self._classes:
            self._classes[kind.name] = self._source.bind(KnownClasses(kind), f"{kind.name}_classes")
        return self._classes[kind.name]


def is_nullable(kind: GraphQLOutputType) -> bool:
    """Return whether a place of this type may be null."""
    return not isinstance(kind, GraphQLNonNull)


def _sets(nodes: list[FieldNode]) -> list[SelectionSetNode]:
    return [node.selection_set for node in nodes if node.selection_set is not None]


def _pure_lines(expression: str) -> list[str]:
    return [
        "    try:",
        f"        return {indented(expression, 2)}",
        "    except Exception as error:",
        "        raise RerunError from error",
    ]
