"""The worker: runs one claimed generation at a time to its end, and stores its result."""

import asyncio
import os
import random
import secrets
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import structlog

from models import File, Generation
from models.enum import ErrorCode, FileKind, GenerationStage
from services.core.crashpoint import crashpoint
from services.core.error import UploadFailedError
from services.core.lease import LeaseLostError
from services.events.publisher import EventPublisher
from services.generations.claim import Batches, Claim, Claims, take_next
from services.generations.rendering import GenerationFailedError, Renderer
from services.integrations.images.sanitizer import CleanImage, ImageSanitizer
from services.integrations.providers.protocol import ImageProvider, ReferencePhoto
from services.integrations.storage.protocol import MissingObjectError, StorageError
from services.media.file import FileService
from services.operations.maintenance import MaintenanceService
from telemetry import metric

log = structlog.get_logger(__name__)

T = TypeVar("T")

_STORAGE_PAUSE = 0.5  # seconds before the first retry during an outage of the storage; doubled up to the longest
_DATABASE_PAUSE = 0.1  # the same, of the database
_LONGEST_PAUSE = 5.0  # seconds
_STORING = 0.95  # progress while the result is stored, on the generation's scale of 0 to 1
_CONTENDED_PAUSE = 0.005  # seconds before claiming again where others were claiming at the same moment


@dataclass(frozen=True)
class Times:
    """The time limits of one generation, in seconds."""

    lease: float
    heartbeat: float
    deadline: float  # of the provider, retries included
    storage: float = 120.0  # of an outage of the storage, after which the generation fails


