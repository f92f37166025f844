"""A condition on a text inside a JSON column, on both databases; Tortoise's own needs PostgreSQL."""

from collections.abc import Sequence

from tortoise.expressions import Q, ResolveContext
from tortoise.query_utils import QueryModifier


class JsonText(Q):
    """Rows whose JSON object in `column` has one of these texts under `key`."""

    def __init__(self, column: str, key: str, texts: Sequence[str]) -> None:
        super().__init__()
        self._column = column
        self._key = key
        self._texts = tuple(texts)

    def resolve(self, resolve_context: ResolveContext) -> QueryModifier:
        found = resolve_context.table[self._column].get_text_value(self._key)
        return QueryModifier(where_criterion=found.isin(self._texts))
