"""Circuit breakers: a model at a provider that keeps failing is not called for a while, and then tried again.

interlock counts the calls and decides; this module says which answers are failures, and reports the state.
"""

import contextlib
import math
import time
from collections.abc import Callable, Iterator

import structlog
from interlock import CircuitBreaker, CircuitOpenError, Config, State, WindowType

from models.enum import ErrorCode
from services.integrations.providers.circuit_rules import CircuitRefusalError, CircuitRules
from services.integrations.providers.protocol import ProviderError
from telemetry import metric

log = structlog.get_logger(__name__)

# What says that calling is pointless at the moment. A refused or failed request says that the provider answers.
_FAILURES = frozenset({ErrorCode.PROVIDER_UNAVAILABLE, ErrorCode.PROVIDER_MISCONFIGURED, ErrorCode.GENERATION_TIMEOUT})
_STATES = {State.CLOSED: 0, State.HALF_OPEN: 1, State.OPEN: 2}  # as the metric shows them


class _NoVerdict(BaseException):
    def __init__(self, left: Exception) -> None:
        super().__init__()
        self.left = left


class _Clock:
    """interlock's clock, which is an object."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.monotonic = now


class _Classifier:
    """Which of a call's outcomes is a failure."""

    def is_failure(self, *, result: object, exception: Exception | None) -> bool:
        return isinstance(exception, ProviderError) and exception.code in _FAILURES


class Circuit:
    """The breaker of one model at one provider, in this process."""

    def __init__(
        self, provider: str, model: str, rules: CircuitRules, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = f"{provider}:{model}"
        self._labels = (provider, model)
        self._rules = rules
        self._clock = clock
        self._opened_at = 0.0
        self._breaker = CircuitBreaker(
            name=self.name,
            config=Config(
                failure_rate_threshold=rules.share,
                minimum_number_of_calls=rules.min_calls,
                window_type=WindowType.TIME_BASED,
                window_size=rules.window,
                wait_duration_in_open=rules.open_seconds,
                permitted_calls_in_half_open=1,
                slow_call_duration_threshold=math.inf,  # the deadline of a generation decides what is too slow
            ),
            clock=_Clock(clock),
            classifier=_Classifier(),
            listener=self,
        )
        metric.circuit_state.labels(*self._labels).set(_STATES[self._breaker.state])

    @property
    def state(self) -> str:
        """`closed`, `open` or `half_open`. An open one is tried by the next call once its time has passed."""
        return str(self._breaker.state)

    @property
    def is_open(self) -> bool:
        """Whether a call would be refused now because of the time."""
        return self._breaker.state is State.OPEN and self._clock() < self._opened_at + self._rules.open_seconds

    @contextlib.contextmanager
    def call(self) -> Iterator[None]:
        """Let the body make one call, and count its outcome; only a ProviderError, or its absence, is an outcome.

        Raises:
            CircuitRefusalError: the circuit is open, or another call is just trying it.
        """
        try:
            with self._breaker:
                try:
                    yield
                except ProviderError:
                    raise
                except Exception as error:  # noqa: BLE001 - raised again outside of the breaker
                    raise _NoVerdict(error) from None
        except _NoVerdict as passed:
            raise passed.left from passed.left.__cause__
        except CircuitOpenError:
            raise CircuitRefusalError(self.name) from None

    def count_failure(self, error: ProviderError) -> None:
        """Count an error that came long after its call: the end of a job, which says nothing to an open circuit."""
        if self._breaker.state is State.CLOSED:
            with contextlib.suppress(ProviderError), self.call():
                raise error

    def on_state_change(self, *, name: str, old: State, new: State) -> None:
        """Report a change; called by the breaker."""
        if new is State.OPEN:
            self._opened_at = self._clock()
        metric.circuit_state.labels(*self._labels).set(_STATES[new])
        write = log.info if new is State.CLOSED else log.warning
        write("circuit.changed", circuit=name, before=old.value, state=new.value)

    def on_call(self, *, name: str, outcome: object, duration: float) -> None:
        """Do nothing: calls have their own metrics."""

    def on_rejected(self, *, name: str) -> None:
        """Count a refusal; called by the breaker."""
        metric.circuit_refusals.labels(*self._labels).inc()

    def on_reset(self, *, name: str) -> None:
        """Do nothing: circuits are not reset by hand."""
