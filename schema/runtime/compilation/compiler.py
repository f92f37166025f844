"""The compiler: the operation of a document becomes the text of one Python module.

A selection whose resolvers do not wait becomes one expression (expressions.py). Any other, and those that an expression
falls back on, becomes a function of (run, source, path) for each object, which calls resolvers in the order of the
response, one by one. What a resolver returns is made a response by a function of (run, value, path).
"""

import re
from collections.abc import Iterable
from types import CoroutineType
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

from schema.runtime.compilation.expressions import Expression, Module, is_nullable, sets_of
from schema.runtime.compilation.leaves import leaf_expression
from schema.runtime.compilation.objects import AbstractPlan, check_list, rows_of, unexpected
from schema.runtime.compilation.resolvers import EVENT, Resolvers
from schema.runtime.compilation.run import FieldPlan, ItemPlan, RerunError, ResolverInfo
from schema.runtime.compilation.selection import Selections, UnsupportedError
from schema.runtime.compilation.source import Source, indented


class Compiler:
    """Compiles one operation. `by_steps` of its methods: without expressions that call resolvers."""

    def __init__(self, source: Source, selections: Selections, resolvers: Resolvers, schema: Any) -> None:
        self._source, self._selections, self._resolvers, self._schema = source, selections, resolvers, schema
        self._module = Module(source, selections, resolvers)
        self._functions: dict[tuple[Any, ...], str] = {}  # of objects, by type and selection
        # Expressions that need nothing but the object, and whether that may be a message, by function.
        self._alone: dict[str, tuple[str, bool]] = {}
        self._plans: list[tuple[FieldPlan | ItemPlan, str]] = []  # with the name of its `complete`
        self._abstract: list[tuple[str, GraphQLAbstractType, dict[str, tuple[str, str]]]] = []
        for known in (RerunError, ResolverInfo, check_list, unexpected):
            source.let(known.__name__, known)
        source.let("CoroutineType", CoroutineType)

    @property
    def fields(self) -> int:
        """The number of compiled fields, a measure of the plan's size: each takes about a kilobyte."""
        return self._module.fields

    def link(self, module: dict[str, Any]) -> None:
        """Connect the plans of fields with the functions of the executed module."""
        for plan, name in self._plans:
            plan.complete = module[name]
        for name, kind, functions in self._abstract:
            found = {key: (module[classes], module[function]) for key, (classes, function) in functions.items()}
            module[name] = AbstractPlan(kind, found)

    # Objects

    def object_function(
        self, kind: GraphQLObjectType, sets: Iterable[SelectionSetNode], *, by_steps: bool = False
    ) -> str:
        """Add the function that executes a selection for an object, and return its name."""
        sets = list(sets)
        memo = (kind.name, by_steps, *map(id, sets))
        if memo not in self._functions:
            name = self._functions[memo] = self._source.new_name(kind.name)
            lines = None if by_steps else self._expression_lines(name, kind, sets)
            self._source.add(lines or self._object_lines(name, kind, sets, by_steps=by_steps))
        return self._functions[memo]

    def _expression_lines(self, name: str, kind: GraphQLObjectType, sets: list[SelectionSetNode]) -> list[str] | None:
        builder = Expression(self._module, calls=True)
        expression, test = builder.object(kind, sets, "source")
        if expression is None:
            return None
        if not builder.dictionaries and not re.search(r"\brun\b", expression):
            self._alone[name] = (expression, builder.is_plain)
        if builder.is_sure:
            return [f"def {name}(run, source, path):", *_sure_lines(expression)]
        # The caller knows that it is an object of the type, but not whether it is a row.
        test = test.format("source") if rows_of(kind) else ""
        lines = [f"def {name}(run, source, path):", *_tried_lines(builder, expression, test)]
        return [*lines, f"    return {self.object_function(kind, sets, by_steps=True)}(run, source, path)"]

    def _object_lines(
        self, name: str, kind: GraphQLObjectType, sets: list[SelectionSetNode], *, by_steps: bool
    ) -> list[str]:
        entries: list[str] = []
        steps: list[str] = []
        for key, nodes in self._selections.fields(kind, sets).items():
            field = self._module.field(kind, nodes)
            if field is None:
                entries.append(f"{key!r}: {kind.name!r}")
                continue
            attribute = self._resolvers.attribute(field)
            if attribute is None:
                entries.append(f"{key!r}: None")
                steps += self._resolver_lines(kind, field, nodes, key, by_steps=by_steps)
                continue
            expression = Expression(self._module, calls=False).value(field.type, nodes, f"source.{attribute}")
            if expression is None:
                entries.append(f"{key!r}: source.{attribute}")
                plan = self._plan(kind, field, nodes, by_steps=by_steps)
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

    def alone_function(self, name: str, *, of_columns: bool = False) -> str | None:
        """Add a function of the object alone that returns what the function `name` does, and return its name.

        It returns None where something is not as usual. There is none where the function needs the run. `of_columns`:
        a dictionary of columns as JSON has them stands for the object; there is none where more of it is read.
        """
        expression, is_plain = self._alone.get(name, ("", False))
        if not expression or (of_columns and not is_plain):
            return None
        alone = self._source.new_name(f"{name}_of_columns" if of_columns else f"{name}_alone")
        if of_columns:
            expression = re.sub(r"type\((\w+)\) in \w+_rows or unexpected\(\)", r"type(\1) is dict", expression)
        lines = [f"def {alone}(source):", "    try:", f"        return {indented(expression, 2)}"]
        self._source.add([*lines, "    except Exception:", "        return None"])
        return alone

    # Resolvers

    def _resolver_lines(
        self, kind: GraphQLObjectType, field: GraphQLField, nodes: list[FieldNode], key: str, *, by_steps: bool
    ) -> list[str]:
        plan = self._plan(kind, field, nodes, by_steps=by_steps)
        call = self._resolvers.call(self._source, kind, plan, self._source.values[plan])
        if call == EVENT:  # which nothing awaits
            return [
                f"    data[{key!r}] = run.complete(source, {plan}, (path, {key!r}, {kind.name!r}))",
                f"    if type(data[{key!r}]) is CoroutineType:",
                f"        waiting.append({key!r})",
            ]
        lines = [
            f"    here = (path, {key!r}, {kind.name!r})",
            "    try:",
            f"        data[{key!r}] = {call}",
            "    except Exception as error:",
            f"        data[{key!r}] = run.fail(error, {plan}, here)",
            "    else:",
        ]
        return [*lines, f"        run.put(data, waiting, {key!r}, {plan}, here)"]

    def _plan(self, kind: GraphQLObjectType, field: GraphQLField, nodes: list[FieldNode], *, by_steps: bool) -> str:
        """Bind the plan of a field, with the function that completes its value, and return its name."""
        plan = FieldPlan(field, nodes, kind, is_nullable(field.type))
        name = self._source.bind(plan, f"{kind.name}_{nodes[0].name.value}")
        self._plans.append((plan, self._complete_function(field.type, nodes, name, by_steps=by_steps)))
        return name

    # Values of resolvers

    def _complete_function(self, kind: GraphQLOutputType, nodes: list[FieldNode], plan: str, *, by_steps: bool) -> str:
        """Add the function of (run, value, path) that makes a response of a value, and return its name."""
        name = self._source.new_name(f"complete_{plan}")
        null = "return None" if is_nullable(kind) else f"raise {plan}.null_error()"
        lines = [f"def {name}(run, value, path):", "    if value is None:", f"        {null}"]
        inner = kind.of_type if isinstance(kind, GraphQLNonNull) else kind
        if is_leaf_type(inner):
            leaf = leaf_expression(self._source, inner, "value", "value", is_nullable=False)
            lines.append(f"    return {leaf}")
        elif is_list_type(inner):
            lines += self._list_lines(inner, nodes, plan, by_steps=by_steps)
        elif is_object_type(inner):
            lines += self._object_value_lines(inner, nodes, by_steps=by_steps)
        elif is_abstract_type(inner):
            lines += self._abstract_lines(inner, nodes, plan, by_steps=by_steps)
        else:
            raise UnsupportedError(str(inner))
        self._source.add(lines)
        return name

    def _list_lines(self, kind: "GraphQLList[Any]", nodes: list[FieldNode], plan: str, *, by_steps: bool) -> list[str]:
        lines = ["    if type(value) is not list:", "        check_list(value)"]
        builder = Expression(self._module, calls=not by_steps, is_repeated=True)
        item = builder.value(kind.of_type, nodes, "item")
        tried: list[str] = []
        if item is not None:
            expression = f"[\n    {indented(item)}\n    for item in value\n]"
            if builder.is_sure:
                return [*lines, *_sure_lines(expression)]
            tried = _tried_lines(
                builder, expression, "type(value) is list or unexpected()"
            )  # an iterator is read only once
            by_steps = True
        items = ItemPlan(nodes, is_nullable(kind.of_type))
        name = self._source.bind(items, f"{plan}_item")
        self._plans.append((items, self._complete_function(kind.of_type, nodes, plan, by_steps=by_steps)))
        return [*lines, *tried, f"    return run.items(value, {name}, path)"]

    def _object_value_lines(self, kind: GraphQLObjectType, nodes: list[FieldNode], *, by_steps: bool) -> list[str]:
        classes = self._module.known_classes(kind)
        lines = [f"    if type(value) not in {classes}:", f"        {classes}.check(value)"]
        sets = sets_of(nodes)
        return [*lines, f"    return {self.object_function(kind, sets, by_steps=by_steps)}(run, value, path)"]

    def _abstract_lines(
        self, kind: GraphQLAbstractType, nodes: list[FieldNode], plan: str, *, by_steps: bool
    ) -> list[str]:
        functions = {
            possible.name: (
                self._module.known_classes(possible),
                self.object_function(possible, sets_of(nodes), by_steps=by_steps),
            )
            for possible in self._schema.get_possible_types(kind)
        }
        table = self._source.new_name(kind.name)
        self._abstract.append((table, kind, functions))
        return [
            f"    function = {table}.get(type(value)) or {table}.find(run, value, {plan}, path)",
            "    return function(run, value, path)",
        ]


def _sure_lines(expression: str) -> list[str]:
    return [
        "    try:",
        f"        return {indented(expression, 2)}",
        "    except Exception as error:",
        "        raise RerunError from error",
    ]


def _tried_lines(builder: Expression, expression: str, test: str) -> list[str]:
    """Return the lines of an expression, and of its test if it has one, after which the same follows step by step."""
    returned = [f"return {expression}"]
    if test:
        returned = [f"if {test}:", f"    {indented(returned[0])}"]
    lines = [f"    {name} = {{}}" for name in builder.dictionaries]
    lines += ["    try:", *(f"        {indented(line, 2)}" for line in returned)]
    return [*lines, "    except Exception:", "        pass"]
