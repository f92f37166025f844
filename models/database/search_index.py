"""The search index on PostgreSQL: the pairs of adjacent characters of a text, and rarer single ones, as numbers.

The function `character_pairs` of migration 3 computes the same numbers; an index over them finds a part of a word in
any language, including two Chinese characters, without an extension. SQLite has none: an embedded server scans the
account's rows.
"""

import itertools
from collections.abc import Iterable

from pypika_tortoise.context import SqlContext
from pypika_tortoise.terms import Criterion, Term, ValueWrapper
from tortoise.expressions import Q, RawSQL, ResolveContext
from tortoise.query_utils import QueryModifier

from models.database.connection import dialect

_BITS = 21  # of a code point; Unicode ends at 0x10FFFF

# An order without an index: PostgreSQL then collects the matches, rather than scan the list until it has enough.
UNINDEXED_ID = RawSQL('"generations"."id" || \'\'')


def has_word_index() -> bool:
    """Whether the open database has the search index."""
    return dialect() == "postgres"


def character_pairs(words: Iterable[str]) -> list[int]:
    """Return the index entries of a text that contains all these words; empty if the index cannot find them."""
    pairs = {ord(first) << _BITS | ord(second) for word in words for first, second in itertools.pairwise(word)}
    # Every text contains single ASCII letters and digits, because it contains the id.
    single = {ord(word) for word in words if len(word) == 1 and not (word.isascii() and word.isalnum())}
    return sorted(pairs | single)


class HasPairs(Q):
    """Final generations whose search_text has these pairs, found by the index."""

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
        # The same expression as in the index, or the planner does not use it.
        return (
            '"generations"."completed_at" IS NOT NULL'
            f' AND character_pairs("generations"."search_text") @> {self._pairs.get_sql(ctx)}'
        )
