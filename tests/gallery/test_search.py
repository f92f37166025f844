"""Searching, filtering and ordering a gallery, compared with the same done by hand on random generations."""

import random
from datetime import UTC, datetime
from typing import Any

from models import Generation, ids
from models.database.connection import is_postgres, rows
from models.database.search_index import character_pairs
from services.generations.specification import search_text
from tests.conftest import Running
from tests.support.client import Api

# More than are read before the index of words is asked, where a page holds one.
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


async def fill(user_id: str, chance: random.Random) -> list[Generation]:
    """Generations of every sort that needs no files, oldest first; a tenth of them wait."""
    made = []
    for number in range(GENERATIONS):
        prompt = " ".join([*chance.choices(WORDS, k=3), *([RARE[number]] if number in RARE else [])])
        waits = chance.random() < 0.1
        title = chance.choice([{"en": "Cute", "zh-CN": "可爱"}, {"en": "Film Noir", "zh-CN": "黑色电影"}])
        row = Generation(
            id=ids.new_id(ids.GENERATION),
            user_id=user_id,
            batch_id=ids.new_id(ids.BATCH),
            status="PENDING" if waits else "CANCELED",
            stage="QUEUED" if waits else "CANCELED",
            collection_slug=chance.choice(["plushify", "avenger"]),
            style_slug="cute",
            style_title=title,
            prompt=prompt,
            full_prompt="-",
            variables={},
            size="MEDIUM",
            quality="STANDARD",
            cost=1,
            refund_policy="NEVER",
            is_favorite=chance.random() < 0.2,
            completed_at=None if waits else datetime.now(UTC),
        )
        row.search_text = search_text(row.id, prompt, title)
        made.append(row)
    await Generation.bulk_create(made)
    return made


def expected(made: list[Generation], order: str, filter: dict[str, Any]) -> list[str]:
    """What the gallery must answer, found without a database."""

    def fits(row: Generation) -> bool:
        words = filter.get("search", "").casefold().split()
        return (
            all(word in row.search_text for word in words)
            and row.is_favorite == filter.get("isFavorite", row.is_favorite)
            and row.collection_slug == filter.get("collection", row.collection_slug)
            and row.status in filter.get("status", [row.status])
        )

    newest_first = [row for row in reversed(made) if fits(row)]
    if order == "FAVORITES_FIRST":
        newest_first.sort(key=lambda row: not row.is_favorite)
    return [row.id for row in (reversed(newest_first) if order == "OLDEST" else newest_first)]


async def page(api: Api, **arguments: Any) -> tuple[list[str], dict[str, Any]]:
    found = (await api.one(LIST, **arguments))["generations"]
    return [node["id"] for node in found["nodes"]], found


def questions(chance: random.Random, made: list[Generation]) -> list[dict[str, Any]]:
    """Filters of every kind, each search at least once."""
    searches = [*WORDS, *RARE.values(), "strasse", "snow fox", "猫 noir", "可爱", "色电", "zeppelin cute", "fox  %",
                "_", "\\", "foxsnow", "%%", "ow", "兽", made[5].id, made[600].id[8:20], "zeppelin zebra"]  # fmt: skip
    asked: list[dict[str, Any]] = [{"search": text} for text in searches]
    for _ in range(8):
        filter: dict[str, Any] = {}
        if chance.random() < 0.5:
            filter["isFavorite"] = chance.random() < 0.5
        if chance.random() < 0.4:
            filter["collection"] = chance.choice(["plushify", "avenger", "nothing"])
        if chance.random() < 0.4:
            filter["status"] = chance.choice([["PENDING"], ["CANCELED"], ["PENDING", "CANCELED"], []])
        if chance.random() < 0.6:
            filter["search"] = chance.choice(searches)
        asked.append(filter)
    return asked


async def test_lists_are_those_that_anybody_would_find_by_hand(idle_server: Running) -> None:
    chance = random.Random(1)
    ada, eve = await idle_server.api.sign_up(), await idle_server.api.sign_up("eve@example.com")
    made = await fill(str(ada.user["id"]), chance)
    await fill(str(eve.user["id"]), chance)
    for filter in questions(chance, made):
        order = chance.choice(["NEWEST", "OLDEST", "FAVORITES_FIRST"])
        whole = expected(made, order, filter)
        asked = {"filter": filter, "orderBy": order}
        # A few rows from both ends and around a place in the middle, then how many there are.
        size = chance.choice([1, 2, 30])
        found, answer = await page(ada, first=size, counted=True, **asked)
        assert (found, answer["totalCount"]) == (whole[:size], len(whole)), asked
        assert answer["pageInfo"]["hasNextPage"] == (len(whole) > size)
        after, answer = await page(ada, first=size, after=answer["pageInfo"]["endCursor"], **asked)
        assert after == whole[size : 2 * size] or not found, asked
        if chance.random() < 0.7:
            continue
        found, answer = await page(ada, last=size, **asked)
        assert found == whole[-size:], asked
        assert answer["pageInfo"]["hasPreviousPage"] == (len(whole) > size)
        before, _ = await page(ada, last=size, before=answer["pageInfo"]["startCursor"], **asked)
        assert before == whole[-2 * size : -size] or not found, asked


async def test_an_accent_is_found_however_it_was_typed(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    one, two = "\u00e9clair", "e\u0301clair"  # looks the same
    made = [(await ada.create(prompt=text))["generations"][0]["id"] for text in (one, two)]
    own = "mutation($input: StyleInput!) { createStyle(input: $input) { style { id } errors { code } } }"
    style = (await ada.one(own, input={"title": two, "prompt": "A cake", "category": two}))["style"]["id"]
    for text in (one, two):
        assert (await page(ada, filter={"search": text}))[0] == made[::-1]
        for filter in ({"search": text, "own": True}, {"category": text, "own": True}):
            styles = "query($filter: StyleFilter) { styles(filter: $filter) { nodes { id } } }"
            assert (await ada.one(styles, filter=filter))["nodes"] == [{"id": style}]


async def test_searches_that_cannot_be_are_refused(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    for text in ("\x00", "a\x07b", "x" * 201, " ".join("abcdefghijk")):
        refused = await ada.refused(LIST, filter={"search": text})
        assert refused["code"] == "INVALID_INPUT", text
    for text in ("", " ", "\n\t", "x" * 200, "' OR 1=1 --", "$1", "{1}", "\u3000"):
        assert (await page(ada, filter={"search": text}))[0] == []


async def test_the_database_makes_the_same_pairs_as_the_server(idle_server: Running) -> None:
    if not is_postgres(idle_server.settings.database):
        return  # it has no index of words
    texts = ["", "a", " ", "ab", "a b", "fox\n小猫\ngen_01", "🦊é%_", "  x\n\ny ", "%", "\\'{},\"", "ab" * 500]
    for text in texts:
        (found,) = await rows("SELECT character_pairs($1) AS pairs", text)
        whole, single = set(character_pairs(text.split())), set(character_pairs(set(text) - set(" \n")))
        assert found["pairs"] == sorted(whole | single), text
