"""What OpenRouter says about its image models: `GET /images/models`, and the price from each model's endpoints."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx2

SECONDS = 30.0  # for each answer
_MAX_BYTES = 16 * 1024 * 1024


class DiscoveryError(Exception):
    """OpenRouter did not answer, or not in the documented form."""


@dataclass(frozen=True)
class DiscoveredModel:
    """One model as OpenRouter describes it. None: it does not say."""

    id: str
    resolutions: tuple[str, ...] | None  # such as 1K; None: the model has one size
    aspect_ratios: tuple[str, ...] | None
    max_references: int | None
    image_only: bool
    streams_previews: bool
    cost_usd: float | None = None  # of one image at the first resolution


async def discover(
    base_url: str, known: Sequence[str], transport: httpx2.AsyncBaseTransport | None = None
) -> list[DiscoveredModel]:
    """Return the image models, with the prices of those in `known`. Neither needs a key.

    Raises:
        DiscoveryError: there is no answer, or it is not in the documented form.
    """
    async with httpx2.AsyncClient(
        base_url=base_url, transport=transport, timeout=SECONDS, trust_env=False, follow_redirects=False
    ) as http:
        try:
            listed = [_model(item) for item in (await read_json(http, "/images/models"))["data"]]
            costs = {
                model.id: _cost(await read_json(http, f"/images/models/{model.id}/endpoints"))
                for model in listed
                if model.id in known
            }
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DiscoveryError(f"an answer is not in the documented form: {error!r}") from error
    return [_with_cost(model, costs.get(model.id)) for model in listed]


async def read_json(http: httpx2.AsyncClient, path: str, *, unlisted: Sequence[int] = ()) -> Any:
    """Return what `GET path` answers; None for a status in `unlisted`. Raises DiscoveryError."""
    try:
        answer = await http.get(path)
    except httpx2.RequestError as error:
        raise DiscoveryError(f"{path}: {type(error).__name__}") from error
    if answer.status_code in unlisted:
        return None
    if answer.status_code != 200:
        raise DiscoveryError(f"{path}: HTTP {answer.status_code}")
    if len(answer.content) > _MAX_BYTES:
        raise DiscoveryError(f"{path}: more than {_MAX_BYTES} bytes")
    try:
        return answer.json()
    except ValueError as error:
        raise DiscoveryError(f"{path}: no JSON") from error


def _model(item: dict[str, Any]) -> DiscoveredModel:
    parameters, architecture = item["supported_parameters"], item["architecture"]
    references = parameters.get("input_references")
    max_references = int(references["max"]) if references and references["type"] == "range" else None
    return DiscoveredModel(
        id=item["id"],
        resolutions=_values(parameters.get("resolution")),
        aspect_ratios=_values(parameters.get("aspect_ratio")),
        max_references=max_references if "image" in architecture["input_modalities"] else 0,
        image_only=architecture["output_modalities"] == ["image"],
        streams_previews=bool(item["supports_streaming"]),
    )


def _values(capability: dict[str, Any] | None) -> tuple[str, ...] | None:
    return tuple(map(str, capability["values"])) if capability and capability["type"] == "enum" else None


def _cost(answer: dict[str, Any]) -> float | None:
    """Return the lowest price of one image over all endpoints; None: none of them has a price by the image."""
    prices = [
        float(price["cost_usd"])
        for endpoint in answer["endpoints"]
        for price in endpoint["pricing"]
        if (price["billable"], price["unit"]) == ("output_image", "image")
    ]
    return min(prices, default=None)


def _with_cost(model: DiscoveredModel, cost: float | None) -> DiscoveredModel:
    return DiscoveredModel(**{**vars(model), "cost_usd": cost})
