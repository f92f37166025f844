"""When the circuit of a model opens, and the error of a call that it refuses; without the library that counts calls."""

from dataclasses import dataclass

from models.enum import ErrorCode
from services.integrations.providers.protocol import ProviderError


@dataclass(frozen=True)
class CircuitRules:
    """When a circuit opens: once `share` of the calls of the last `window` seconds have failed, if they are enough."""

    share: float = 0.5  # from 0 to 1
    window: int = 60  # seconds
    min_calls: int = 10  # in the window
    open_seconds: float = 30.0  # before one call is let through: its success closes the circuit


class CircuitRefusalError(ProviderError):
    """The circuit is open: the provider was not called."""

    def __init__(self, name: str) -> None:
        super().__init__(ErrorCode.PROVIDER_UNAVAILABLE, f"the circuit of {name} is open", request_left=False)
