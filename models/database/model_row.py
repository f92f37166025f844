"""Model instances from the rows of hand-written statements, which so need no second read."""

import functools
from collections.abc import Mapping
from typing import Any, TypeVar

from tortoise.models import Model

M = TypeVar("M", bound=Model)


@functools.cache
def columns(model: type[Model], table: str) -> str:
    """Return all columns of the model for a SELECT or RETURNING, qualified by `table`, the table's name or alias."""
    return ", ".join(f'{table}."{column}"' for column in model._meta.fields_db_projection.values())


def from_row(model: type[M], row: Mapping[str, Any]) -> M:
    """Return the instance of a row that holds all `columns`; related objects are not loaded."""
    return model.construct(_saved_in_db=True, **{name: read(row[column]) for name, column, read in _readers(model)})


@functools.cache
def _readers(model: type[Model]) -> tuple[tuple[str, str, Any], ...]:
    """Return the name, the column and the conversion of each field."""
    meta = model._meta
    return tuple(
        (name, column, meta.fields_map[name].to_python_value) for name, column in meta.fields_db_projection.items()
    )
