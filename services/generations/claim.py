"""Claims: a worker's hold on one generation. Every write checks the fence, so a lost claim changes nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Self

from models import File, Generation
from models.database.batch import Batch
from models.database.connection import as_datetime, dialect, rows, run_tx
from models.database.model_row import columns, from_row
from models.enum import ErrorCode, GenerationStage
from services.billing import ledger, passes
from services.billing.refund_policy import is_refunded
from services.core.crashpoint import crashpoint
from services.core.lease import Lease, LeaseLostError
from services.events import account_change
from services.events.account_change import AccountChange, ChangeKind
from services.generations import claim_statement
from services.generations.timing import StageTimer
from services.integrations.providers.protocol import FinalImage
from services.media import file

MAX_ATTEMPTS = 3  # claims of one generation, so that one that crashes its worker does not crash every worker

_CANDIDATES = 8  # read together; when other workers have claimed all of them, the next are read

_COMPARED = 3  # numbers of generations in progress by which accounts are compared; accounts with more are equal

_HELD = "id = $1 AND status = 'PROCESSING' AND fence = $2"

STARTED = 0.1  # progress when the provider is called, on the generation's scale of 0 to 1

_MOVED = "version, updated_at, is_favorite, provider_calls, provider_called_at"  # what a write during the work returns

# Of a generation that ends or is requeued before its provider was called: PostgreSQL's claims set it.
_NO_PROVIDER = "provider = CASE WHEN provider_calls > 0 THEN provider END"


class _NotClaimedError(Exception):
    """Ends a transaction that would have claimed nothing."""


async def _with_original(row: Mapping[str, Any]) -> Generation:
    generation = from_row(Generation, row)
    generation.original = await File.get(id=generation.original_id) if generation.original_id is not None else None
    return generation


def _all_columns() -> str:
    return columns(Generation, "generations")


class Batches:
    """What one process writes for several of its claims at once on PostgreSQL: calls, stored files and completions."""

    def __init__(self, provider: str) -> None:
        self.provider = provider
        self.calls = Batch(partial(claim_statement.calls_together, provider=provider, returning=_MOVED))
        self.files = Batch(partial(claim_statement.store_together, returning=_MOVED))
        self.ends = Batch(claim_statement.complete_together)


class Claim:
    """One worker's claim. `generation` and `account` are as this worker's last write left them.

    `batches`: of its process; None: each write is a statement of its own.
    """

    def __init__(
        self,
        generation: Generation,
        lease_seconds: float,
        account: AccountChange | None = None,
        batches: Batches | None = None,
    ) -> None:
        self._batches = batches
        self.generation = generation
        self.account = account
        self.lease = Lease("generations", _HELD, generation.id, generation.fence, float(lease_seconds))
        self.stage_timer = StageTimer()

    @classmethod
    async def take(cls, generation_id: str, worker: str, lease_seconds: float, per_user: int) -> Self | None:
        """Claim a waiting generation; None if it is no longer waiting, or its account has reached its limit.

        `per_user`: how many generations of one account run at once.
        """

        async def work(user_id: str) -> tuple[dict[str, Any], AccountChange]:
            # Locks the account's row, so no other worker counts or claims this account's generations meanwhile.
            account = await account_change.bump_version(user_id, include_deleted=True)
            claimed = await rows(
                "UPDATE generations SET status = 'PROCESSING', stage = 'VALIDATING', progress = 0.05,"  # noqa: S608 - constants
                " fence = fence + 1, attempts = attempts + 1, version = version + 1, worker = $2,"
                " lease_until = LATER($3), started_at = COALESCE(started_at, NOW()), updated_at = NOW()"
                " WHERE id = $1 AND status = 'PENDING' AND $5 > (SELECT COUNT(*) FROM generations"
                f" WHERE user_id = $4 AND status = 'PROCESSING') RETURNING {_all_columns()}",
                generation_id,
                worker,
                float(lease_seconds),
                user_id,
                per_user,
            )
            if not claimed:
                raise _NotClaimedError
            crashpoint("claim.before_commit")
            return claimed[0], account.with_generations(ChangeKind.UPDATED, [generation_id])

        waiting = await rows("SELECT user_id FROM generations WHERE id = $1 AND status = 'PENDING'", generation_id)
        if not waiting:
            return None
        try:
            row, account = await run_tx(work, waiting[0]["user_id"])
        except _NotClaimedError:
            return None
        return cls(await _with_original(row), lease_seconds, account)

    async def advance(self, stage: GenerationStage, progress: float, preview: str | None = None) -> None:
        """Write the stage and the progress within it. `preview`: None keeps the last one. Raises LeaseLostError."""
        row = self.generation
        shown = (preview or row.preview) if stage is GenerationStage.GENERATING else None
        self._moved(await self._write("stage = $3, progress = $4, preview = $5", stage.value, float(progress), shown))
        self._enter(stage, progress)
        row.preview = shown  # type: ignore[assignment]  # null=True is untyped in Tortoise's descriptors

    async def record_call(self, provider: str) -> None:
        """Enter GENERATING and record that the provider is about to be called. Raises LeaseLostError."""
        row, progress = self.generation, max(self.generation.progress, STARTED)
        written = None
        if self._batches is not None and self._batches.provider == provider:
            written = await self._batches.calls.submit(row.id, (self.lease, progress))
        if written is None:
            written = await self._write(
                "stage = 'GENERATING', progress = $3, provider = $4, provider_calls = provider_calls + 1,"
                " provider_called_at = COALESCE(provider_called_at, NOW())",
                progress,
                provider,
            )
        self._moved(written)
        self._enter(GenerationStage.GENERATING, progress)
        row.provider = provider

    async def store_row(self, file: File, progress: float) -> None:
        """Enter STORING and write the row of the result's file, whose bytes follow. Raises LeaseLostError."""

        async def work() -> dict[str, Any]:
            written = await self._write("stage = 'STORING', progress = $3, preview = NULL", progress)
            await file.save(force_create=True)
            return written

        written = None
        if self._batches is not None:
            written = await self._batches.files.submit(self.generation.id, (self.lease, progress, file))
        if written is None and dialect() == "postgres":
            written = await claim_statement.store_row(self.lease, file, progress, _MOVED)
        elif written is None:
            written = await run_tx(work)
        self._moved(written)
        self._enter(GenerationStage.STORING, progress)
        self.generation.preview = None  # type: ignore[assignment]  # null=True is untyped in Tortoise's descriptors

    def _enter(self, stage: GenerationStage, progress: float) -> None:
        self.stage_timer.enter(stage)
        self.generation.stage, self.generation.progress = stage, progress

    async def _write(self, changes: str, *values: Any, returning: str = _MOVED) -> dict[str, Any]:
        return await self.lease.update(
            f"{changes}, version = version + 1, updated_at = NOW()", *values, returning=returning
        )

    def _moved(self, written: Mapping[str, Any]) -> None:
        row = self.generation
        row.version = int(written["version"])
        row.is_favorite = bool(written["is_favorite"])  # the user may have changed it since
        row.updated_at = as_datetime(written["updated_at"])
        row.provider_calls = int(written["provider_calls"])
        called_at = written["provider_called_at"]
        row.provider_called_at = as_datetime(called_at) if called_at is not None else None

    def _ended(self, written: Mapping[str, Any]) -> Generation:
        """Take over the whole row as the last write left it."""
        original = self.generation.original
        self.generation = from_row(Generation, written)
        self.generation.original = original
        return self.generation

    async def complete(self, file_id: str, final: FinalImage) -> Generation:
        """Mark the result LIVE and the generation COMPLETED in one transaction. Raises LeaseLostError."""
        user_id, generation_id = self.generation.user_id, self.generation.id

        async def work() -> tuple[dict[str, Any], AccountChange]:
            account = await account_change.bump_version(user_id, include_deleted=True)
            if not await file.mark_live(file_id):
                raise LeaseLostError
            written = await self._write(
                "status = 'COMPLETED', stage = 'COMPLETED', progress = 1, preview = NULL, lease_until = NULL,"
                " completed_at = NOW(), result_id = $3, model = $4, provider_cost = $5, provider_request_id = $6",
                file_id,
                *claim_statement.outcome(final),
                returning=_all_columns(),
            )
            crashpoint("completion.before_commit")
            return written, account

        completed = None
        if self._batches is not None:
            completed = await self._batches.ends.submit(generation_id, (self.lease, user_id, file_id, final))
        if completed is None and dialect() == "postgres":
            completed = await claim_statement.complete_row(self.lease, user_id, file_id, final)
        if completed is not None:
            written, account = completed, _account_of(completed, user_id)
        else:
            written, account = await run_tx(work)
        together = written.get("account_generations", [generation_id])  # those of this version of the account
        self.account = account.with_generations(ChangeKind.UPDATED, together) if together else None
        return self._ended(written)

    async def fail(
        self, code: ErrorCode, *, called: bool, cost: float | None = None, request_id: str | None = None
    ) -> Generation:
        """Mark the generation FAILED, and refund it in the same transaction if its policy says so.

        `called`: a request has, or may have, left for the provider. Raises LeaseLostError.
        """
        row = self.generation
        refunded = is_refunded(row.refund_policy, called=called, canceled=False)

        async def work() -> tuple[dict[str, Any], AccountChange]:
            account = await account_change.bump_version(row.user_id, include_deleted=True)
            written = await self._write(
                f"{_NO_PROVIDER}, status = 'FAILED', stage = 'FAILED', preview = NULL, lease_until = NULL,"
                " completed_at = NOW(), error_code = $3, refunded = $4, provider_cost = $5, provider_request_id = $6",
                code.value,
                refunded,
                cost,
                request_id[:200] if request_id else None,
                returning=_all_columns(),
            )
            if refunded and row.cost:
                account = await ledger.post(row.user_id, ledger.refund(row.id, row.cost), version_bumped=True)
            if refunded and row.pass_id is not None and row.pass_hour is not None:
                await passes.give_back(row.pass_id, row.pass_hour, row.media, 1)
                account = account.with_entitlements()
            crashpoint("failure.before_commit")
            return written, account.with_generations(ChangeKind.UPDATED, [row.id])

        written, self.account = await run_tx(work)
        return self._ended(written)

    async def release_or_fail(self, *, died: bool) -> Generation:
        """Requeue the generation if the provider was not called, else fail it.

        `died`: the worker crashed, and the attempt counts, because the generation may be the cause.
        Raises LeaseLostError.
        """
        # Read again: a canceled write of this process may have been committed.
        row = await Generation.get(id=self.generation.id).only("id", "provider_called_at", "attempts")
        called = row.provider_called_at is not None
        if called or (died and row.attempts >= MAX_ATTEMPTS):
            return await self.fail(ErrorCode.UNAVAILABLE, called=called)
        return await self.requeue(counts=died)

    async def requeue(self, *, counts: bool = True) -> Generation:
        """Return a generation to the queue. `counts`: this claim counts as an attempt. Raises LeaseLostError."""

        async def work() -> tuple[dict[str, Any], AccountChange]:
            account = await account_change.bump_version(self.generation.user_id, include_deleted=True)
            written = await self._write(
                f"{_NO_PROVIDER}, status = 'PENDING', stage = 'QUEUED', progress = 0, preview = NULL,"
                " lease_until = NULL, attempts = attempts - $3",
                0 if counts else 1,
                returning=_all_columns(),
            )
            crashpoint("requeue.before_commit")
            return written, account.with_generations(ChangeKind.UPDATED, [self.generation.id])

        written, self.account = await run_tx(work)
        return self._ended(written)

    @classmethod
    async def take_over(cls, generation_id: str, lease_seconds: float) -> Self | None:
        """Claim a generation whose lease has expired, to release or fail it; None if it is no longer expired."""
        found = await rows(
            "UPDATE generations SET fence = fence + 1, version = version + 1, lease_until = LATER($2),"  # noqa: S608 - constants
            " updated_at = NOW() WHERE id = $1 AND status = 'PROCESSING' AND lease_until < NOW()"
            f" RETURNING {_all_columns()}",
            generation_id,
            float(lease_seconds),
        )
        return cls(await _with_original(found[0]), lease_seconds) if found else None


