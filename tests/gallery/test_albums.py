"""Albums: lists that users fill with their generations."""

import asyncio
import io
import json
import zipfile
from typing import Any

from models.database.connection import rows
from services.gallery import album as albums
from tests.accounts.test_guest_merge import merge, token_of
from tests.accounts.test_guests import guest_of
from tests.conftest import Running
from tests.events.test_gallery_changed import GALLERY as CHANGES
from tests.support.client import Api
from tests.support.gallery_pages import GALLERY, create, ids, page
from tests.support.integrity import assert_invariants, make_admin
from tests.support.named_lists import (
    ADD,
    ADD_TAGS,
    ALBUMS,
    CREATE_ALBUM,
    DELETE_ALBUM,
    REMOVE,
    UPDATE_ALBUM,
    add_tags,
    entries,
    new_album,
    tag_ids,
    tags_of,
    version_of,
)

SET_FAVORITE = "mutation($id: ID!) { setFavorite(id: $id, isFavorite: true) { errors { code } } }"
DELETE = "mutation($ids: [ID!]!) { deleteGenerations(ids: $ids) { deletedIds errors { code } } }"
IN_ALBUM = """
query($id: ID!, $first: Int, $after: String, $filter: GenerationFilter, $orderBy: GenerationOrder) {
  node(id: $id) { ... on Album {
    generations(first: $first, after: $after, filter: $filter, orderBy: $orderBy) {
      totalCount nodes { id albums { name } } pageInfo { hasNextPage endCursor }
    }
  } }
}"""
EXPORT = "mutation { requestDataExport { dataExport { url } errors { code } } }"


async def names_of(api: Api) -> list[str]:
    found = (await api.one(ALBUMS))["albums"]
    assert found["totalCount"] == len(found["nodes"])
    return [one["name"] for one in found["nodes"]]


async def in_album(api: Api, id: str, **arguments: Any) -> list[str]:
    found = (await api.one(IN_ALBUM, id=id, **arguments))["generations"]
    assert found["totalCount"] == len(found["nodes"])
    return [one["id"] for one in found["nodes"]]


