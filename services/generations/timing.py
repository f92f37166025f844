"""How long a generation stays in each stage, and how long each call of its provider takes."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator

from models.enum import GenerationStage
from services.integrations.providers.protocol import FinalImage, ProviderError
from telemetry import metric
from telemetry.trace import span

_WELL = "ok"
_CRASHED = "crashed"


class StageTimer:
    """Of one claim, from the moment it was taken."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._stage = GenerationStage.VALIDATING
        self._since = clock()
        self._seconds: dict[str, float] = {}

    def enter(self, stage: GenerationStage) -> None:
        """The generation is in this stage now; said again of the same one, it changes nothing."""
        if stage is self._stage:
            return
        now = self._clock()
        self._seconds[self._stage.value] = now - self._since
        self._stage, self._since = stage, now

    def stop(self) -> dict[str, float]:
        """It has ended: the seconds of each stage."""
        self._seconds[self._stage.value] = self._clock() - self._since
        for stage, seconds in self._seconds.items():
            metric.stage_seconds.labels(stage).observe(seconds)
        return {stage.lower(): round(seconds, 3) for stage, seconds in self._seconds.items()}


@contextlib.contextmanager
def provider_call(provider: str) -> Iterator[Callable[[FinalImage], None]]:
    """Whatever happens in the body, as one call of a provider; it is told what came of it."""
    started, outcome, dollars = time.monotonic(), _WELL, None

    def done(final: FinalImage) -> None:
        nonlocal dollars
        dollars = final.cost
        found.set_attribute("model", final.model)

    with span("provider.call", provider=provider) as found:
        try:
            yield done
        except ProviderError as error:
            outcome, dollars = error.code.value, error.cost
            raise
        except (asyncio.CancelledError, GeneratorExit):
            outcome = "broken off"  # its deadline is over, or nobody wants the picture any more
            raise
        except Exception:
            outcome = _CRASHED
            raise
        finally:
            found.set_attribute("outcome", outcome)
            metric.provider_calls.labels(provider, outcome).inc()
            metric.provider_seconds.labels(provider).observe(time.monotonic() - started)
            if dollars is not None and dollars > 0:
                metric.provider_dollars.labels(provider).inc(dollars)
