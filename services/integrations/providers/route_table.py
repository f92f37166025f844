"""Which providers may make what orders a model: what processes know of the routes that call none."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class RouteTable:
    """The routes of one medium without their clients.

    `primary`: the provider of what names no known model. `default_model`: of orders that name none. `owners`: the
    provider of each known model. `fallbacks`: the providers of the models that are tried where the ordered one fails.
    """

    primary: str
    default_model: str | None = None
    owners: Mapping[str, str] = field(default_factory=dict)
    fallbacks: frozenset[str] = frozenset()

    @property
    def providers(self) -> frozenset[str]:
        """All providers that may be called."""
        return self.fallbacks | {self.primary}

    def owner_of(self, model: str | None) -> str:
        """Return the provider that is the first to make what orders this model; None: it names none."""
        return self.owners.get(model or self.default_model or "", self.primary)

    def is_blocked(self, model: str | None, paused: Collection[str]) -> bool:
        """Return whether all providers are paused that may make what orders this model; None: it names none."""
        return self.owner_of(model) in paused and all(provider in paused for provider in self.fallbacks)
