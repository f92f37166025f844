"""The worker: runs one claimed generation at a time to its end, and stores its result."""

import asyncio
import os
import secrets
import socket
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import structlog

from models import File, Generation
from models.database.connection import is_outage
from models.enum import ErrorCode, FileKind, GenerationStage, GenerationStatus, MediaKind
from services.core.crashpoint import crashpoint
from services.core.error import UploadFailedError
from services.core.lease import LeaseLostError
from services.events.publisher import EventPublisher
from services.generations.calls.expected_cost import NOTHING_EXPECTED, ExpectedCosts
from services.generations.calls.failure import GenerationFailedError
from services.generations.calls.retry import DATABASE_PAUSE, retry
from services.generations.claim import Batches, Claim
from services.generations.delivered_quality import quality_of
from services.generations.prompts.enhancement import PromptEnhancement
from services.generations.queue.lost_claims import take_lost
from services.generations.queue.next_claims import Claims, take_next
from services.generations.rendering import Renderer
from services.generations.videos.due_jobs import take_due
from services.generations.videos.job import JobTimes, VideoJobs, Waiting
from services.integrations.images.sanitizer import ImageSanitizer
from services.integrations.providers.protocol import FinalImage, ImageProvider, ReferencePhoto
from services.integrations.providers.routing import Routes
from services.integrations.providers.video import VideoProvider
from services.integrations.storage.protocol import MissingObjectError, StorageError
from services.integrations.videos.sanitizer import VideoSanitizer
from services.media.file import FileService
from services.operations.maintenance import MaintenanceService
from services.operations.provider_pause import ProviderPauses
from telemetry import metric
from telemetry.outage import is_any_on

log = structlog.get_logger(__name__)

T = TypeVar("T")
WriteRow = Callable[[File], Awaitable[None]]

_STORAGE_PAUSE = 0.5  # seconds before the first retry during an outage of the storage
_STORING = 0.95  # progress while the result is stored, on the generation's scale of 0 to 1
_CONTENDED_PAUSE = 0.005  # seconds before claiming again where others were claiming at the same moment


@dataclass(frozen=True)
class Times:
    """The time limits of one generation, in seconds."""

    lease: float
    heartbeat: float
    deadline: float  # of the provider, retries included
    storage: float = 120.0  # of an outage of the storage or the database, after which the generation fails
    video_deadline: float = 1200.0  # of a video's job, from its submission
    video_poll: float = 30.0  # between two questions about it, at most


