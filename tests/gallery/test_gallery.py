"""The gallery and the ledger: pages, filters, favorites, statistics, and objects by id."""

import asyncio
import base64
from typing import Any

import pytest

from tests.conftest import Running
from tests.support.client import GENERATION, PATIENCE, PROGRESS, Api
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.fakes.openrouter_response import picture, status
from tests.support.gallery_pages import GALLERY, LEDGER, create, ids, page
from tests.support.integrity import adjust_credits

SET_FAVORITE = """
mutation($id: ID!, $isFavorite: Boolean!) {
  setFavorite(id: $id, isFavorite: $isFavorite) { generation { id isFavorite version } errors { code message field } }
}"""
DELETE = "mutation($ids: [ID!]!) { deleteGenerations(ids: $ids) { deletedIds errors { code } } }"
# Empty, no base64, -1, a number past 64 bits, NUL, a text that is no id.
INVALID_CURSORS = (
    "",
    "x",
    "=",
    "null",
    "MQ",
    "LTE=",
    "OTk5OTk5OTk5OTk5OTk5OTk5OTk=",
    "AA==",
    "MjE0NzQ4MzY0OA==",
    "ä",
    "Z2VuXzE=",
)


async def set_favorite(api: Api, id: str, is_favorite: bool = True) -> dict[str, Any]:
    made = await api.one(SET_FAVORITE, id=id, isFavorite=is_favorite)
    assert made["errors"] == []
    generation: dict[str, Any] = made["generation"]
    return generation


# Paging