@dataclass(frozen=True)
class Claims:
    """Claims that were made together. `contended`: more can be claimed soon, as others are claiming just now."""

    claims: list[Claim] = field(default_factory=list)
    contended: bool = False


async def take_next(
    worker: str,
    lease_seconds: float,
    per_user: int,
    limit: int,
    provider: str | None = None,
    batches: Batches | None = None,
) -> Claims:
    """Claim the next generations in line, at most `limit`; on PostgreSQL `batches` write for them.

    The order: by priority, then accounts with fewer generations in progress first, so that accounts take turns, then by
    age. `per_user`: how many generations of one account run at once.
    """
    if dialect() == "postgres":
        found, contended = await claim_statement.claim_rows(worker, lease_seconds, per_user, limit, provider)
        return Claims(await _claims_of(found, lease_seconds, batches), contended)
    claims: list[Claim] = []
    while len(claims) < limit:  # SQLite has one writer at a time, so nothing is gained by claiming together
        claim = await _take_first(worker, lease_seconds, per_user)
        if claim is None:
            break
        claims.append(claim)
    return Claims(claims)


async def _claims_of(found: Sequence[Mapping[str, Any]], lease_seconds: float, batches: Batches | None) -> list[Claim]:
    generations = [from_row(Generation, row) for row in found]
    originals = [row.original_id for row in generations if row.original_id is not None]
    files = {file.id: file for file in await File.filter(id__in=originals)} if originals else {}
    claims: list[Claim] = []
    published: set[str] = set()  # accounts: each is in one version, which is published once, with all its generations
    for row, generation in zip(found, generations, strict=True):
        generation.original = files.get(generation.original_id or "")
        account = None
        if generation.user_id not in published:
            published.add(generation.user_id)
            together = [each.id for each in generations if each.user_id == generation.user_id]
            account = _account_of(row, generation.user_id).with_generations(ChangeKind.UPDATED, together)
        claims.append(Claim(generation, lease_seconds, account, batches))
    return claims


