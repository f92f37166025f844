"""Hand-written reads of frequent data: rows that are used as the driver returns them, without models.

A row class declares, as annotations, the attributes that code reads; everything else about them comes from the model's
metadata: the column, and whether its value is an enum or JSON. Both are read when an attribute is, not for every row.
"""

import functools
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from datetime import datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Self, TypeVar

import asyncpg
from tortoise.backends.base.client import TransactionalDBClient
from tortoise.fields import BooleanField, DatetimeField, JSONField
from tortoise.fields.base import Field
from tortoise.fields.data import CharEnumFieldInstance
from tortoise.log import db_client_logger
from tortoise.models import Model

from models.database.connection import current_connection, in_dialect
from models.database.moment import moment_of, packed
from models.database.postgres import PostgresClient
from models.database.read_groups import GroupedSelect

M = TypeVar("M", bound=Model)
R = TypeVar("R", bound="Row")

_Read = Callable[[Any], object]


class Column(NamedTuple):
    """How an attribute is read of a row.

    `key`: the column, or its position in a tuple. `members`: of the enum whose values the column has; None: no enum.
    `is_value`: whether the attribute is the column's value itself. `is_moment`: whether that may be bytes (moment.py).
    """

    key: str | int
    read: _Read
    members: dict[str | None, Any] | None = None
    is_value: bool = True
    is_moment: bool = False


class Row:
    """A row of a statement, with the attributes that a subclass annotates. `model`: whose columns they are.

    An attribute whose column was not selected raises KeyError.
    """

    __slots__ = ()
    attributes: tuple[str, ...] = ()  # those that are columns
    columns: dict[str, Column]  # by attribute
    table: type[Model]

    if TYPE_CHECKING:  # of the driver's class

        def __getitem__(self, column: str) -> Any: ...

    def __init_subclass__(cls, *, model: type[Model] | None = None) -> None:
        if model is None:
            return  # a class for one database, below
        cls.table = model
        cls.attributes = tuple(name for name in cls.__annotations__ if name not in cls.__dict__)
        cls.columns = {name: _column(model, name, name) for name in cls.attributes}
        for name, column in cls.columns.items():
            setattr(cls, name, property(column.read))


class Part:
    """An object of a joined table, whose columns are part of `row`; annotated as a Row is."""

    __slots__ = ("_row",)
    attributes: tuple[str, ...] = ()

    def __init_subclass__(cls, *, model: type[Model], prefix: str) -> None:
        cls.attributes = tuple(name for name in cls.__annotations__ if name not in cls.__dict__)
        for name in cls.attributes:
            setattr(cls, name, property(_part_reader(_column(model, name, f"{prefix}.{name}").read)))

    def __init__(self, row: Any) -> None:
        self._row = row


class WholePart(tuple[Any, ...]):
    """As Part, for objects most of whose attributes are read: all its columns and, at the end, the row itself."""

    __slots__ = ()
    attributes: tuple[str, ...] = ()

    def __init_subclass__(cls, *, model: type[Model]) -> None:
        cls.attributes = tuple(name for name in cls.__annotations__ if name not in cls.__dict__)
        for place, name in enumerate(cls.attributes):
            setattr(cls, name, property(_column(model, name, place).read))

    @classmethod
    def reader(cls, prefix: str) -> Callable[[Any], Self | None]:
        """Return the function that reads the object with this prefix from a row; None if there is none."""
        key, values = f"{prefix}.{cls.attributes[0]}", itemgetter(*[f"{prefix}.{name}" for name in cls.attributes])
        return lambda row: None if row[key] is None else cls((*values(row), row))


def _column(model: type[Model], name: str, key: str | int) -> Column:
    """Return how an attribute of `model` is read from a row, where its column is called `key`."""
    # None: the id of a relation, known once models are open.
    field: Field[Any] | None = model._meta.fields_map.get(name)
    if isinstance(field, CharEnumFieldInstance):
        members = _members(field)
        return Column(key, lambda row: members[row[key]], members, is_value=False)
    if isinstance(field, JSONField):
        decode = field.decoder
        return Column(key, lambda row: decode(value) if isinstance(value := row[key], str) else value, is_value=False)
    if isinstance(field, DatetimeField):
        return Column(
            key,
            lambda row: moment_of(value) if type(value := row[key]) is bytes else value,
            is_value=False,
            is_moment=True,
        )
    return Column(key, itemgetter(key))


