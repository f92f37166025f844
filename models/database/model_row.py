"""Model instances in hand-written statements: from the rows that they return, and as the values that they insert."""

import functools
from collections.abc import Mapping
from typing import Any, TypeVar

from tortoise.models import Model

M = TypeVar("M", bound=Model)


@functools.cache
def columns(model: type[Model], table: str, prefix: str = "") -> str:
    """Return all columns of the model for a SELECT or RETURNING, qualified by `table`, the table's name or alias.

    `prefix`: of their names in the row, where it holds columns of several tables.
    """
    names = model._meta.fields_db_projection.values()
    return ", ".join(f'{table}."{name}"' + (f' AS "{prefix}{name}"' if prefix else "") for name in names)


def from_row(model: type[M], row: Mapping[str, Any], prefix: str = "") -> M:
    """Return the instance of a row that holds all `columns`; related objects are not loaded."""
    values = {name: read(row[column]) for name, column, read in _readers(model, prefix)}
    return model.construct(_saved_in_db=True, **values)


@functools.cache
def _readers(model: type[Model], prefix: str) -> tuple[tuple[str, str, Any], ...]:
    """Return the name, the column and the conversion of each field."""
    meta = model._meta
    return tuple(
        (name, prefix + column, meta.fields_map[name].to_python_value)
        for name, column in meta.fields_db_projection.items()
    )


@functools.cache
def column_names(model: type[Model]) -> str:
    """Return the names of all columns, as an INSERT lists them."""
    return ", ".join(f'"{column}"' for column in model._meta.fields_db_projection.values())


@functools.cache
def typed_places(model: type[Model], first: int) -> str:
    """Return the placeholders of `column_values` on PostgreSQL, numbered from `first`.

    They have types, because PostgreSQL infers none in a SELECT.
    """
    return ", ".join(f"${number}::{sql_type}" for number, sql_type in enumerate(_types(model), first))


def insert_select(model: type[Model], first: int) -> str:
    """Return `(columns) SELECT values` for an INSERT on PostgreSQL; placeholders are numbered from `first`."""
    return f"({column_names(model)}) SELECT {typed_places(model, first)}"


def _types(model: type[Model]) -> list[str]:
    """Return the type of each column on PostgreSQL, without a length, which would cut silently."""
    found = [model._meta.fields_map[field] for field in model._meta.fields_db_projection]
    return [field.get_for_dialect("postgres", "SQL_TYPE").partition("(")[0] for field in found]


@functools.cache
def unnested(model: type[Model], first: int) -> str:
    """Return `unnest(...) AS item (key, columns)` of several instances; placeholders are numbered from `first`.

    The first array holds keys, the others the values of `column_values`, column by column.
    """
    placed = ", ".join(f"${number}::{sql_type}[]" for number, sql_type in enumerate(_types(model), first + 1))
    return f"unnest(${first}::varchar[], {placed}) AS item (key, {column_names(model)})"


def column_values(instance: Model) -> list[Any]:
    """Return the values for `typed_places`; times of creation and update are set."""
    fields_map = instance._meta.fields_map
    return [
        fields_map[name].to_db_value(getattr(instance, name), instance) for name in instance._meta.fields_db_projection
    ]
