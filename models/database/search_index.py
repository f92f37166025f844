"""The search index on PostgreSQL: the pairs of adjacent characters of a text, and rarer single ones, as numbers.

The function `character_pairs` of migration 3 computes the same numbers; an index over them finds a part of a word in
any language, including two Chinese characters, without an extension. SQLite has none: an embedded server scans the
account's rows.
"""

import itertools
from collections.abc import Iterable

from models.database.connection import dialect

_BITS = 21  # of a code point; Unicode ends at 0x10FFFF

# Final generations whose text has these pairs: the same expression as in the index, or the planner does not use it.
HAS_PAIRS = '"generations"."completed_at" IS NOT NULL AND character_pairs("generations"."search_text") @> {}'


def has_word_index() -> bool:
    """Whether the open database has the search index."""
    return dialect() == "postgres"


def character_pairs(words: Iterable[str]) -> list[int]:
    """Return the index entries of a text that contains all these words; empty if the index cannot find them."""
    pairs = {ord(first) << _BITS | ord(second) for word in words for first, second in itertools.pairwise(word)}
    # Every text contains single ASCII letters and digits, because it contains the id.
    single = {ord(word) for word in words if len(word) == 1 and not (word.isascii() and word.isalnum())}
    return sorted(pairs | single)
