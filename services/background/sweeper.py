"""The sweeper: finds what was left lying, whoever died, and puts it in order. Any number may run at once."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

import structlog

from models import File
from models.database.connection import rows
from services.accounts import mail_token
from services.accounts.account_deletion import AccountDeletionService
from services.accounts.data_export import ExportService
from services.accounts.session import SessionService
from services.billing.membership import MembershipService
from services.core.crashpoint import crashpoint
from services.events.publisher import EventPublisher
from services.generations.claim import Claim, ClaimLostError, expired_leases
from services.integrations.messaging.queue import TaskQueue
from services.media.file import FileService
from services.media.upload import UploadService
from services.operations.self_check import SelfCheck
from services.payments.reconciliation import Reconciliation
from services.payments.webhook import WebhookService

log = structlog.get_logger(__name__)

T = TypeVar("T")

_BATCH = 100  # rows of each kind in one sweep
_FAILURES = 3  # of the storage, after which the rest waits for the next sweep: each costs its whole deadline


class Sweeper:
    """One pass every `every` seconds; each row stands alone, so that a bad one stops nothing."""

    def __init__(
        self,
        queue: TaskQueue,
        files: FileService,
        uploads: UploadService,
        sessions: SessionService,
        departures: AccountDeletionService,
        exports: ExportService,
        webhooks: WebhookService,
        reconciliation: Reconciliation,
        memberships: MembershipService,
        self_check: SelfCheck,
        events: EventPublisher,
        *,
        every: float,
        lease: float,
        orphan_age: float,
    ) -> None:
        self._queue = queue
        self._files = files
        self._uploads = uploads
        self._sessions = sessions
        self._departures = departures
        self._exports = exports
        self._webhooks = webhooks
        self._reconciliation = reconciliation
        self._memberships = memberships
        self._self_check = self_check
        self._events = events
        self._every = every
        self._lease = lease
        self._orphan_age = orphan_age

    async def run(self) -> None:
        """Sweep until cancelled. A storage that hangs keeps nobody from settling what dead workers left.

        Exports are made beside it: a large one takes minutes.
        """
        work = (self.settle, self.clean_up, self._exports.make_waiting)
        hourly = (self._reconciliation.run(), self._self_check.run())
        await asyncio.gather(*(self._again_and_again(one) for one in work), *hourly)

    async def _again_and_again(self, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
            except Exception:
                log.warning("sweep.failed", exc_info=True)
            await asyncio.sleep(self._every)

    async def sweep(self) -> None:
        """One pass over everything."""
        await self.settle()
        await self._exports.make_waiting()
        await self.clean_up()

    async def settle(self) -> None:
        """What was paid and not seen to, generations whose workers died, and memberships that ran out.

        What waits is not looked for here: every worker's crew does that.
        """
        await self._each("sweep.event", await self._webhooks.unhandled(_BATCH), self._webhooks.handle)
        await self._each("sweep.lapsed", await expired_leases(_BATCH), self._settle)
        await self._each("sweep.membership", await self._memberships.lapsed(_BATCH), self._memberships.lapse)

    async def clean_up(self) -> None:
        """What accounts that are gone have left, files that nothing needs, and whatever has had its time."""
        await self._each("sweep.account", await self._departures.unfinished(_BATCH), self._departures.finish)
        await self._remove_files()
        await self._each("sweep.upload", await self._uploads.expired(_BATCH), self._uploads.remove)
        await self._each("sweep.export", await self._exports.expired(_BATCH), self._exports.remove)
        await self._sessions.remove_expired()
        await mail_token.remove_expired()

    @staticmethod
    async def _each(event: str, found: Iterable[T], mend: Callable[[T], Awaitable[bool]]) -> bool:
        """Mend one after another, and say whether all were; what cannot be mended stops no other, but an outage is not
        asked a hundred times."""
        failures = 0
        well = True
        for item in found:
            try:
                mended = await mend(item)
                failures += not mended
            except Exception:
                mended = False
                log.exception(event, item=str(item))
            well = well and mended
            if failures == _FAILURES:
                break
        return well

    async def _settle(self, generation_id: str) -> bool:
        """A generation whose worker died: back to the queue before the call, failed after it."""
        claim = await Claim.take_over(generation_id, self._lease)
        if claim is None:
            return True
        crashpoint("sweeper.taken_over")
        try:
            row = await claim.settle(died=True)
        except ClaimLostError:  # canceled in this very moment
            return True
        crashpoint("sweeper.settled")
        log.warning("generation.abandoned", generation=row.id, status=row.status, refunded=row.refunded)
        await self._events.status_changed(row)
        if claim.account is not None:
            await self._events.account_changed(claim.account)
        if not row.status.is_final:
            await self._queue.ring(row.id, row.fence)
        return True

    async def _unsettled_files(self) -> list[File]:
        marked = await rows(
            "UPDATE files SET state = 'DELETING', updated_at = NOW() WHERE state = 'PENDING' AND updated_at < LATER($1)"
            " RETURNING id",
            -float(self._orphan_age),
        )
        if marked:
            crashpoint("sweeper.files_marked")
        return await File.filter(state="DELETING").order_by("updated_at").limit(_BATCH)

    async def _remove_files(self) -> None:
        # Whoever deletes a large gallery, or an account, leaves more than one batch, and waits for no next sweep.
        while files := await self._unsettled_files():
            if not await self._each("sweep.file", files, self._files.remove) or len(files) < _BATCH:
                return
