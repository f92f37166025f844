"""The statements of lists of generations: conditions, order and size as text, values apart."""

from collections.abc import Awaitable, Iterable, Set
from functools import lru_cache
from typing import Any, NamedTuple

from models.database.connection import rows
from models.database.fixed_sql import Select, fetch
from models.enum import GenerationStatus
from models.generation_row import GENERATIONS, PARTS, GenerationRow, Selection, selection
from services.core.pagination import MAX_SIZE, K, PageRequest, key_values

# Rows that are read for a page: one more than requested, rounded up. They are in the text of the statement, so that
# PostgreSQL knows them when it plans it once for all values; and few, because each text is prepared on each connection.
_LIMITS = (2, 6, 11, 21, 31, 51, 101)
_LIMIT_OF = {count: next(limit for limit in _LIMITS if limit >= count) for count in range(1, MAX_SIZE + 2)}

_UNFINISHED = frozenset(status.value for status in GenerationStatus if not status.is_final)
_TYPES = {str: "varchar", bool: "bool"}  # PostgreSQL's, of the values of cursors and ids

_OF_ACCOUNT = '"generations"."user_id" = {}'
_OF_ACCOUNT_UNINDEXED = 'COALESCE("generations"."user_id", \'\') = {}'

# An order without an index: PostgreSQL then collects the matches, rather than scan the list until it has enough.
_UNINDEXED_ID = '"generations"."id" || \'\''

MAX_STEPS = 1000  # from a generation, in each direction

# $1: the generation, $2: its account. A deleted generation ends the chain, as it ends `parent`. Expressions of columns:
# else PostgreSQL may read, for each step, the whole list of the account, or all ids from the newest on.
STEPS = f"""
WITH RECURSIVE above (id, step) AS (
    SELECT CAST($1 AS VARCHAR), 0
    UNION ALL
    SELECT (
        SELECT earlier.id FROM generations AS later JOIN generations AS earlier ON earlier.id = later.parent_id
        WHERE later.id = above.id AND COALESCE(earlier.user_id, '') = $2 AND earlier.deleted_at IS NULL
    ), above.step + 1
    FROM above WHERE above.id IS NOT NULL AND above.step < {MAX_STEPS}
),
below (id, step) AS (
    SELECT CAST($1 AS VARCHAR), 0
    UNION ALL
    SELECT (
        SELECT MAX(child.id || '') FROM generations AS child
        WHERE child.parent_id = below.id AND COALESCE(child.user_id, '') = $2 AND child.deleted_at IS NULL
    ), below.step + 1
    FROM below WHERE below.id IS NOT NULL AND below.step < {MAX_STEPS}
)
SELECT id FROM above WHERE id IS NOT NULL UNION SELECT id FROM below WHERE id IS NOT NULL ORDER BY id
"""  # noqa: S608 - a constant


class Entries(NamedTuple):
    """A table of lists' entries, with the marks and the ids of their generations. `column`: the id of the list."""

    table: str
    column: str

    def name(self, column: str) -> str:
        """Return the name of a column of the list's order: an index of the entries has it."""
        return f'"{self.table}"."{"generation_id" if column == "id" else column}"'

    @property
    def columns(self) -> tuple[str, ...]:
        """Those that the entries have."""
        return (self.column, "is_favorite", "id")


ALBUM_ENTRIES = Entries("album_entries", "album_id")
TAG_ENTRIES = Entries("tag_entries", "tag_id")