def _account_of(row: Mapping[str, Any], user_id: str) -> AccountChange:
    return AccountChange(
        user_id, int(row["account_credits"]), int(row["account_version"]), int(row["account_sequence"])
    )


async def _take_first(worker: str, lease_seconds: float, per_user: int) -> Claim | None:
    while candidates := await next_in_line(per_user):
        for generation_id in candidates:
            claim = await Claim.take(generation_id, worker, lease_seconds, per_user)
            if claim is not None:
                return claim
    return None


async def expired_leases(limit: int) -> list[str]:
    """Return the ids of generations whose lease has expired, the longest expired first."""
    found = await rows(
        "SELECT id FROM generations WHERE status = 'PROCESSING' AND lease_until < NOW() ORDER BY lease_until LIMIT $1",
        limit,
    )
    return [row["id"] for row in found]


async def next_in_line(per_user: int) -> list[str]:
    """Return the ids of the next few in line, without those of accounts that are at their limit.

    The order: by priority, then accounts with fewer generations in progress first, so that accounts take turns, then by
    age.
    """
    found = await rows(
        "SELECT DISTINCT running FROM (SELECT COUNT(*) AS running FROM generations WHERE status = 'PROCESSING'"
        " GROUP BY user_id) AS accounts WHERE running < $1 ORDER BY running LIMIT $2",
        per_user,
        _COMPARED,
    )
    # For each of these numbers, the first in line of accounts with fewer in progress: read from the index, without
    # sorting. The first of all is among them.
    parts = (
        f"SELECT * FROM (SELECT id, priority, {limit} AS fewer_than FROM generations WHERE status = 'PENDING'"  # noqa: S608 - numbers only
        " AND user_id NOT IN (SELECT user_id FROM generations WHERE status = 'PROCESSING' GROUP BY user_id"
        f" HAVING COUNT(*) >= {limit}) ORDER BY priority DESC, id LIMIT {_CANDIDATES}) AS part_{limit}"
        for limit in (*(int(row["running"]) for row in found), per_user)
    )
    best: dict[str, tuple[int, int, str]] = {}
    for row in await rows(" UNION ALL ".join(parts)):
        rank = (-int(row["priority"]), int(row["fewer_than"]), row["id"])
        best[row["id"]] = min(rank, best.get(row["id"], rank))
    return sorted(best, key=best.__getitem__)[:_CANDIDATES]