class GenerationWorker:
    """Claims generations, has them rendered, stores the results and writes their ends.

    Safe to call for one generation repeatedly, late, or at the same time as another worker.
    """

    def __init__(
        self,
        provider: ImageProvider,
        files: FileService,
        sanitizer: ImageSanitizer,
        events: EventPublisher,
        times: Times,
        maintenance: MaintenanceService,
        *,
        per_user: int = 4,  # generations of one account that run at once, in all workers together
    ) -> None:
        self._renderer = Renderer(provider, sanitizer, events, deadline=times.deadline)
        self._files = files
        self._events = events
        self._times = times
        self._maintenance = maintenance
        self._per_user = per_user
        self._provider_name = provider.name
        self._batches = Batches(provider.name)
        self.name = f"{socket.gethostname()[:40]}:{os.getpid()}:{secrets.token_hex(3)}"

    async def process(self, generation_id: str) -> None:
        """Claim and run one generation, if it is waiting and may start."""
        if self._maintenance.is_provider_off:
            return
        claim = await Claim.take(generation_id, self.name, self._times.lease, self._per_user)
        if claim is not None:
            await self.run(claim)

    async def take(self, limit: int) -> Claims:
        """Claim the next generations in line, at most `limit`; none while the provider is off."""
        if self._maintenance.is_provider_off:
            return Claims()
        return await take_next(self.name, self._times.lease, self._per_user, limit, self._provider_name, self._batches)

    async def take_next(self) -> Claim | None:
        """Claim the next generation in line; None if none is waiting that may start, or the provider is off."""
        while True:
            found = await self.take(1)
            if found.claims or not found.contended:
                return found.claims[0] if found.claims else None
            await asyncio.sleep(_CONTENDED_PAUSE)

    async def run(self, claim: Claim) -> None:
        """Run a claimed generation to its end. When canceled, release it first."""
        crashpoint("worker.claimed")
        generation = claim.generation
        bound = log.bind(generation=generation.id, user=generation.user_id, attempt=generation.attempts)
        started = time.monotonic()
        if generation.started_at is not None and generation.attempts == 1:
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
        crashpoint("worker.ended")
        bound.info(
            "generation.ended",
            status=ended.status,
            code=ended.error_code,
            refunded=ended.refunded,
            provider=ended.provider,
            calls=ended.provider_calls,
            seconds=round(time.monotonic() - started, 3),
            stages=claim.stage_timer.stop(),
        )
        metric.generations_ended.labels(ended.status.value, ended.error_code.value if ended.error_code else "").inc()
        await self._publish(claim, ended)

    async def release(self, claim: Claim) -> None:
        """Requeue or fail the generation because this process stops; nothing is left to do if it was canceled."""
        try:
            row = await claim.release_or_fail(died=False)
        except LeaseLostError:
            return
        except Exception as error:  # noqa: BLE001 - the lease expires, and the sweeper recovers it
            log.warning("generation.release_failed", generation=claim.generation.id, error=repr(error))
            return
        log.info("generation.released", generation=row.id, status=row.status, refunded=row.refunded)
        await self._publish(claim, row)

    async def _publish(self, claim: Claim, row: Generation) -> None:
        await self._events.status_changed(row)
        if claim.account is not None:
            await self._events.account_changed(claim.account)

    async def _run_to_end(self, claim: Claim) -> Generation:
        try:
            # The heartbeat stops before the last write, after which it would find the lease lost.
            async with claim.lease.heartbeat(self._times.heartbeat, cancel_body=True):
                reference = await self._read_original(claim.generation)
                final, result = await self._renderer.render(claim, reference)
                stored = await self._store(claim, result)
        except GenerationFailedError as failure:
            crashpoint("worker.before_failure")
            return await self._write_end(
                claim,
                partial(
                    claim.fail, failure.code, called=failure.called, cost=failure.cost, request_id=failure.request_id
                ),
            )
        try:
            crashpoint("worker.before_completion")
            return await self._write_end(claim, partial(claim.complete, stored.id, final))
        except LeaseLostError:
            await self._files.abandon(stored)
            raise

    async def _read_original(self, row: Generation) -> ReferencePhoto | None:
        if row.original is None:
            return None
        try:
            data = await self._retry_storage(partial(self._files.read, row.original))
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

    async def _store(self, claim: Claim, result: CleanImage) -> File:
        """Store the result, which is paid for: during an outage, storing is retried, the provider is not."""

        async def write_row(file: File) -> None:
            try:
                await claim.store_row(file, _STORING)
            except LeaseLostError:
                raise
            except Exception as error:  # noqa: BLE001 - the result is worth more than its progress
                log.warning("generation.progress_write_failed", generation=claim.generation.id, error=repr(error))
                if not await File.exists(id=file.id):  # it may be committed in spite of the error
                    await file.save(force_create=True)
                return
            await self._events.generation_changed(claim.generation)

        store = partial(self._files.store, claim.generation.user_id, FileKind.RESULT, result, write_row)
        try:
            file = await self._retry_storage(store)
        except UploadFailedError:
            raise GenerationFailedError(ErrorCode.UNAVAILABLE, called=True) from None
        crashpoint("worker.stored")
        return file

    async def _retry_storage(self, work: Callable[[], Awaitable[T]]) -> T:
        return await _retry_while_unavailable(
            work,
            seconds=self._times.storage,
            pause=_STORAGE_PAUSE,
            retried=(StorageError, UploadFailedError),
            raised=(MissingObjectError,),
            event="storage.unavailable",
        )

    async def _write_end(self, claim: Claim, write: Callable[[], Awaitable[Generation]]) -> Generation:
        """Write the end; during an outage of the database, for up to half a lease, so that no paid result is lost."""
        return await _retry_while_unavailable(
            write,
            seconds=self._times.lease
            / 2,  # the heartbeat has stopped; if the lease expires, the fence protects the row
            pause=_DATABASE_PAUSE,
            retried=(Exception,),
            raised=(LeaseLostError,),
            event="generation.end_write_failed",
            generation=claim.generation.id,
        )


async def _retry_while_unavailable(
    work: Callable[[], Awaitable[T]],
    *,
    seconds: float,
    pause: float,
    retried: tuple[type[Exception], ...],
    raised: tuple[type[Exception], ...],
    event: str,
    **fields: str,
) -> T:
    """Call `work` until it succeeds, for `seconds`; then, and on `raised`, raise its error.

    `pause`: seconds before the first retry. Each retry is logged as `event`.
    """
    loop = asyncio.get_running_loop()
    give_up = loop.time() + seconds
    while True:
        try:
            return await work()
        except raised:
            raise
        except retried as error:
            if loop.time() + pause > give_up:
                raise
            log.warning(event, error=repr(error), pause=pause, **fields)
            await asyncio.sleep(pause * random.uniform(0.75, 1.25))
            pause = min(2 * pause, _LONGEST_PAUSE)