class GenerationQuery(NamedTuple):
    """Conditions, with `{}` in the place of each value; a list of generations that are not deleted by default.

    `first`: the column of `begins_with`. `entries`: those that are read to find the generations.
    """

    conditions: tuple[str, ...] = ('"generations"."deleted_at" IS NULL',)
    values: tuple[object, ...] = ()
    first: str | None = None
    entries: Entries | None = None

    def where(self, condition: str, *values: object) -> "GenerationQuery":
        """Return the query with one more condition."""
        return self._replace(conditions=(*self.conditions, condition), values=self.values + values)

    def name(self, column: str) -> str:
        """Return the name of a column in conditions and orders."""
        return _name(self.entries, column)

    def equal(self, column: str, value: object) -> "GenerationQuery":
        """Return the query for rows with this value."""
        return self.where(f"{self.name(column)} = {{}}", value)

    def within(self, entries: Entries, list_id: str) -> "GenerationQuery":
        """Return the query for the generations of a list, to be read in an order that begins with the list."""
        return self._replace(entries=entries).begins_with(entries.column, list_id)

    def also_within(self, entries: Entries, list_id: str) -> "GenerationQuery":
        """Return the query for rows that are in a list as well.

        Counted for each row: PostgreSQL would join an EXISTS in any order, and may read the whole list to sort it.
        """
        listed = f'"listed"."{entries.column}" = {{}} AND "listed"."generation_id" = "generations"."id"'
        counted = f'(SELECT COUNT(*) FROM "{entries.table}" "listed" WHERE {listed})'  # noqa: S608 - names
        return self.where(f"{counted} > 0", list_id)

    def of_account(self, user_id: str, *, indexed: bool) -> "GenerationQuery":
        """Return the query for an account's rows. Not `indexed`: another condition finds the few rows that matter.

        PostgreSQL then cannot read the whole list of the account as well, to combine it with what the other index has.
        """
        return self.where(_OF_ACCOUNT if indexed else _OF_ACCOUNT_UNINDEXED, user_id)

    def begins_with(self, column: str, value: object) -> "GenerationQuery":
        """Return the query for rows with this value, to be read in an order that begins with this column.

        PostgreSQL drops a column from the order that equals a value, and then may read the whole list in another index
        for the few rows that have it. Between two bounds it stays, so that only an index of this column has the order.
        """
        lower, upper = (_bound(self.name(column), less=less) for less in (False, True))
        return self.where(lower, value).where(upper, value)._replace(first=column)

    def among(self, column: str, values: Iterable[object]) -> "GenerationQuery":
        """Return the query for rows with one of these values."""
        distinct = tuple(dict.fromkeys(values))
        places = ", ".join(["{}"] * len(distinct))
        return self.where(f"{self.name(column)} IN ({places})" if distinct else "FALSE", *distinct)

    def of_status(self, values: Set[str]) -> "GenerationQuery":
        """Return the query for rows with one of these statuses.

        One of unfinished generations, of which there are few, is in the text: an index has only these rows, which
        PostgreSQL does not know of a parameter.
        """
        if len(values) == 1 and values <= _UNFINISHED:
            return self.where(f"{self.name('status')} = '{next(iter(values))}'")
        return self.among("status", sorted(values))

    def beyond(self, columns: tuple[str, ...], key: tuple[object, ...], *, less: bool) -> "GenerationQuery":
        """Return the query for rows before (`less`) or after a key, compared as one tuple, as in an index."""
        if len(key) > 1 and self.first is None and key[0] is not less:
            # The last value of a flag in this direction. As an equality: PostgreSQL estimates the rows of the
            # comparison by the flag alone (none), and would sort.
            return self.equal(columns[0], key[0]).beyond(columns[1:], key[1:], less=less)
        names = ", ".join(map(self.name, columns))
        places = ", ".join(["{}"] * len(key))
        query = self
        if columns[0] == self.first:
            # The key is a bound of that column, too. With both, PostgreSQL begins at the other one, and reads all that
            # is before the key.
            query = self._without(_bound(self.name(self.first), less=less))
        return query.where(f"({names}) {'<' if less else '>'} ({places})", *key)

    def between_cursors(self, request: PageRequest[K], key: tuple[str, ...], *, descending: bool) -> "GenerationQuery":
        """Return the query, in the order of `key`, for rows between the request's two cursors."""
        query = self
        if request.after is not None:
            query = query.beyond(key, key_values(request.after), less=descending)
        if request.before is not None:
            query = query.beyond(key, key_values(request.before), less=not descending)
        return query

    def page(
        self, wanted: frozenset[str] | None, key: tuple[str, ...], count: int, *, down: bool, is_indexed: bool = False
    ) -> Awaitable[list[GenerationRow]]:
        """Return at least the first `count` rows in the order of `key`, if there are as many, with what is `wanted`.

        `is_indexed`: whether an index has exactly the rows of the query in that order, so that few are read.
        """
        chosen, limit = selection(wanted), _LIMIT_OF[count]
        if is_indexed:
            types = tuple([_TYPES[type(value)] for value in self.values])
            return _page_select(self.conditions, types, chosen, key, limit, down).fetch(self.values)
        sql = _page_statement(self.conditions, len(self.values), chosen, key, limit, down, self.entries)
        return fetch(GENERATIONS, sql, self.values, PARTS)

    async def all(self, wanted: frozenset[str] | None) -> list[GenerationRow]:
        """Return all rows, in any order."""
        chosen = selection(wanted)
        return await fetch(GENERATIONS, f"SELECT {chosen.columns}{self._from(chosen.joins)}", self.values, PARTS)

    async def keys(
        self, key: tuple[str, ...], count: int, *, down: bool, offset: int = 0, indexed: bool = True
    ) -> list[tuple[Any, ...]]:
        """Return the keys of `count` rows in the order of `key`, after the first `offset`.

        `indexed`: whether PostgreSQL may read the list in an index of that order.
        """
        names = ", ".join(f'{self.name(column)} AS "{column}"' for column in key)
        order = _order(key, self.entries, down=down, indexed=indexed)
        sql = f"SELECT {names}{self._from()}{order} LIMIT {count} OFFSET {offset}"
        found = await rows(sql, *self.values)
        return [tuple(bool(row[column]) if column == "is_favorite" else row[column] for column in key) for row in found]

    async def total(self) -> int:
        """Return the number of rows."""
        (found,) = await rows(f"SELECT COUNT(*) AS count{self._from()}", *self.values)
        return int(found["count"])

    def _without(self, condition: str) -> "GenerationQuery":
        """Return the query without a condition of one value, if it has it."""
        if condition not in self.conditions:
            return self
        place = self.conditions.index(condition)
        value = sum(one.count("{}") for one in self.conditions[:place])
        return self._replace(
            conditions=self.conditions[:place] + self.conditions[place + 1 :],
            values=self.values[:value] + self.values[value + 1 :],
        )

    def _from(self, joins: str = "") -> str:
        return _from(self.conditions, len(self.values), self.entries, joins)


