"""Places in a list: what comes before or after a row, compared by several columns at once as an index holds them."""

from typing import ClassVar

from pypika_tortoise.enums import Comparator, Equality
from pypika_tortoise.terms import BasicCriterion, Tuple
from tortoise.expressions import Q, ResolveContext
from tortoise.query_utils import QueryModifier


class _Beside(Q):
    """`(a, b) < (1, 2)`: as a pair, for two comparisons with an OR between them would not lead into the index."""

    _comparator: ClassVar[Comparator]

    def __init__(self, columns: tuple[str, ...], values: tuple[object, ...]) -> None:
        super().__init__()
        self._columns = columns
        self._values = values

    def resolve(self, resolve_context: ResolveContext) -> QueryModifier:
        columns = Tuple(*(resolve_context.table[column] for column in self._columns))
        return QueryModifier(where_criterion=BasicCriterion(self._comparator, columns, Tuple(*self._values)))


class Before(_Beside):
    """Rows whose `columns` are less than `values`."""

    _comparator = Equality.lt


class After(_Beside):
    """Rows whose `columns` are greater than `values`."""

    _comparator = Equality.gt
