"""Rendering of a claimed generation: the call of the image provider, with its retries, and the sanitized result."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import TypeVar

import structlog

from models.enum import ErrorCode, GenerationStage
from services.core.crashpoint import crashpoint
from services.core.lease import LeaseLostError
from services.events.publisher import EventPublisher
from services.generations.calls.expected_cost import NOTHING_EXPECTED, ExpectedCosts
from services.generations.calls.failure import GenerationFailedError
from services.generations.calls.request import request_of
from services.generations.calls.route_calls import RouteCalls
from services.generations.claim import STARTED, Claim
from services.generations.prompts.enhancement import PromptEnhancement
from services.generations.timing import timed_provider_call
from services.integrations.images.sanitizer import (
    BadImageError,
    CleanImage,
    ImageSanitizer,
    SanitizerUnavailableError,
)
from services.integrations.providers.protocol import (
    MAX_ANSWER_BYTES,
    FinalImage,
    ImageProvider,
    ImageRequest,
    PartialImage,
    Progress,
    ProviderError,
    ReferencePhoto,
)
from services.integrations.providers.routing import ProviderTry, Route, Routes
from services.integrations.videos.sanitizer import BadVideoError
from services.operations.maintenance import MaintenanceService
from services.operations.provider_pause import ProviderPauses

log = structlog.get_logger(__name__)

T = TypeVar("T")

_PROGRESS_INTERVAL = 0.5  # seconds between two writes of a generation's progress; previews are written at once
_SANITIZER_PAUSES = (0.5, 2.0, 5.0)  # seconds before each further attempt to sanitize a result
_PREVIEW_SECONDS = 5.0  # in which a preview is shown or left out
_RESULT_FORMATS = frozenset({"JPEG", "PNG", "WEBP"})
_GENERATED = 0.9  # progress when the provider has answered, on the generation's scale of 0 to 1


class Renderer:
    """Renders claimed generations. `deadline`: seconds for all calls of one generation, whatever the models."""

    def __init__(
        self,
        routes: Routes[ImageProvider],
        enhancement: PromptEnhancement | None,
        sanitizer: ImageSanitizer,
        events: EventPublisher,
        pauses: ProviderPauses,
        maintenance: MaintenanceService,
        *,
        deadline: float,
        expected_costs: ExpectedCosts = NOTHING_EXPECTED,
    ) -> None:
        self._expected_costs = expected_costs
        self._enhancement = enhancement
        self._calls = RouteCalls(routes, sanitizer, events, pauses, maintenance, deadline=deadline, call=self._call)
        self._sanitizer = sanitizer
        self._events = events
        self._deadline = deadline

    async def render(self, claim: Claim, reference: ReferencePhoto | None) -> tuple[FinalImage, CleanImage]:
        """Call the provider, and return what it answered and the sanitized image.

        Raises:
            GenerationFailedError: there is no image.
            LeaseLostError: the claim was lost.
        """
        started = time.monotonic()
        if self._enhancement is not None and self._calls.can_call(request_of(claim, reference)):
            await self._enhancement.apply(claim, self._deadline)
        left = self._deadline - (time.monotonic() - started)
        try:
            final = await self._calls.run(claim, request_of(claim, reference), left)
        except GenerationFailedError as failure:
            failure.cost = claim.total_cost(failure.cost)
            raise
        crashpoint("worker.generated")
        final = with_cost(final, claim, self._expected_costs)
        clean = partial(
            self._sanitizer.clean,
            final.data,
            max_bytes=MAX_ANSWER_BYTES,
            formats=_RESULT_FORMATS,
            account=claim.generation.user_id,
        )
        return final, await sanitize_result(clean, claim, final)

    async def _call(self, claim: Claim, route: Route[ImageProvider], request: ImageRequest, ends: float) -> FinalImage:
        """Make one call, and read its stream to the end. Raises ProviderError, LeaseLostError."""
        name, started = route.provider.name, time.monotonic()
        async with asyncio.timeout_at(ends):
            with timed_provider_call(name) as set_result:
                final = await self._read_stream(claim, route.provider, request)
                set_result(final)
        claim.path.add(ProviderTry(name, route.model or final.model, None, time.monotonic() - started, sent=True))
        return final

    async def _read_stream(self, claim: Claim, provider: ImageProvider, request: ImageRequest) -> FinalImage:
        written_at, was_loading = time.monotonic(), claim.generation.is_loading  # when the call was recorded
        async with contextlib.aclosing(provider.generate(request)) as events:  # type: ignore[type-var]  # an async generator, typed as its iterator
            async for event in events:
                if isinstance(event, FinalImage):
                    return event
                preview = await self._preview(claim, event) if isinstance(event, PartialImage) else None
                is_loading = isinstance(event, Progress) and event.is_loading
                is_due = time.monotonic() - written_at >= _PROGRESS_INTERVAL
                if preview is not None or is_due or is_loading != was_loading:
                    written_at, was_loading = time.monotonic(), is_loading
                    fraction = min(max(event.fraction, 0.0), 1.0)
                    progress = round(STARTED + (_GENERATED - STARTED) * fraction, 3)
                    await self._advance(claim, GenerationStage.GENERATING, progress, preview, is_loading=is_loading)
        raise ProviderError(ErrorCode.GENERATION_FAILED, "the stream ended without an image")

    async def _preview(self, claim: Claim, event: PartialImage) -> str | None:
        try:
            async with asyncio.timeout(_PREVIEW_SECONDS):  # the provider's deadline goes on meanwhile
                return await self._sanitizer.preview(event.data, account=claim.generation.user_id)
        except (BadImageError, SanitizerUnavailableError, TimeoutError):
            return None  # a preview that cannot be shown does not fail the generation

    async def _advance(
        self,
        claim: Claim,
        stage: GenerationStage,
        progress: float,
        preview: str | None = None,
        *,
        is_loading: bool = False,
    ) -> None:
        try:
            await claim.advance(stage, max(progress, claim.generation.progress), preview, is_loading=is_loading)
        except LeaseLostError:
            raise
        except Exception as error:  # noqa: BLE001 - the result is worth more than its progress
            log.warning("generation.progress_write_failed", generation=claim.generation.id, error=error)
        else:
            await self._events.generation_changed(claim.generation)


def with_cost(final: FinalImage, claim: Claim, expected: ExpectedCosts) -> FinalImage:
    """Return a result with all that it has cost: as its provider reported, or else as is expected."""
    cost = final.cost
    if cost is None:
        cost = expected.of_result(claim.generation, claim.path.last_model)
    return replace(final, cost=claim.total_cost(cost))


async def sanitize_result(clean: Callable[[], Awaitable[T]], claim: Claim, final: FinalImage) -> T:
    """Return the sanitized image or video, which is paid for: during an outage of the sanitizer, retry.

    Raises:
        GenerationFailedError: there is no usable one.
    """
    for pause in (*_SANITIZER_PAUSES, None):
        try:
            return await clean()
        except (BadImageError, BadVideoError) as error:
            log.warning("generation.bad_result", generation=claim.generation.id, reason=str(error))
            raise _failed_after_call(ErrorCode.GENERATION_FAILED, final) from None
        except SanitizerUnavailableError as error:
            log.error("generation.sanitizer_unavailable", generation=claim.generation.id, error=error)
            if pause is None:
                raise _failed_after_call(ErrorCode.UNAVAILABLE, final) from None
            await asyncio.sleep(pause)
    raise AssertionError  # the last attempt returns or raises


def _failed_after_call(code: ErrorCode, final: FinalImage) -> GenerationFailedError:
    return GenerationFailedError(code, called=True, cost=final.cost, request_id=final.request_id)
