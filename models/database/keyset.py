"""Places in a list: what comes before or after a row, compared by several columns at once as an index holds them."""

from typing import ClassVar

from pypika_tortoise.enums import Comparator, Equality
from pypika_tortoise.terms import BasicCriterion, Tuple
from tortoise.expressions import Q, ResolveContext
from tortoise.query_utils import QueryModifier


class _Beside(Q):
    """`(a, b) < (1, 2)`: as a pair, for two comparisons with an OR between them would not lead into the index."""

    _comparator: ClassVar[Comparator]
    _end: ClassVar[bool]  # beyond which a flag has no value

    def __init__(self, columns: tuple[str, ...], values: tuple[object, ...]) -> None:
        super().__init__()
        self._columns = columns
        self._values = values

    def resolve(self, resolve_context: ResolveContext) -> QueryModifier:
        columns = [resolve_context.table[column] for column in self._columns]
        values = list(self._values)
        criterion = QueryModifier()
        if len(values) > 1 and values[0] is self._end:
            # Said plainly: PostgreSQL guesses by the flag alone how many pairs follow, none here, and would sort them.
            criterion = QueryModifier(where_criterion=columns.pop(0) == values.pop(0))
        comparison = BasicCriterion(self._comparator, Tuple(*columns), Tuple(*values))
        return criterion & QueryModifier(where_criterion=comparison)


class Before(_Beside):
    """Rows whose `columns` are less than `values`."""

    _comparator = Equality.lt
    _end = False


class After(_Beside):
    """Rows whose `columns` are greater than `values`."""

    _comparator = Equality.gt
    _end = True