async def test_pages_of_every_size_cover_both_lists_in_both_directions(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    created = await create(ada, 9)
    for query in (GALLERY, LEDGER):
        whole = await ids(ada, query)
        if query is GALLERY:
            assert whole == created[::-1]
        for size in (1, 3, len(whole), 100):
            forwards: list[str] = []
            after = None
            while True:
                found = await page(ada, query, first=size, after=after)
                assert found["pageInfo"]["hasPreviousPage"] == (after is not None)
                assert found["totalCount"] == len(whole)
                forwards += [node["id"] for node in found["nodes"]]
                after = found["pageInfo"]["endCursor"]
                if not found["pageInfo"]["hasNextPage"]:
                    break
            assert forwards == whole
            backwards: list[str] = []
            before = None
            while True:
                found = await page(ada, query, last=size, before=before)
                assert found["pageInfo"]["hasNextPage"] == (before is not None)
                backwards = [node["id"] for node in found["nodes"]] + backwards
                before = found["pageInfo"]["startCursor"]
                if not found["pageInfo"]["hasPreviousPage"]:
                    break
            assert backwards == whole
        ends = (await page(ada, query, first=100))["edges"]
        between = await page(ada, query, first=100, after=ends[0]["cursor"], before=ends[-1]["cursor"])
        assert [node["id"] for node in between["nodes"]] == whole[1:-1]
    assert await ids(ada, orderBy="OLDEST") == created
    oldest = await page(ada, GALLERY, first=2, orderBy="OLDEST")
    assert await ids(ada, orderBy="OLDEST", first=2, after=oldest["pageInfo"]["endCursor"]) == created[2:4]


async def test_order_favorites_first_is_paged_in_both_directions(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    created = await create(ada, 9)
    for favorites in ([], [created[1], created[4], created[8]], created):
        for id in favorites:
            await set_favorite(ada, id)
        whole = favorites[::-1] + [id for id in reversed(created) if id not in favorites]
        order = {"orderBy": "FAVORITES_FIRST"}
        assert await ids(ada, **order) == whole
        for size in (1, 2, 4):
            forwards: list[str] = []
            backwards: list[str] = []
            after = before = None
            while len(forwards) < len(whole):
                found = await page(ada, GALLERY, first=size, after=after, **order)
                forwards += [node["id"] for node in found["nodes"]]
                after = found["pageInfo"]["endCursor"]
                assert found["pageInfo"]["hasNextPage"] == (len(forwards) < len(whole))
                found = await page(ada, GALLERY, last=size, before=before, **order)
                backwards = [node["id"] for node in found["nodes"]] + backwards
                before = found["pageInfo"]["startCursor"]
            assert forwards == backwards == whole


async def test_cursor_of_another_order_or_a_forged_one_is_refused(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    await create(ada, 3)
    orders = ("NEWEST", "OLDEST", "FAVORITES_FIRST")
    cursors = {order: (await page(ada, GALLERY, first=1, orderBy=order))["pageInfo"]["endCursor"] for order in orders}
    for order in orders:
        assert len(await ids(ada, orderBy=order, after=cursors[order])) == 2
        for other in set(orders) - {order}:
            for places in ({"after": cursors[other]}, {"before": cursors[other]}):
                refused = await ada.refused(GALLERY, None, orderBy=order, **places)
                assert (refused["code"], refused["field"]) == ("INVALID_INPUT", [*places]), (order, other)
    id = (await ids(ada))[0]
    forgeries = (f"1 {id[:-1]}", f"2 {id}", f" 1 {id}", "1 ", id)
    for text in (*(f"FAVORITES_FIRST {key}" for key in forgeries), f"NEWEST 1 {id}"):
        order = text.partition(" ")[0]
        forged = base64.urlsafe_b64encode(text.encode()).decode()
        assert (await ada.refused(GALLERY, None, orderBy=order, after=forged))["code"] == "INVALID_INPUT", text


@pytest.mark.parametrize("direction", ["forwards", "backwards"])
async def test_paging_skips_nothing_while_rows_are_deleted(idle_server: Running, direction: str) -> None:
    ada = await idle_server.api.sign_up()
    await create(ada, 20)
    initial = await ids(ada)
    to_delete = initial[2::3]  # some before, some after, some at the edge of a page
    seen: list[str] = []
    place: dict[str, Any] = {}
    while True:
        found = await page(ada, GALLERY, **({"first": 4} if direction == "forwards" else {"last": 4}), **place)
        nodes = [node["id"] for node in found["nodes"]]
        seen = seen + nodes if direction == "forwards" else nodes + seen
        info = found["pageInfo"]
        batch, to_delete = to_delete[:2], to_delete[2:]
        if batch:
            assert (await ada.one(DELETE, ids=batch))["deletedIds"] == batch
        edge = nodes[-1] if direction == "forwards" else nodes[0]
        await ada.one(DELETE, ids=[edge])  # the row of the cursor; its position remains valid
        if not info["hasNextPage" if direction == "forwards" else "hasPreviousPage"]:
            break
        place = {"after": info["endCursor"]} if direction == "forwards" else {"before": info["startCursor"]}
        if not await ids(ada, **place):
            break
    assert len(seen) == len(set(seen))
    assert seen == [id for id in initial if id in seen]
    assert set(await ids(ada)) <= set(seen)  # no remaining row was skipped


async def test_default_page_size_is_twenty(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    await create(ada, 21)
    for query, total in ((GALLERY, 21), (LEDGER, 22)):
        found = await page(ada, query)
        assert (len(found["nodes"]), found["totalCount"]) == (20, total)
        assert found["pageInfo"]["hasNextPage"] is True


async def test_paging_repeats_nothing_while_rows_are_added(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    for query in (GALLERY, LEDGER):
        await create(ada, 12)
        initial = await ids(ada, query)
        seen: list[str] = []
        after = None
        while True:
            found, _ = await asyncio.gather(page(ada, query, first=5, after=after), create(ada, 2))
            seen += [node["id"] for node in found["nodes"]]
            after = found["pageInfo"]["endCursor"]
            if not found["pageInfo"]["hasNextPage"]:
                break
        assert len(seen) == len(set(seen))
        assert seen[-len(initial) :] == initial  # rows added before the first page may precede them
        backwards: list[str] = []
        before = None
        while True:
            found = await page(ada, query, last=5, before=before)
            await create(ada, 1)
            backwards = [node["id"] for node in found["nodes"]] + backwards
            before = found["pageInfo"]["startCursor"]
            if not found["pageInfo"]["hasPreviousPage"]:
                break
        whole = await ids(ada, query)
        assert backwards == whole[len(whole) - len(backwards) :]
        assert set(initial) < set(backwards)


async def test_invalid_page_arguments_are_refused_with_their_field(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    await create(ada, 1)
    cursors = [(await page(ada, query, first=1))["pageInfo"]["endCursor"] for query in (GALLERY, LEDGER)]
    for number, query in enumerate((GALLERY, LEDGER)):
        for size in (0, -1, 101, 2**31 - 1):
            for arguments in ({"first": size}, {"last": size}):
                refused = await ada.refused(query, None, **arguments)
                assert (refused["code"], refused["field"]) == ("INVALID_INPUT", [*arguments]), size
        assert (await ada.refused(query, first=1, last=1))["code"] == "INVALID_INPUT"
        foreign = cursors[1 - number]  # of the other list
        for cursor in (*INVALID_CURSORS, foreign, cursors[number] * 20):
            for places in ({"after": cursor}, {"before": cursor}):
                refused = await ada.refused(query, None, **places)
                assert (refused["code"], refused["field"]) == ("INVALID_INPUT", [*places]), cursor


# Filters


async def test_gallery_contains_only_the_users_own_generations(idle_server: Running) -> None:
    ada, eve = await idle_server.api.sign_up(), await idle_server.api.sign_up("eve@example.com")
    hers = await create(ada, 2)
    batch = (await ada.generation(hers[0]))["batchId"]
    assert await ids(eve) == await ids(eve, filter={"batchId": batch}) == []
    cursor = (await page(ada, GALLERY, first=1))["pageInfo"]["startCursor"]
    theirs = await create(eve, 1)
    assert await ids(eve, before=cursor) == theirs  # another user's cursor is a position and grants no access
    assert len(await ids(eve, LEDGER)) == 2


# Favorites and statistics


async def test_set_favorite_increases_versions_only_when_the_mark_changes(idle_server: Running) -> None:
    ada, eve = await idle_server.api.sign_up(), await idle_server.api.sign_up("eve@example.com")
    kept, other = await create(ada, 2)

    async def version() -> int:
        return int((await ada.one("{ viewer { version } }"))["version"])

    before = await version()
    for is_favorite, changes in ((False, 0), (True, 1), (True, 1), (False, 2), (False, 2), (True, 3)):
        generation = await set_favorite(ada, kept, is_favorite)
        assert generation == {"id": kept, "isFavorite": is_favorite, "version": 1 + changes}
        assert await version() == before + changes
    for is_favorite, expected in ((True, [kept]), (False, [other])):
        assert await ids(ada, filter={"isFavorite": is_favorite}) == expected
    for id in (kept, kept[:-4] + "0000", "gen_1", "", "x\x00"):
        refused = await eve.refused(SET_FAVORITE, id=id, isFavorite=True)
        assert (refused["code"], refused["field"]) == ("NOT_FOUND", ["id"])
    assert (await idle_server.api.refused(SET_FAVORITE, id=kept, isFavorite=True))["code"] == "UNAUTHENTICATED"
    await ada.one(DELETE, ids=[kept])
    assert (await ada.refused(SET_FAVORITE, id=kept, isFavorite=True))["code"] == "NOT_FOUND"


async def test_fifty_concurrent_favorite_changes_have_consistent_versions(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    (id,) = await create(ada, 1)
    query = "query($id: ID!) { viewer { version generation(id: $id) { isFavorite version } } }"
    before = await ada.one(query, id=id)
    assert {one["isFavorite"] for one in await asyncio.gather(*(set_favorite(ada, id) for _ in range(50)))} == {True}
    after = await ada.one(query, id=id)
    assert after["generation"] == {"isFavorite": True, "version": before["generation"]["version"] + 1}
    assert after["version"] == before["version"] + 1
    await asyncio.gather(*(set_favorite(ada, id, number % 2 == 0) for number in range(50)))
    mixed = await ada.one(query, id=id)
    flips = mixed["generation"]["version"] - after["generation"]["version"]
    assert mixed["version"] - after["version"] == flips
    assert mixed["generation"]["isFavorite"] == (flips % 2 == 0)


async def test_generation_progress_publishes_favorite_changes(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    (id,) = await create(ada, 1)
    async with ada.socket() as socket:
        query = "subscription($id: ID!) { generationProgress(id: $id) { version isFavorite } }"
        stream = await socket.subscribe(query, id=id)
        assert await stream.next() == {"version": 1, "isFavorite": False}
        await set_favorite(ada, id)
        assert await stream.next() == {"version": 2, "isFavorite": True}


async def test_stats_exclude_deleted_generations_but_keep_their_cost(
    idle_server: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada, eve = await idle_server.api.sign_up(), await idle_server.api.sign_up("eve@example.com")
    query = "{ viewer { stats { totalGenerations failedGenerations favorites creditsSpent lastGenerationAt } } }"

    async def stats() -> dict[str, Any]:
        found: dict[str, Any] = (await ada.one(query))["stats"]
        return found

    zero = {"totalGenerations": 0, "failedGenerations": 0, "favorites": 0, "creditsSpent": 0, "lastGenerationAt": None}
    assert await stats() == zero
    openrouter.script(picture(), picture(), status(500))
    first, second, failed, waiting = await create(ada, 4)
    for id in (first, second, failed):
        await idle_server.services.generations.worker.process(id)
    price = (await ada.generation(first))["cost"]
    assert price > 0
    await set_favorite(ada, first)
    await set_favorite(ada, waiting)
    newest = (await ada.generation(second))["createdAt"]  # the later ones failed, or wait
    expected = {"totalGenerations": 2, "failedGenerations": 1, "favorites": 2, "creditsSpent": 3 * price}
    assert await stats() == {**expected, "lastGenerationAt": newest}
    await adjust_credits(str(ada.user["id"]), -5, "a gift that was revoked")  # not spent on generations
    await ada.one(DELETE, ids=[first, failed])
    rest = {"totalGenerations": 1, "failedGenerations": 0, "favorites": 1, "creditsSpent": 3 * price}
    assert await stats() == {**rest, "lastGenerationAt": newest}
    await ada.one(DELETE, ids=[second])
    assert (await stats())["lastGenerationAt"] is None, "no completed one is left"
    assert (await eve.one(query))["stats"] == zero


# By id


async def test_node_and_nodes_return_the_users_own_objects_and_the_catalogue(idle_server: Running) -> None:
    ada, eve = await idle_server.api.sign_up(), await idle_server.api.sign_up("eve@example.com")
    (generation,) = await create(ada, 1)
    line = (await ids(ada, LEDGER))[0]
    user = str(ada.user["id"])
    style = await ada.style("noir", "avenger")
    collection = (await ada.one('{ style(slug: "noir") { collection { id } } }'))["collection"]["id"]
    node = "query($id: ID!) { node(id: $id) { __typename id } }"
    nodes = "query($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }"
    own = {generation: "Generation", line: "CreditTransaction", user: "User"}
    shared = {style: "Style", collection: "Collection"}
    for id, kind in {**own, **shared}.items():
        assert await ada.one(node, id=id) == {"__typename": kind, "id": id}
        expected = {"__typename": kind, "id": id} if id in shared else None
        assert await eve.one(node, id=id) == expected
        assert await idle_server.api.one(node, id=id) == expected
    wanted = [style, generation, "gen_1", style, generation[:-4] + "0000", line, "", "usr_\x00"]
    found = await ada.one(nodes, ids=wanted)
    assert [one and one["id"] for one in found] == [style, generation, None, style, None, line, None, None]
    assert [one and one["id"] for one in await eve.one(nodes, ids=wanted)] == [style, None, None, style] + [None] * 4
    assert await ada.one(nodes, ids=[]) == []
    assert await ada.one(nodes, ids=["gen_1"] * 100) == [None] * 100
    assert (await ada.refused(nodes, ids=["gen_1"] * 101))["code"] == "INVALID_INPUT"
    for id in ("", "x", "gen_", "gen_" + "z" * 26, "fil_00000000000000000000000000", "a" * 5000, "gen_1' OR 1=1"):
        assert await ada.one(node, id=id) is None
    assert (await ada.one("query($id: ID!) { viewer { generation(id: $id) { id } } }", id="x"))["generation"] is None


# Polling and subscribing


async def test_polling_returns_the_same_states_as_the_subscription(
    idle_server: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada = await idle_server.api.sign_up()
    (id,) = await create(ada, 1)
    openrouter.answering.clear()
    by_node = "query($id: ID!) { node(id: $id) { ... on Generation {" + GENERATION + "} } }"

    async def poll() -> Any:
        found = await ada.generation(id)
        assert await ada.one(by_node, id=id) == found
        return found

    async with ada.socket() as socket:
        progress = await socket.subscribe(PROGRESS, id=id)
        assert await progress.next() == await poll()
        work = asyncio.create_task(idle_server.services.generations.worker.process(id))
        await asyncio.wait_for(openrouter.called.wait(), PATIENCE)
        generating = await poll()
        assert generating["stage"] == "GENERATING"
        events = [await progress.next()]
        while events[-1]["version"] < generating["version"]:
            events.append(await progress.next())
        assert events[-1] == generating
        assert {event["startedAt"] for event in events} == {generating["startedAt"]}
        openrouter.answering.set()
        await asyncio.wait_for(work, PATIENCE)
        assert (await progress.rest())[-1] == await poll()
