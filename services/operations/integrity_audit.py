"""The audit: asks every promise of the database, and of the storage, from outside."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from models import DataExport, File, Upload
from models.database.connection import is_outage, rows
from models.database.read_only import QueryTimeoutError
from models.enum import FileState
from services.integrations.storage.protocol import StorageError
from services.operations.invariant import INVARIANTS, Invariant


@dataclass(frozen=True)
class InvariantResult:
    """How one promise stands; no offender means that it holds."""

    name: str
    promise: str
    violations: tuple[str, ...]
    is_known: bool = True  # False: there was no time to find out, or not all of it


_LISTED = "B1"  # the promise that the storage's own list belongs to


@dataclass(frozen=True)
class _Listing:
    """What the storage's list says: keys without a row, and files without bytes."""

    orphans: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    is_known: bool = True


class IntegrityAudit:
    """Asks every promise. `keys` lists the storage.

    `ask`: runs a statement; `listing`: seconds for the storage, None: as long as it takes. An audit beside a server
    that works has a deadline for each of both, and says of what it did not finish that it is not known.
    """

    def __init__(
        self,
        keys: Callable[[], Awaitable[set[str]]],
        *,
        stuck: float,
        unsettled: float,
        sent_ahead: float,
        ask: Callable[..., Awaitable[list[dict[str, Any]]]] = rows,
        listing: float | None = None,
    ) -> None:
        self._keys = keys
        self._ask = ask
        self._listing = listing
        # Seconds: from a request to its end, how long an unwanted file may lie, and how long a picture sent ahead.
        self._patience: dict[str, tuple[float, ...]] = {
            "G2": (stuck,),
            "U1": (stuck,),
            "E1": (stuck,),
            "B3": (unsettled, sent_ahead),
        }

    async def run(self) -> list[InvariantResult]:
        """One verdict per promise. A storage that does not answer breaks B1 and B2, and hides none of the others."""
        listing = await self._list()
        verdicts = [await self._judge(invariant, listing) for invariant in INVARIANTS]
        return [
            *verdicts,
            InvariantResult("B2", "every picture that lives has its bytes", listing.missing, listing.is_known),
        ]

    async def check(self, name: str) -> InvariantResult:
        """The verdict on one promise of the database; of B1, on the storage as well."""
        invariant = next(each for each in INVARIANTS if each.name == name)
        return await self._judge(invariant, await self._list() if name == _LISTED else _Listing())

    async def _list(self) -> _Listing:
        try:
            async with asyncio.timeout(self._listing):
                orphans, missing = await _compare(self._keys)
        except StorageError as error:
            silence = (f"the storage does not answer: {error}",)
            return _Listing(silence, silence)
        except Exception as error:
            if self._listing is None or not is_outage(error):
                raise
            return _Listing(is_known=False)
        return _Listing(tuple(orphans), tuple(missing))

    async def _judge(self, invariant: Invariant, listing: _Listing) -> InvariantResult:
        ago = [-float(seconds) for seconds in self._patience.get(invariant.name, ())]
        try:
            found = tuple(row["id"] for row in await self._ask(invariant.sql, *ago))
        except QueryTimeoutError:
            return InvariantResult(invariant.name, invariant.promise, (), is_known=False)
        if invariant.name == _LISTED:
            return InvariantResult(invariant.name, invariant.promise, found + listing.orphans, listing.is_known)
        return InvariantResult(invariant.name, invariant.promise, found)


async def _compare(keys: Callable[[], Awaitable[set[str]]]) -> tuple[list[str], list[str]]:
    """Objects without a row, and LIVE rows without an object.

    The server may be at work, so the storage is read before and after: a row comes before its bytes and leaves last.
    """
    before = await keys()
    files = await File.all().only("id", "kind", "owner_id", "state", "thumbnail_widths")
    passing = {upload.key for upload in await Upload.all().only("id", "owner_id")}
    passing |= {export.key for export in await DataExport.all().only("id", "owner_id")}
    after = await keys()
    known = passing | {key for file in files for key in _keys_of(file)}
    unsettled = passing | {key for file in files if file.state is not FileState.LIVE for key in _keys_of(file)}
    # What an interrupted write left beside its key goes with its row, unless that row stays.
    orphans = [key for key in before & after if key not in known and _beside(key) not in unsettled]
    missing = [file.id for file in files if file.state is FileState.LIVE and not _keys_of(file) <= after]
    # All of them, not those that are missing by name: of a lost bucket, these are more than a statement takes.
    still_live = {file.id for file in await File.filter(state=FileState.LIVE).only("id")} if missing else set()
    return sorted(orphans), [id for id in missing if id in still_live]


def _keys_of(file: File) -> set[str]:
    return {file.key, *file.thumbnail_keys}


def _beside(key: str) -> str:
    """The key that the leftover of an interrupted write belongs to (`folder/.name.1f2e` is beside `folder/name`)."""
    folder, _, name = key.rpartition("/")
    return f"{folder}/{name[1:].rpartition('.')[0]}" if name.startswith(".") else key