def _members(field: CharEnumFieldInstance) -> dict[str | None, Any]:
    """Return the value of an attribute by that of its column."""
    return {member.value: member for member in field.enum_type} | {None: None}


def _part_reader(read: _Read) -> _Read:
    return lambda part: read(part._row)


class _Updated(dict[str, Any]):
    """Columns that have changed since `base` was read, from which all others are taken."""

    __slots__ = ("base",)
    base: Any

    def __missing__(self, column: str) -> Any:
        return self.base[column]


class RowKind(Generic[R]):
    """A row class in the forms that the two drivers return, and in that of a row with later values."""

    def __init__(self, row: type[R]) -> None:
        self.row = row
        self.record: type[Any] = type(f"{row.__name__}Record", (row, asyncpg.Record), {"__slots__": ()})
        self.plain: type[Any] = type(f"{row.__name__}Plain", (row, dict), {})
        self.updated: type[Any] = type(f"{row.__name__}Updated", (row, _Updated), {"__slots__": ()})

    def updated_row(self, row: R, values: dict[str, Any], moments: Iterable[str] = ()) -> R:
        """Return a row with later values of some columns; of a row that is one itself, `values` replace the former.

        `moments`: columns of points in time, whose values are text (ISO 8601).
        """
        found = self.updated(values)
        for name in moments:
            text = found[name]
            found[name] = datetime.fromisoformat(text) if text else None
        found.base = row.base if isinstance(row, _Updated) else row
        return found  # type: ignore[no-any-return]  # a class that is made above


def columns(
    model: type[Model], alias: str, names: Iterable[str], prefix: str = "", *, packs_moments: bool = False
) -> str:
    """Return the select list of these attributes of `model`, as `prefix.name` if there is a prefix.

    `packs_moments`: points in time are bytes on PostgreSQL (moment.py), for attributes of a Row.

    Raises:
        KeyError: the model has no such column, for example since a migration.
    """
    known = model._meta.fields_db_projection
    found = []
    for name in names:
        column = f'{alias}."{known[name]}"'
        if packs_moments and isinstance(model._meta.fields_map.get(name), DatetimeField):
            column = packed(column)
        found.append(f'{column} AS "{prefix}{name}"')
    return ", ".join(found)


def places_of(ids: Sequence[str]) -> tuple[str, list[str]]:
    """Return the placeholders of an IN list, and its values: the last is repeated up to a power of two.

    So few texts of a statement are prepared, whatever the number of ids, of which there is at least one.
    """
    size = 1 << (len(ids) - 1).bit_length()
    return ", ".join([f"${number}" for number in range(1, size + 1)]), [*ids, *[ids[-1]] * (size - len(ids))]


async def fetch(
    kind: RowKind[R], sql: str, values: Collection[object], parts: tuple[tuple[str, type[Model]], ...] = ()
) -> list[R]:
    """Return the rows of one SELECT with `$1` placeholders, which sees the transaction that the caller is in, if any.

    `parts`: the prefix and the model of joined columns.
    """
    connection = current_connection()
    db_client_logger.debug("%s: %s", sql, values)
    if isinstance(connection, PostgresClient):
        pool = connection.open_pool or await connection.pool()
        return await pool.fetch(sql, values, kind.record)
    if isinstance(connection, TransactionalDBClient) and connection.capabilities.dialect == "postgres":
        async with connection.acquire_connection() as transaction:
            return await transaction.fetch(sql, *values, record_class=kind.record)  # type: ignore[no-any-return]  # untyped in Tortoise
    async with connection.acquire_connection() as sqlite:
        found = await sqlite.execute_fetchall(in_dialect(sql, "sqlite"), list(values))
    read = _sqlite_readers(kind.row.table, parts)
    return [
        kind.plain({name: read[name](row[name]) if name in read else row[name] for name in row.keys()})  # noqa: SIM118 - of sqlite3.Row
        for row in found
    ]


