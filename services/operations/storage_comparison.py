"""The comparison of the storage's listing with the rows that it should have."""

import asyncio
import functools
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from itertools import chain

import orjson

from models import DataExport, File, StylePicture, Upload
from models.catalogue import style_picture_key
from models.database.fixed_sql import R, Row, RowKind, fetch
from models.enum import FileState
from models.media import file_keys, is_preview, preview_key


class _PictureRow(Row, model=StylePicture):
    id: str
    folder_id: str
    state: FileState


class _FileRow(Row, model=File):
    id: str
    kind: str
    folder_id: str
    state: FileState
    thumbnail_widths: Sequence[int]
    duration: float | None


_FOLDER = "COALESCE(folder_id, owner_id) AS folder_id"  # the account under whose name the bytes are stored
_PICTURES = f"SELECT id, {_FOLDER}, state FROM style_pictures WHERE id > $1 ORDER BY id LIMIT $2"  # noqa: S608 - a constant
_FILES = (
    f"SELECT id, kind, {_FOLDER}, state, thumbnail_widths, duration FROM files"  # noqa: S608 - a constant
    " WHERE id > $1 ORDER BY id LIMIT $2"
)
_PICTURE_ROWS, _FILE_ROWS = RowKind(_PictureRow), RowKind(_FileRow)
_PAGE = 20_000  # rows of a page, of which two are in memory; PostgreSQL accepts 32,767 parameters
_LIVE = FileState.LIVE.value

Listing = Callable[[], Awaitable[set[str]]]


async def compare_storage(keys: Listing) -> tuple[list[str], list[str]]:
    """Return keys of objects without a row, and ids of LIVE files without an object.

    The server may be working, so the storage is listed again if anything differs: a row is written before its bytes and
    deleted after them.
    """
    objects = _Objects(await keys())
    temporary = [upload.key for upload in await Upload.all().only("id", "owner_id")]
    temporary += [export.key for export in await DataExport.all().only("id", "owner_id")]
    objects.take(temporary)
    objects.expect_leftovers(temporary)
    async with aclosing(_pages(_PICTURE_ROWS, _PICTURES)) as pages_of_pictures:
        async for pictures in pages_of_pictures:
            objects.take_pictures(pictures)
    async with aclosing(_pages(_FILE_ROWS, _FILES)) as pages_of_files:
        async for files in pages_of_files:
            objects.take_files(files)
    if not objects.unknown and not objects.absent:
        return [], []
    listed = await keys()
    missing = [id for id, expected in objects.absent.items() if not listed.issuperset(expected)]
    return sorted(objects.unknown & listed), await _still_live(missing)


class _Objects:
    """The objects that were listed. `unknown`: those without a row so far; `absent`: keys by id of LIVE files."""

    def __init__(self, listed: set[str]) -> None:
        self.unknown = listed
        self.absent: dict[str, Sequence[str]] = {}
        self._leftovers: dict[str, list[str]] = {}
        unusual = [key for key in listed if "/." in key or is_preview(key)]
        for key in unusual:
            if "/." in key:
                self._leftovers.setdefault(final_key(key), []).append(key)
        self._has_unusual = bool(unusual)

    def take(self, expected: Iterable[str]) -> None:
        """Note that these keys have a row."""
        self.unknown.difference_update(expected)

    def expect_leftovers(self, expected: Iterable[str]) -> None:
        """Note that leftovers of these keys are no orphans: they are removed with the row, unless that stays."""
        for key in expected:
            self.unknown.difference_update(self._leftovers.get(key, ()))

    def take_pictures(self, rows: Sequence[_PictureRow]) -> None:
        """Compare the pictures of styles."""
        for row in rows:
            key = style_picture_key(row["folder_id"], row["id"])
            if row["state"] != _LIVE:
                self.expect_leftovers((key,))
            elif key not in self.unknown:
                self.absent[row["id"]] = [key]
            self.take((key,))

    def take_files(self, rows: Sequence[_FileRow]) -> None:
        """Compare files. Nearly always all objects of a page exist, which is found out for all together."""
        unknown = self.unknown
        expected = [_keys_of(row) for row in rows]
        if not unknown.issuperset(chain.from_iterable(expected)):
            for row, names in zip(rows, expected, strict=True):
                if row["state"] == _LIVE and not unknown.issuperset(names):
                    self.absent[row["id"]] = names
        unknown.difference_update(chain.from_iterable(expected))
        if self._has_unusual:
            for row, names in zip(rows, expected, strict=True):
                preview = preview_key(names[0])  # of any picture that is shared and was visited
                self.take((preview,))
                self.expect_leftovers((preview, *(() if row["state"] == _LIVE else names)))


async def _pages(kind: RowKind[R], statement: str) -> AsyncGenerator[list[R], None]:
    """Yield the rows of a table in the order of ids, in pages. While one is handled, the next is read."""
    page = await fetch(kind, statement, ("", _PAGE))
    while len(page) == _PAGE:
        following = asyncio.ensure_future(fetch(kind, statement, (page[-1]["id"], _PAGE)))
        try:
            yield page
            page = await following
        finally:
            following.cancel()
    yield page


def _keys_of(row: _FileRow) -> Sequence[str]:
    widths = row["thumbnail_widths"]
    if isinstance(widths, str):
        widths = _parsed(widths)
    return file_keys(row["kind"], row["folder_id"], row["id"], widths, is_video=row["duration"] is not None)


@functools.lru_cache(256)
def _parsed(widths: str) -> Sequence[int]:
    """Return the widths of a file's thumbnails, which are the same for most files."""
    return tuple(orjson.loads(widths))


async def _still_live(ids: list[str]) -> list[str]:
    """Return those of the files that are LIVE, in pages: after the loss of a bucket, all of them are asked for."""
    found: set[str] = set()
    for start in range(0, len(ids), _PAGE):
        page = ids[start : start + _PAGE]
        for table in (File, StylePicture):
            found.update([id for (id,) in await table.filter(id__in=page, state=FileState.LIVE).values_list("id")])
    return [id for id in ids if id in found]


def final_key(key: str) -> str:
    """Return the key that the leftover of an interrupted write belongs to: `folder/.name.1f2e` to `folder/name`."""
    folder, _, name = key.rpartition("/")
    return f"{folder}/{name[1:].rpartition('.')[0]}"
