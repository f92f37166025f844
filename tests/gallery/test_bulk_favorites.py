"""The mark as a favorite, set on several generations at once."""

import asyncio
from typing import Any

from tests.conftest import Running
from tests.events.test_gallery_changed import FAVORITES
from tests.gallery.test_gallery import set_favorite
from tests.support.client import PROGRESS
from tests.support.gallery_pages import create, ids
from tests.support.integrity import assert_invariants
from tests.support.named_lists import SET_FAVORITES, new_album, version_of

DELETE = "mutation($ids: [ID!]!) { deleteGenerations(ids: $ids) { deletedIds errors { code } } }"


async def test_several_are_marked_and_unmarked_in_one_version(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    made = await create(ada, 4)
    await set_favorite(ada, made[1])
    before = await version_of(ada)
    done = await ada.one(SET_FAVORITES, ids=[made[2], made[0], made[1]], isFavorite=True)
    assert [(one["id"], one["isFavorite"], one["version"]) for one in done["generations"]] == [
        (made[2], True, 2), (made[0], True, 2), (made[1], True, 2),
    ]  # fmt: skip
    assert (done["viewer"], done["errors"]) == ({"version": before + 1, "stats": {"favorites": 3}}, [])
    assert await ids(ada, filter={"isFavorite": True}) == made[2::-1]
    again = await ada.one(SET_FAVORITES, ids=made[:3], isFavorite=True)
    assert (again["viewer"]["version"], len(again["generations"])) == (before + 1, 3)
    done = await ada.one(SET_FAVORITES, ids=made, isFavorite=False)
    assert (done["viewer"], len(done["generations"])) == ({"version": before + 2, "stats": {"favorites": 0}}, 4)
    await assert_invariants(idle_server.services)


async def test_missing_ones_do_not_prevent_the_others(idle_server: Running) -> None:
    ada, eve = await idle_server.api.sign_up(), await idle_server.api.sign_up("eve@example.com")
    (first, second), (hers,) = await create(ada, 2), await create(eve, 1)
    await ada.one(DELETE, ids=[second])
    done = await ada.one(SET_FAVORITES, ids=["x", hers, first, second, first], isFavorite=True)
    assert [one["id"] for one in done["generations"]] == [first]
    assert [(error["code"], error["field"]) for error in done["errors"]] == [
        ("NOT_FOUND", ["ids", place]) for place in ("0", "1", "3")
    ]
    assert await ids(eve, filter={"isFavorite": True}) == []
    assert (await ada.one(SET_FAVORITES, ids=[], isFavorite=True))["errors"] == []
    assert (await ada.refused(SET_FAVORITES, ids=[first] * 101, isFavorite=True))["field"] == ["ids"]


async def test_each_change_reaches_the_list_of_favorites(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    made = await create(ada, 3)
    async with ada.socket() as socket:
        stream = await socket.subscribe(FAVORITES)
        version = (await stream.next())["version"]
        progress = await socket.subscribe(PROGRESS, id=made[0])
        assert (await progress.next())["version"] == 1
        await ada.one(SET_FAVORITES, ids=made, isFavorite=True)
        events = [await stream.next() for _ in made]
        assert [(one["version"], one["generation"]) for one in events] == [
            (version + 1, {"id": id, "isFavorite": True}) for id in made
        ]
        assert (await progress.next())["version"] == 2


async def test_albums_follow_the_mark(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    made = await create(ada, 3)
    album = await new_album(ada, generations=made)
    await asyncio.gather(*(ada.one(SET_FAVORITES, ids=[id], isFavorite=True) for id in made[:2]))
    order: dict[str, Any] = {"filter": {"albumId": album}, "orderBy": "FAVORITES_FIRST"}
    assert await ids(ada, **order) == [made[1], made[0], made[2]]
    await ada.one(SET_FAVORITES, ids=made[1:], isFavorite=False)
    assert await ids(ada, **order) == [made[0], made[2], made[1]]
    await assert_invariants(idle_server.services)
