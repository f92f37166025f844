"""Search in a list of generations: a scan in list order for common words, the search index for rare ones."""

from typing import Any

from tortoise.queryset import QuerySet

from models import Generation
from models.database.keyset import After, Before
from models.database.search_index import UNINDEXED_ID, HasPairs, character_pairs, has_word_index
from models.enum import GenerationStatus
from services.core.error import InvalidInputError
from services.core.message import message
from services.core.pagination import K, Page, PageRequest, between_cursors, page_of, paginate
from services.core.text import clean_text

_MAX_LENGTH = 200  # characters
_MAX_WORDS = 10

# Generations scanned in the list's order for each one that a page holds, before the index is used. For a word in more
# than one of that many, the scan fills the page; for any rarer word, the index finds few enough to sort, unless the
# matches are concentrated at the far end of the list.
_SCANNED_PER_ROW = 200  # generations

# The index excludes generations that have not ended, because each heartbeat would write all their pairs again.
_NOT_INDEXED = (GenerationStatus.PENDING, GenerationStatus.PROCESSING)


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


async def search_page(
    query: QuerySet[Generation],
    words: tuple[str, ...],
    request: PageRequest[K],
    key: tuple[str, ...],
    *,
    descending: bool,
) -> Page[Generation, K]:
    """Return a page of the generations of `query` that contain every word, ordered by `key`, which ends in the id."""
    matching = query
    for word in words:
        matching = matching.filter(search_text__contains=word)
    pairs = character_pairs(words) if has_word_index() else []
    if not pairs:
        return await paginate(matching, request, key=key, descending=descending)
    down, wanted = request.walks_down(descending=descending), request.size + 1
    in_order = [("-" if down else "") + column for column in key]
    ahead = between_cursors(query, request, key, descending=descending).order_by(*in_order)
    edge = await ahead.offset(_SCANNED_PER_ROW * wanted).limit(1).values_list(*key)
    near = between_cursors(matching, request, key, descending=descending)
    if edge:
        near = near.filter((After if down else Before)(key, edge[0]))
    found = await near.order_by(*in_order).limit(wanted)

    parts = [matching.filter(HasPairs(pairs)), matching.filter(status__in=_NOT_INDEXED)]
    if edge and len(found) < wanted:
        # Two queries, because the index has only ended generations; only keys, because there may be thousands to sort.
        keys: list[tuple[Any, ...]] = []
        for part in parts:
            far = between_cursors(part, request, key, descending=descending).annotate(place=UNINDEXED_ID)
            keys += (
                await far.order_by(*in_order[:-1], in_order[-1].replace("id", "place")).limit(wanted).values_list(*key)
            )
        chosen = sorted(keys, reverse=down)[:wanted]
        by_id = {row.id: row for row in await Generation.present().filter(id__in=[one[-1] for one in chosen])}
        found = [by_id[one[-1]] for one in chosen if one[-1] in by_id]

    async def count() -> int:
        return sum([await part.count() for part in parts])

    return page_of(found, request, key, count)
