"""Searching a list of generations: by reading where matches are many, by the index of words where they are few."""

from tortoise.queryset import QuerySet

from models import Generation
from models.keyset import After, Before
from models.search import UNINDEXED_ID, HasPairs, character_pairs, has_word_index
from services.error import InvalidInputError
from services.message import message
from services.page import K, Page, PageRequest, beyond, page_of, paginate
from services.text import clean_text

_LONGEST = 200  # characters
_MOST_WORDS = 10

# Generations that are read in the list's order before the index is asked. A word of which they hold a page is common,
# and the index would gather its matches by the ten thousand; what the index gathers is then at most as many in each
# stretch of this length as a page has rows.
WINDOW = 2000


def search_words(text: str | None) -> tuple[str, ...]:
    """What a text asks for: its words, case-folded.

    Raises:
        InvalidInputError: characters that cannot be used, or too many.
    """
    field = ("filter", "search")
    words = tuple(dict.fromkeys((clean_text(text, _LONGEST, field=field, multiline=True) or "").casefold().split()))
    if len(words) > _MOST_WORDS:
        raise InvalidInputError(message("Search for at most {count} words.", count=_MOST_WORDS), field=field)
    return words


async def search_page(
    query: QuerySet[Generation],
    words: tuple[str, ...],
    request: PageRequest[K],
    key: tuple[str, ...],
    *,
    descending: bool,
) -> Page[Generation, K]:
    """One page of those generations of `query` that hold every word, in the order of `key`, which ends in the id."""
    matching = query
    for word in words:
        matching = matching.filter(search_text__contains=word)
    pairs = character_pairs(words) if has_word_index() else []
    if not pairs:
        return await paginate(matching, request, key=key, descending=descending)
    indexed = matching.filter(HasPairs(pairs))
    down = request.walks_down(descending=descending)
    sign, towards = ("-", After) if down else ("", Before)
    in_order = [sign + column for column in key]
    ahead = beyond(query, request, key, descending=descending).order_by(*in_order)
    edge = await ahead.offset(WINDOW).limit(1).values_list(*key)
    near = beyond(matching, request, key, descending=descending)
    if edge:
        near = near.filter(towards(key, edge[0]))
    found = await near.order_by(*in_order).limit(request.size + 1)
    if edge and len(found) <= request.size:
        far = beyond(indexed, request, key, descending=descending).annotate(place=UNINDEXED_ID)
        found = await far.order_by(*in_order[:-1], sign + "place").limit(request.size + 1)
    return page_of(found, request, key, indexed.count)
