"""Exports of one's own data: asked for, made in the background by one worker at a time, kept for a while, removed."""

import asyncio
import contextlib
import tempfile

import structlog

from models import DataExport, User
from models.database.connection import rows, run_tx
from models.enum import ExportState
from services.accounts.data_export_archive import Archive
from services.core.crashpoint import crashpoint
from services.core.lease import Lease, LeaseLostError
from services.events import account_change
from services.integrations.storage.protocol import Link, Storage, StorageError

log = structlog.get_logger(__name__)

ARCHIVE_TYPE = "application/zip"
ARCHIVE_NAME = "darkroom-data.zip"
_ATTEMPTS = 3  # so that data which kill their worker do not kill every worker
_HELD = "id = $1 AND state = 'PENDING' AND attempts = $2"  # the attempt's number says whose it is


class ExportService:
    """Makes a zip of everything that an account holds. One lives for `seconds`, so long is no new one made.

    `lease`: seconds without a sign of life after which a worker is taken for dead.
    """

    def __init__(self, storage: Storage, *, seconds: int, lease: float) -> None:
        self._storage = storage
        self._seconds = seconds
        self._lease = lease

    async def request(self, user_id: str) -> DataExport:
        """The account's export: the one that is there or being made, else a new one."""
        return await run_tx(self._request, user_id)

    @staticmethod
    async def _request(user_id: str) -> DataExport:
        # The account's row first, as everywhere; changing nothing, for an export is nothing that an account shows.
        await account_change.lock_account(user_id)
        known = await rows(
            "SELECT id FROM data_exports WHERE owner_id = $1"
            " AND (state = 'PENDING' OR state = 'READY' AND expires_at > NOW()) LIMIT 1",
            user_id,
        )
        return await (DataExport.get(id=known[0]["id"]) if known else DataExport.create(owner_id=user_id))

    async def link(self, export: DataExport) -> Link | None:
        """Where it can be fetched; None while it is being made. Raises StorageError."""
        if export.state is not ExportState.READY:
            return None
        return await self._storage.link(export.key, ARCHIVE_TYPE, download_as=ARCHIVE_NAME)

    async def make_waiting(self) -> None:
        """Make every export that waits or whose worker died, one after another."""
        while (export := await self.claim()) is not None:
            try:
                await self._make(export)
            except LeaseLostError:
                log.info("export.lost", export=export.id)
            except asyncio.CancelledError:
                await asyncio.shield(asyncio.create_task(self._requeue(export)))
                raise
            except Exception:  # it is tried again when the lease has ended
                log.exception("export.failed", export=export.id, attempt=export.attempts)

    async def claim(self) -> DataExport | None:
        """Hold the export whose turn it is, until the lease ends; None when none waits."""
        free = "state = 'PENDING' AND (lease_until IS NULL OR lease_until < NOW())"
        hopeless = await rows(
            f"UPDATE data_exports SET state = 'DELETING' WHERE {free} AND attempts >= $1 RETURNING id",  # noqa: S608 - a constant
            _ATTEMPTS,
        )
        for row in hopeless:
            log.error("export.given_up", export=row["id"])
        taken = await rows(
            "UPDATE data_exports SET lease_until = LATER($1), attempts = attempts + 1"  # noqa: S608 - a constant
            f" WHERE {free} AND id = (SELECT id FROM data_exports WHERE {free} ORDER BY created_at LIMIT 1)"
            " RETURNING id",
            float(self._lease),
        )
        return await DataExport.get_or_none(id=taken[0]["id"]) if taken else None

    async def _make(self, export: DataExport) -> None:
        crashpoint("export.claimed")
        user, lease = await User.get(id=export.owner_id), self._lease_of(export)
        with tempfile.TemporaryFile() as file:  # without a name: a process that is killed leaves nothing of it
            async with contextlib.aclosing(Archive(user, self._storage, file).write()) as pieces:
                async for _ in pieces:
                    await lease.renew()
            # Storing a large one takes longer than a lease, and is not interrupted when the lease is lost.
            async with lease.heartbeat(self._lease / 4, cancel_body=False):
                await self._storage.put_file(export.key, file, ARCHIVE_TYPE)
        crashpoint("export.stored")
        try:
            await lease.update("state = 'READY', lease_until = NULL, expires_at = LATER($3)", float(self._seconds))
        except LeaseLostError:
            if not await DataExport.filter(id=export.id).exclude(state=ExportState.DELETING).exists():
                await self._storage.delete(export.key)  # it may have been removed before the bytes were there
            raise
        log.info("export.ready", export=export.id, user=user.id)

    def _lease_of(self, export: DataExport) -> Lease:
        return Lease("data_exports", _HELD, export.id, export.attempts, self._lease)

    async def _requeue(self, export: DataExport) -> None:
        """Release the lease because this process stops; the attempt does not count."""
        with contextlib.suppress(LeaseLostError):
            await self._lease_of(export).update("lease_until = NULL, attempts = attempts - 1")

    async def expired(self, limit: int) -> list[DataExport]:
        """Exports past their time, and those of accounts that are gone once nobody writes them any more."""
        await rows(
            "UPDATE data_exports SET state = 'DELETING' WHERE state = 'READY' AND expires_at < NOW() RETURNING id"
        )
        found = await rows(
            # In any order, so that what cannot be removed does not keep the sweeper from what can.
            "SELECT id FROM data_exports WHERE state = 'DELETING' AND (lease_until IS NULL OR lease_until < NOW())"
            " ORDER BY RANDOM() LIMIT $1",
            limit,
        )
        return await DataExport.filter(id__in=[row["id"] for row in found])

    async def remove(self, export: DataExport) -> bool:
        """Remove bytes, then the row; False when the storage would not."""
        try:
            await self._storage.delete(export.key)
        except StorageError:
            log.exception("export.remove_failed", export=export.id)
            return False
        crashpoint("export.bytes_removed")
        await DataExport.filter(id=export.id).delete()
        return True