async def test_album_is_created_renamed_moved_and_deleted(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    before = await version_of(ada)
    made = (await ada.one(CREATE_ALBUM, name="  Red \t foxes ".replace("\t", " ")))["album"]
    assert (made["name"], made["position"], made["count"], made["cover"]) == ("Red foxes", 0, 0, None)
    second, third = await new_album(ada, "Bears"), await new_album(ada, "Wolves")
    assert await names_of(ada) == ["Red foxes", "Bears", "Wolves"]
    moved = await ada.one(UPDATE_ALBUM, id=third, input={"position": 0})
    assert (moved["album"]["position"], moved["errors"]) == (0, [])
    assert await names_of(ada) == ["Wolves", "Red foxes", "Bears"]
    renamed = await ada.one(UPDATE_ALBUM, id=made["id"], input={"name": "Foxes", "position": 99})
    assert (renamed["album"]["name"], renamed["album"]["position"]) == ("Foxes", 2)
    assert await names_of(ada) == ["Wolves", "Bears", "Foxes"]
    assert await version_of(ada) == before + 5
    for unchanged in ({}, {"name": "Foxes"}, {"position": 2}, {"name": None, "position": None}):
        assert (await ada.one(UPDATE_ALBUM, id=made["id"], input=unchanged))["errors"] == []
    assert await version_of(ada) == before + 5
    assert (await ada.one(DELETE_ALBUM, id=second))["deletedIds"] == [second]
    assert (await ada.refused(DELETE_ALBUM, id=second))["code"] == "NOT_FOUND"
    assert await names_of(ada) == ["Wolves", "Foxes"]
    assert await version_of(ada) == before + 6


async def test_invalid_names_and_positions_are_refused(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    id = await new_album(ada, "Straße")
    for name in ("", "  ", "x" * 61, "a\nb", "a\u202eb"):
        refusal = await ada.refused(CREATE_ALBUM, name=name)
        assert (refusal["code"], refusal["field"]) == ("INVALID_INPUT", ["name"]), name
        refusal = await ada.refused(UPDATE_ALBUM, id=id, input={"name": name})
        assert (refusal["code"], refusal["field"]) == ("INVALID_INPUT", ["name"]), name
    assert (await ada.refused(CREATE_ALBUM, name="STRASSE"))["code"] == "CONFLICT"
    other = await new_album(ada, "x" * 60)
    assert (await ada.refused(UPDATE_ALBUM, id=other, input={"name": "strasse"}))["field"] == ["name"]
    assert (await ada.one(UPDATE_ALBUM, id=id, input={"name": "STRASSE"}))["album"]["name"] == "STRASSE"
    refusal = await ada.refused(UPDATE_ALBUM, id=id, input={"position": -1})
    assert (refusal["code"], refusal["field"]) == ("INVALID_INPUT", ["position"])
    eve = await idle_server.api.sign_up("eve@example.com")
    assert await new_album(eve, "Strasse") != id


async def test_concurrent_requests_create_one_album_of_a_name(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    made = await asyncio.gather(*(ada.one(CREATE_ALBUM, name="Foxes") for _ in range(8)))
    assert sorted(len(one["errors"]) for one in made) == [0] + [1] * 7
    assert await names_of(ada) == ["Foxes"]


async def test_number_of_albums_and_of_pictures_in_one_is_limited(idle_server: Running, monkeypatch: Any) -> None:
    ada = await idle_server.api.sign_up()
    monkeypatch.setattr(albums, "MAX_PER_ACCOUNT", 2)
    monkeypatch.setattr(albums, "MAX_ENTRIES", 3)
    id, _ = await new_album(ada), await new_album(ada, "Bears")
    assert (await ada.refused(CREATE_ALBUM, name="Wolves"))["code"] == "CONFLICT"
    made = await create(ada, 4)
    assert (await ada.refused(ADD, id=id, ids=made))["code"] == "CONFLICT"
    assert await in_album(ada, id) == []
    assert (await ada.one(ADD, id=id, ids=made[:3]))["album"]["count"] == 3
    assert (await ada.one(ADD, id=id, ids=made[:3]))["errors"] == []
    assert (await ada.refused(ADD, id=id, ids=["gen_x"] * 101))["field"] == ["ids"]


async def test_album_is_moved_among_more_than_a_statement_takes_parameters(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    id = await new_album(ada)
    await rows(
        "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 17000)"
        " INSERT INTO albums (id, user_id, name, name_key, position, size, created_at, updated_at)"
        " SELECT 'alb_' || n, CAST($1 AS VARCHAR), 'A' || n, 'a' || n, n, 0, NOW(), NOW() FROM numbers RETURNING id",
        ada.user["id"],
    )
    moved = await ada.one(UPDATE_ALBUM, id=id, input={"position": 5})
    assert (moved["album"]["position"], moved["errors"]) == (5, [])
    first = await rows("SELECT id, position FROM albums WHERE position < 7 ORDER BY position")
    assert [(row["id"], row["position"]) for row in first] == [
        *((f"alb_{place + 1}", place) for place in range(5)), (id, 5), ("alb_6", 6),
    ]  # fmt: skip


async def test_pictures_are_added_once_and_removed(idle_server: Running) -> None:
    ada, eve = await idle_server.api.sign_up(), await idle_server.api.sign_up("eve@example.com")
    made, (hers,) = await create(ada, 5), await create(eve, 1)
    id, before = await new_album(ada), await version_of(ada)
    done = await ada.one(ADD, id=id, ids=[made[1], hers, made[0], "nothing", made[1]])
    assert [one["id"] for one in done["generations"]] == [made[1], made[0]]
    assert [(error["code"], error["field"]) for error in done["errors"]] == [
        ("NOT_FOUND", ["ids", "1"]), ("NOT_FOUND", ["ids", "3"]),
    ]  # fmt: skip
    assert (done["album"]["count"], done["album"]["cover"]) == (2, {"id": made[1]})
    assert await version_of(ada) == before + 1
    again = await ada.one(ADD, id=id, ids=made[:2])
    assert (again["album"]["count"], len(again["generations"]), again["errors"]) == (2, 2, [])
    assert await version_of(ada) == before + 1, "nothing has changed"
    await ada.one(ADD, id=id, ids=made[2:4])
    assert await in_album(ada, id) == await ids(ada, filter={"albumId": id}) == made[3::-1]
    removed = await ada.one(REMOVE, id=id, ids=[made[0], made[4]])
    assert (removed["album"]["count"], len(removed["generations"]), removed["errors"]) == (3, 2, [])
    assert await in_album(ada, id) == made[3:0:-1]
    assert len(await ids(ada)) == 5, "they stay in the gallery"
    for query in (ADD, REMOVE):
        for unknown in ("alb_01h455vb4pex5vsknk084sn02q", made[0], "x"):
            assert (await ada.refused(query, id=unknown, ids=made))["field"] == ["id"]
        assert (await eve.refused(query, id=id, ids=[hers]))["code"] == "NOT_FOUND"
    await assert_invariants(idle_server.services)


async def test_album_has_the_orders_filters_and_pages_of_the_gallery(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    made = await create(ada, 7)
    id, other = await new_album(ada, generations=made[:6]), await new_album(ada, "Bears", made[4:])
    for favorite in (made[1], made[4], made[6]):
        await ada.one(SET_FAVORITE, id=favorite)
    await idle_server.services.generations.requests.cancel(str(ada.user["id"]), made[3])
    await add_tags(ada, [made[0], made[4]], "red")
    await add_tags(ada, [made[4], made[6]], "blue")
    tags = await tag_ids(ada)
    newest = made[5::-1]
    assert await in_album(ada, id, first=100) == newest
    assert await in_album(ada, id, orderBy="OLDEST") == newest[::-1]
    favorites_first = [made[4], made[1], made[5], made[3], made[2], made[0]]
    assert await in_album(ada, id, orderBy="FAVORITES_FIRST") == favorites_first
    assert await ids(ada, filter={"albumId": id}, orderBy="FAVORITES_FIRST") == favorites_first
    for filter, expected in (
        ({"isFavorite": True}, [made[4], made[1]]),
        ({"status": ["CANCELED"]}, [made[3]]),
        ({"search": "fox"}, newest),
        ({"search": "wolf"}, []),
        ({"tagIds": [tags["red"]]}, [made[4], made[0]]),
        ({"tagIds": [tags["red"], tags["blue"]]}, [made[4]]),
        ({"albumId": id}, newest),
        ({"albumId": other}, []),
        ({"albumId": "nothing"}, []),
    ):
        assert await in_album(ada, id, filter=filter) == expected, filter
        if "albumId" not in filter:
            assert await ids(ada, filter={"albumId": id, **filter}) == expected, filter
    for order, whole in (("NEWEST", newest), ("OLDEST", newest[::-1]), ("FAVORITES_FIRST", favorites_first)):
        forwards: list[str] = []
        after = None
        while True:
            found = await page(ada, GALLERY, first=2, after=after, filter={"albumId": id}, orderBy=order)
            forwards += [node["id"] for node in found["nodes"]]
            after = found["pageInfo"]["endCursor"]
            if not found["pageInfo"]["hasNextPage"]:
                break
        assert forwards == whole
        back = await page(ada, GALLERY, last=3, before=after, filter={"albumId": id}, orderBy=order)
        assert [node["id"] for node in back["nodes"]] == whole[2:5]


async def test_album_is_a_node_and_part_of_its_pictures(idle_server: Running) -> None:
    ada, eve = await idle_server.api.sign_up(), await idle_server.api.sign_up("eve@example.com")
    made = await create(ada, 2)
    first, second = await new_album(ada, generations=made), await new_album(ada, "Bears", made[:1])
    query = "query($id: ID!) { node(id: $id) { __typename id ... on Album { name count } } }"
    assert await ada.one(query, id=first) == {"__typename": "Album", "id": first, "name": "Foxes", "count": 2}
    assert await eve.one(query, id=first) is None
    shown = "query($id: ID!) { viewer { generation(id: $id) { albums { id } } } }"
    assert [one["id"] for one in (await ada.one(shown, id=made[0]))["generation"]["albums"]] == [first, second]
    await ada.one(UPDATE_ALBUM, id=second, input={"position": 0})
    assert [one["id"] for one in (await ada.one(shown, id=made[0]))["generation"]["albums"]] == [second, first]
    assert [one["id"] for one in (await ada.one(shown, id=made[1]))["generation"]["albums"]] == [first]
    assert await ids(eve, filter={"albumId": first}) == []
    root = await make_admin(idle_server.api)
    listed = "query($id: ID!) { admin { generations(filter: {albumId: $id}) { totalCount nodes { id } } } }"
    assert (await root.one(listed, id=first))["generations"] == {
        "totalCount": 2, "nodes": [{"id": id} for id in made[::-1]],
    }  # fmt: skip


async def test_pages_of_albums_follow_their_order(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    names = [f"Album {number}" for number in range(5)]
    for name in names:
        await new_album(ada, name)
    query = """query($first: Int, $after: String, $last: Int, $before: String) { viewer {
      albums(first: $first, after: $after, last: $last, before: $before) {
        nodes { name } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }"""
    first = (await ada.one(query, first=2))["albums"]
    rest = (await ada.one(query, first=10, after=first["pageInfo"]["endCursor"]))["albums"]
    assert [one["name"] for one in first["nodes"] + rest["nodes"]] == names
    assert (first["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasNextPage"]) == (True, False)
    back = (await ada.one(query, last=2, before=rest["pageInfo"]["startCursor"]))["albums"]
    assert back["nodes"] == first["nodes"]
    for cursor in ("x", "MSBhbGJfMQ==", "LTEgYWxi"):
        assert (await ada.refused(query, after=cursor))["code"] == "INVALID_INPUT"


async def test_deleted_pictures_leave_their_albums(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    made = await create(ada, 3)
    id = await new_album(ada, generations=made)
    await add_tags(ada, made, "red")
    assert (await ada.one(DELETE, ids=made[:2]))["errors"] == []
    assert await in_album(ada, id) == [made[2]]
    (shown,) = (await ada.one(ALBUMS))["albums"]["nodes"]
    assert (shown["count"], shown["cover"], await tags_of(ada)) == (1, {"id": made[2]}, [("red", 1)])
    assert await entries() == (1, 1)
    await assert_invariants(idle_server.services)


async def test_changes_reach_other_tabs(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    made = await create(ada, 2)
    async with ada.socket() as socket:
        stream = await socket.subscribe(CHANGES)
        version = (await stream.next())["version"]
        id = await new_album(ada)
        assert await stream.next() == {
            "kind": "SNAPSHOT", "version": version + 1, "generationId": None, "generation": None,
        }  # fmt: skip
        await ada.one(ADD, id=id, ids=made)
        events = [await stream.next(), await stream.next()]
        assert [(one["kind"], one["version"], one["generationId"]) for one in events] == [
            ("UPDATED", version + 2, made[0]), ("UPDATED", version + 2, made[1]),
        ]  # fmt: skip
        await ada.one(REMOVE, id=id, ids=made[:1])
        assert (await stream.next())["generationId"] == made[0]
        await ada.one(DELETE_ALBUM, id=id)
        assert (await stream.next())["kind"] == "SNAPSHOT"


async def test_guest_keeps_albums_and_tags_when_merged(idle_server: Running) -> None:
    ada, guest = await idle_server.api.sign_up(), await guest_of(idle_server.api)
    (own,), made = await create(ada, 1), await create(guest, 2)
    for id in made:
        await idle_server.services.generations.worker.process(id)
    foxes = await new_album(ada, "Foxes", [own])
    await new_album(guest, "FOXES", made[:1])
    bears = await new_album(guest, "Bears", made)
    await add_tags(ada, [own], "red")
    await add_tags(guest, made, "Red", "blue")
    assert (await merge(ada, await token_of(guest)))["errors"] == []
    assert set(await in_album(ada, foxes)) == {own, made[0]}
    assert await in_album(ada, bears) == made[::-1]
    assert sorted(await names_of(ada)) == ["Bears", "Foxes"]
    assert await tags_of(ada) == [("blue", 2), ("red", 3)]
    await assert_invariants(idle_server.services)


async def test_position_is_the_place_after_deletions_and_merges(idle_server: Running) -> None:
    ada, guest = await idle_server.api.sign_up(), await guest_of(idle_server.api)
    made = {name: await new_album(ada, name) for name in ("Ants", "Bears", "Cats", "Deer")}
    for name in ("Eels", "cats", "Foxes"):
        await new_album(guest, name)

    async def places() -> list[tuple[str, int]]:
        return [(one["name"], one["position"]) for one in (await ada.one(ALBUMS))["albums"]["nodes"]]

    async def changed() -> dict[str, str]:
        return {one["name"]: one["updatedAt"] for one in (await ada.one(ALBUMS))["albums"]["nodes"]}

    before = await changed()
    await ada.one(DELETE_ALBUM, id=made["Bears"])
    assert await places() == [("Ants", 0), ("Cats", 1), ("Deer", 2)]
    await new_album(ada, "Bears")
    assert (await merge(ada, await token_of(guest)))["errors"] == []
    assert await places() == [("Ants", 0), ("Cats", 1), ("Deer", 2), ("Bears", 3), ("Eels", 4), ("Foxes", 5)]
    await ada.one(DELETE_ALBUM, id=made["Ants"])
    assert await places() == [("Cats", 0), ("Deer", 1), ("Bears", 2), ("Eels", 3), ("Foxes", 4)]
    await ada.one(UPDATE_ALBUM, id=made["Deer"], input={"position": 0})
    after = await changed()
    assert after["Cats"] == before["Cats"], "another place is no change of the others"
    assert after["Deer"] > before["Deer"]


async def test_album_says_when_pictures_were_deleted_or_merged_into_it(idle_server: Running) -> None:
    ada, guest = await idle_server.api.sign_up(), await guest_of(idle_server.api)
    made, hers = await create(ada, 2), await create(guest, 1)
    await idle_server.services.generations.worker.process(hers[0])
    await new_album(ada, "Foxes", made)
    await new_album(ada, "Bears", made[1:])
    await new_album(ada, "Wolves")
    await new_album(guest, "foxes", hers)
    await new_album(guest, "wolves")

    async def changed() -> dict[str, str]:
        return {one["name"]: one["updatedAt"] for one in (await ada.one(ALBUMS))["albums"]["nodes"]}

    before = await changed()
    assert (await ada.one(DELETE, ids=made[:1]))["errors"] == []
    deleted = await changed()
    assert [name for name in before if deleted[name] > before[name]] == ["Foxes"]
    assert (await merge(ada, await token_of(guest)))["errors"] == []
    merged = await changed()
    assert [name for name in before if merged[name] > deleted[name]] == ["Foxes"], "nothing came into Wolves"


async def test_albums_and_tags_are_exported_and_deleted_with_the_account(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    await ada.verify_address()
    made = await create(ada, 2)
    id = await new_album(ada, "Foxes", made)
    await ada.one(ADD_TAGS, ids=made[:1], tags=["red"])
    await ada.one(EXPORT)
    await idle_server.services.accounts.exports.build_pending()
    url = (await ada.one(EXPORT))["dataExport"]["url"]
    data = json.loads(zipfile.ZipFile(io.BytesIO((await ada.http.get(url)).content)).read("data.json"))
    (album,), (tag,) = data["albums"], data["tags"]
    assert (album["id"], album["name"], tag["name"]) == (id, "Foxes", "red")
    assert data["albumEntries"] == [{"albumId": id, "generationId": one} for one in made]
    assert data["tagEntries"] == [{"tagId": tag["id"], "generationId": made[0]}]
    deletion = 'mutation { deleteAccount(input: {password: "correct horse", confirmEmail: "ada@example.com"}) '
    assert (await ada.one(deletion + "{ errors { code } } }"))["errors"] == []
    assert await entries() == (0, 0)
    assert await rows("SELECT id FROM albums UNION ALL SELECT id FROM tags") == []
    await assert_invariants(idle_server.services)
