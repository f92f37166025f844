"""Timing: how long a generation stays in each stage, and how long each call of its provider takes."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator

from models.enum import GenerationStage
from services.integrations.providers.protocol import FinalImage, ProviderError
from telemetry import metric
from telemetry.trace import span

_OK = "ok"
_ABORTED = "aborted"
_CRASHED = "crashed"


class StageTimer:
    """Measures the stages of one claim, from the moment it was made.

    `stage`: in which it begins, `elapsed`: seconds that earlier claims of a video have spent in it.
    """

    def __init__(
        self,
        stage: GenerationStage = GenerationStage.VALIDATING,
        elapsed: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._stage = stage
        self._since = clock() - elapsed
        self._seconds: dict[str, float] = {}

    def enter(self, stage: GenerationStage) -> None:
        """Start measuring a stage; the current stage is left as it is."""
        if stage is self._stage:
            return
        now = self._clock()
        self._seconds[self._stage.value] = now - self._since
        self._stage, self._since = stage, now

    def pause(self) -> None:
        """Observe the stages that are over; a later claim goes on with the current one."""
        for stage, seconds in self._seconds.items():
            metric.stage_seconds.labels(stage).observe(seconds)
        self._seconds.clear()

    def stop(self) -> dict[str, float]:
        """Observe the metric of every stage, and return the seconds by stage."""
        self._seconds[self._stage.value] = self._clock() - self._since
        found = {stage.lower(): round(seconds, 3) for stage, seconds in self._seconds.items()}
        self.pause()
        return found


@contextlib.contextmanager
def timed_provider_call(provider: str) -> Iterator[Callable[[FinalImage], None]]:
    """Measure the body as one call of a provider, in metrics and a span; yields a function that takes the result."""
    started, outcome, dollars = time.monotonic(), _OK, None

    def set_result(final: FinalImage) -> None:
        nonlocal dollars
        dollars = final.cost
        call.set_attribute("model", final.model)

    with span("provider.call", provider=provider) as call:
        try:
            yield set_result
        except ProviderError as error:
            outcome, dollars = error.code.value, error.cost
            raise
        except (asyncio.CancelledError, GeneratorExit):
            outcome = _ABORTED  # the deadline has passed, or the claim was lost or released
            raise
        except Exception:
            outcome = _CRASHED
            raise
        finally:
            call.set_attribute("outcome", outcome)
            metric.provider_calls.labels(provider, outcome).inc()
            metric.provider_seconds.labels(provider).observe(time.monotonic() - started)
            if dollars is not None and dollars > 0:
                metric.provider_dollars.labels(provider).inc(dollars)
