"""Rendering of a claimed generation: the call of the image provider, with its retries, and the sanitized result."""

import asyncio
import contextlib
import random
import time
from dataclasses import replace

import structlog

from models.enum import ErrorCode, GenerationStage
from services.core.crashpoint import crashpoint
from services.core.lease import LeaseLostError
from services.events.publisher import EventPublisher
from services.generations.claim import STARTED, Claim
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
    ProviderError,
    ReferencePhoto,
)
from telemetry import crash

log = structlog.get_logger(__name__)

_MAX_CALLS = 3  # of one generation, the first included; repeated only where the provider's work never started
_FIRST_PAUSE = 0.5  # seconds before the second call where the provider names none; doubled before the third
_PROGRESS_INTERVAL = 0.5  # seconds between two writes of a generation's progress; previews are written at once
_SANITIZER_PAUSES = (0.5, 2.0, 5.0)  # seconds before each further attempt to sanitize a result
_PREVIEW_SECONDS = 5.0  # in which a preview is shown or left out
_RESULT_FORMATS = frozenset({"JPEG", "PNG", "WEBP"})
_GENERATED = 0.9  # progress when the provider has answered, on the generation's scale of 0 to 1


class GenerationFailedError(Exception):
    """A generation ends without a result. `called`: a request has, or may have, left for the provider."""

    def __init__(
        self, code: ErrorCode, *, called: bool, cost: float | None = None, request_id: str | None = None
    ) -> None:
        super().__init__(code)
        self.code = code
        self.called = called
        self.cost = cost
        self.request_id = request_id


