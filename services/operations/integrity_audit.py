"""The integrity audit: checks every invariant against the database and the storage."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from models.database.connection import is_outage, rows
from models.database.read_only import QueryTimeoutError
from services.integrations.storage.protocol import StorageError
from services.operations.invariant import INVARIANTS, Invariant
from services.operations.storage_comparison import compare_storage


@dataclass(frozen=True)
class InvariantResult:
    """The result of checking one invariant: it holds if there are no violations. `is_backlog`: as of the invariant."""

    name: str
    statement: str
    violations: tuple[str, ...]
    is_complete: bool = True  # False: the check timed out, or part of it did
    is_backlog: bool = False


_STORAGE = "B1"  # the invariant that compares the database with the storage's listing


@dataclass(frozen=True)
class _Listing:
    """The comparison with the storage's listing: keys without a row, and files without bytes."""

    orphans: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    is_complete: bool = True


class IntegrityAudit:
    """Checks the invariants. `keys` lists the storage; `query` runs a statement.

    `generation_seconds`: from a request to its end, `video_seconds`: the same of a video, None: as long;
    `file_seconds`: how long an unused file may exist;
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
        video_seconds: float | None = None,
    ) -> None:
        self._keys = keys
        self._query = query
        self._listing_timeout = listing_timeout
        self._grace: dict[str, tuple[float, ...]] = {
            "G2": (generation_seconds, video_seconds or generation_seconds),
            "U1": (generation_seconds,),
            "E1": (generation_seconds,),
            "M10": (generation_seconds,),
            "W1": (generation_seconds,),
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
                orphans, missing = await compare_storage(self._keys)
        except StorageError as error:
            if self._listing_timeout is not None:  # an outage of the storage is reported as such, not as lost files
                return _Listing(is_complete=False)
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
        return InvariantResult(invariant.name, invariant.statement, found, is_backlog=invariant.is_backlog)
