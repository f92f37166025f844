"""Scalars and enums as expressions: what a response takes as it is, and graphql-core's conversion of anything else."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any

import orjson
from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLLeafType,
    GraphQLNonNull,
    GraphQLOutputType,
    GraphQLScalarType,
    GraphQLString,
    is_leaf_type,
)
from graphql.pyutils import Undefined, inspect
from strawberry.execution import optimized_is_awaitable as is_awaitable

from models.database.fixed_sql import Column
from schema.runtime.compilation.run import RerunError
from schema.runtime.compilation.source import Source
from schema.runtime.scalar import MOMENT_TEXTS, serialize_datetime

# Whether a value is its own response; `{0}` is a name.
_UNCHANGED: dict[GraphQLLeafType, str] = {
    GraphQLString: "type({0}) is str",
    GraphQLID: "type({0}) is str",
    GraphQLBoolean: "type({0}) is bool",
    GraphQLInt: "type({0}) is int and -2147483648 <= {0} <= 2147483647",
    GraphQLFloat: "type({0}) is float and {0} - {0} == 0",  # neither infinite nor NaN
}
_SIMPLE = {str, int, float, bool, list, dict, datetime}  # neither exceptions nor awaitable


def leaf_expression(source: Source, kind: GraphQLLeafType, value: str, name: str, *, is_nullable: bool) -> str:
    """Return the expression of the response of a value.

    `value`: its expression, which gives it `name`. It is evaluated first, and once.
    """
    convert = source.bind(converter(kind), kind.name)
    unchanged = _UNCHANGED.get(kind)
    if unchanged:
        test = unchanged.format(name).replace(name, value, 1)
        return f"({name} if {test}{f' or {name} is None' if is_nullable else ''} else {convert}({name}))"
    first = name if is_nullable else value
    if isinstance(kind, GraphQLEnumType):
        names, classes = (
            source.bind(names_of(kind), f"{kind.name}_names"),
            source.bind(classes_of(kind), f"{kind.name}_classes"),
        )
        # Of other classes, a value may not even be hashable.
        converted = f"({names}.get({name}) if type({first}) in {classes} else None) or {convert}({name})"
    elif isinstance(kind, GraphQLScalarType):
        converted = _scalar_expression(source, kind, first, name, convert)
    else:
        converted = f"{convert}({first})"
    return f"(None if {value} is None else {converted})" if is_nullable else f"({converted})"


def _scalar_expression(source: Source, kind: GraphQLScalarType, first: str, name: str, convert: str) -> str:
    """Return the expression of a scalar of the API's own; `convert`: the function for unusual values."""
    source.let("datetime", datetime)
    if kind.coerce_output_value is serialize_datetime:
        # What that does with the values of columns, as a part of the expression: a list has many.
        dumps, option = source.let("dumps", orjson.dumps), source.let("OPT_UTC_Z", orjson.OPT_UTC_Z)
        test = f"type({first}) is datetime and {name}.tzinfo is {source.let('UTC', UTC)}"
        return f"{dumps}({name}, None, {option})[1:-1].decode() if {test} else {convert}({name})"
    coerce = source.bind(kind.coerce_output_value, f"coerce_{kind.name}")
    return f"(type({first}) is datetime and {coerce}({name})) or {convert}({name})"


def column_expression(source: Source, kind: GraphQLOutputType, column: Column, row: str) -> str | None:
    """Return the expression of the response of a column's value in `row`; None if it has none of its own."""
    is_nullable = not isinstance(kind, GraphQLNonNull)
    inner = kind.of_type if isinstance(kind, GraphQLNonNull) else kind
    if isinstance(inner, GraphQLEnumType) and column.members:
        found = stored_names(inner, tuple(column.members.items()), is_nullable=is_nullable)
        return f"{source.bind(found, f'{inner.name}_stored')}[{row}[{column.key!r}]]" if found else None
    if not is_leaf_type(inner) or not (column.is_value or column.is_moment):
        return None
    name = source.new_name("value")
    if column.is_moment:
        return _moment_expression(source, inner, f"({name} := {row}[{column.key!r}])", name, is_nullable=is_nullable)
    return leaf_expression(source, inner, f"({name} := {row}[{column.key!r}])", name, is_nullable=is_nullable)


def _moment_expression(
    source: Source, kind: GraphQLLeafType, value: str, name: str, *, is_nullable: bool
) -> str | None:
    """Return the expression of a column of points in time; None if the field's type is another than theirs."""
    if not isinstance(kind, GraphQLScalarType) or kind.coerce_output_value is not serialize_datetime:
        return None
    texts, other = (
        source.let("MOMENT_TEXTS", MOMENT_TEXTS),
        leaf_expression(source, kind, name, name, is_nullable=is_nullable),
    )
    return f"({texts}[{name}] if type({value}) is bytes else {other})"


def is_plain(kind: GraphQLOutputType) -> bool:
    """Return whether a column of this type is in JSON as it is stored, so that `column_expression` reads both."""
    inner = kind.of_type if isinstance(kind, GraphQLNonNull) else kind
    return isinstance(inner, GraphQLEnumType) or inner in _UNCHANGED


@cache
def stored_names(
    kind: GraphQLEnumType, members: tuple[tuple[str | None, Any], ...], *, is_nullable: bool
) -> dict[Any, str | None]:
    """Return the response of each value of an enum's column; empty if it is another enum's."""
    names: dict[Any, str] = names_of(kind)
    if not all(member is None or type(member) is kind.wrapped_cls for _, member in members):  # type: ignore[attr-defined]  # Strawberry's class
        return {}
    return {value: names[member] if member else None for value, member in members if member or is_nullable}


@cache
def names_of(kind: GraphQLEnumType) -> dict[Any, str]:
    """Return the response of each member of an enum."""
    members = getattr(kind, "wrapped_cls", ())
    return {member: kind.coerce_output_value(member) for member in members}


@cache
def classes_of(kind: GraphQLEnumType) -> frozenset[type]:
    """Return the classes of what `names_of` is searched for: members, and their values where a column has these."""
    return frozenset({str, *map(type, names_of(kind))})


@cache
def converter(kind: GraphQLLeafType) -> Callable[[Any], Any]:
    """Return the function that converts any value as graphql-core does, with the same errors."""
    coerce = kind.coerce_output_value

    def convert(value: Any) -> Any:
        if type(value) not in _SIMPLE:
            if isinstance(value, Exception):
                raise value
            if value is None or value is Undefined or is_awaitable(value):
                raise RerunError
        converted = coerce(value)
        if converted is None or converted is Undefined:
            made = f"`{inspect(kind)}.coerce_output_value({inspect(value)})`"
            raise TypeError(f"Expected {made} to return non-nullable value, returned: {inspect(converted)}")
        return converted

    return convert