class GenerationWorker:
    """Claims generations, has them rendered, stores the results and writes their ends.

    Safe to call for one generation repeatedly, late, or at the same time as another worker.
    """

    def __init__(
        self,
        routes: Routes[ImageProvider],
        files: FileService,
        sanitizer: ImageSanitizer,
        events: EventPublisher,
        times: Times,
        maintenance: MaintenanceService,
        pauses: ProviderPauses,
        *,
        enhancement: PromptEnhancement | None = None,
        per_user: int = 4,  # generations of one account that run at once, in all workers together
        video_routes: Routes[VideoProvider] | None = None,
        video_sanitizer: VideoSanitizer | None = None,
        expected_costs: ExpectedCosts = NOTHING_EXPECTED,
    ) -> None:
        self._expected_costs = expected_costs
        job_times = JobTimes(times.deadline, times.video_deadline, times.video_poll)
        videos = video_sanitizer or VideoSanitizer(sanitizer)
        self._videos = VideoJobs(
            video_routes, enhancement, sanitizer, videos, events, pauses, maintenance, job_times, expected_costs
        )
        self._renderer = Renderer(
            routes,
            enhancement,
            sanitizer,
            events,
            pauses,
            maintenance,
            deadline=times.deadline,
            expected_costs=expected_costs,
        )
        self._files = files
        self._events = events
        self._times = times
        self._maintenance = maintenance
        self._pauses = pauses
        self._per_user = per_user
        self._provider_name = routes.primary.name
        self._batches = Batches(routes.primary.name)
        self.name = f"{socket.gethostname()[:40]}:{os.getpid()}:{secrets.token_hex(3)}"

    async def process(self, generation_id: str) -> None:
        """Claim and run one generation, if it is waiting and may start."""
        if self._maintenance.is_provider_off:
            return
        claim = await Claim.take(generation_id, self.name, self._times.lease, self._per_user)
        if claim is not None:
            await self.run(claim)

    async def take(self, limit: int) -> Claims:
        """Claim the next generations in line, at most `limit`; none while the provider is off, or refuses all."""
        if self._maintenance.is_provider_off or not (limit := await self._pauses.allowed(limit)):
            return Claims()
        only = self._pauses.claimable
        return await take_next(
            self.name, self._times.lease, self._per_user, limit, self._provider_name, self._batches, only
        )

    async def take_due_jobs(self, limit: int) -> list[Claim]:
        """Claim videos whose job is to be asked about, at most `limit`; also while the provider is off."""
        return await take_due(self.name, self._times.lease, limit)

    async def take_lost(self, limit: int, known: Collection[str]) -> list[Claim]:
        """Take up what this worker has claimed without knowing, at most `limit`. `known`: ids of what it runs."""
        return await take_lost(self.name, self._times.lease, limit, known, self._batches)

    async def take_next(self) -> Claim | None:
        """Claim the next generation in line; None if none is waiting that may start, or the provider is off."""
        while True:
            found = await self.take(1)
            if found.claims or not found.contended:
                return found.claims[0] if found.claims else None
            await asyncio.sleep(_CONTENDED_PAUSE)

    async def run(self, claim: Claim) -> None:
        """Run a claimed generation to its end, or until it waits for its job. When canceled, release it first."""
        crashpoint("worker.claimed")
        generation = claim.generation
        bound = log.bind(generation=generation.id, user=generation.user_id, attempt=generation.attempts)
        started = time.monotonic()
        if generation.started_at is not None and generation.provider_job_id is not None:
            started -= (generation.updated_at - generation.started_at).total_seconds()  # of earlier claims
        if generation.started_at is not None and generation.attempts == 1 and generation.provider_job_id is None:
            waited = generation.started_at - generation.created_at
            metric.stage_seconds.labels(GenerationStage.QUEUED.value).observe(max(waited.total_seconds(), 0))
        try:
            await self._publish(claim, generation)
            ended = await self._run_to_end(claim)
        except LeaseLostError:
            bound.info("generation.claim_lost")
            return
        except asyncio.CancelledError:
            await asyncio.shield(asyncio.create_task(self.release(claim)))
            raise
        if not ended.status.is_final:
            crashpoint("video.waiting")
            if ended.status is GenerationStatus.PENDING:
                await self._publish(claim, ended)
            else:
                claim.stage_timer.pause()
                await self._events.generation_changed(ended)
            return
        crashpoint("worker.ended")
        # What only the user can change is no warning; nor is what an outage causes that the log has reported.
        is_ours = ended.status is GenerationStatus.FAILED and ended.error_code is not ErrorCode.CONTENT_REJECTED
        write = bound.warning if is_ours and not is_any_on() else bound.info
        write(
            "generation.ended",
            status=ended.status,
            code=ended.error_code,
            refunded=ended.refunded,
            provider=ended.provider,
            calls=ended.provider_calls,
            seconds=round(time.monotonic() - started, 3),
            stages=claim.stage_timer.stop(),
        )
        await self._publish(claim, ended)

    async def release(self, claim: Claim) -> None:
        """Requeue or fail the generation because this process stops; nothing is left to do if it was canceled."""
        try:
            if claim.may_hand_back:
                row = await claim.requeue(counts=False)
            else:
                row = await claim.release_or_fail(died=False, expected=self._expected_costs)
        except LeaseLostError:
            return
        except Exception as error:  # noqa: BLE001 - the lease expires, and the sweeper recovers it
            log.warning("generation.release_failed", generation=claim.generation.id, error=error)
            return
        log.info("generation.released", generation=row.id, status=row.status, refunded=row.refunded)
        await self._publish(claim, row)

    async def _publish(self, claim: Claim, row: Generation) -> None:
        await self._events.status_changed(row)
        if claim.account is not None:
            await self._events.account_changed(claim.account)

    async def _run_to_end(self, claim: Claim) -> Generation:
        had_job = claim.generation.provider_job_id is not None
        try:
            # The heartbeat stops before the last write, after which it would find the lease lost.
            async with claim.lease.heartbeat(self._times.heartbeat, cancel_body=True):
                made = await self._make(claim)
        except GenerationFailedError as failure:
            if failure.is_busy or self._must_wait(failure):
                if not failure.is_busy:
                    self._pauses.hold(claim.generation.id)
                return await self._write_end(claim, partial(claim.requeue, counts=False))
            crashpoint("worker.before_failure")
            return await self._write_end(
                claim,
                partial(
                    claim.fail,
                    failure.code,
                    called=failure.called,
                    cost=failure.cost,
                    request_id=failure.request_id,
                    expected=self._expected_costs if failure.lost else NOTHING_EXPECTED,
                ),
            )
        if not had_job:  # the outcome of an earlier job does not show that new orders are accepted
            await self._note_success(claim.generation.provider)
        if isinstance(made, Waiting):
            return await self._write_end(claim, partial(claim.wait, made.pause, made.progress))
        final, stored = made
        try:
            crashpoint("worker.before_completion")
            delivered = quality_of(stored.width, stored.height, claim.generation.media)
            return await self._write_end(claim, partial(claim.complete, stored.id, final, delivered))
        except LeaseLostError:
            await self._files.abandon(stored)
            raise

    def _must_wait(self, failure: GenerationFailedError) -> bool:
        """Whether a generation returns to the queue, because the provider refuses all, and has begun nothing."""
        if failure.waits:
            return True
        if self._pauses.is_trying and not failure.called and failure.code is ErrorCode.PROVIDER_UNAVAILABLE:
            self._pauses.postpone()  # the circuit is still open
            return True
        return False

    async def _note_success(self, provider: str | None) -> None:
        try:
            await self._pauses.worked(provider)
        except Exception as error:  # noqa: BLE001 - the result is worth more; the next success ends the pause
            log.warning("provider_pauses.write_failed", provider=provider, error=error)

    async def _make(self, claim: Claim) -> Waiting | tuple[FinalImage, File]:
        """Return what the provider answered and its stored result; or how long a video waits for its job."""
        row = claim.generation
        read = partial(self._read_original, row)
        if row.media is MediaKind.IMAGE:
            final, image = await self._renderer.render(claim, await read())
            return final, await self._store(
                claim, final, partial(self._files.store, row.user_id, FileKind.RESULT, image)
            )
        step = await self._videos.advance(claim, read)
        if isinstance(step, Waiting):
            return step
        final, video = step
        return final, await self._store(claim, final, partial(self._files.store, row.user_id, FileKind.RESULT, video))

    async def _read_original(self, row: Generation) -> ReferencePhoto | None:
        if row.original is None:
            return None
        try:
            data = await self._retry_outages(partial(self._files.read, row.original))
        except StorageError:
            log.exception("generation.original_unreadable", generation=row.id)
            raise GenerationFailedError(ErrorCode.UNAVAILABLE, called=False) from None
        return ReferencePhoto(
            data,
            row.original.content_type,
            row.original.width,
            row.original.height,
            is_result=row.original.kind is FileKind.RESULT,
        )

    async def _store(self, claim: Claim, final: FinalImage, store: Callable[[WriteRow], Awaitable[File]]) -> File:
        """Store the result, which is paid for: during an outage, storing is retried, the provider is not.

        Raises:
            GenerationFailedError: the storage, or the database, is away for too long.
            LeaseLostError: the claim was lost.
        """

        async def write_row(file: File) -> None:
            try:
                await claim.store_row(file, _STORING)
            except LeaseLostError:
                raise
            except Exception as error:  # noqa: BLE001 - the result is worth more than its progress
                log.warning("generation.progress_write_failed", generation=claim.generation.id, error=error)
                if not await File.exists(id=file.id):  # it may be committed in spite of the error
                    await file.save(force_create=True)
                return
            await self._events.generation_changed(claim.generation)

        try:
            # Each attempt stores a file of its own, as it is unknown how far the last one came.
            file = await self._retry_outages(partial(store, write_row))
        except UploadFailedError:
            raise GenerationFailedError(
                ErrorCode.UNAVAILABLE, called=True, cost=final.cost, request_id=final.request_id
            ) from None
        crashpoint("worker.stored")
        return file

    async def _retry_outages(self, work: Callable[[], Awaitable[T]]) -> T:
        """Read or store a file, in spite of an outage of the storage or the database."""
        return await retry(
            work,
            seconds=self._times.storage,
            pause=_STORAGE_PAUSE,
            is_retried=_is_outage_of_files,
            event="generation.files_unavailable",
        )

    async def _write_end(self, claim: Claim, write: Callable[[], Awaitable[Generation]]) -> Generation:
        """Write the end; during an outage of the database, for up to half a lease, so that no paid result is lost."""
        return await retry(
            write,
            seconds=self._times.lease
            / 2,  # the heartbeat has stopped; if the lease expires, the fence protects the row
            pause=DATABASE_PAUSE,
            is_retried=lambda error: not isinstance(error, LeaseLostError),
            event="generation.end_write_failed",
            generation=claim.generation.id,
        )


def _is_outage_of_files(error: Exception) -> bool:
    if isinstance(error, MissingObjectError | LeaseLostError):
        return False
    return isinstance(error, StorageError | UploadFailedError) or is_outage(error)