class Renderer:
    """Renders claimed generations. `deadline`: seconds for all calls of one generation together."""

    def __init__(
        self, provider: ImageProvider, sanitizer: ImageSanitizer, events: EventPublisher, *, deadline: float
    ) -> None:
        self._provider = provider
        self._sanitizer = sanitizer
        self._events = events
        self._deadline = deadline

    async def render(self, claim: Claim, reference: ReferencePhoto | None) -> tuple[FinalImage, CleanImage]:
        """Call the provider, and return what it answered and the sanitized image.

        Raises:
            GenerationFailedError: there is no image.
            LeaseLostError: the claim was lost.
        """
        request = await self._fit_reference(_request_of(claim, reference), claim.generation.user_id)
        final = await self._call_provider(claim, request)
        crashpoint("worker.generated")
        return final, await self._sanitize(claim, final)

    async def _sanitize(self, claim: Claim, final: FinalImage) -> CleanImage:
        """Return the sanitized result, which is paid for: during an outage of the sanitizer, retry.

        Raises:
            GenerationFailedError: there is no usable image.
        """
        for pause in (*_SANITIZER_PAUSES, None):
            try:
                return await self._sanitizer.clean(
                    final.data,
                    max_bytes=MAX_ANSWER_BYTES,
                    formats=_RESULT_FORMATS,
                    account=claim.generation.user_id,
                )
            except BadImageError as error:
                log.warning("generation.bad_result", generation=claim.generation.id, reason=error.reason)
                raise _failed_after_call(ErrorCode.GENERATION_FAILED, final) from None
            except SanitizerUnavailableError as error:
                log.error("generation.sanitizer_unavailable", generation=claim.generation.id, error=repr(error))
                if pause is None:
                    raise _failed_after_call(ErrorCode.UNAVAILABLE, final) from None
                await asyncio.sleep(pause)
        raise AssertionError  # the last attempt returns or raises

    async def _fit_reference(self, request: ImageRequest, account: str) -> ImageRequest:
        """Replace a reference that is larger than the model takes by a smaller copy; the stored file stays as it is.

        Raises:
            GenerationFailedError: it cannot be made; the provider was not called.
        """
        reference, max_bytes = request.reference, self._provider.max_reference_bytes(request)
        if reference is None or max_bytes is None or len(reference.data) <= max_bytes:
            return request
        try:
            copy = await self._sanitizer.reduce(reference.data, max_bytes=max_bytes, account=account)
        except (BadImageError, SanitizerUnavailableError):
            log.exception("generation.reference_not_reduced", generation=request.generation_id, max_bytes=max_bytes)
            raise GenerationFailedError(ErrorCode.UNAVAILABLE, called=False) from None
        log.info(
            "generation.reference_reduced",
            generation=request.generation_id,
            bytes=len(reference.data),
            sent=len(copy.data),
        )
        smaller = replace(
            reference, data=copy.data, content_type=copy.content_type, width=copy.width, height=copy.height
        )
        return replace(request, reference=smaller)

    async def _call_provider(self, claim: Claim, request: ImageRequest) -> FinalImage:
        called = in_flight = False  # whether any request has, or may have, left; and whether one is in flight
        try:
            async with asyncio.timeout(self._deadline) as deadline:
                for attempt in range(1, _MAX_CALLS + 1):
                    await claim.record_call(self._provider.name)
                    await self._events.generation_changed(claim.generation)
                    crashpoint("worker.before_call")
                    in_flight = True
                    try:
                        with timed_provider_call(self._provider.name) as set_result:
                            final = await self._read_stream(claim, request)
                            set_result(final)
                            return final
                    except ProviderError as error:
                        in_flight = False
                        called = called or error.request_left
                        self._log_refusal(request, error)
                        pause = _pause_before_retry(error, attempt, deadline)
                        if pause is None:
                            raise GenerationFailedError(
                                error.code, called=called, cost=error.cost, request_id=error.request_id
                            ) from error
                        await asyncio.sleep(pause)
                    except (LeaseLostError, asyncio.CancelledError):
                        raise
                    except Exception as error:
                        log.exception("provider.crashed", generation=request.generation_id)
                        crash.report(error, generation=request.generation_id)
                        raise GenerationFailedError(ErrorCode.INTERNAL, called=True) from error
        except TimeoutError:
            raise GenerationFailedError(ErrorCode.GENERATION_TIMEOUT, called=called or in_flight) from None
        raise AssertionError  # the last attempt returns or raises

    def _log_refusal(self, request: ImageRequest, error: ProviderError) -> None:
        log.warning(
            "provider.refused",
            generation=request.generation_id,
            provider=self._provider.name,
            code=error.code,
            detail=error.detail,
            request_id=error.request_id,
        )

    async def _read_stream(self, claim: Claim, request: ImageRequest) -> FinalImage:
        written_at = time.monotonic()  # when the call was recorded
        async with contextlib.aclosing(self._provider.generate(request)) as events:  # type: ignore[type-var]  # an async generator, typed as its iterator
            async for event in events:
                if isinstance(event, FinalImage):
                    return event
                preview = await self._preview(claim, event) if isinstance(event, PartialImage) else None
                if preview is not None or time.monotonic() - written_at >= _PROGRESS_INTERVAL:
                    written_at = time.monotonic()
                    fraction = min(max(event.fraction, 0.0), 1.0)
                    progress = round(STARTED + (_GENERATED - STARTED) * fraction, 3)
                    await self._advance(claim, GenerationStage.GENERATING, progress, preview)
        raise ProviderError(ErrorCode.GENERATION_FAILED, "the stream ended without an image")

    async def _preview(self, claim: Claim, event: PartialImage) -> str | None:
        try:
            async with asyncio.timeout(_PREVIEW_SECONDS):  # the provider's deadline goes on meanwhile
                return await self._sanitizer.preview(event.data, account=claim.generation.user_id)
        except (BadImageError, SanitizerUnavailableError, TimeoutError):
            return None  # a preview that cannot be shown does not fail the generation

    async def _advance(self, claim: Claim, stage: GenerationStage, progress: float, preview: str | None = None) -> None:
        try:
            await claim.advance(stage, max(progress, claim.generation.progress), preview)
        except LeaseLostError:
            raise
        except Exception as error:  # noqa: BLE001 - the result is worth more than its progress
            log.warning("generation.progress_write_failed", generation=claim.generation.id, error=repr(error))
        else:
            await self._events.generation_changed(claim.generation)


def _request_of(claim: Claim, reference: ReferencePhoto | None) -> ImageRequest:
    row = claim.generation
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


def _failed_after_call(code: ErrorCode, final: FinalImage) -> GenerationFailedError:
    return GenerationFailedError(code, called=True, cost=final.cost, request_id=final.request_id)


def _pause_before_retry(error: ProviderError, attempt: int, deadline: asyncio.Timeout) -> float | None:
    """Return the seconds before the next call, None if there must be none."""
    if not error.may_retry or attempt == _MAX_CALLS:
        return None
    pause = error.retry_after
    if pause is None:
        pause = _FIRST_PAUSE * 2 ** (attempt - 1) * random.uniform(0.75, 1.25)
    ends = deadline.when()
    if ends is not None and asyncio.get_running_loop().time() + pause >= ends:
        return None  # the pause alone would exceed the deadline
    return pause