NONE_DELETED = GenerationQuery()


async def chain_of(user_id: str, generation_id: str) -> list[str]:
    """Return the ids of the chain of the user's generation, oldest first: at most MAX_STEPS in each direction.

    It has what the generation was made from, up to the first; itself; and what was made from it, by the newest of each.
    """
    return [str(row["id"]) for row in await rows(STEPS, generation_id, user_id)]  # ids sort by creation time


def _bound(name: str, *, less: bool) -> str:
    return f"{name} {'<=' if less else '>='} {{}}"


def _name(entries: Entries | None, column: str) -> str:
    return entries.name(column) if entries and column in entries.columns else f'"generations"."{column}"'


def _from(conditions: tuple[str, ...], values: int, entries: Entries | None, joins: str = "") -> str:
    places = [f"${number}" for number in range(1, values + 1)]
    tables = '"generations"'
    if entries is not None:
        tables = f'"{entries.table}" JOIN "generations" ON "generations"."id" = "{entries.table}"."generation_id"'
    return f" FROM {tables}{joins} WHERE {' AND '.join(conditions)}".format(*places)


@lru_cache(512)
def _page_select(
    conditions: tuple[str, ...], types: tuple[str, ...], chosen: Selection, key: tuple[str, ...], limit: int, down: bool
) -> Select[GenerationRow]:
    return Select(GENERATIONS, _page_statement(conditions, len(types), chosen, key, limit, down), types, PARTS)


@lru_cache(512)
def _page_statement(
    conditions: tuple[str, ...],
    values: int,
    chosen: Selection,
    key: tuple[str, ...],
    limit: int,
    down: bool,
    entries: Entries | None = None,
) -> str:
    order = _order(key, entries, down=down)
    if not chosen.joins:
        return f"SELECT {chosen.columns}{_from(conditions, values, entries)}{order} LIMIT {limit}"
    # The page first, and then what is joined to its rows: PostgreSQL might else join and sort all of a list that it
    # estimates to be short.
    page = f'(SELECT "generations".*{_from(conditions, values, entries)}{order} LIMIT {limit}) AS "generations"'
    if entries is not None:  # which the page does not have; one list has one order of its generations
        order = _order(key[1:], None, down=down)
    return f"SELECT {chosen.columns} FROM {page}{chosen.joins}{order}"  # noqa: S608 - columns, joins and placeholders


def _order(key: tuple[str, ...], entries: Entries | None, *, down: bool, indexed: bool = True) -> str:
    direction = " DESC" if down else ""
    columns = [_name(entries, column) for column in key]
    if not indexed:
        columns[-1] = _UNINDEXED_ID
    return " ORDER BY " + ", ".join(column + direction for column in columns)
