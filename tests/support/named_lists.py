"""Albums and tags: rows for the tables, and the operations of the API."""

import secrets
from typing import Any

from models import ids
from models.database.connection import rows
from tests.support.client import Api
from tests.support.factories import NOW, Row

ERRORS = "errors { code message field }"
ALBUM = "id name position count createdAt updatedAt cover { id }"
CHANGED = f"album {{ {ALBUM} }} generations {{ id isFavorite version tags {{ name count }} }} {ERRORS}"
CREATE_ALBUM = f"mutation($name: String!) {{ createAlbum(name: $name) {{ album {{ {ALBUM} }} {ERRORS} }} }}"
UPDATE_ALBUM = f"""
mutation($id: ID!, $input: UpdateAlbumInput!) {{
  updateAlbum(id: $id, input: $input) {{ album {{ {ALBUM} }} viewer {{ version }} {ERRORS} }}
}}"""
DELETE_ALBUM = f"mutation($id: ID!) {{ deleteAlbum(id: $id) {{ deletedIds {ERRORS} }} }}"
ADD = f"mutation($id: ID!, $ids: [ID!]!) {{ addToAlbum(id: $id, ids: $ids) {{ {CHANGED} }} }}"
REMOVE = f"mutation($id: ID!, $ids: [ID!]!) {{ removeFromAlbum(id: $id, ids: $ids) {{ {CHANGED} }} }}"
SET_TAGS = f"mutation($ids: [ID!]!, $tags: [String!]!) {{ setTags(ids: $ids, tags: $tags) {{ {CHANGED} }} }}"
ADD_TAGS = SET_TAGS.replace("setTags", "addTags")
REMOVE_TAGS = SET_TAGS.replace("setTags", "removeTags")
RENAME_TAG = f"""
mutation($id: ID!, $name: String!) {{
  renameTag(id: $id, name: $name) {{ tag {{ id name count }} viewer {{ version }} {ERRORS} }}
}}"""
SET_FAVORITES = f"""
mutation($ids: [ID!]!, $isFavorite: Boolean!) {{
  setFavorites(ids: $ids, isFavorite: $isFavorite) {{ {CHANGED} viewer {{ version stats {{ favorites }} }} }}
}}"""
ALBUMS = f"{{ viewer {{ albums(first: 100) {{ totalCount nodes {{ {ALBUM} }} }} }} }}"
TAGS = "{ viewer { tags { id name count } } }"


def album(user_id: str, **changes: Any) -> Row:
    moments = {"created_at": NOW, "updated_at": NOW}
    return {"id": ids.new_id(ids.ALBUM), "user_id": user_id, "name": "Foxes", "name_key": "foxes", "position": 0,
            "size": 0, **moments, **changes}  # fmt: skip


def tag(user_id: str, **changes: Any) -> Row:
    return {"id": ids.new_id(ids.TAG), "user_id": user_id, "name": "Red", "name_key": "red", "size": 0,
            "created_at": NOW, **changes}  # fmt: skip


def archive(user_id: str, **changes: Any) -> Row:
    moments = {"expires_at": NOW, "created_at": NOW}
    return {"id": ids.new_id(ids.ARCHIVE), "user_id": user_id, "token_hash": secrets.token_hex(32),
            "generation_ids": "[]", "byte_size": 0, **moments, **changes}  # fmt: skip


def album_entry(album_id: str, generation_id: str) -> Row:
    return {"album_id": album_id, "generation_id": generation_id, "is_favorite": False}


def tag_entry(tag_id: str, generation_id: str) -> Row:
    return {"tag_id": tag_id, "generation_id": generation_id, "is_favorite": False}


async def new_album(api: Api, name: str = "Foxes", generations: list[str] | None = None) -> str:
    """Create an album with these generations, and return its id."""
    made = await api.one(CREATE_ALBUM, name=name)
    assert made["errors"] == []
    if generations:
        assert (await api.one(ADD, id=made["album"]["id"], ids=generations))["errors"] == []
    return str(made["album"]["id"])


async def add_albums(api: Api, generation: str, count: int) -> None:
    """Create albums that have this generation."""
    for number in range(count):
        await new_album(api, f"Album {number}", [generation])


async def add_tags(api: Api, generations: list[str], *names: str) -> None:
    assert (await api.one(ADD_TAGS, ids=generations, tags=list(names)))["errors"] == []


async def tags_of(api: Api) -> list[tuple[str, int]]:
    """Return the names and counts of the account's tags."""
    return [(one["name"], one["count"]) for one in (await api.one(TAGS))["tags"]]


async def tag_ids(api: Api) -> dict[str, str]:
    """Return the ids of the account's tags, by name."""
    return {one["name"]: one["id"] for one in (await api.one(TAGS))["tags"]}


async def version_of(api: Api) -> int:
    return int((await api.one("{ viewer { version } }"))["version"])


async def entries() -> tuple[int, int]:
    """Return the numbers of rows in both tables of entries."""
    counts = [
        await rows("SELECT COUNT(*) AS number FROM album_entries"),
        await rows("SELECT COUNT(*) AS number FROM tag_entries"),
    ]
    return int(counts[0][0]["number"]), int(counts[1][0]["number"])
