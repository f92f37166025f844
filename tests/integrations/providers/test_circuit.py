"""A circuit opens after a share of failures, tries one call after its time, and closes by its success."""

from dataclasses import dataclass

import pytest

from models.enum import ErrorCode
from services.integrations.providers.circuit import Circuit
from services.integrations.providers.circuit_rules import CircuitRefusalError, CircuitRules
from services.integrations.providers.protocol import ProviderError

RULES = CircuitRules(share=0.5, window=60, min_calls=4, open_seconds=30.0)
OUTAGE = ErrorCode.PROVIDER_UNAVAILABLE


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def call(circuit: Circuit, error: Exception | None = None) -> None:
    """Make one call that ends with this error."""
    with circuit.call():
        if error is not None:
            raise error


def fail(circuit: Circuit, times: int = 1, code: ErrorCode = OUTAGE) -> None:
    for _ in range(times):
        with pytest.raises(ProviderError):
            call(circuit, ProviderError(code, "scripted"))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def circuit(clock: Clock) -> Circuit:
    return Circuit("openrouter", "some/model", RULES, clock)


def test_share_of_failures_opens_the_circuit_once_there_were_enough_calls(circuit: Circuit) -> None:
    fail(circuit, 3)
    assert (circuit.state, circuit.is_open) == ("closed", False)
    call(circuit)
    assert (circuit.state, circuit.is_open) == ("open", True)
    with pytest.raises(CircuitRefusalError) as refused:
        call(circuit)
    error = refused.value
    assert (error.code, error.request_left, error.may_retry) == (OUTAGE, False, False)


def test_lower_share_of_failures_leaves_the_circuit_closed(circuit: Circuit) -> None:
    for _ in range(20):
        call(circuit)
        call(circuit)
        fail(circuit)
    assert circuit.state == "closed"


def test_old_calls_do_not_count(circuit: Circuit, clock: Clock) -> None:
    fail(circuit, 3)
    clock.now += RULES.window
    fail(circuit, 3)
    assert circuit.state == "closed"
    fail(circuit)
    assert circuit.state == "open"


@pytest.mark.parametrize("code", [ErrorCode.CONTENT_REJECTED, ErrorCode.GENERATION_FAILED])
def test_refused_requests_are_no_failures_of_the_provider(circuit: Circuit, code: ErrorCode) -> None:
    fail(circuit, 20, code)
    assert circuit.state == "closed"


@pytest.mark.parametrize("code", [ErrorCode.PROVIDER_MISCONFIGURED, ErrorCode.GENERATION_TIMEOUT, OUTAGE])
def test_outages_are_failures(circuit: Circuit, code: ErrorCode) -> None:
    fail(circuit, 4, code)
    assert circuit.state == "open"


def test_one_call_tries_an_open_circuit_and_closes_it(circuit: Circuit, clock: Clock) -> None:
    fail(circuit, 4)
    clock.now += RULES.open_seconds - 1
    assert circuit.is_open
    clock.now += 1
    assert not circuit.is_open
    with circuit.call():
        assert circuit.state == "half_open"
        with pytest.raises(CircuitRefusalError):  # one at a time
            call(circuit)
    assert circuit.state == "closed"
    fail(circuit, 3)
    assert circuit.state == "closed"  # what was before is forgotten


def test_failed_try_opens_the_circuit_again(circuit: Circuit, clock: Clock) -> None:
    fail(circuit, 4)
    for _ in range(3):
        clock.now += RULES.open_seconds
        fail(circuit)
        assert circuit.is_open


@pytest.mark.parametrize("error", [RuntimeError("of the database"), TimeoutError()])
def test_other_errors_decide_nothing(circuit: Circuit, clock: Clock, error: Exception) -> None:
    for _ in range(10):
        with pytest.raises(type(error)) as raised:
            call(circuit, error)
        assert raised.value is error
    fail(circuit, 3)
    assert circuit.state == "closed"
    fail(circuit)
    clock.now += RULES.open_seconds
    with pytest.raises(type(error)):
        call(circuit, error)
    assert circuit.state == "half_open"  # the next call tries it
    call(circuit)
    assert circuit.state == "closed"


def test_canceled_try_leaves_the_turn_to_the_next_call(circuit: Circuit, clock: Clock) -> None:
    fail(circuit, 4)
    clock.now += RULES.open_seconds
    with pytest.raises(GeneratorExit), circuit.call():
        raise GeneratorExit
    call(circuit)
    assert circuit.state == "closed"
