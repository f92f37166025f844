"""Reading input fields: omitted, null, or given."""

from typing import Any, TypeVar

import strawberry
from graphql import GraphQLObjectType, GraphQLSchema, Undefined

from services.core.unset import UNSET, Unset

T = TypeVar("T")


def given(value: T | Any, default: T) -> T:
    """Return `value`, or `default` where the field was omitted or null."""
    return default if value is strawberry.UNSET or value is None else value


def changed(value: T) -> T | Unset:
    """Return the field's value, null included, or the services' UNSET where it was omitted."""
    return UNSET if value is strawberry.UNSET else value


def drop_null_defaults(schema: GraphQLSchema) -> None:
    """Remove null defaults from arguments: Strawberry prints Python's None as `= null`."""
    for kind in schema.type_map.values():
        for field in kind.fields.values() if isinstance(kind, GraphQLObjectType) else ():
            for argument in field.args.values():
                if argument.default_value is None:
                    argument.default_value = Undefined
