"""The objects that the rows of a database refer to."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from models.catalogue import style_picture_key
from models.enum import FileState
from models.media import file_keys

_PAGE = 20_000  # rows in memory at once
Query = Callable[..., Awaitable[list[dict[str, Any]]]]

# As services.media and services.catalogue store them.
_THUMBNAIL_TYPE = "image/webp"
_POSTER_TYPE = "image/jpeg"
_STYLE_PICTURE_TYPE = "image/webp"
_FILES = (
    "SELECT id, COALESCE(folder_id, owner_id) AS folder, kind, content_type, thumbnail_widths, duration FROM files"
    " WHERE state = $1 AND id > $2 ORDER BY id LIMIT $3"
)
_PICTURES = "SELECT id, COALESCE(folder_id, owner_id) AS folder FROM style_pictures WHERE state = $1"
_UPLOADS = "SELECT id, owner_id, content_type FROM uploads"


@dataclass(frozen=True, slots=True)
class ExpectedObject:
    """An object that a row refers to. `is_required`: it is there from the moment that the row says so."""

    key: str
    content_type: str
    is_required: bool = True


async def expected_objects(query: Query) -> list[ExpectedObject]:
    """Return the objects of all LIVE files and pictures, and those of uploads that may have arrived.

    PENDING files are not among them: nothing refers to them, and after a restore the sweeper removes their rows.
    Nor are data exports, which are large and can be requested again: a restore lets them expire.
    """
    found = [
        ExpectedObject(style_picture_key(row["folder"], row["id"]), _STYLE_PICTURE_TYPE)
        for row in await query(_PICTURES, FileState.LIVE.value)
    ]
    async for row in _all(query, _FILES, FileState.LIVE.value):
        widths = row["thumbnail_widths"]
        widths = json.loads(widths) if isinstance(widths, str) else widths
        is_video = row["duration"] is not None
        first, *others = file_keys(row["kind"], row["folder"], row["id"], widths, is_video=is_video)
        found.append(ExpectedObject(first, row["content_type"]))
        for number, key in enumerate(others):
            found.append(ExpectedObject(key, _POSTER_TYPE if is_video and number == 0 else _THUMBNAIL_TYPE))
    for row in await query(_UPLOADS):
        found.append(ExpectedObject(f"uploads/{row['owner_id']}/{row['id']}", row["content_type"], is_required=False))
    return found


async def _all(query: Query, statement: str, *values: str) -> AsyncIterator[dict[str, Any]]:
    """Yield all rows in the order of ids. The statement ends with two more values: the last id, and the page's size."""
    last, is_full = "", True
    while is_full:
        page = await query(statement, *values, last, _PAGE)
        for row in page:
            yield row
        is_full = len(page) == _PAGE
        last = page[-1]["id"] if page else last
