"""How an input's fields are read: left out, null, or given."""

from typing import Any, TypeVar

import strawberry
from graphql import GraphQLObjectType, GraphQLSchema, Undefined

T = TypeVar("T")


def given(value: T | Any, default: T) -> T:
    """`value`, or `default` where the field was left out or null."""
    return default if value is strawberry.UNSET or value is None else value


def changes(source: object, *names: str) -> dict[str, Any]:
    """Those of the named fields that were given, null included: what is left out stays as it is."""
    values = {name: getattr(source, name) for name in names}
    return {name: value for name, value in values.items() if value is not strawberry.UNSET}


def drop_null_defaults(schema: GraphQLSchema) -> None:
    """Let optional arguments have no default, as the contract does: Strawberry prints Python's as `= null`."""
    for kind in schema.type_map.values():
        for field in kind.fields.values() if isinstance(kind, GraphQLObjectType) else ():
            for argument in field.args.values():
                if argument.default_value is None:
                    argument.default_value = Undefined
