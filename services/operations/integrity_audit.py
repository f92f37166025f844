"""The integrity audit: checks every invariant against the database and the storage."""

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from models import DataExport, File, Upload
from models.database.connection import is_outage, rows
from models.database.read_only import QueryTimeoutError
from models.enum import FileState
from models.media import file_keys, is_preview, preview_key
from services.integrations.storage.protocol import StorageError
from services.operations.invariant import INVARIANTS, Invariant


@dataclass(frozen=True)
class InvariantResult:
    """The result of checking one invariant: it holds if there are no violations."""

    name: str
    statement: str
    violations: tuple[str, ...]
    is_complete: bool = True  # False: the check timed out, or part of it did


_FILES = "SELECT id, kind, owner_id, state, thumbnail_widths FROM files WHERE id > $1 ORDER BY id LIMIT $2"
_PAGE = 20_000  # rows in memory at once; PostgreSQL accepts 32,767 parameters
_LIVE = FileState.LIVE.value
_STORAGE = "B1"  # the invariant that compares the database with the storage's listing


@dataclass(frozen=True)
class _Listing:
    """The comparison with the storage's listing: keys without a row, and files without bytes."""

    orphans: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    is_complete: bool = True


class IntegrityAudit:
    """Checks the invariants. `keys` lists the storage; `query` runs a statement.

    `generation_seconds`: from a request to its end; `file_seconds`: how long an unused file may exist;
    `upload_seconds`: the same of an upload. `listing_timeout`: seconds for the storage, None: no limit.

    An audit beside a working server has a deadline for the queries and the listing; what it does not finish is
    reported as incomplete.
    """

    def __init__(
        self,
        keys: Callable[[], Awaitable[set[str]]],
        *,
        generation_seconds: float,
        file_seconds: float,
        upload_seconds: float,
        query: Callable[..., Awaitable[list[dict[str, Any]]]] = rows,
        listing_timeout: float | None = None,
    ) -> None:
        self._keys = keys
        self._query = query
        self._listing_timeout = listing_timeout
        self._grace: dict[str, tuple[float, ...]] = {
            "G2": (generation_seconds,),
            "U1": (generation_seconds,),
            "E1": (generation_seconds,),
            "B3": (file_seconds, upload_seconds),
        }

    async def run(self) -> list[InvariantResult]:
        """Check every invariant. If the storage does not respond, B1 and B2 are violated; the others are checked."""
        return [result async for result in self.results()]

    async def results(self) -> AsyncIterator[InvariantResult]:
        """Check every invariant, and yield the result of each as soon as it is known."""
        listing = _Listing()
        for invariant in INVARIANTS:
            if invariant.name == _STORAGE:
                listing = await self._list()
            yield await self._check(invariant, listing)
        yield InvariantResult("B2", "every LIVE file has its bytes", listing.missing, listing.is_complete)

    async def check(self, name: str) -> InvariantResult:
        """Check one invariant of the database; B1 also checks the storage."""
        invariant = next(each for each in INVARIANTS if each.name == name)
        return await self._check(invariant, await self._list() if name == _STORAGE else _Listing())

    async def _list(self) -> _Listing:
        try:
            async with asyncio.timeout(self._listing_timeout):
                orphans, missing = await _compare(self._keys)
        except StorageError as error:
            outage = (f"the storage does not respond: {error}",)
            return _Listing(outage, outage)
        except Exception as error:
            if self._listing_timeout is None or not is_outage(error):
                raise
            return _Listing(is_complete=False)
        return _Listing(tuple(orphans), tuple(missing))

    async def _check(self, invariant: Invariant, listing: _Listing) -> InvariantResult:
        ago = [-float(seconds) for seconds in self._grace.get(invariant.name, ())]
        try:
            found = tuple(row["id"] for row in await self._query(invariant.sql, *ago))
        except QueryTimeoutError:
            return InvariantResult(invariant.name, invariant.statement, (), is_complete=False)
        if invariant.name == _STORAGE:
            return InvariantResult(invariant.name, invariant.statement, found + listing.orphans, listing.is_complete)
        return InvariantResult(invariant.name, invariant.statement, found)


async def _compare(keys: Callable[[], Awaitable[set[str]]]) -> tuple[list[str], list[str]]:
    """Return keys of objects without a row, and ids of LIVE files without an object.

    The server may be working, so the storage is listed again if anything differs: a row is written before its bytes and
    deleted after them.
    """
    unknown = await keys()
    leftovers: dict[str, list[str]] = {}
    for key in unknown:
        if "/." in key:
            leftovers.setdefault(_final_key(key), []).append(key)
    has_previews = any(map(is_preview, unknown))

    def expect_leftovers(expected: Iterable[str]) -> None:
        # The leftover of an interrupted write, beside its key, is removed with its row, unless that row stays.
        for key in expected:
            unknown.difference_update(leftovers.get(key, ()))

    temporary = [upload.key for upload in await Upload.all().only("id", "owner_id")]
    temporary += [export.key for export in await DataExport.all().only("id", "owner_id")]
    unknown.difference_update(temporary)
    expect_leftovers(temporary)
    absent: dict[str, list[str]] = {}  # keys by id of LIVE files, at the first listing
    async for row in _files():
        expected, is_live = file_keys(row["kind"], row["owner_id"], row["id"], _widths(row)), row["state"] == _LIVE
        before = len(unknown)
        unknown.difference_update(expected)
        if is_live and before - len(unknown) < len(expected):
            absent[row["id"]] = expected
        if has_previews or leftovers:
            preview = preview_key(expected[0])  # of any picture that is shared and was visited
            unknown.discard(preview)
            expect_leftovers((preview, *(() if is_live else expected)))
    if not unknown and not absent:
        return [], []
    listed = await keys()
    missing = [id for id, expected in absent.items() if not listed.issuperset(expected)]
    return sorted(unknown & listed), await _still_live(missing)


async def _files() -> AsyncIterator[dict[str, Any]]:
    """Yield the rows of all files, of which a bounded number is in memory."""
    last, is_full = "", True
    while is_full:
        page = await rows(_FILES, last, _PAGE)
        for row in page:
            yield row
        is_full = len(page) == _PAGE
        last = page[-1]["id"] if page else last


def _widths(row: dict[str, Any]) -> Sequence[int]:
    """Return the widths of a file's thumbnails, which are the same for most files."""
    widths = row["thumbnail_widths"]
    return _parsed(widths) if isinstance(widths, str) else widths


@functools.lru_cache(256)
def _parsed(widths: str) -> Sequence[int]:
    return tuple(orjson.loads(widths))


async def _still_live(ids: list[str]) -> list[str]:
    """Return those of the files that are LIVE, in pages: after the loss of a bucket, all of them are asked for."""
    found: set[str] = set()
    for start in range(0, len(ids), _PAGE):
        page = ids[start : start + _PAGE]
        found.update(await File.filter(id__in=page, state=FileState.LIVE).values_list("id", flat=True))  # type: ignore[arg-type]  # a flat list of ids
    return [id for id in ids if id in found]


def _final_key(key: str) -> str:
    """Return the key that the leftover of an interrupted write belongs to: `folder/.name.1f2e` to `folder/name`."""
    folder, _, name = key.rpartition("/")
    return f"{folder}/{name[1:].rpartition('.')[0]}"
