"""Tags: words that users mark their generations with."""

import asyncio
import io
import json
import zipfile
from typing import Any

from models import Tag
from services.gallery import tag as tag_service
from tests.accounts.test_guest_merge import EXPORT, merge, token_of
from tests.accounts.test_guests import guest_of
from tests.conftest import Running
from tests.events.test_gallery_changed import GALLERY as CHANGES
from tests.support.client import Api
from tests.support.factories import insert
from tests.support.gallery_pages import create, ids
from tests.support.integrity import assert_invariants
from tests.support.named_lists import (
    ADD_TAGS,
    REMOVE_TAGS,
    RENAME_TAG,
    SET_TAGS,
    add_tags,
    tag,
    tag_ids,
    tags_of,
    version_of,
)

DELETE = "mutation($ids: [ID!]!) { deleteGenerations(ids: $ids) { deletedIds errors { code } } }"
ONE = "query($id: ID!) { viewer { generation(id: $id) { version tags { name count } } } }"


async def tags_on(api: Api, id: str) -> list[str]:
    return [one["name"] for one in (await api.one(ONE, id=id))["generation"]["tags"]]


async def test_tags_are_added_replaced_and_removed(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    first, second, third = await create(ada, 3)
    before = await version_of(ada)
    done = await ada.one(ADD_TAGS, ids=[first, second], tags=["Winter", "fox"])
    assert done["errors"] == []
    assert [(one["id"], one["version"]) for one in done["generations"]] == [(first, 2), (second, 2)]
    assert done["generations"][0]["tags"] == [{"name": "fox", "count": 2}, {"name": "Winter", "count": 2}]
    assert await version_of(ada) == before + 1
    await ada.one(ADD_TAGS, ids=[second, third], tags=["WINTER"])
    assert await tags_of(ada) == [("fox", 2), ("Winter", 3)], "a tag keeps its first spelling"
    assert [(await ada.one(ONE, id=id))["generation"]["version"] for id in (first, second, third)] == [2, 2, 2]
    await ada.one(SET_TAGS, ids=[first, third], tags=["bear", "winter"])
    assert [await tags_on(ada, id) for id in (first, second, third)] == [
        ["bear", "Winter"], ["fox", "Winter"], ["bear", "Winter"],
    ]  # fmt: skip
    await ada.one(REMOVE_TAGS, ids=[first, second, third], tags=["winter", "unknown"])
    assert await tags_of(ada) == [("bear", 2), ("fox", 1)]
    await ada.one(SET_TAGS, ids=[first, second, third], tags=[])
    assert await tags_of(ada) == []
    assert await version_of(ada) == before + 5
    await assert_invariants(idle_server.services)


async def test_unchanged_tags_move_no_version(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    made = await create(ada, 2)
    await add_tags(ada, made, "red")
    before = await version_of(ada)
    for query, names in (
        (ADD_TAGS, ["RED"]), (ADD_TAGS, []), (SET_TAGS, ["Red", "red"]), (REMOVE_TAGS, ["blue"]), (REMOVE_TAGS, []),
    ):  # fmt: skip
        done = await ada.one(query, ids=made, tags=names)
        assert (len(done["generations"]), done["errors"]) == (2, []), query
    assert await version_of(ada) == before
    assert await tags_of(ada) == [("red", 2)]


async def test_names_are_normalized_and_limited(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    (made,) = await create(ada, 1)
    # The second is an e with an accent of its own.
    assert (await ada.one(ADD_TAGS, ids=[made], tags=["  caf\u00e9  au   lait ", "cafe\u0301 au lait"]))["errors"] == []
    assert await tags_of(ada) == [("caf\u00e9 au lait", 1)]
    for names, field in (
        (["ok", ""], ["tags", "1"]), (["x" * 41], ["tags", "0"]), (["a\nb"], ["tags", "0"]), (["a"] * 21, ["tags"]),
    ):  # fmt: skip
        for query in (ADD_TAGS, SET_TAGS, REMOVE_TAGS):
            refusal = await ada.refused(query, ids=[made], tags=names)
            assert (refusal["code"], refusal["field"]) == ("INVALID_INPUT", field), names
    await ada.one(SET_TAGS, ids=[made], tags=[f"tag {number}" for number in range(20)])
    refusal = await ada.refused(ADD_TAGS, ids=[made], tags=["one more"])
    assert (refusal["code"], refusal["field"]) == ("CONFLICT", ["tags"])
    assert len(await tags_of(ada)) == 20
    assert (await ada.refused(ADD_TAGS, ids=["gen_x"] * 101, tags=["a"]))["field"] == ["ids"]


async def test_number_of_tags_of_an_account_is_limited(idle_server: Running, monkeypatch: Any) -> None:
    ada = await idle_server.api.sign_up()
    first, second = await create(ada, 2)
    monkeypatch.setattr(tag_service, "MAX_PER_ACCOUNT", 2)
    await add_tags(ada, [first], "a", "b")
    assert (await ada.refused(ADD_TAGS, ids=[second], tags=["a", "c"]))["code"] == "CONFLICT"
    assert await tags_of(ada) == [("a", 1), ("b", 1)]
    await ada.one(SET_TAGS, ids=[first], tags=["a"])
    await add_tags(ada, [second], "c")
    await ada.one(DELETE, ids=[second])
    await add_tags(ada, [first], "d")
    assert await tags_of(ada) == [("a", 1), ("d", 1)]


async def test_tags_that_take_the_place_of_the_last_ones_are_not_too_many(
    idle_server: Running, monkeypatch: Any
) -> None:
    ada = await idle_server.api.sign_up()
    first, second = await create(ada, 2)
    monkeypatch.setattr(tag_service, "MAX_PER_ACCOUNT", 3)
    await add_tags(ada, [first], "a", "b")
    await add_tags(ada, [second], "b", "c")
    assert (await ada.one(SET_TAGS, ids=[first], tags=["b", "d"]))["errors"] == []
    assert await tags_of(ada) == [("b", 2), ("c", 1), ("d", 1)]
    before = await version_of(ada)
    assert (await ada.refused(SET_TAGS, ids=[first], tags=["e", "f"]))["code"] == "CONFLICT"
    assert (await ada.refused(ADD_TAGS, ids=[first], tags=["e"]))["code"] == "CONFLICT"
    assert await tags_of(ada) == [("b", 2), ("c", 1), ("d", 1)]
    assert await version_of(ada) == before
    assert (await ada.one(SET_TAGS, ids=[first, second], tags=["e", "f", "g"]))["errors"] == []


async def test_tag_ends_with_its_last_generation(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    first, second, third = await create(ada, 3)
    await add_tags(ada, [first], "CAT", "Owl")
    await add_tags(ada, [second], "red")
    await ada.one(DELETE, ids=[first])
    assert [one.name for one in await Tag.all()] == ["red"]
    red = (await tag_ids(ada))["red"]
    done = await ada.one(RENAME_TAG, id=red, name="Cat")
    assert (done["tag"], done["errors"]) == ({"id": red, "name": "Cat", "count": 1}, [])
    await add_tags(ada, [third], "owl")
    assert await tags_of(ada) == [("Cat", 1), ("owl", 1)]


async def test_tags_that_an_earlier_release_has_left_are_not_used(idle_server: Running) -> None:
    ada, guest = await idle_server.api.sign_up(), await guest_of(idle_server.api)
    first, second = await create(ada, 2)
    (hers,) = await create(guest, 1)
    await idle_server.services.generations.worker.process(hers)
    await add_tags(ada, [first], "red")

    async def leave(*names: str) -> None:
        for name in names:
            await insert("tags", tag(ada.user["id"], name=name, name_key=name.casefold()))

    await leave("CAT", "OWL")
    await add_tags(ada, [second], "cat")
    assert await tags_of(ada) == [("cat", 1), ("red", 1)]
    await leave("OWL")
    red = (await tag_ids(ada))["red"]
    assert (await ada.one(RENAME_TAG, id=red, name="owl"))["tag"] == {"id": red, "name": "owl", "count": 1}
    await leave("FOX", "DOG")
    await add_tags(guest, [hers], "fox")
    await ada.verify_address()
    await ada.one(EXPORT)
    await idle_server.services.accounts.exports.build_pending()
    url = (await ada.one(EXPORT))["dataExport"]["url"]
    data = json.loads(zipfile.ZipFile(io.BytesIO((await ada.http.get(url)).content)).read("data.json"))
    assert {one["name"] for one in data["tags"]} == {"cat", "owl"}
    assert (await merge(ada, await token_of(guest)))["errors"] == []
    assert await tags_of(ada) == [("cat", 1), ("fox", 1), ("owl", 1)]
    await assert_invariants(idle_server.services)


async def test_tags_of_other_accounts_are_their_own(idle_server: Running) -> None:
    ada, eve = await idle_server.api.sign_up(), await idle_server.api.sign_up("eve@example.com")
    (made,), (hers,) = await create(ada, 1), await create(eve, 1)
    await add_tags(ada, [made], "red")
    done = await eve.one(ADD_TAGS, ids=[made, hers], tags=["red"])
    assert [error["field"] for error in done["errors"]] == [["ids", "0"]]
    assert await tags_of(ada) == await tags_of(eve) == [("red", 1)]
    ada_tag, eve_tag = (await tag_ids(ada))["red"], (await tag_ids(eve))["red"]
    assert await ids(ada, filter={"tagIds": [ada_tag]}) == [made]
    assert await ids(ada, filter={"tagIds": [eve_tag]}) == await ids(ada, filter={"tagIds": ["x"]}) == []
    node = "query($id: ID!) { node(id: $id) { ... on Tag { name count } } }"
    assert await ada.one(node, id=ada_tag) == {"name": "red", "count": 1}
    assert await eve.one(node, id=ada_tag) is None


async def test_gallery_is_filtered_by_tags(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    made = await create(ada, 6)
    await add_tags(ada, made[:4], "red")
    await add_tags(ada, made[2:], "blue")
    tags = await tag_ids(ada)
    red, blue = tags["red"], tags["blue"]
    assert await ids(ada, filter={"tagIds": [red]}) == made[3::-1]
    assert (
        await ids(ada, filter={"tagIds": [red, blue]}) == await ids(ada, filter={"tagIds": [blue, red]}) == made[3:1:-1]
    )
    assert await ids(ada, filter={"tagIds": [blue]}, orderBy="OLDEST") == made[2:]
    assert await ids(ada, filter={"tagIds": []}) == made[::-1]
    query = "query($f: GenerationFilter) { viewer { generations(filter: $f) { totalCount } } }"
    refusal = await ada.refused(query, f={"tagIds": [f"tag_{number:026}" for number in range(6)]})
    assert refusal["code"] == "INVALID_INPUT"


async def test_concurrent_changes_lose_nothing(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    made = await create(ada, 4)
    await asyncio.gather(*(ada.one(ADD_TAGS, ids=made, tags=[f"tag {number}", "red"]) for number in range(8)))
    assert await tags_of(ada) == [("red", 4), *((f"tag {number}", 4) for number in range(8))]
    await assert_invariants(idle_server.services)


async def test_changes_reach_other_tabs(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    made = await create(ada, 2)
    async with ada.socket() as socket:
        stream = await socket.subscribe(CHANGES)
        await stream.next()
        await ada.one(SET_TAGS, ids=made, tags=["red"])
        assert [(await stream.next())["generationId"] for _ in made] == made


async def rename(api: Api, id: str, name: str) -> dict[str, Any]:
    done: dict[str, Any] = await api.one(RENAME_TAG, id=id, name=name)
    assert done["errors"] == []
    return done


async def test_renamed_tag_keeps_its_generations(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    made = await create(ada, 3)
    await add_tags(ada, made[:2], "red")
    before, red = await version_of(ada), (await tag_ids(ada))["red"]
    done = await rename(ada, red, "  Dark   red ")
    assert done == {"tag": {"id": red, "name": "Dark red", "count": 2}, "viewer": {"version": before + 1}, "errors": []}
    assert await tags_of(ada) == [("Dark red", 2)]
    assert await ids(ada, filter={"tagIds": [red]}) == made[1::-1]
    assert (await rename(ada, red, "DARK RED"))["tag"]["name"] == "DARK RED"
    assert (await rename(ada, red, "DARK RED"))["viewer"] == {"version": before + 2}, "nothing changed"
    assert [(await ada.one(ONE, id=id))["generation"]["version"] for id in made] == [2, 2, 1]
    await add_tags(ada, made[2:], "dark red")
    assert await tags_of(ada) == [("DARK RED", 3)]
    await assert_invariants(idle_server.services)


async def test_tag_with_the_name_of_another_is_merged_into_it(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    made = await create(ada, 5)
    await add_tags(ada, made[:3], "red")
    await add_tags(ada, made[2:4], "Crimson")
    await ada.one("mutation($id: ID!) { setFavorite(id: $id, isFavorite: true) { errors { code } } }", id=made[0])
    tags = await tag_ids(ada)
    versions = [(await ada.one(ONE, id=id))["generation"]["version"] for id in made]
    done = await rename(ada, tags["red"], "crimson")
    assert done["tag"] == {"id": tags["Crimson"], "name": "Crimson", "count": 4}
    assert await tags_of(ada) == [("Crimson", 4)]
    assert [await tags_on(ada, id) for id in made] == [["Crimson"]] * 4 + [[]]
    moved = [(await ada.one(ONE, id=id))["generation"]["version"] for id in made]
    assert moved == [version + (place < 3) for place, version in enumerate(versions)]
    assert await ids(ada, filter={"tagIds": [tags["Crimson"]]}) == made[3::-1]
    favorites = {"tagIds": [tags["Crimson"]], "isFavorite": True}
    assert await ids(ada, filter=favorites, orderBy="FAVORITES_FIRST") == made[:1]
    assert await ids(ada, filter={"tagIds": [tags["red"]]}) == []
    assert (await ada.refused(RENAME_TAG, id=tags["red"], name="x"))["code"] == "NOT_FOUND"
    await assert_invariants(idle_server.services)


async def test_name_of_a_tag_is_checked_and_others_rename_nothing(idle_server: Running) -> None:
    ada, eve = await idle_server.api.sign_up(), await idle_server.api.sign_up("eve@example.com")
    (made,) = await create(ada, 1)
    await add_tags(ada, [made], "red")
    red = (await tag_ids(ada))["red"]
    for name in ("", "  ", "x" * 41, "a\nb"):
        refusal = await ada.refused(RENAME_TAG, id=red, name=name)
        assert (refusal["code"], refusal["field"]) == ("INVALID_INPUT", ["name"]), name
    for api, id in ((eve, red), (ada, made), (ada, "tag_x")):
        assert (await api.refused(RENAME_TAG, id=id, name="blue"))["code"] == "NOT_FOUND"
    assert await tags_of(ada) == [("red", 1)]


async def test_subscribers_read_the_gallery_again_after_a_renaming(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    (made,) = await create(ada, 1)
    await add_tags(ada, [made], "red")
    red = (await tag_ids(ada))["red"]
    async with ada.socket() as socket:
        stream = await socket.subscribe(CHANGES)
        before = await stream.next()
        await rename(ada, red, "blue")
        after = await stream.next()
    assert [(one["kind"], one["version"]) for one in (before, after)] == [
        ("SNAPSHOT", before["version"]), ("SNAPSHOT", before["version"] + 1),
    ]  # fmt: skip
