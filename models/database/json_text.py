"""A condition on a text inside a JSON column, on both databases; Tortoise's own needs PostgreSQL."""

from tortoise.expressions import Q, ResolveContext
from tortoise.query_utils import QueryModifier


class JsonText(Q):
    """Rows whose JSON object in `column` has this text under `key`."""

    def __init__(self, column: str, key: str, text: str) -> None:
        super().__init__()
        self._column = column
        self._key = key
        self._text = text

    def resolve(self, resolve_context: ResolveContext) -> QueryModifier:
        found = resolve_context.table[self._column].get_text_value(self._key)
        return QueryModifier(where_criterion=found == self._text)
