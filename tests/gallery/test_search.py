"""Search, filters and orders of the gallery, compared with a plain Python model on random generations."""

import random
from datetime import UTC, datetime
from typing import Any

from models import Generation, ids
from models.database.connection import is_postgres, rows
from models.database.search_index import character_pairs
from services.generations.specification import search_text
from tests.conftest import Running
from tests.support.client import Api

# More than are scanned for a page of one before the search index is used.
GENERATIONS = 700
WORDS = [
    "fox",
    "Snow",
    "STRASSE",
    "Straße",
    "100%",
    "a_b",
    "back\\slash",
    "猫",
    "小猫",
    "肖像",
    "İstanbul",
    "naïve",
    "🦊🦊",
]
RARE = {17: "zeppelin", 40: "独角兽", 55: "%_"}
LIST = """
query($first: Int, $after: String, $last: Int, $before: String, $filter: GenerationFilter,
      $orderBy: GenerationOrder, $counted: Boolean = false) {
  viewer {
    generations(first: $first, after: $after, last: $last, before: $before, filter: $filter, orderBy: $orderBy) {
      nodes { id } totalCount @include(if: $counted)
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
}"""


async def fill(user_id: str, rng: random.Random) -> list[Generation]:
    """Insert generations of every kind that needs no files, oldest first; a tenth of them pending."""
    made = []
    for number in range(GENERATIONS):
        prompt = " ".join([*rng.choices(WORDS, k=3), *([RARE[number]] if number in RARE else [])])
        is_pending = rng.random() < 0.1
        title = rng.choice([{"en": "Cute", "zh-CN": "可爱"}, {"en": "Film Noir", "zh-CN": "黑色电影"}])
        row = Generation(
            id=ids.new_id(ids.GENERATION),
            user_id=user_id,
            batch_id=ids.new_id(ids.BATCH),
            status="PENDING" if is_pending else "CANCELED",
            stage="QUEUED" if is_pending else "CANCELED",
            collection_slug=rng.choice(["plushify", "avenger"]),
            style_slug="cute",
            style_title=title,
            prompt=prompt,
            full_prompt="-",
            variables={},
            size="MEDIUM",
            quality="STANDARD",
            cost=1,
            refund_policy="NEVER",
            is_favorite=rng.random() < 0.2,
            completed_at=None if is_pending else datetime.now(UTC),
        )
        row.search_text = search_text(row.id, prompt, title)
        made.append(row)
    await Generation.bulk_create(made)
    return made


def expected(made: list[Generation], order: str, filter: dict[str, Any]) -> list[str]:
    """Return the ids that the gallery must list, computed without a database."""

    def matches(row: Generation) -> bool:
        words = filter.get("search", "").casefold().split()
        return (
            all(word in row.search_text for word in words)
            and row.is_favorite == filter.get("isFavorite", row.is_favorite)
            and row.collection_slug == filter.get("collection", row.collection_slug)
            and row.status in filter.get("status", [row.status])
        )

    newest_first = [row for row in reversed(made) if matches(row)]
    if order == "FAVORITES_FIRST":
        newest_first.sort(key=lambda row: not row.is_favorite)
    return [row.id for row in (reversed(newest_first) if order == "OLDEST" else newest_first)]


async def page(api: Api, **arguments: Any) -> tuple[list[str], dict[str, Any]]:
    found = (await api.one(LIST, **arguments))["generations"]
    return [node["id"] for node in found["nodes"]], found


