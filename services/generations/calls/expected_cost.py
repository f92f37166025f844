"""What a call is expected to have cost where no answer says so: as the catalogue of models estimates.

The daily cap on what providers are paid counts it: else an account that cancels all its orders would never reach it.
"""

from collections.abc import Iterable, Sequence

from models import Generation
from models.enum import MediaKind
from services.products.model import Model


class ExpectedCosts:
    """Writes the expected cost into `provider_cost`. `models`: those that providers of this deployment may make."""

    def __init__(self, models: Iterable[Model]) -> None:
        paid = [model for model in models if model.cost_usd > 0]
        self._paid = {(model.provider, model.id): model for model in paid}
        self._cases: list[tuple[str, tuple[str, ...], str]] = [
            ("requested_model = {} AND provider = {}", (model.id, model.provider), _dollars(model)) for model in paid
        ]
        # Another model made it, and which one is on no row yet: at most it is the dearest of the provider.
        dearest: dict[tuple[str, MediaKind], Model] = {}
        for model in sorted(paid, key=lambda each: each.cost_usd):
            dearest[model.provider, model.medium] = model
        self._cases += [
            ("provider = {} AND media = {}", (provider, medium.value), _dollars(model))
            for (provider, medium), model in dearest.items()
        ]
        self._dearest = dearest

    def of_result(self, row: Generation, model: str | None) -> float | None:
        """Return what a result is expected to have cost, in US dollars; None: nothing, or it is not known.

        `row`: as it is after its provider was called. `model`: the one that made it.
        """
        provider = row.provider or ""
        found = self._paid.get((provider, model or "")) or self._dearest.get((provider, row.media))
        if found is None:
            return None
        if not found.durations or row.duration_seconds is None:
            return found.cost_usd
        return found.cost_usd / found.durations[0] * row.duration_seconds

    def sql(self, known: str, first: int) -> tuple[str, Sequence[str]]:
        """Return what `provider_cost` is set to, with its values, whose placeholders are numbered from `first`.

        `known`: SQL of what is known of the cost, such as that of an enriched prompt; may be null. Nothing is added
        where no request has left for the provider, or what it costs is not known.
        """
        values: list[str] = []
        parts = []
        for condition, compared, dollars in self._cases:
            numbers = range(first + len(values), first + len(values) + len(compared))
            parts.append(f" WHEN {condition.format(*(f'${n}' for n in numbers))} THEN COALESCE({known}, 0) + {dollars}")
            values += compared
        return f"CASE WHEN provider_called_at IS NULL THEN {known}{''.join(parts)} ELSE {known} END", values


NOTHING_EXPECTED = ExpectedCosts(())


def _dollars(model: Model) -> str:
    """Return SQL of the estimate, which is that of the first duration."""
    if not model.durations:
        return repr(model.cost_usd)
    return f"{model.cost_usd / model.durations[0]!r} * COALESCE(duration_seconds, {model.durations[0]})"
