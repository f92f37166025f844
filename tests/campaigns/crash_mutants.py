"""Mistakes that somebody could make in the path of the money, applied inside processes that the campaign kills.

Each must be found by the campaign: what finds nothing wrong with them would find nothing wrong with us.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from models import File, Generation, User, ids
from models.database.connection import rows, run_tx
from models.enum import FileKind, TransactionType
from services.billing import ledger
from services.billing.ledger import LedgerLine
from services.core import idempotency
from services.core.crashpoint import crashpoint
from services.events.account_change import AccountChange
from services.generations import claim, generation, lease_recovery
from services.generations.claim import Claim
from services.generations.submission import SubmissionService
from services.generations.worker import GenerationWorker
from services.generations.worker_pool import WorkerPool
from services.integrations.images.sanitizer import CleanImage
from services.media.file import THUMBNAIL_TYPE, FileService
from tests.campaigns.crash_load import CANCELS
from tests.campaigns.crash_plan import CLUSTER, EMBEDDED, NAP, Topology


@dataclass(frozen=True)
class Mutant:
    """One mistake, what must happen to bring it to light, and the promises that it breaks."""

    apply: Callable[[], None]
    fates: tuple[str, ...]
    breaks: set[str]
    where: tuple[Topology, ...] = (EMBEDDED,)
    unguarded: bool = False  # without the trigger that keeps a final status, which would catch it first
    cancels: float = CANCELS  # the share of orders that people call off


async def nothing(*_: object) -> list[Any]:
    return []


def refund_in_a_second_transaction() -> None:
    post = ledger.post
    owed: ContextVar[list[tuple[str, Sequence[LedgerLine]]]] = ContextVar("owed")

    async def put_off(user_id: str, lines: Sequence[LedgerLine], *, version_bumped: bool = False) -> AccountChange:
        if lines and lines[0].type is TransactionType.REFUND:
            owed.get().append((user_id, lines))
            return AccountChange(user_id, 0, 0, 0)
        return await post(user_id, lines, version_bumped=version_bumped)

    async def in_two_steps(work: Callable[..., Awaitable[Any]], *values: Any) -> Any:
        later: list[tuple[str, Sequence[LedgerLine]]] = []
        owed.set(later)
        done = await run_tx(work, *values)
        for user_id, lines in later:
            crashpoint("worker.ended")
            crashpoint("cancel.committed")
            await run_tx(post, user_id, lines)
        return done

    ledger.post = put_off
    claim.run_tx = in_two_steps  # type: ignore[attr-defined,assignment]  # the mistake
    generation.run_tx = in_two_steps  # type: ignore[attr-defined,assignment]  # the mistake


def bytes_before_their_row() -> None:
    async def store(self: FileService, owner_id: str, kind: FileKind, image: CleanImage) -> File:
        file = File(
            id=ids.new_id(ids.FILE),
            owner_id=owner_id,
            kind=kind,
            content_type=image.content_type,
            byte_size=len(image.data),
            width=image.width,
            height=image.height,
            sha256=image.sha256,
            thumbnail_widths=sorted(image.thumbnails),
            placeholder=image.placeholder,
        )
        await self._storage.put(file.key, image.data, image.content_type)
        for width, thumbnail in image.thumbnails.items():
            await self._storage.put(file.thumbnail_key_of(width), thumbnail, THUMBNAIL_TYPE)
        crashpoint("file.bytes_written")
        await file.save(force_create=True)
        return file

    FileService.store = store  # type: ignore[method-assign]  # the mistake


def row_removed_before_its_bytes() -> None:
    async def remove(self: FileService, file: File) -> bool:
        await file.delete()
        crashpoint("file.bytes_removed")
        for key in (*file.thumbnail_keys, file.key):
            await self._storage.delete(key)
        return True

    FileService.remove = remove  # type: ignore[method-assign]  # the mistake


def writes_without_a_fence() -> None:
    claim._HELD = "id = $1 AND $2 >= 0"


def zombies_may_write() -> None:
    writes_without_a_fence()


def debit_by_reading_and_writing() -> None:
    post, sell = ledger.post, SubmissionService.sell
    seen: ContextVar[int | None] = ContextVar("seen", default=None)

    async def reading(self: SubmissionService, user_id: str, *rest: Any) -> Any:
        seen.set((await User.get(id=user_id)).credits)
        await asyncio.sleep(0.01)
        return await sell(self, user_id, *rest)

    async def writing(user_id: str, lines: Sequence[LedgerLine], *, version_bumped: bool = False) -> AccountChange:
        account = await post(user_id, lines, version_bumped=version_bumped)
        if (balance := seen.get()) is not None:
            total = balance + sum(line.amount for line in lines)
            await rows("UPDATE users SET credits = $2 WHERE id = $1 RETURNING id", user_id, total)
        return account

    SubmissionService.sell = reading  # type: ignore[method-assign,assignment]  # the mistake
    ledger.post = writing


def keys_forgotten() -> None:
    async def no_memory(*_: object) -> None:
        return None

    idempotency.find_result = no_memory  # type: ignore[assignment]  # the mistake
    idempotency.store_result = no_memory  # type: ignore[assignment]  # the mistake


def call_not_written_down() -> None:
    async def record_call(self: Claim, provider: str) -> None:
        return None

    Claim.record_call = record_call  # type: ignore[method-assign]  # the mistake


def leases_not_swept() -> None:
    lease_recovery.expired_leases = nothing  # type: ignore[attr-defined,assignment]  # the mistake


def table_not_polled() -> None:
    async def run_one(self: WorkerPool, worker: GenerationWorker, _: int) -> None:
        if (claimed := await self._claim_next(worker)) is not None:
            await worker.make(claimed)

    WorkerPool._run_slot = run_one  # type: ignore[method-assign,assignment]  # the mistake
    WorkerPool._poll = nothing  # type: ignore[method-assign,assignment]  # the mistake


def claimed_by_reading_and_writing() -> None:
    async def take(cls: type[Claim], generation_id: str, worker: str, lease_seconds: float, _: int) -> Claim | None:
        row = await Generation.get_or_none(id=generation_id, status="PENDING")
        if row is None:
            return None
        await asyncio.sleep(0.01)
        await rows(
            "UPDATE generations SET status = 'PROCESSING', stage = 'VALIDATING', fence = $2, attempts = attempts + 1,"
            " version = version + 1, worker = $3, lease_until = LATER($4), updated_at = NOW() WHERE id = $1"
            " RETURNING id",
            row.id,
            row.fence + 1,
            worker,
            lease_seconds,
        )
        return cls(await claim._refetch(row.id), lease_seconds)

    Claim.take = classmethod(take)  # type: ignore[method-assign,assignment]  # the mistake


def files_not_swept() -> None:
    FileService.unneeded = nothing  # type: ignore[method-assign,assignment]  # the mistake


BOTH = (EMBEDDED, CLUSTER)
MUTANTS = {
    mutant.apply.__name__: mutant
    for mutant in (
        Mutant(refund_in_a_second_transaction, ("worker.ended", "cancel.committed"), {"M4"}, BOTH),
        Mutant(bytes_before_their_row, ("file.bytes_written",), {"B1"}, BOTH),
        Mutant(row_removed_before_its_bytes, ("file.bytes_removed",), {"B1"}, BOTH),
        Mutant(writes_without_a_fence, ("sweeper.files_marked",), {"told", "M4"}, unguarded=True, cancels=0.9),
        Mutant(zombies_may_write, (NAP,), {"told", "M4"}, (CLUSTER,), unguarded=True),
        Mutant(claimed_by_reading_and_writing, ("worker.ended",), {"twice"}, (CLUSTER,)),
        Mutant(debit_by_reading_and_writing, ("cancel.committed",), {"M1", "M6"}, BOTH),
        Mutant(keys_forgotten, ("generation.wake_up_published",), {"keys"}, BOTH),
        Mutant(call_not_written_down, ("worker.generated",), {"G5", "calls"}, BOTH),
        Mutant(leases_not_swept, ("worker.claimed",), {"G2"}, BOTH),
        Mutant(table_not_polled, ("generation.committed",), {"G2"}, BOTH),
        Mutant(files_not_swept, ("file.bytes_written",), {"B3"}, BOTH),
    )
}
