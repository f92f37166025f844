"""Jobs: a video is submitted to its provider once, asked about until it is done, and fetched, by any worker."""

import asyncio
import contextlib
import math
import random
import time
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import structlog

from models.enum import ErrorCode, GenerationStage
from services.core.crashpoint import crashpoint
from services.core.lease import LeaseLostError
from services.events.publisher import EventPublisher
from services.generations.calls.expected_cost import NOTHING_EXPECTED, ExpectedCosts
from services.generations.calls.failure import GenerationFailedError
from services.generations.calls.request import request_of
from services.generations.calls.route_calls import RouteCalls, crashed, log_refusal
from services.generations.claim import MAX_JOB_ATTEMPTS, STARTED, Claim
from services.generations.prompts.enhancement import PromptEnhancement
from services.generations.rendering import sanitize_result, with_cost
from services.generations.timing import timed_provider_call
from services.integrations.images.sanitizer import ImageSanitizer
from services.integrations.providers.protocol import FinalImage, ImageRequest, ProviderError
from services.integrations.providers.routing import ProviderTry, Route, Routes
from services.integrations.providers.video import JobDone, JobRunning, ReadReference, VideoJob, VideoProvider
from services.integrations.videos.sanitizer import CleanVideo, VideoSanitizer
from services.operations.maintenance import MaintenanceService
from services.operations.provider_pause import ProviderPauses
from telemetry import metric

log = structlog.get_logger(__name__)

T = TypeVar("T")

_RECORD_PAUSES = (0.1, 0.5, 1.0, 2.0, 4.0)  # seconds before each further attempt to write an accepted job's id
_ANSWER_SECONDS = 2.0  # in which an accepted job is still recorded when this process stops
_SHORTEST_SHARE = 0.1  # of the longest pause between two questions: the shortest one that we choose
_SLOT_SHARE = 0.1  # of the longest pause between two questions, in which one waits for a slot
_MAX_FRACTION = 0.95  # of the progress while the job runs
_TYPICAL_SECONDS = 90.0  # of a job; only shapes the progress where the provider reports none
_GENERATED = 0.9  # progress when the job has ended, on the generation's scale of 0 to 1


@dataclass(frozen=True)
class JobTimes:
    """Limits of a video's job, in seconds."""

    submission: float  # of the requests for it, whatever the models, with the pauses between them
    deadline: float  # of the whole job, from the first request
    poll: float  # between two questions about it, at most


@dataclass(frozen=True)
class Waiting:
    """The job has not ended. `pause`: seconds until it is to be asked about again."""

    pause: float
    progress: float  # on the generation's scale of 0 to 1


@dataclass(frozen=True)
class _Job:
    """A claimed generation's job, at its provider."""

    claim: Claim
    routes: Routes[VideoProvider]
    provider: VideoProvider
    named: VideoJob  # as the provider named it

    @property
    def model(self) -> str | None:
        """The model that was called, which is another one than the ordered one after a fallback."""
        return self.claim.path.last_model or self.claim.generation.requested_model

    def failed(self, error: ProviderError, *, lost: bool = False) -> GenerationFailedError:
        """Write the end into the path, count it, and return how the generation ends.

        `lost`: a video may have been made.
        """
        self.claim.path.end_job(error.code, self.claim.seconds_since_call)
        self.routes.circuit(self.provider.name, self.model).count_failure(error)
        request_id = error.request_id or self.named.id
        lost = lost and error.cost is None
        return GenerationFailedError(error.code, called=True, cost=error.cost, request_id=request_id, lost=lost)


