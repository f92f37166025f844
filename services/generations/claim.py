"""Claims: a worker's hold on one generation. Every write checks the fence, so a lost claim changes nothing."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Self

from models import File, Generation
from models.database.batch import Batch
from models.database.connection import as_datetime, dialect, rows, run_tx
from models.database.model_row import columns, from_row
from models.enum import ErrorCode, GenerationStage, Quality
from services.billing import ledger, passes
from services.billing.refund_policy import is_refunded
from services.core.crashpoint import crashpoint
from services.core.lease import Lease, LeaseLostError
from services.events import account_change
from services.events.account_change import AccountChange, ChangeKind
from services.generations import claim_statement
from services.generations.calls.expected_cost import NOTHING_EXPECTED, ExpectedCosts
from services.generations.delivered_quality import size_refund
from services.generations.timing import StageTimer
from services.integrations.providers.protocol import FinalImage
from services.integrations.providers.routing import ProviderPath
from services.integrations.providers.video import VideoJob
from services.media import file

MAX_ATTEMPTS = 3  # claims of one generation, so that one that crashes its worker does not crash every worker
MAX_JOB_ATTEMPTS = 10  # the same with its job at the provider, which is resumed rather than made again
_HELD = "id = $1 AND status = 'PROCESSING' AND fence = $2"
STARTED = 0.1  # progress when the provider is called, of 1
_MOVED = "version, updated_at, is_favorite, provider_calls, provider_called_at"  # what a write during the work returns

# Where no request has left: the provider is set by PostgreSQL's claims, and the time before each call. Where it ends,
# `provider_calls` and the path go on saying what was tried.
_NOTHING_SENT = "provider = NULL, provider_called_at = NULL"
_NOT_CALLED = f"{_NOTHING_SENT}, provider_calls = 0, provider_path = NULL"  # or all were refused
_all_columns = partial(columns, Generation, "generations")


class _NotClaimedError(Exception):
    """Ends a transaction that would have claimed nothing."""


async def with_originals(found: Sequence[Mapping[str, Any]]) -> list[Generation]:
    """Return the generations of these rows, each with its original."""
    generations = [from_row(Generation, row) for row in found]
    originals = [row.original_id for row in generations if row.original_id is not None]
    files = {file.id: file for file in await File.filter(id__in=originals)} if originals else {}
    for generation in generations:
        generation.original = files.get(generation.original_id or "")
    return generations


class Batches:
    """What one process writes for several of its claims at once on PostgreSQL: calls, stored files and completions."""

    def __init__(self, provider: str) -> None:
        self.provider = provider
        self.calls = Batch(partial(claim_statement.calls_together, provider=provider, returning=_MOVED))
        self.files = Batch(partial(claim_statement.store_together, returning=_MOVED))
        self.ends = Batch(claim_statement.complete_together)


class Claim:
    """One worker's claim. `generation` and `account` are as this worker's last write left them.

    `may_hand_back`: no provider works, or has worked, on it, so that another worker may begin anew.

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
        # A job is resumed, with its result to be fetched, whatever the claim before had begun.
        self.stage_timer = (
            StageTimer()
            if generation.provider_job_id is None
            else StageTimer(GenerationStage.GENERATING, self.seconds_since_call)
        )
        # US dollars, a part of the generation's. That of an earlier claim is all that is known of a generation's cost.
        self.enhancement_cost: float | None = generation.provider_cost
        self._is_enhanced = False  # and not yet written
        self.may_hand_back = generation.provider_called_at is None and generation.provider_job_id is None
        self.path = ProviderPath(generation.provider_path)

    @property
    def seconds_since_call(self) -> float:
        """Seconds between the first request and the last write of this claim, by the database's clock."""
        row = self.generation
        if row.provider_called_at is None:
            return 0.0
        return max((row.updated_at - row.provider_called_at).total_seconds(), 0.0)

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
        (generation,) = await with_originals([row])
        return cls(generation, lease_seconds, account)

    async def advance(
        self, stage: GenerationStage, progress: float, preview: str | None = None, *, is_loading: bool = False
    ) -> None:
        """Write the stage and the progress within it. `preview`: None keeps the last one. Raises LeaseLostError."""
        row = self.generation
        shown = (preview or row.preview) if stage is GenerationStage.GENERATING else None
        changes = "stage = $3, progress = $4, preview = $5, is_loading = $6"
        self._moved(await self._write(changes, stage.value, float(progress), shown, is_loading))
        self._enter(stage, progress)
        row.is_loading, row.preview = is_loading, shown  # type: ignore[assignment]  # null=True is untyped in Tortoise's descriptors

    def enhance(self, enhanced_prompt: str | None, full_prompt: str | None, cost: float | None) -> None:
        """Take over an enhanced prompt, the full prompt with it, and its cost; `record_call` writes them."""
        self.enhancement_cost, self._is_enhanced = self.total_cost(cost), True  # one before may not have been usable
        if full_prompt is not None and enhanced_prompt is not None:
            self.generation.enhanced_prompt, self.generation.full_prompt = enhanced_prompt, full_prompt

    def total_cost(self, cost: float | None) -> float | None:
        """Return the provider's cost with that of the enhanced prompt, in US dollars; None: unknown."""
        return cost if self.enhancement_cost is None else (cost or 0.0) + self.enhancement_cost

    async def record_call(self, provider: str) -> None:
        """Enter GENERATING, record that the provider is about to be called, and renew the lease.

        Raises LeaseLostError: also if the lease has expired, because another worker may take it over at any moment.
        """
        row, progress, path = self.generation, max(self.generation.progress, STARTED), self.path.as_json()
        written, is_plain = None, path is None and not self._is_enhanced and not row.is_loading
        if is_plain and self._batches is not None and self._batches.provider == provider:
            written = await self._batches.calls.submit(row.id, (self.lease, progress))
        if written is None:
            called = (
                "stage = 'GENERATING', progress = $3, is_loading = FALSE, provider = $4, provider_path = $5,"
                " provider_calls = provider_calls + 1, provider_called_at = COALESCE(provider_called_at, NOW())"
            )
            changes, enhanced = self._enhanced(first=6)
            called += changes
            written = await self._write(called, progress, provider, path, *enhanced, before_expiry=True)
            if self._is_enhanced:
                row.provider_cost = self.enhancement_cost
            self._is_enhanced = False
        self._moved(written)
        self._enter(GenerationStage.GENERATING, progress)
        row.provider, row.is_loading, row.provider_path = provider, False, self.path.stored()

    def _enhanced(self, first: int) -> tuple[str, tuple[Any, ...]]:
        """Return SQL that writes an enhanced prompt that is not written yet, and its values."""
        if not self._is_enhanced:
            return "", ()
        row = self.generation
        changes = f", enhanced_prompt = ${first}, full_prompt = ${first + 1}, provider_cost = ${first + 2}"
        return changes, (row.enhanced_prompt, row.full_prompt, self.enhancement_cost)

    async def record_nothing_sent(self) -> None:
        """Record that no request has left, so that a cancel refunds, and a dead worker's generation is requeued.

        Raises LeaseLostError.
        """
        self._moved(await self._write("provider_called_at = NULL"))

    async def record_job(self, job: VideoJob) -> None:
        """Write the job that the provider has accepted, and the path to it. Raises LeaseLostError."""
        row, changes = self.generation, "provider_job_id = $3, provider_job_url = $4, provider_path = $5"
        self._moved(await self._write(changes, job.id, job.url, self.path.as_json()))
        row.provider_job_id, row.provider_job_url, row.provider_path = job.id, job.url, self.path.stored()

    async def wait(self, seconds: float, progress: float = STARTED) -> Generation:
        """Leave the generation's job to any worker in `seconds`. Raises LeaseLostError."""
        changes = "stage = 'GENERATING', progress = $3, worker = NULL, lease_until = LATER($4)"
        values = (max(progress, self.generation.progress), float(seconds))
        return self._ended(await self._write(changes, *values, returning=_all_columns()))

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

    async def _write(
        self, changes: str, *values: Any, returning: str = _MOVED, before_expiry: bool = False
    ) -> dict[str, Any]:
        changes = f"{changes}, version = version + 1, updated_at = NOW()"
        return await self.lease.update(changes, *values, returning=returning, before_expiry=before_expiry)

    def _moved(self, written: Mapping[str, Any]) -> None:
        row = self.generation
        row.version = int(written["version"])
        row.is_favorite = bool(written["is_favorite"])  # the user may have changed it since
        row.updated_at = as_datetime(written["updated_at"])
        row.provider_calls = int(written["provider_calls"])
        row.provider_called_at = as_datetime(at) if (at := written["provider_called_at"]) is not None else None

    def _ended(self, written: Mapping[str, Any]) -> Generation:
        """Take over the whole row as the last write left it."""
        original = self.generation.original
        self.generation = from_row(Generation, written)
        self.generation.original = original
        return self.generation

    async def complete(self, file_id: str, final: FinalImage, delivered: Quality | None = None) -> Generation:
        """Mark the result LIVE and the generation COMPLETED in one transaction.

        `delivered`: the quality that came; where it costs less than what was paid, the same transaction refunds the
        difference. Raises LeaseLostError.
        """
        row, user_id, generation_id = self.generation, self.generation.user_id, self.generation.id
        outcome = claim_statement.outcome(final, delivered, self.path.as_json())
        refund = size_refund(row.cost, row.lower_costs, delivered)

        async def work() -> tuple[dict[str, Any], AccountChange]:
            account = await account_change.bump_version(user_id, include_deleted=True)
            if not await file.mark_live(file_id):
                raise LeaseLostError
            written = await self._write(
                "status = 'COMPLETED', stage = 'COMPLETED', progress = 1, preview = NULL, lease_until = NULL,"
                " completed_at = NOW(), result_id = $3, model = $4, provider_cost = $5, provider_request_id = $6,"
                " delivered_quality = $7, provider_path = $8, size_refund = $9",
                file_id,
                *outcome,
                refund,
                returning=_all_columns(),
            )
            if refund and delivered is not None:
                line = ledger.size_refund(generation_id, refund, row.quality, delivered)
                account = await ledger.post(user_id, [line], version_bumped=True)
            crashpoint("completion.before_commit")
            return written, account

        completed = None
        if self._batches is not None and not refund:
            completed = await self._batches.ends.submit(generation_id, (self.lease, user_id, file_id, outcome))
        if completed is None and not refund and dialect() == "postgres":
            completed = await claim_statement.complete_row(self.lease, user_id, file_id, outcome)
        if completed is not None:
            written, account = completed, account_of(completed, user_id)
        else:
            written, account = await run_tx(work)
        together = written.get("account_generations", [generation_id])  # those of this version of the account
        self.account = account.with_generations(ChangeKind.UPDATED, together) if together else None
        return self._ended(written)

    async def fail(
        self,
        code: ErrorCode,
        *,
        called: bool,
        cost: float | None = None,
        request_id: str | None = None,
        expected: ExpectedCosts = NOTHING_EXPECTED,
    ) -> Generation:
        """Mark the generation FAILED, and refund it in the same transaction if its policy says so.

        `called`: a request has, or may have, left for the provider. `expected`: what it is expected to have cost,
        where its answer is lost. Raises LeaseLostError.
        """
        row = self.generation
        total, compared = expected.sql("COALESCE($5, provider_cost)", first=8)
        refunded = is_refunded(row.refund_policy, called=called, canceled=False)
        unsent = "" if called else f"{_NOTHING_SENT}, "

        async def work() -> tuple[dict[str, Any], AccountChange]:
            account = await account_change.bump_version(row.user_id, include_deleted=True)
            written = await self._write(
                f"{unsent}status = 'FAILED', stage = 'FAILED', preview = NULL, lease_until = NULL,"
                f" completed_at = NOW(), error_code = $3, refunded = $4, provider_cost = {total},"
                " provider_request_id = $6, provider_path = $7",
                code.value,
                refunded,
                cost,
                request_id[:200] if request_id else None,
                self.path.as_json(),
                *compared,
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

    async def release_or_fail(self, *, died: bool, expected: ExpectedCosts = NOTHING_EXPECTED) -> Generation:
        """Requeue the generation if the provider was not called, leave its job to any worker, or else fail it.

        `died`: the worker crashed, and the attempt counts, because the generation may be the cause.
        `expected`: what calls cost whose answers are lost. Raises LeaseLostError.
        """
        # Read again: a canceled write of this process may have been committed.
        read = ("id", "provider_called_at", "attempts", "provider_job_id")
        row = await Generation.get(id=self.generation.id).only(*read)
        if row.provider_job_id is not None:
            return await self.wait(0)
        called = row.provider_called_at is not None
        if called or (died and row.attempts >= MAX_ATTEMPTS):
            return await self.fail(ErrorCode.UNAVAILABLE, called=called, expected=expected)
        return await self.requeue(counts=died)

    async def requeue(self, *, counts: bool = True) -> Generation:
        """Return a generation to the queue that no provider works on. `counts`: this claim counts as an attempt.

        An enhanced prompt is kept, which is paid for. Raises LeaseLostError.
        """
        enhanced, values = self._enhanced(first=4)

        async def work() -> tuple[dict[str, Any], AccountChange]:
            account = await account_change.bump_version(self.generation.user_id, include_deleted=True)
            written = await self._write(
                f"{_NOT_CALLED}, status = 'PENDING', stage = 'QUEUED', progress = 0, preview = NULL,"
                f" lease_until = NULL, attempts = attempts - $3{enhanced}",
                0 if counts else 1,
                *values,
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
            f" AND provider_job_id IS NULL RETURNING {_all_columns()}",
            generation_id,
            float(lease_seconds),
        )
        return cls((await with_originals(found))[0], lease_seconds) if found else None


def account_of(row: Mapping[str, Any], user_id: str) -> AccountChange:
    """Return the account as a statement that moved its version has left it."""
    return AccountChange(
        user_id, int(row["account_credits"]), int(row["account_version"]), int(row["account_sequence"])
    )
