"""Keyset conditions: rows before or after a key of several columns, compared as one tuple, as in an index."""

from typing import ClassVar

from pypika_tortoise.enums import Comparator, Equality
from pypika_tortoise.terms import BasicCriterion, Tuple
from tortoise.expressions import Q, ResolveContext
from tortoise.query_utils import QueryModifier


class _KeysetCondition(Q):
    """`(a, b) < (1, 2)` as a row comparison; two comparisons joined by OR would not use the index."""

    _comparator: ClassVar[Comparator]
    _end: ClassVar[bool]  # the last value of a flag in this direction

    def __init__(self, columns: tuple[str, ...], values: tuple[object, ...]) -> None:
        super().__init__()
        self._columns = columns
        self._values = values

    def resolve(self, resolve_context: ResolveContext) -> QueryModifier:
        columns = [resolve_context.table[column] for column in self._columns]
        values = list(self._values)
        criterion = QueryModifier()
        if len(values) > 1 and values[0] is self._end:
            # As an equality: PostgreSQL estimates the rows of the comparison by the flag alone (none), and would sort.
            criterion = QueryModifier(where_criterion=columns.pop(0) == values.pop(0))
        comparison = BasicCriterion(self._comparator, Tuple(*columns), Tuple(*values))
        return criterion & QueryModifier(where_criterion=comparison)


class Before(_KeysetCondition):
    """Rows whose `columns` are less than `values`."""

    _comparator = Equality.lt
    _end = False


class After(_KeysetCondition):
    """Rows whose `columns` are greater than `values`."""

    _comparator = Equality.gt
    _end = True