def random_filters(rng: random.Random, made: list[Generation]) -> list[dict[str, Any]]:
    """Return filters of every kind, with each search at least once."""
    searches = [*WORDS, *RARE.values(), "strasse", "snow fox", "猫 noir", "可爱", "色电", "zeppelin cute", "fox  %",
                "_", "\\", "foxsnow", "%%", "ow", "兽", made[5].id, made[600].id[8:20], "zeppelin zebra"]  # fmt: skip
    filters: list[dict[str, Any]] = [{"search": text} for text in searches]
    for _ in range(8):
        filter: dict[str, Any] = {}
        if rng.random() < 0.5:
            filter["isFavorite"] = rng.random() < 0.5
        if rng.random() < 0.4:
            filter["collection"] = rng.choice(["plushify", "avenger", "nothing"])
        if rng.random() < 0.4:
            filter["status"] = rng.choice([["PENDING"], ["CANCELED"], ["PENDING", "CANCELED"], []])
        if rng.random() < 0.6:
            filter["search"] = rng.choice(searches)
        filters.append(filter)
    return filters


async def test_search_filters_and_orders_match_a_plain_python_model(idle_server: Running) -> None:
    rng = random.Random(1)
    ada, eve = await idle_server.api.sign_up(), await idle_server.api.sign_up("eve@example.com")
    made = await fill(str(ada.user["id"]), rng)
    await fill(str(eve.user["id"]), rng)
    for filter in random_filters(rng, made):
        order = rng.choice(["NEWEST", "OLDEST", "FAVORITES_FIRST"])
        whole = expected(made, order, filter)
        arguments = {"filter": filter, "orderBy": order}
        # Pages from both ends and after a cursor, with the total count.
        size = rng.choice([1, 2, 30])
        found, result = await page(ada, first=size, counted=True, **arguments)
        assert (found, result["totalCount"]) == (whole[:size], len(whole)), arguments
        assert result["pageInfo"]["hasNextPage"] == (len(whole) > size)
        after, result = await page(ada, first=size, after=result["pageInfo"]["endCursor"], **arguments)
        assert after == whole[size : 2 * size] or not found, arguments
        if rng.random() < 0.7:
            continue
        found, result = await page(ada, last=size, **arguments)
        assert found == whole[-size:], arguments
        assert result["pageInfo"]["hasPreviousPage"] == (len(whole) > size)
        before, _ = await page(ada, last=size, before=result["pageInfo"]["startCursor"], **arguments)
        assert before == whole[-2 * size : -size] or not found, arguments


async def test_search_matches_composed_and_decomposed_accents(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    one, two = "\u00e9clair", "e\u0301clair"  # the same text, composed and decomposed
    made = [(await ada.create(prompt=text))["generations"][0]["id"] for text in (one, two)]
    create_style = "mutation($input: StyleInput!) { createStyle(input: $input) { style { id } errors { code } } }"
    style = (await ada.one(create_style, input={"title": two, "prompt": "A cake", "category": two}))["style"]["id"]
    for text in (one, two):
        assert (await page(ada, filter={"search": text}))[0] == made[::-1]
        for filter in ({"search": text, "own": True}, {"category": text, "own": True}):
            styles = "query($filter: StyleFilter) { styles(filter: $filter) { nodes { id } } }"
            assert (await ada.one(styles, filter=filter))["nodes"] == [{"id": style}]


async def test_invalid_searches_are_refused(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    for text in ("\x00", "a\x07b", "x" * 201, " ".join("abcdefghijk")):
        refused = await ada.refused(LIST, filter={"search": text})
        assert refused["code"] == "INVALID_INPUT", text
    for text in ("", " ", "\n\t", "x" * 200, "' OR 1=1 --", "$1", "{1}", "\u3000"):
        assert (await page(ada, filter={"search": text}))[0] == []


async def test_database_and_server_compute_the_same_character_pairs(idle_server: Running) -> None:
    if not is_postgres(idle_server.settings.database):
        return  # SQLite has no search index
    texts = ["", "a", " ", "ab", "a b", "fox\n小猫\ngen_01", "🦊é%_", "  x\n\ny ", "%", "\\'{},\"", "ab" * 500]
    for text in texts:
        (found,) = await rows("SELECT character_pairs($1) AS pairs", text)
        whole, single = set(character_pairs(text.split())), set(character_pairs(set(text) - set(" \n")))
        assert found["pairs"] == sorted(whole | single), text
