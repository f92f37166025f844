"""The worker: takes one generation at a time from waiting to its end."""

import asyncio
import contextlib
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

from models import Generation
from models.enum import ErrorCode, FileKind, GenerationStage
from services.core.crashpoint import crashpoint
from services.core.error import UploadFailedError
from services.core.lease import LeaseLostError
from services.events.publisher import EventPublisher
from services.generations.claim import Claim
from services.generations.timing import provider_call
from services.integrations.images.sanitizer import BadImageError, CleanImage, ImageSanitizer, SanitizerUnavailableError
from services.integrations.providers.protocol import (
    FinalImage,
    ImageProvider,
    ImageRequest,
    PartialImage,
    ProviderError,
    ReferencePhoto,
)
from services.integrations.storage.protocol import MissingObjectError, StorageError
from services.media.file import FileService
from services.operations.maintenance import MaintenanceService
from telemetry import crash, metric

log = structlog.get_logger(__name__)

T = TypeVar("T")

_PROVIDER_TRIES = 3  # calls of one generation, the first included, and only where the work never started
_FIRST_PAUSE = 0.5  # seconds before the second call where the provider names none; doubled before the third
_LONGEST_PAUSE = 5.0  # seconds between two tries of a storage that is away
_TELL_EVERY = 0.2  # seconds between progress messages of one generation; previews are told at once
_RESULT_MAX_BYTES = 24 * 2**20
_RESULT_FORMATS = frozenset({"JPEG", "PNG", "WEBP"})
_GENERATING, _GENERATED = 0.1, 0.9  # the provider's 0 to 1 on the generation's own scale


@dataclass(frozen=True)
class Times:
    """Seconds."""

    lease: float
    heartbeat: float
    deadline: float  # of the provider, its retries included
    storage: float = 120.0  # how long a storage that is away is waited for, before a picture is given up


class Failure(Exception):  # noqa: N818 - how a generation ends, not an error of the program
    """A generation that ends without a picture."""

    def __init__(self, code: ErrorCode, *, called: bool, cost: float | None = None, request_id: str | None = None):
        super().__init__(code)
        self.code = code
        self.called = called
        self.cost = cost
        self.request_id = request_id


