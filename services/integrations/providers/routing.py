"""Routes: the models and providers that may make a generation, in the order in which they are tried."""

import json
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from models.enum import ErrorCode, Quality
from services.integrations.providers.call_slots import CallSlots
from services.integrations.providers.circuit_rules import CircuitRules
from services.integrations.providers.protocol import ImageRequest, ProviderError

if TYPE_CHECKING:  # see Routes
    from services.integrations.providers.circuit import Circuit

LONGEST_PAUSE = 5.0  # seconds that the ordered model is waited for, although another one could be tried now


class AnyProvider(Protocol):
    """What providers of images and of videos have in common."""

    name: str

    def max_reference_bytes(self, request: ImageRequest) -> int | None:
        """Return how many bytes the reference of this request may have; None: any number."""
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...


P_co = TypeVar("P_co", bound=AnyProvider, covariant=True)


@dataclass(frozen=True)
class ModelAbilities:
    """What one model can make. Its provider makes the nearest of its aspect ratios, so none rules a model out."""

    qualities: frozenset[Quality]
    max_references: int = 1
    needs_reference: bool = False
    refines: bool = True  # changes a result as an instruction says, knowing what was said before
    durations: tuple[int, ...] = ()  # seconds of its videos

    def can_make(self, request: ImageRequest) -> bool:
        """Return whether the model can make what the request orders."""
        if request.quality not in self.qualities or (request.earlier_prompts and not self.refines):
            return False
        if request.seconds is not None and request.seconds not in self.durations:
            return False
        return not self.needs_reference if request.reference is None else self.max_references > 0


@dataclass(frozen=True, eq=False)
class Route(Generic[P_co]):
    """One model at one provider. `model`: None, the provider has one only."""

    provider: P_co
    model: str | None
    circuit: "Circuit"
    slots: CallSlots


@dataclass(frozen=True)
class ProviderTry:
    """One try to make a generation: by which provider and model, with which outcome, and how long it took.

    `code`: None, it made the image, or its job has not ended. `sent`: whether a request has, or may have, left for the
    provider; it is False where the circuit was open or there was no connection.
    """

    provider: str
    model: str | None
    code: ErrorCode | None
    seconds: float
    sent: bool


class ProviderPath:
    """The tries of one generation, in order. `stored`: those of an earlier claim, as its row has them."""

    def __init__(self, stored: Sequence[dict[str, Any]] | None = None) -> None:
        self._tries = list(stored or ())
        self.was_called = False  # a request has, or may have, left for a provider

    def add(self, ended: ProviderTry) -> None:
        """Add a try, which is stored with the next call or with the end of the generation."""
        code = ended.code.value if ended.code else None
        seconds = round(ended.seconds, 3)
        self._tries.append(asdict(ended) | {"code": code, "seconds": seconds})
        self.was_called = self.was_called or ended.sent

    def __len__(self) -> int:
        return len(self._tries)

    def end_job(self, code: ErrorCode | None, seconds: float) -> None:
        """Write the end into the last try, whose job was accepted. `code`: None, it made the video."""
        if self._tries:
            self._tries[-1] |= {"code": code.value if code else None, "seconds": round(seconds, 3)}

    @property
    def last_model(self) -> str | None:
        """The model of the last try; None: there was none, or it named none."""
        return self._tries[-1]["model"] if self._tries else None

    def stored(self) -> list[dict[str, Any]] | None:
        """Return the value of the row's column; None: there was no try."""
        return [dict(each) for each in self._tries] or None

    def as_json(self) -> str | None:
        """Return that value as the column holds it."""
        return json.dumps(self._tries) if self._tries else None


@dataclass(frozen=True)
class RoutingRules:
    """When circuits open, and how many calls of one provider are made at once. None: any number."""

    circuit: CircuitRules = field(default_factory=CircuitRules)
    max_calls: int | None = None


class Routes(Generic[P_co]):
    """The providers of images, or of videos, that this process calls, their circuits and their slots.

    `providers`: open, by name; the first makes what names no model, or one that is not in `owners`. `owners`: the
    provider of each known model. `unserved`: models of providers that are not called, as before the configured one has
    changed: the default model makes what names one of them, if it can. `fallbacks`: provider and model of what is tried
    next, in this order, and `abilities`: what these and the default model can make. `slots`: by provider, which it
    shares with other routes. `clock`: monotonic seconds.
    """

    def __init__(
        self,
        providers: Sequence[P_co],
        *,
        default_model: str | None = None,
        owners: Mapping[str, str] | None = None,
        unserved: Collection[str] = (),
        fallbacks: Sequence[tuple[str, str]] = (),
        abilities: Mapping[str, ModelAbilities] | None = None,
        rules: RoutingRules | None = None,
        slots: Mapping[str, CallSlots] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._providers = {provider.name: provider for provider in providers}
        self.primary = providers[0]
        self._default_model = default_model
        self._owners = owners or {}
        self._unserved = frozenset(unserved)
        self._fallbacks = tuple(fallbacks)
        self._abilities = abilities or {}
        self._rules = rules or RoutingRules()
        self._clock = clock
        shared = slots or {}
        self.slots = {name: shared.get(name) or CallSlots(name, self._rules.max_calls) for name in self._providers}
        self._circuits: dict[tuple[str, str | None], Circuit] = {}

    def of(self, request: ImageRequest) -> list[Route[P_co]]:
        """Return the routes of a request: the ordered model first, then the fallbacks that can make it.

        None, where no provider has the ordered model any more, and no other model can make it.
        """
        is_unserved = request.model in self._unserved
        model = self._default_model if is_unserved else request.model or self._default_model
        first = (self._owners.get(model or "", self.primary.name), model)
        ordered = [first] if not is_unserved or self._can_make(model, request) else []
        others = (each for each in self._fallbacks if each not in ordered and self._can_make(each[1], request))
        return [self._route(provider, model) for provider, model in (*ordered, *others)]

    def _can_make(self, model: str | None, request: ImageRequest) -> bool:
        abilities = self._abilities.get(model or "")
        return abilities is not None and abilities.can_make(request)

    @property
    def providers(self) -> tuple[P_co, ...]:
        """All providers, the first one first."""
        return tuple(self._providers.values())

    @property
    def circuits(self) -> tuple["Circuit", ...]:
        """The circuits of what was called so far."""
        return tuple(self._circuits.values())

    def provider(self, name: str | None) -> P_co | None:
        """Return the provider with this name; None if it is not called any more."""
        return self._providers.get(name or "")

    def circuit(self, provider: str, model: str | None) -> "Circuit":
        """Return the circuit of one model."""
        key = (provider, model)
        if key not in self._circuits:
            # Imported for the first call, because its library takes a MiB.
            from services.integrations.providers.circuit import Circuit

            self._circuits[key] = Circuit(provider, model or provider, self._rules.circuit, self._clock)
        return self._circuits[key]

    def _route(self, provider: str, model: str | None) -> Route[P_co]:
        return Route(self._providers[provider], model, self.circuit(provider, model), self.slots[provider])

    async def aclose(self) -> None:
        """Close the connections of every provider."""
        for provider in self._providers.values():
            await provider.aclose()


def may_try_next(error: ProviderError) -> bool:
    """Return whether another model may be called after this error: the work of this call provably never started.

    Never with what was declined for its content: it would be offered around until a model takes it.
    """
    if error.code is ErrorCode.CONTENT_REJECTED:
        return False
    return error.may_retry or error.was_refused or not error.request_left
