"""The index of words on PostgreSQL: every two neighbouring characters of a text, and its rarer single ones, as numbers.

Migration 3 makes the same numbers with its function `character_pairs`; an index over them finds a piece of a word in
any language, two Chinese characters included, without an extension. SQLite has none: an embedded server reads the
account's rows.
"""

import itertools
from collections.abc import Iterable

from pypika_tortoise.context import SqlContext
from pypika_tortoise.terms import Criterion, Term, ValueWrapper
from tortoise.expressions import Q, RawSQL, ResolveContext
from tortoise.query_utils import QueryModifier

from models.database.connection import dialect

_BITS = 21  # of a character's number; Unicode ends at 0x10FFFF

# An order that no index has: PostgreSQL then gathers what was found, rather than walk the list until it meets enough.
UNINDEXED_ID = RawSQL('"generations"."id" || \'\'')


def has_word_index() -> bool:
    """Whether this database has one."""
    return dialect() == "postgres"


def character_pairs(words: Iterable[str]) -> list[int]:
    """What a text that holds all of these words has in the index; empty where the index knows nothing of them."""
    pairs = {ord(first) << _BITS | ord(second) for word in words for first, second in itertools.pairwise(word)}
    # Letters and digits of ASCII are in every text, because an id is.
    single = {ord(word) for word in words if len(word) == 1 and not (word.isascii() and word.isalnum())}
    return sorted(pairs | single)


class HasPairs(Q):
    """Generations that have ended and whose search_text has these pairs, by the index."""

    def __init__(self, pairs: list[int]) -> None:
        super().__init__()
        self._pairs = pairs

    def resolve(self, resolve_context: ResolveContext) -> QueryModifier:
        return QueryModifier(where_criterion=_HasPairs(ValueWrapper(self._pairs)))


class _HasPairs(Criterion):
    def __init__(self, pairs: Term) -> None:
        super().__init__()
        self._pairs = pairs

    def get_sql(self, ctx: SqlContext) -> str:
        # In the index's own words, or the planner does not know it again.
        return (
            '"generations"."completed_at" IS NOT NULL'
            f' AND character_pairs("generations"."search_text") @> {self._pairs.get_sql(ctx)}'
        )
