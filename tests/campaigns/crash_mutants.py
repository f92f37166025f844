"""Mutants: bugs on the money path, applied inside the processes that a crash campaign kills.

The campaign must detect each of them; one that missed a mutant would miss the real bug as well.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from models import File, Generation, User
from models.database.connection import rows, run_tx
from models.enum import FileKind, MediaKind, TransactionType
from services.billing import ledger
from services.billing.ledger import LedgerLine
from services.core import idempotency
from services.core.crashpoint import crashpoint
from services.events.account_change import AccountChange
from services.generations import claim, generation, lease_recovery, submission, worker
from services.generations.claim import Claim
from services.generations.queue.next_claims import Claims
from services.generations.submission import SubmissionService
from services.generations.worker import GenerationWorker
from services.generations.worker_pool import WorkerPool
from services.integrations.messaging.wake_up import WakeUps
from services.integrations.providers.video import VideoJob
from services.media.file import FileService
from services.media.new_file import CleanMedia, accompanying, new_file
from tests.campaigns.crash_load import CANCEL_RATE
from tests.campaigns.crash_plan import CLUSTER, EMBEDDED, SUSPENSION, Topology


@dataclass(frozen=True)
class Mutant:
    """One bug, the faults that expose it, and the checks of which at least one must fail."""

    apply: Callable[[], None]
    faults: tuple[str, ...]
    detected_by: set[str]
    topologies: tuple[Topology, ...] = (EMBEDDED,)
    drop_trigger: bool = False  # drop the trigger that protects final statuses, which would catch the bug first
    cancel_rate: float = CANCEL_RATE  # the share of batches that are canceled


async def return_nothing(*_: object) -> list[Any]:
    return []


async def return_none(*_: object) -> None:
    return None


def refund_in_second_transaction() -> None:
    post = ledger.post
    pending_refunds: ContextVar[list[tuple[str, Sequence[LedgerLine]]]] = ContextVar("pending_refunds")

    async def defer_refund(user_id: str, lines: Sequence[LedgerLine], *, version_bumped: bool = False) -> AccountChange:
        if lines and lines[0].type is TransactionType.REFUND:
            pending_refunds.get().append((user_id, lines))
            return AccountChange(user_id, 0, 0, 0)
        return await post(user_id, lines, version_bumped=version_bumped)

    async def run_and_refund_later(work: Callable[..., Awaitable[Any]], *values: Any) -> Any:
        deferred: list[tuple[str, Sequence[LedgerLine]]] = []
        pending_refunds.set(deferred)
        result = await run_tx(work, *values)
        for user_id, lines in deferred:
            crashpoint("worker.ended")
            crashpoint("cancel.committed")
            await run_tx(post, user_id, lines)
        return result

    ledger.post = defer_refund
    claim.run_tx = run_and_refund_later  # type: ignore[attr-defined,assignment]  # the mutation
    generation.run_tx = run_and_refund_later  # type: ignore[attr-defined,assignment]  # the mutation


def file_written_before_its_row() -> None:
    async def store(
        self: FileService,
        owner_id: str,
        kind: FileKind,
        media: CleanMedia,
        write_row: Callable[[File], Awaitable[None]] | None = None,
    ) -> File:
        file = new_file(owner_id, kind, media)
        await self._storage.put(file.key, media.data, media.content_type)
        for stored in accompanying(file, media):
            await self._storage.put(*stored)
        crashpoint("file.bytes_written")
        await (write_row(file) if write_row else file.save(force_create=True))
        return file

    FileService.store = store  # type: ignore[method-assign]  # the mutation


def row_deleted_before_its_file() -> None:
    async def remove(self: FileService, file: File) -> bool:
        await file.delete()
        crashpoint("file.bytes_removed")
        for key in (*file.thumbnail_keys, file.key):
            await self._storage.delete(key)
        return True

    FileService.remove = remove  # type: ignore[method-assign]  # the mutation


def no_fence_check() -> None:
    claim._HELD = "id = $1 AND $2 >= 0"


def no_fence_check_after_suspension() -> None:
    no_fence_check()


def debit_by_read_modify_write() -> None:
    post, submit = ledger.post, SubmissionService.submit
    seen: ContextVar[int | None] = ContextVar("seen", default=None)

    async def reading(self: SubmissionService, user_id: str, *rest: Any) -> Any:
        seen.set((await User.get(id=user_id)).credits)
        await asyncio.sleep(0.01)
        return await submit(self, user_id, *rest)

    async def writing(user_id: str, lines: Sequence[LedgerLine], *, version_bumped: bool = False) -> AccountChange:
        account = await post(user_id, lines, version_bumped=version_bumped)
        if (balance := seen.get()) is not None:
            total = balance + sum(line.amount for line in lines)
            await rows("UPDATE users SET credits = $2 WHERE id = $1 RETURNING id", user_id, total)
        return account

    submission.accept = return_none  # type: ignore[assignment]  # the mutation: only the other way posts lines
    SubmissionService.submit = reading  # type: ignore[method-assign,assignment]  # the mutation
    ledger.post = writing


def idempotency_keys_ignored() -> None:
    submission.accept = return_none  # type: ignore[assignment]  # the mutation
    idempotency.find_result = return_none  # type: ignore[assignment]  # the mutation
    idempotency.store_result = return_none  # type: ignore[assignment]  # the mutation


def provider_call_not_recorded() -> None:
    async def record_call(self: Claim, provider: str) -> None:
        return None

    Claim.record_call = record_call  # type: ignore[method-assign]  # the mutation


def expired_leases_not_swept() -> None:
    lease_recovery.expired_leases = return_nothing  # type: ignore[attr-defined,assignment]  # the mutation


def table_not_polled() -> None:
    named: list[str] = []

    def keep_names(_: WakeUps, message: dict[str, Any]) -> None:
        named.extend(message["generations"])

    async def take_named(self: GenerationWorker, limit: int) -> Claims:
        ids, named[:] = named[:limit], named[limit:]
        claims = [await Claim.take(id, self.name, self._times.lease, self._per_user) for id in ids]
        return Claims([each for each in claims if each is not None])

    WakeUps._keep_trace = keep_names  # type: ignore[method-assign,assignment]  # the mutation
    GenerationWorker.take = take_named  # type: ignore[method-assign]  # the mutation
    WorkerPool._poll = return_nothing  # type: ignore[method-assign,assignment]  # the mutation


def claim_by_read_modify_write() -> None:
    async def take(worker_name: str, lease_seconds: float, _: int, limit: int, *__: object) -> Claims:
        waiting = await Generation.filter(status="PENDING").order_by("id").limit(limit)
        await asyncio.sleep(0.01)
        for row in waiting:
            await rows(
                "UPDATE generations SET status = 'PROCESSING', stage = 'VALIDATING', fence = $2,"
                " attempts = attempts + 1, version = version + 1, worker = $3, lease_until = LATER($4),"
                " updated_at = NOW() WHERE id = $1 RETURNING id",
                row.id,
                row.fence + 1,
                worker_name,
                lease_seconds,
            )
        claimed = [await Generation.get(id=row.id).select_related("original") for row in waiting]
        return Claims([Claim(row, lease_seconds) for row in claimed])

    worker.take_next = take  # type: ignore[attr-defined,assignment]  # the mutation


def unneeded_files_not_swept() -> None:
    FileService.find_removable = return_nothing  # type: ignore[method-assign,assignment]  # the mutation


def job_recorded_too_late() -> None:
    """The id is written when the job is first left alone, together with the time at which it is due."""
    wait = Claim.wait

    async def record_job(self: Claim, job: VideoJob) -> None:
        self.late_job = job  # type: ignore[attr-defined]  # the mutation

    async def wait_with_job(self: Claim, seconds: float, progress: float = claim.STARTED) -> Generation:
        if (job := getattr(self, "late_job", None)) is not None:
            await record(self, job)
        return await wait(self, seconds, progress)

    record = Claim.record_job
    Claim.record_job, Claim.wait = record_job, wait_with_job  # type: ignore[method-assign]  # the mutation


def job_and_call_recorded_too_late() -> None:
    """Both are written when the answer is there, so that a job which died in between is submitted again."""
    record_call, record_job = Claim.record_call, Claim.record_job

    async def call_later(self: Claim, provider: str) -> None:
        if self.generation.media is MediaKind.VIDEO:
            self.late_call = provider  # type: ignore[attr-defined]  # the mutation
        else:
            await record_call(self, provider)

    async def record_both(self: Claim, job: VideoJob) -> None:
        await record_call(self, self.late_call)  # type: ignore[attr-defined]  # the mutation
        await record_job(self, job)

    Claim.record_call, Claim.record_job = call_later, record_both  # type: ignore[method-assign]  # the mutation


BOTH = (EMBEDDED, CLUSTER)
# Not for a campaign: after it, nothing is submitted twice, and a job is lost that an honest failure could also be.
PLAIN_MUTANTS = {job_recorded_too_late.__name__: job_recorded_too_late}
MUTANTS = {
    mutant.apply.__name__: mutant
    for mutant in (
        Mutant(refund_in_second_transaction, ("worker.ended", "cancel.committed"), {"M4"}, BOTH),
        Mutant(file_written_before_its_row, ("file.bytes_written",), {"B1"}, BOTH),
        Mutant(row_deleted_before_its_file, ("file.bytes_removed",), {"B1"}, BOTH),
        Mutant(no_fence_check, ("sweeper.files_marked",), {"status", "M4"}, drop_trigger=True, cancel_rate=0.9),
        Mutant(no_fence_check_after_suspension, (SUSPENSION,), {"status", "M4"}, (CLUSTER,), drop_trigger=True),
        Mutant(claim_by_read_modify_write, ("worker.ended",), {"repeated_calls"}, (CLUSTER,)),
        Mutant(debit_by_read_modify_write, ("cancel.committed",), {"M1", "M6"}, BOTH),
        Mutant(idempotency_keys_ignored, ("generation.wake_up_published",), {"idempotency"}, BOTH),
        Mutant(provider_call_not_recorded, ("worker.generated",), {"G5", "calls"}, BOTH),
        Mutant(job_and_call_recorded_too_late, ("video.submitted",), {"resubmitted"}, BOTH),
        Mutant(expired_leases_not_swept, ("worker.claimed",), {"G2"}, BOTH),
        Mutant(table_not_polled, ("generation.committed",), {"G2"}, BOTH),
        Mutant(unneeded_files_not_swept, ("file.bytes_written",), {"B3"}, BOTH),
    )
}