class GenerationWorker:
    """Claims, calls the provider once, stores the result, ends the generation. Safe to be told twice, late or never."""

    def __init__(
        self,
        provider: ImageProvider,
        files: FileService,
        sanitizer: ImageSanitizer,
        events: EventPublisher,
        times: Times,
        maintenance: MaintenanceService,
        *,
        per_user: int = 4,  # generations of one account at once, in all workers together
    ) -> None:
        self._provider = provider
        self._files = files
        self._sanitizer = sanitizer
        self._events = events
        self._times = times
        self._maintenance = maintenance
        self._per_user = per_user
        self.name = f"{socket.gethostname()[:40]}:{os.getpid()}:{secrets.token_hex(3)}"

    async def process(self, generation_id: str) -> None:
        """Take one generation to its end, if it is waiting and may be begun."""
        if self._maintenance.is_provider_off:
            return
        claim = await Claim.take(generation_id, self.name, self._times.lease, self._per_user)
        if claim is not None:
            await self.make(claim)

    async def take_next(self) -> Claim | None:
        """Claim the generation whose turn it is; None when none waits that may be begun, or the provider is off."""
        if self._maintenance.is_provider_off:
            return None
        return await Claim.take_next(self.name, self._times.lease, self._per_user)

    async def make(self, claim: Claim) -> None:
        """Take what was claimed to its end. When cancelled, it is first put in order for others."""
        crashpoint("worker.claimed")
        generation = claim.generation
        bound = log.bind(generation=generation.id, user=generation.user_id, attempt=generation.attempts)
        started = time.monotonic()
        if generation.started_at is not None and generation.attempts == 1:
            waited = generation.started_at - generation.created_at
            metric.stage_seconds.labels(GenerationStage.QUEUED.value).observe(max(waited.total_seconds(), 0))
        try:
            await self._tell(claim, generation)
            ended = await self._develop(claim)
        except LeaseLostError:
            bound.info("generation.claim_lost")
            return
        except asyncio.CancelledError:
            await asyncio.shield(asyncio.create_task(self.let_go(claim)))
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
            stages=claim.stopwatch.stop(),
        )
        metric.generations_ended.labels(ended.status.value, ended.error_code.value if ended.error_code else "").inc()
        await self._tell(claim, ended)

    async def let_go(self, claim: Claim) -> None:
        """This process stops, or the generation was called off; in the second case there is nothing left to do."""
        try:
            row = await claim.settle(died=False)
        except LeaseLostError:
            return
        except Exception as error:  # noqa: BLE001 - the lease will end, and the sweeper will find it
            log.warning("generation.not_settled", generation=claim.generation.id, error=repr(error))
            return
        log.info("generation.let_go", generation=row.id, status=row.status, refunded=row.refunded)
        await self._tell(claim, row)

    async def _tell(self, claim: Claim, row: Generation) -> None:
        await self._events.status_changed(row)
        if claim.account is not None:
            await self._events.account_changed(claim.account)

    async def _develop(self, claim: Claim) -> Generation:
        try:
            # The heartbeat stops before the last write, which it would otherwise take for a loss.
            async with claim.lease.heartbeat(self._times.heartbeat, cancel_body=True):
                final, result = await self._make(claim)
                stored = await self._store(claim, result)
        except Failure as failure:
            crashpoint("worker.before_failure")
            return await self._end(
                claim,
                partial(
                    claim.fail, failure.code, called=failure.called, cost=failure.cost, request_id=failure.request_id
                ),
            )
        try:
            crashpoint("worker.before_completion")
            return await self._end(claim, partial(claim.complete, stored, final))
        except LeaseLostError:
            await self._files.discard(stored)
            raise

    async def _make(self, claim: Claim) -> tuple[FinalImage, CleanImage]:
        request = await self._request(claim.generation)
        await self._advance(claim, GenerationStage.GENERATING, _GENERATING)
        final = await self._call_provider(claim, request)
        crashpoint("worker.generated")
        await self._advance(claim, GenerationStage.STORING, 0.95)
        try:
            clean = await self._sanitizer.clean(final.data, max_bytes=_RESULT_MAX_BYTES, formats=_RESULT_FORMATS)
        except BadImageError as error:
            log.warning("generation.bad_result", generation=claim.generation.id, reason=error.reason)
            raise self._after_call(ErrorCode.GENERATION_FAILED, final) from None
        except SanitizerUnavailableError:
            log.exception("generation.sanitizer_unavailable", generation=claim.generation.id)
            raise self._after_call(ErrorCode.UNAVAILABLE, final) from None
        return final, clean

    @staticmethod
    def _after_call(code: ErrorCode, final: FinalImage) -> Failure:
        return Failure(code, called=True, cost=final.cost, request_id=final.request_id)

    async def _request(self, row: Generation) -> ImageRequest:
        reference = None
        if row.original is not None:
            try:
                data = await self._patiently(partial(self._files.read, row.original))
            except StorageError:
                log.exception("generation.original_unreadable", generation=row.id)
                raise Failure(ErrorCode.UNAVAILABLE, called=False) from None
            reference = ReferencePhoto(
                data,
                row.original.content_type,
                row.original.width,
                row.original.height,
                is_result=row.original.kind is FileKind.RESULT,
            )
        return ImageRequest(
            generation_id=row.id,
            prompt=row.full_prompt,
            style=f"{row.collection_slug}/{row.style_slug}",
            model=row.requested_model,
            reference=reference,
            earlier_prompts=tuple(row.earlier_prompts),
            size=row.size,
            quality=row.quality,
            aspect_ratio=row.aspect_ratio,
            variables=tuple(row.variables.items()),
        )

    async def _call_provider(self, claim: Claim, request: ImageRequest) -> FinalImage:
        called = in_flight = False  # whether any request has, or may have, left; and whether one is under way
        try:
            async with asyncio.timeout(self._times.deadline) as deadline:
                for attempt in range(1, _PROVIDER_TRIES + 1):
                    await claim.record_call(self._provider.name)
                    crashpoint("worker.before_call")
                    in_flight = True
                    try:
                        with provider_call(self._provider.name) as done:
                            final = await self._listen(claim, request)
                            done(final)
                            return final
                    except ProviderError as error:
                        in_flight = False
                        called = called or error.request_left
                        log.warning(
                            "provider.refused",
                            generation=request.generation_id,
                            provider=self._provider.name,
                            code=error.code,
                            detail=error.detail,
                            request_id=error.request_id,
                        )
                        pause = self._pause(error, attempt, deadline)
                        if pause is None:
                            raise Failure(
                                error.code, called=called, cost=error.cost, request_id=error.request_id
                            ) from error
                        await asyncio.sleep(pause)
                    except (LeaseLostError, asyncio.CancelledError):
                        raise
                    except Exception as error:
                        log.exception("provider.crashed", generation=request.generation_id)
                        crash.report(error, generation=request.generation_id)
                        raise Failure(ErrorCode.INTERNAL, called=True) from error
        except TimeoutError:
            raise Failure(ErrorCode.GENERATION_TIMEOUT, called=called or in_flight) from None
        raise AssertionError  # the last attempt returns or raises

    @staticmethod
    def _pause(error: ProviderError, attempt: int, deadline: asyncio.Timeout) -> float | None:
        """Seconds until the next call; None when there shall be none."""
        if not error.may_retry or attempt == _PROVIDER_TRIES:
            return None
        pause = error.retry_after
        if pause is None:
            pause = _FIRST_PAUSE * 2 ** (attempt - 1) * random.uniform(0.75, 1.25)
        ends = deadline.when()
        if ends is not None and asyncio.get_running_loop().time() + pause >= ends:
            return None  # the wait alone would use up what is left
        return pause

    async def _listen(self, claim: Claim, request: ImageRequest) -> FinalImage:
        told = 0.0
        async with contextlib.aclosing(self._provider.generate(request)) as events:  # type: ignore[type-var]  # an async generator, typed as its iterator
            async for event in events:
                if isinstance(event, FinalImage):
                    return event
                preview = await self._preview(event) if isinstance(event, PartialImage) else None
                if preview is not None or time.monotonic() - told >= _TELL_EVERY:
                    told = time.monotonic()
                    fraction = min(max(event.fraction, 0.0), 1.0)
                    progress = round(_GENERATING + (_GENERATED - _GENERATING) * fraction, 3)
                    await self._advance(claim, GenerationStage.GENERATING, progress, preview)
        raise ProviderError(ErrorCode.GENERATION_FAILED, "the stream ended without a picture")

    async def _preview(self, event: PartialImage) -> str | None:
        try:
            return await self._sanitizer.preview(event.data)
        except (BadImageError, SanitizerUnavailableError):
            return None  # a preview that cannot be shown is no reason to stop

    async def _store(self, claim: Claim, result: CleanImage) -> str:
        try:
            # The picture is paid for: it is stored again, not made again.
            store = partial(self._files.store, claim.generation.user_id, FileKind.RESULT, result)
            file = await self._patiently(store)
        except UploadFailedError:
            raise Failure(ErrorCode.UNAVAILABLE, called=True) from None
        crashpoint("worker.stored")
        return file.id

    async def _patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do what needs the storage, again and again while it does not answer; the heart beats meanwhile."""
        loop = asyncio.get_running_loop()
        give_up, pause = loop.time() + self._times.storage, _FIRST_PAUSE
        while True:
            try:
                return await work()
            except MissingObjectError:
                raise
            except (StorageError, UploadFailedError) as error:
                if loop.time() + pause > give_up:
                    raise
                log.warning("storage.waited_for", error=repr(error), pause=pause)
                await asyncio.sleep(pause * random.uniform(0.75, 1.25))
                pause = min(2 * pause, _LONGEST_PAUSE)

    async def _advance(self, claim: Claim, stage: GenerationStage, progress: float, preview: str | None = None) -> None:
        try:
            await claim.advance(stage, max(progress, claim.generation.progress), preview)
        except LeaseLostError:
            raise
        except Exception as error:  # noqa: BLE001 - what is being made is worth more than a line about it
            log.warning("generation.progress_not_written", generation=claim.generation.id, error=repr(error))
        else:
            await self._events.generation_changed(claim.generation)

    async def _end(self, claim: Claim, write: Callable[[], Awaitable[Generation]]) -> Generation:
        """Write the end; a database that is away for a moment must not cost a picture that is paid for."""
        loop = asyncio.get_running_loop()
        give_up = loop.time() + self._times.lease / 2  # the heart has stopped, and the fence guards against the rest
        pause = 0.1
        while True:
            try:
                return await write()
            except LeaseLostError:
                raise
            except Exception as error:
                if loop.time() + pause > give_up:
                    raise
                log.warning("generation.end_not_written", generation=claim.generation.id, error=repr(error))
                await asyncio.sleep(pause)
                pause = min(pause * 2, 5.0)
