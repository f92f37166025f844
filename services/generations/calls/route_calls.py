"""Calls along the routes of a generation: of the ordered model, and of others where its work provably never started.

The same for images and videos; what one call is, a whole image or the submission of a job, its user says.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Generic, TypeVar

import structlog

from models.database.connection import is_outage
from models.enum import ErrorCode
from services.core.crashpoint import crashpoint
from services.core.lease import LeaseLostError
from services.events.publisher import EventPublisher
from services.generations.calls.failure import GenerationFailedError
from services.generations.calls.request import fit_reference
from services.generations.calls.retry import DATABASE_PAUSE, retry
from services.generations.claim import Claim
from services.integrations.images.sanitizer import ImageSanitizer
from services.integrations.providers.circuit_rules import CircuitRefusalError
from services.integrations.providers.failure_cause import FailureCause
from services.integrations.providers.protocol import ImageRequest, ProviderError
from services.integrations.providers.routing import (
    LONGEST_PAUSE,
    AnyProvider,
    ProviderTry,
    Route,
    Routes,
    may_try_next,
)
from services.operations.maintenance import MaintenanceService
from services.operations.provider_pause import ProviderPauses
from telemetry import crash, metric

log = structlog.get_logger(__name__)

P = TypeVar("P", bound=AnyProvider)
T = TypeVar("T")

# Makes one call: by the claim, the provider, its request and the loop's time at which it must have ended. Once it has
# succeeded, it adds itself to the claim's path. Raises ProviderError, GenerationFailedError or LeaseLostError.
ProviderCall = Callable[[Claim, Route[P], ImageRequest, float], Awaitable[T]]

_MAX_CALLS = 3  # of one model, the first included; repeated only where the provider's work never started
_LAST_START = 0.25  # of the deadline: a call that waited for its slot or the database until then would end too late
_SHORTEST_PAUSE = 0.5  # seconds
_FIRST_PAUSE = 0.5  # seconds before the second call where the provider names none; doubled before the third


class ProviderPausedError(ProviderError):
    """The provider refuses the key or the account, and was not called."""

    def __init__(self, provider: str, cause: FailureCause) -> None:
        detail = f"{provider} is paused"
        super().__init__(ErrorCode.PROVIDER_MISCONFIGURED, detail, request_left=False, was_refused=True, cause=cause)


class ProviderOffError(ProviderError):
    """An admin has switched the provider off, and it was not called."""

    def __init__(self, provider: str) -> None:
        super().__init__(ErrorCode.PROVIDER_UNAVAILABLE, f"{provider} is switched off", request_left=False)


class NoSlotError(ProviderError):
    """The provider was not called, because all its slots were taken. `is_busy`: meanwhile, calls of others ended."""

    def __init__(self, *, is_busy: bool) -> None:
        super().__init__(ErrorCode.PROVIDER_UNAVAILABLE, "no slot was free in time", request_left=False)
        self.is_busy = is_busy


class RouteCalls(Generic[P, T]):
    """Calls providers for claimed generations. `deadline`: seconds for all calls of one, whatever the models."""

    def __init__(
        self,
        routes: Routes[P],
        sanitizer: ImageSanitizer,
        events: EventPublisher,
        pauses: ProviderPauses,
        maintenance: MaintenanceService,
        *,
        deadline: float,
        call: ProviderCall[P, T],
    ) -> None:
        self._routes = routes
        self._sanitizer = sanitizer
        self._events = events
        self._pauses = pauses
        self._maintenance = maintenance
        self._deadline = deadline
        self._make = call

    def can_call(self, request: ImageRequest) -> bool:
        """Return whether any model would be called now."""
        return any(self._is_callable(route) for route in self._routes.of(request))

    def _is_callable(self, route: Route[P]) -> bool:
        name = route.provider.name
        return not (route.circuit.is_open or self._maintenance.is_off(name) or self._pauses.problem(name))

    async def run(self, claim: Claim, request: ImageRequest, seconds: float) -> T:
        """Call the ordered model, and where its work provably never started, others; all within `seconds`.

        Raises:
            GenerationFailedError: no call succeeded; its code is that of the last one, if any was made.
            LeaseLostError: the claim was lost.
        """
        ends: float | None = None
        routes = self._routes.of(request)
        if not routes:
            log.error("generation.model_not_served", generation=request.generation_id, model=request.model)
            raise GenerationFailedError(ErrorCode.UNAVAILABLE, called=False)
        last: ProviderError | None = None
        errors: list[ProviderError] = []
        waits = False  # for the provider of the ordered model, which refuses every call, or is switched off
        for number, route in enumerate(routes, 1):
            fitted = await self._fit(claim, route, replace(request, model=route.model))
            ends = ends or asyncio.get_running_loop().time() + seconds
            has_next = any(self._is_callable(following) for following in routes[number:])
            try:
                made = await self._call_route(claim, route, fitted, ends, has_next=has_next)
            except ProviderError as error:
                errors.append(error)
                waits = (await self._is_paused(route, error) and number == 1) or waits
                if last is None or not isinstance(error, CircuitRefusalError | ProviderOffError):
                    last = error
                if not may_try_next(error):
                    break
                if number < len(routes):
                    await self._record_nothing_sent(claim, ends)
            else:
                if number > 1:
                    metric.fallbacks.labels(route.provider.name, route.model or "").inc()
                return made
        assert last is not None  # noqa: S101 - every route that made nothing has raised
        raise GenerationFailedError(
            last.code,
            called=claim.path.was_called,
            cost=last.cost,
            request_id=last.request_id,
            lost=last.is_lost,
            waits=waits and all(map(may_try_next, errors)),
            is_busy=not claim.path.was_called
            and any(isinstance(each, NoSlotError) and each.is_busy for each in errors),
        ) from last

    async def _is_paused(self, route: Route[P], error: ProviderError) -> bool:
        """Report a refusal of the key or the account, and return whether what the provider was to make waits for it."""
        if isinstance(error, ProviderPausedError):
            return True
        if isinstance(error, ProviderOffError):
            return self._maintenance.is_provider_off  # since the claim: nothing else is claimed until it is back
        if error.cause not in (FailureCause.KEY, FailureCause.CREDIT):
            return False
        return await self._pauses.refused(route.provider.name, error.cause)

    async def _fit(self, claim: Claim, route: Route[P], request: ImageRequest) -> ImageRequest:
        try:
            max_bytes = route.provider.max_reference_bytes(request)
            return await fit_reference(self._sanitizer, request, max_bytes, claim.generation.user_id)
        except GenerationFailedError as failure:
            failure.called = claim.path.was_called
            raise

    async def _call_route(
        self, claim: Claim, route: Route[P], request: ImageRequest, ends: float, *, has_next: bool
    ) -> T:
        """Call one model at one provider, again where the provider asks for a pause. Raises ProviderError."""
        name = route.provider.name
        if self._maintenance.is_off(name):
            claim.path.add(ProviderTry(name, route.model, ErrorCode.PROVIDER_UNAVAILABLE, 0.0, sent=False))
            raise ProviderOffError(name)
        if (cause := self._pauses.problem(name)) is not None:
            claim.path.add(ProviderTry(name, route.model, ErrorCode.PROVIDER_MISCONFIGURED, 0.0, sent=False))
            raise ProviderPausedError(name, cause)
        attempt = 0
        while True:
            attempt += 1
            try:
                return await self._call(claim, route, request, ends)
            except ProviderError as error:
                claim.may_hand_back = may_try_next(error)
                log_refusal(request.generation_id, name, route.model, error)
                pause = _pause_before_retry(error, attempt, ends)
                if pause is None or route.circuit.is_open or (has_next and pause > LONGEST_PAUSE):
                    raise
            await self._record_nothing_sent(claim, ends)
            await asyncio.sleep(pause)

    async def _call(self, claim: Claim, route: Route[P], request: ImageRequest, ends: float) -> T:
        """Make one call, as soon as the provider has a free slot. Raises ProviderError."""
        account, name = claim.generation.user_id, route.provider.name
        ended = route.slots.ended
        try:
            async with asyncio.timeout_at(ends - _LAST_START * self._deadline):
                await route.slots.acquire(account)
        except TimeoutError:
            raise NoSlotError(is_busy=route.slots.ended > ended) from None
        started = time.monotonic()
        try:
            with route.circuit.call():
                await self._record_call(claim, name, ends)
                crashpoint("worker.before_call")
                started = time.monotonic()
                return await self._make_call(claim, route, request, ends)
        except ProviderError as error:
            seconds = time.monotonic() - started
            claim.path.add(ProviderTry(name, route.model, error.code, seconds, sent=error.request_left))
            raise
        finally:
            route.slots.release(account)

    async def _record_call(self, claim: Claim, provider: str, ends: float) -> None:
        claim.may_hand_back = False  # before the write, which may be committed although it is canceled
        latest = ends - _LAST_START * self._deadline
        try:
            async with asyncio.timeout_at(ends):
                await retry(
                    partial(claim.record_call, provider),
                    seconds=latest - asyncio.get_running_loop().time(),
                    pause=DATABASE_PAUSE,
                    is_retried=is_outage,
                    event="generation.call_write_failed",
                    generation=claim.generation.id,
                )
                await self._events.generation_changed(claim.generation)
        except TimeoutError:
            raise GenerationFailedError(ErrorCode.GENERATION_TIMEOUT, called=claim.path.was_called) from None
        except Exception as error:
            if not is_outage(error):
                raise
            raise GenerationFailedError(ErrorCode.UNAVAILABLE, called=claim.path.was_called) from error

    async def _record_nothing_sent(self, claim: Claim, ends: float) -> None:
        """Take back that a call was made whose request did not leave, before more time passes; not in an outage."""
        if claim.path.was_called or claim.generation.provider_called_at is None:
            return
        try:
            async with asyncio.timeout_at(ends):
                await claim.record_nothing_sent()
        except Exception as error:
            if not (isinstance(error, TimeoutError) or is_outage(error)):
                raise
            log.warning("generation.call_write_failed", generation=claim.generation.id, error=error)

    async def _make_call(self, claim: Claim, route: Route[P], request: ImageRequest, ends: float) -> T:
        try:
            return await self._make(claim, route, request, ends)
        except TimeoutError:
            raise ProviderError(ErrorCode.GENERATION_TIMEOUT, "the deadline has passed") from None
        except (ProviderError, GenerationFailedError, LeaseLostError):
            raise
        except Exception as error:
            raise crashed(request.generation_id, error) from error


def log_refusal(generation_id: str, provider: str, model: str | None, error: ProviderError) -> None:
    """Log and count a call that failed."""
    metric.provider_failures.labels(provider, error.cause.value).inc()
    log.warning(
        "provider.refused",
        generation=generation_id,
        provider=provider,
        model=model,
        code=error.code,
        cause=error.cause,
        detail=error.detail,
        request_id=error.request_id,
    )


def crashed(generation_id: str, error: Exception) -> ProviderError:
    """Report an error that a provider's client should not have raised, and return how its call ended."""
    log.error("provider.crashed", generation=generation_id, exc_info=error)
    crash.report(error, generation=generation_id)
    return ProviderError(ErrorCode.INTERNAL, "the provider's client crashed")


def _pause_before_retry(error: ProviderError, attempt: int, ends: float) -> float | None:
    """Return the seconds before the next call of the same model, None if there must be none."""
    if not error.may_retry or attempt == _MAX_CALLS:
        return None
    pause = error.retry_after
    if pause is None:
        pause = _FIRST_PAUSE * 2 ** (attempt - 1) * random.uniform(0.75, 1.25)
    pause = max(pause, _SHORTEST_PAUSE)  # `Retry-After: 0`, or a date of a clock that is slow
    if asyncio.get_running_loop().time() + pause >= ends:
        return None  # the pause alone would exceed the deadline
    return pause
