"""Search in a list of generations: a scan in list order for common words, the search index for rare ones."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

from models.database.search_index import HAS_PAIRS, character_pairs, has_word_index
from models.enum import GenerationStatus
from models.generation_row import GenerationRow
from services.core.error import InvalidInputError
from services.core.message import message
from services.core.pagination import K, PageRequest
from services.core.text import clean_text
from services.gallery.generation_query import NONE_DELETED, GenerationQuery

_MAX_LENGTH = 200  # characters
_MAX_WORDS = 10

# Generations scanned in the list's order for each one that a page holds: first a few, for words that most of them have,
# and then more, before the index is used. For a word in more than one of that many, the scan fills the page; for any
# rarer word, the index finds few enough to sort, unless the matches are concentrated at the far end of the list.
_SCANNED_PER_ROW = (10, 200)  # generations

# The index excludes generations that have not ended, because each heartbeat would write all their pairs again.
_NOT_INDEXED = (GenerationStatus.PENDING.value, GenerationStatus.PROCESSING.value)

_CONTAINS = 'CAST("generations"."search_text" AS VARCHAR) LIKE {} ESCAPE \'\\\''


def search_words(text: str | None) -> tuple[str, ...]:
    """Return the distinct words of a search, case-folded.

    Raises:
        InvalidInputError: it contains invalid characters, or too many characters or words.
    """
    field = ("filter", "search")
    words = tuple(dict.fromkeys((clean_text(text, _MAX_LENGTH, field=field, multiline=True) or "").casefold().split()))
    if len(words) > _MAX_WORDS:
        raise InvalidInputError(message("Search for at most {count} words.", count=_MAX_WORDS), field=field)
    return words


async def search(
    query: GenerationQuery,
    words: tuple[str, ...],
    request: PageRequest[K],
    key: tuple[str, ...],
    attributes: frozenset[str] | None,
    *,
    descending: bool,
) -> tuple[list[GenerationRow], Callable[[], Awaitable[int]]]:
    """Return the rows of a page of `query` that contain every word, and what counts all of them.

    `key`: the order, which ends in the id. As for any page, there is one more row than requested if there are more.
    """
    matching = query
    for word in words:
        matching = matching.where(_CONTAINS, f"%{_escaped(word)}%")
    down, wanted = request.walks_down(descending=descending), request.size + 1
    near = matching.between_cursors(request, key, descending=descending)
    pairs = character_pairs(words) if has_word_index() else []
    if not pairs:
        return await near.page(attributes, key, wanted, down=down), matching.total
    ahead = query.between_cursors(request, key, descending=descending)
    for scanned in _SCANNED_PER_ROW:
        edge = await ahead.keys(key, 1, down=down, offset=scanned * wanted)
        part = near.beyond(key, edge[0], less=not down) if edge else near
        found = await part.page(attributes, key, wanted, down=down)
        if not edge or len(found) >= wanted:
            break

    # The entries of an album or a tag are read one by one. PostgreSQL might compute the pairs of each text for that,
    # which takes longer than to look for the words.
    parts = [matching]
    if query.entries is None:
        parts = [matching.where(HAS_PAIRS, pairs), matching.among("status", _NOT_INDEXED)]
    if edge and len(found) < wanted:
        # A query for each, because the index has only ended generations; only keys, because there may be thousands to
        # sort.
        keys: list[tuple[Any, ...]] = []
        order = key[1:] if query.first else key  # all have the same first value, which no index need give
        for indexed in parts:
            far = indexed.between_cursors(request, key, descending=descending)
            keys += await far.keys(order, wanted, down=down, indexed=False)
        chosen = [one[-1] for one in sorted(keys, reverse=down)[:wanted]]
        by_id = {row.id: row for row in await NONE_DELETED.among("id", chosen).all(attributes)}
        found = [by_id[id] for id in chosen if id in by_id]

    async def count() -> int:
        return sum([await part.total() for part in parts])

    return found, count


def _escaped(word: str) -> str:
    """Return a word for LIKE, in which a backslash, a percent sign and an underscore stand for themselves."""
    return re.sub(r"[\\%_]", r"\\\g<0>", word)