class Select(Generic[R]):
    """A SELECT that many callers run: on PostgreSQL, those that run it at the same time share one statement.

    `sql`: with `$1` placeholders; it reads few rows, whatever the values are. `types`: of the values, on PostgreSQL.
    `parts`: see `fetch`.
    """

    def __init__(
        self, kind: RowKind[R], sql: str, types: Sequence[str], parts: tuple[tuple[str, type[Model]], ...] = ()
    ) -> None:
        self._kind = kind
        self._parts = parts
        self._grouped: GroupedSelect[R] = GroupedSelect(sql, types, kind.record)

    def fetch(self, values: tuple[object, ...]) -> Awaitable[list[R]]:
        """Return the rows of these values, as the transaction sees them that the caller is in, if any.

        The list must not be changed: other callers may have the same.
        """
        connection = current_connection()
        if isinstance(connection, PostgresClient):
            groups = connection.open_groups
            return groups.fetch(self._grouped, values) if groups else self._fetch_first(connection, values)
        return fetch(self._kind, self._grouped.sql, values, self._parts)

    async def _fetch_first(self, connection: PostgresClient, values: tuple[object, ...]) -> list[R]:
        """Make the pool, and then read."""
        groups = await connection.read_groups()
        return await groups.fetch(self._grouped, values)


@functools.cache
def _sqlite_readers(model: type[Model], parts: tuple[tuple[str, type[Model]], ...]) -> dict[str, _Read]:
    """Return what reads a column's value, for the types that SQLite does not have."""
    return {
        f"{prefix}.{name}".removeprefix("."): field.to_python_value
        for prefix, owner in (("", model), *parts)
        for name, field in owner._meta.fields_map.items()
        if isinstance(field, (BooleanField, DatetimeField))
    }


class ModelReader(Generic[M]):
    """Makes instances of a model from rows that begin with all its `columns`.

    Tortoise converts each value again, although asyncpg has done so: that takes as long as the statement.
    """

    def __init__(self, model: type[M]) -> None:
        self._model = model
        self._blank: dict[str, Any] = {}  # the attributes of an instance that are no columns
        self._blank_dicts: list[str] = []  # those that each instance has of its own

    @functools.cached_property
    def columns(self) -> str:
        """The select list of the model's columns."""
        return columns(self._model, f'"{self._model._meta.db_table}"', self._names)

    @functools.cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(self._model._meta.fields_db_projection)

    @functools.cached_property
    def _converted(self) -> list[tuple[str, _Read]]:
        """The columns whose values asyncpg does not return as the model has them."""
        fields = self._model._meta.fields_map.items()
        return [
            (name, _members(field).__getitem__ if isinstance(field, CharEnumFieldInstance) else field.to_python_value)
            for name, field in fields
            if isinstance(field, (CharEnumFieldInstance, JSONField))
        ]

    def read(self, row: Any) -> M:
        """Return the instance of a row."""
        is_plain = isinstance(row, dict)
        pairs = zip(self._names, row.values() if is_plain else row)  # noqa: B905 - more columns follow
        if is_plain or not self._blank:
            values = dict(pairs)
            projection = self._model._meta.fields_db_projection
            instance = self._model._init_from_db(**{projection[name]: value for name, value in values.items()})
            self._blank = {name: value for name, value in vars(instance).items() if name not in values}
            self._blank_dicts = [name for name, value in self._blank.items() if isinstance(value, dict)]
            return instance
        instance = self._model.__new__(self._model)
        attributes = vars(instance)
        attributes.update(self._blank)
        attributes.update(pairs)
        for name in self._blank_dicts:
            attributes[name] = {}
        for name, convert in self._converted:
            attributes[name] = convert(attributes[name])
        return instance
