"""Exports of a user's data: requested, built in the background by one worker at a time, kept for a while, removed."""

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncGenerator

import structlog

from models import DataExport, User
from models.database.connection import as_datetime, rows, run_tx
from models.enum import ExportState
from services.accounts.data_export_archive import Archive
from services.accounts.email_verification import VerificationService
from services.core.crashpoint import crashpoint
from services.core.error import ExportFailedError
from services.core.lease import Lease, LeaseLostError
from services.core.locale import Translator
from services.events import account_change
from services.integrations.storage.protocol import Link, Storage, StorageError

log = structlog.get_logger(__name__)

ARCHIVE_TYPE = "application/zip"
ARCHIVE_NAME = "darkroom-data.zip"
_MAX_ATTEMPTS = 3  # so that data that crash one worker do not crash all of them
PAUSE_MINUTES = 60.0  # after the last attempt has failed, before another export can be requested
_FREE = "state = 'PENDING' AND (lease_until IS NULL OR lease_until < NOW())"
_CLAIMED = "id = $1 AND state = 'PENDING' AND attempts = $2"  # the number of the attempt is the fence


class ExportService:
    """Builds a zip of all data of an account. It is kept for `seconds`, during which no new one is built.

    `lease`: seconds without a heartbeat after which the worker counts as dead.
    """

    def __init__(
        self,
        storage: Storage,
        verification: VerificationService,
        translator: Translator,
        *,
        seconds: int,
        lease: float,
    ) -> None:
        self._storage = storage
        self._verification = verification
        self._translator = translator
        self._seconds = seconds
        self._lease = lease

    async def request(self, user: User) -> DataExport:
        """Return the account's current export, ready or pending, or create one.

        Raises:
            UnverifiedEmailError: the account's address is not verified.
            ExportFailedError: the last one was given up a short time ago; without a pause, a client that waits for it
                would have it begun again and again.
        """
        self._verification.require(user)
        return await run_tx(self._request, user.id)

    @staticmethod
    async def _request(user_id: str) -> DataExport:
        # Locks the account's row first, as everywhere; the version stays the same, because it does not cover exports.
        await account_change.lock_account(user_id)
        existing = await rows(
            "SELECT id FROM data_exports WHERE owner_id = $1"
            " AND (state = 'PENDING' OR state = 'READY' AND expires_at > NOW()) LIMIT 1",
            user_id,
        )
        if existing:
            return await DataExport.get(id=existing[0]["id"])
        failed = await rows(
            "SELECT export_failed_at, NOW() AS now FROM users WHERE id = $1 AND export_failed_at > LATER($2)",
            user_id,
            -60 * PAUSE_MINUTES,
        )
        if failed:
            passed = as_datetime(failed[0]["now"]) - as_datetime(failed[0]["export_failed_at"])
            raise ExportFailedError(max(1, math.ceil(PAUSE_MINUTES - passed.total_seconds() / 60)))
        return await DataExport.create(owner_id=user_id)

    async def link(self, export: DataExport) -> Link | None:
        """Return the download link, or None while the export is pending. Raises StorageError."""
        if export.state is not ExportState.READY:
            return None
        return await self._storage.link(export.key, ARCHIVE_TYPE, download_as=ARCHIVE_NAME)

    async def build_pending(self) -> None:
        """Build all exports that are pending or whose worker died, one after another."""
        while (export := await self.claim()) is not None:
            try:
                await self._build(export)
            except LeaseLostError:
                log.info("export.lease_lost", export=export.id)
            except asyncio.CancelledError:
                await asyncio.shield(asyncio.create_task(self._requeue(export)))
                raise
            except Exception:  # retried after the lease has expired
                log.exception("export.failed", export=export.id, attempt=export.attempts)

    async def claim(self) -> DataExport | None:
        """Claim the oldest unclaimed export for the length of a lease; None if there is none."""
        exhausted = await rows(
            f"SELECT id, owner_id FROM data_exports WHERE {_FREE} AND attempts >= $1",  # noqa: S608 - a constant
            _MAX_ATTEMPTS,
        )
        for row in exhausted:
            if await run_tx(_abandon, row["id"], row["owner_id"]):
                log.error("export.abandoned", export=row["id"], user=row["owner_id"])
        claimed = await rows(
            "UPDATE data_exports SET lease_until = LATER($1), attempts = attempts + 1"  # noqa: S608 - a constant
            f" WHERE {_FREE} AND id = (SELECT id FROM data_exports WHERE {_FREE} ORDER BY created_at LIMIT 1)"
            " RETURNING id",
            float(self._lease),
        )
        return await DataExport.get_or_none(id=claimed[0]["id"]) if claimed else None

    async def _build(self, export: DataExport) -> None:
        crashpoint("export.claimed")
        user, lease = await User.get(id=export.owner_id), self._lease_of(export)
        # Storing a part may take longer than a lease, and is not interrupted when that is lost; no other part follows
        # once that is noticed.
        async with (
            lease.heartbeat(self._lease / 4, cancel_body=False),
            contextlib.aclosing(self._chunks(user, lease)) as chunks,
        ):
            await self._storage.put_stream(export.key, chunks, ARCHIVE_TYPE)
        crashpoint("export.stored")
        try:
            await lease.update("state = 'READY', lease_until = NULL, expires_at = LATER($3)", float(self._seconds))
        except LeaseLostError:
            if not await DataExport.filter(id=export.id).exclude(state=ExportState.DELETING).exists():
                await self._storage.delete(export.key)  # its removal may have run before these bytes were stored
            raise
        log.info("export.ready", export=export.id, user=user.id)

    async def _chunks(self, user: User, lease: Lease) -> AsyncGenerator[bytes, None]:
        """Yield the zip while the lease is held. Raises LeaseLostError, StorageError."""
        archive = Archive(user, self._storage, self._translator)
        every, renewed_at = self._lease / 4, -math.inf
        async with contextlib.aclosing(archive.chunks()) as chunks:
            async for chunk in chunks:
                if time.monotonic() - renewed_at >= every:
                    await lease.renew()
                    renewed_at = time.monotonic()
                yield chunk

    def _lease_of(self, export: DataExport) -> Lease:
        return Lease("data_exports", _CLAIMED, export.id, export.attempts, self._lease)

    async def _requeue(self, export: DataExport) -> None:
        """Release the lease because this process stops; the attempt does not count."""
        with contextlib.suppress(LeaseLostError):
            await self._lease_of(export).update("lease_until = NULL, attempts = attempts - 1")

    async def expired(self, limit: int) -> list[DataExport]:
        """Return exports to remove: expired ones, and those of deleted accounts that no worker is building."""
        await rows(
            "UPDATE data_exports SET state = 'DELETING' WHERE state = 'READY' AND expires_at < NOW() RETURNING id"
        )
        found = await rows(
            # In random order, so that exports that cannot be removed do not block the others.
            "SELECT id FROM data_exports WHERE state = 'DELETING' AND (lease_until IS NULL OR lease_until < NOW())"
            " ORDER BY RANDOM() LIMIT $1",
            limit,
        )
        return await DataExport.filter(id__in=[row["id"] for row in found])

    async def remove(self, export: DataExport) -> bool:
        """Remove the bytes, then the row; False if the storage failed."""
        try:
            await self._storage.delete(export.key)
        except StorageError:
            log.exception("export.remove_failed", export=export.id)
            return False
        crashpoint("export.bytes_removed")
        await DataExport.filter(id=export.id).delete()
        return True


async def _abandon(export_id: str, owner_id: str) -> bool:
    """Give an export up, and record that for its owner; False if another process has, or has completed it."""
    # Locks the account's row first, as everywhere.
    await account_change.lock_account(owner_id, include_deleted=True)
    abandoned = await rows(
        f"UPDATE data_exports SET state = 'DELETING' WHERE id = $1 AND {_FREE} AND attempts >= $2 RETURNING id",  # noqa: S608 - a constant
        export_id,
        _MAX_ATTEMPTS,
    )
    if abandoned:
        await rows("UPDATE users SET export_failed_at = NOW() WHERE id = $1 RETURNING id", owner_id)
    return bool(abandoned)