class VideoJobs:
    """Takes claimed videos as far as they go now. `routes`: None if this deployment makes no videos."""

    def __init__(
        self,
        routes: Routes[VideoProvider] | None,
        enhancement: PromptEnhancement | None,
        images: ImageSanitizer,
        videos: VideoSanitizer,
        events: EventPublisher,
        pauses: ProviderPauses,
        maintenance: MaintenanceService,
        times: JobTimes,
        expected_costs: ExpectedCosts = NOTHING_EXPECTED,
    ) -> None:
        self._expected_costs = expected_costs
        self._routes = routes
        if routes is not None:
            self._calls = RouteCalls(
                routes, images, events, pauses, maintenance, deadline=times.submission, call=self._submit
            )
        self._enhancement = enhancement
        self._videos = videos
        self._events = events
        self._times = times

    async def advance(self, claim: Claim, read: ReadReference) -> Waiting | tuple[FinalImage, CleanVideo]:
        """Submit the video, or ask about its job, which is never submitted again; once it is done, return the video.

        `read`: returns the first frame.

        Raises:
            GenerationFailedError: there is no video.
            LeaseLostError: the claim was lost.
        """
        try:
            step = await self._advance(claim, read)
        except GenerationFailedError as failure:
            failure.cost = claim.total_cost(failure.cost)
            raise
        if isinstance(step, Waiting):
            return step
        final = with_cost(step, claim, self._expected_costs)
        clean = partial(self._videos.clean, final.data, account=claim.generation.user_id)
        return final, await sanitize_result(clean, claim, final)

    async def _advance(self, claim: Claim, read: ReadReference) -> Waiting | FinalImage:
        row, routes = claim.generation, self._routes
        if row.attempts >= MAX_JOB_ATTEMPTS:
            raise GenerationFailedError(ErrorCode.UNAVAILABLE, called=True, lost=True)
        if row.provider_job_id is not None:
            provider = routes.provider(row.provider) if routes is not None else None
            if routes is None or provider is None:
                raise _unavailable(claim, called=True)
            crashpoint("video.due")
            return await self._follow(_Job(claim, routes, provider, _job_of(row.provider_job_id, claim)), read)
        if routes is None:
            raise _unavailable(claim, called=row.provider_called_at is not None)
        started = time.monotonic()
        request = request_of(claim, await read())
        if self._enhancement is not None and self._calls.can_call(request):
            await self._enhancement.apply(claim, self._times.submission)
            request = request_of(claim, request.reference)
        left = self._times.submission - (time.monotonic() - started)
        provider, named = await self._calls.run(claim, request, left)
        pause = self._pause(0.0, named.ask_after)
        if provider.keeps_jobs:
            return Waiting(pause, STARTED)
        await asyncio.sleep(pause)
        return await self._follow(_Job(claim, routes, provider, named), read)

    async def _submit(
        self, claim: Claim, route: Route[VideoProvider], request: ImageRequest, ends: float
    ) -> tuple[VideoProvider, VideoJob]:
        """Submit the job to one model, and record it. Raises ProviderError, GenerationFailedError, LeaseLostError."""
        provider, tries = route.provider, len(claim.path)
        try:
            async with asyncio.timeout_at(ends):
                return provider, await _finish(self._submit_once(claim, route, request))
        except TimeoutError:
            if claim.generation.provider_job_id is not None:  # the answer came at the last moment
                return provider, _job_of(claim.generation.provider_job_id, claim)
            if len(claim.path) > tries:  # the answer came, and could not be recorded
                raise GenerationFailedError(ErrorCode.GENERATION_TIMEOUT, called=True, lost=True) from None
            raise

    async def _submit_once(self, claim: Claim, route: Route[VideoProvider], request: ImageRequest) -> VideoJob:
        """Make the request, and write the job's id before anything else happens."""
        started, name = time.monotonic(), route.provider.name
        with timed_provider_call(name):
            job = await route.provider.submit(request)
        crashpoint("video.submitted")
        claim.path.add(ProviderTry(name, route.model, None, time.monotonic() - started, sent=True))
        for pause in (*_RECORD_PAUSES, None):
            try:
                await claim.record_job(job)
                break
            except LeaseLostError:
                log.warning("video.job_abandoned", generation=claim.generation.id, job=job.id)
                raise
            except Exception as error:
                log.warning("video.job_write_failed", generation=claim.generation.id, job=job.id, error=error)
                if pause is None:
                    failed = partial(GenerationFailedError, ErrorCode.UNAVAILABLE, called=True, lost=True)
                    raise failed(request_id=job.id) from error
                await asyncio.sleep(pause)
        crashpoint("video.job_recorded")
        log.info("video.submitted", generation=claim.generation.id, provider=name, model=route.model, job=job.id)
        return job

    async def _follow(self, job: _Job, read: ReadReference) -> Waiting | FinalImage:
        """Ask about the job once; if only this process can ask about it, until it has ended."""
        claim = job.claim
        while True:
            step = await self._ask(job, read)
            if isinstance(step, FinalImage) or job.provider.keeps_jobs:
                return step
            await claim.advance(GenerationStage.GENERATING, max(step.progress, claim.generation.progress))
            await self._events.generation_changed(claim.generation)
            await asyncio.sleep(step.pause)

    async def _ask(self, job: _Job, read: ReadReference) -> Waiting | FinalImage:
        claim, elapsed, is_made = job.claim, job.claim.seconds_since_call, False
        is_late = elapsed >= self._times.deadline
        try:
            # Late, it is asked about for the last time, whether a slot is free or not: the video may be ready.
            async with self._slot(job, must_wait=not is_late):
                state = await job.provider.poll(job.named)
                if isinstance(state, JobDone):
                    is_made = True
                    return await self._fetch(job, state, read)
        except ProviderError as error:
            log_refusal(claim.generation.id, job.provider.name, job.model, error)
            if is_late or not error.may_retry:
                raise job.failed(error, lost=is_late or is_made) from error
            return Waiting(self._pause_after_error(elapsed, error), claim.generation.progress)
        except (LeaseLostError, asyncio.CancelledError):
            raise
        except Exception as error:
            raise job.failed(crashed(claim.generation.id, error), lost=True) from error
        if is_late:
            log.warning("video.too_late", generation=claim.generation.id, job=job.named.id, seconds=round(elapsed))
            raise job.failed(ProviderError(ErrorCode.GENERATION_TIMEOUT, "the job is too late"), lost=True)
        return Waiting(self._pause(elapsed, state.ask_after), _progress(state, elapsed))

    @contextlib.asynccontextmanager
    async def _slot(self, job: _Job, *, must_wait: bool) -> AsyncIterator[None]:
        """Take one of the provider's slots for a question and its video. Raises ProviderError if none is free soon."""
        if not must_wait:
            yield
            return
        slots, account = job.routes.slots[job.provider.name], job.claim.generation.user_id
        try:
            async with asyncio.timeout(_SLOT_SHARE * self._times.poll):
                await slots.acquire(account)
        except TimeoutError:
            raise ProviderError(ErrorCode.PROVIDER_UNAVAILABLE, "no slot was free", may_retry=True) from None
        try:
            yield
        finally:
            slots.release(account)

    @staticmethod
    async def _fetch(job: _Job, done: JobDone, read: ReadReference) -> FinalImage:
        request, name = replace(request_of(job.claim, None), model=job.model), job.provider.name
        data = await job.provider.fetch(job.named, done, request, read)
        crashpoint("video.fetched")
        job.claim.path.end_job(None, job.claim.seconds_since_call)
        if done.cost is not None and done.cost > 0:
            metric.provider_dollars.labels(name).inc(done.cost)
        return FinalImage(data, done.model or job.model or name, done.cost, done.request_id or job.named.id)

    def _pause(self, elapsed: float, wanted: float | None) -> float:
        """Return the seconds until the job is to be asked about: soon at first, then as seldom as is configured.

        `wanted`: what the provider says; never past the deadline, so that a job which is late ends in time.
        """
        longest = self._times.poll
        shortest = _SHORTEST_SHARE * longest
        pause = min(max(elapsed / 4, shortest), longest) if wanted is None else wanted
        return min(pause * random.uniform(1.0, 1.25), max(self._times.deadline - elapsed, shortest))

    def _pause_after_error(self, elapsed: float, error: ProviderError) -> float:
        """Return the seconds until the job is to be asked about again, which a provider may ask to be 0."""
        shortest = self._times.poll * _SHORTEST_SHARE
        wanted = None if error.retry_after is None else max(error.retry_after, shortest)
        return self._pause(elapsed, wanted)


def _job_of(job_id: str, claim: Claim) -> VideoJob:
    return VideoJob(job_id, claim.generation.provider_job_url)


def _progress(state: JobRunning, elapsed: float) -> float:
    fraction = state.fraction
    if fraction is None:
        fraction = -math.expm1(-elapsed / _TYPICAL_SECONDS)
    return round(STARTED + (_GENERATED - STARTED) * min(max(fraction, 0.0), _MAX_FRACTION), 3)


async def _finish(work: Coroutine[Any, Any, T]) -> T:
    """Run `work`; when canceled, let it end first if it does so soon, so that an accepted job is on its row."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=_ANSWER_SECONDS)
        if not task.cancel() and not task.cancelled():
            task.exception()  # it is retrieved, so that asyncio does not report it
        raise


def _unavailable(claim: Claim, *, called: bool) -> GenerationFailedError:
    row = claim.generation
    log.error("video.provider_missing", generation=row.id, provider=row.provider)
    return GenerationFailedError(ErrorCode.UNAVAILABLE, called=called, lost=called)
