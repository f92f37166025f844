"""Which inference provider serves a model, and under which name: as the Hub says, asked for once an hour."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from huggingface_hub.hf_api import InferenceProviderMapping
from huggingface_hub.inference._providers import PROVIDER_T
from huggingface_hub.inference._providers._common import HARDCODED_MODEL_INFERENCE_MAPPING

from models.enum import ErrorCode
from services.integrations.providers.http_error import Secrets
from services.integrations.providers.huggingface.error import status_error
from services.integrations.providers.huggingface.inference_client import InferenceClient
from services.integrations.providers.json_body import read_object
from services.integrations.providers.protocol import ProviderError

_KEPT_SECONDS = 3600.0


@dataclass(frozen=True)
class Serving:
    """A model, and the inference provider that makes its videos."""

    model: str  # the name at the Hub
    provider: PROVIDER_T


class ServingProviders:
    """Looks up who serves a model. The library would do so with a blocking call, and without a time limit.

    `hub_url`: the address of the Hub. `supported`: the inference providers to choose from.
    """

    def __init__(self, client: InferenceClient, hub_url: str, supported: Sequence[PROVIDER_T]) -> None:
        self._client = client
        self._hub_url = hub_url
        self._supported = supported
        self._kept: dict[tuple[str, str], tuple[float, Serving]] = {}  # by model and task, with the time

    async def find(self, name: str, task: str) -> Serving:
        """Return who makes `task` by a model. `name`: "model" or "model:provider".

        Raises:
            ProviderError: no supported provider does, or the Hub could not be asked; nothing was ordered.
        """
        kept = self._kept.get((name, task))
        if kept is not None and time.monotonic() - kept[0] < _KEPT_SECONDS:
            return kept[1]
        model, _, wanted = name.partition(":")
        for entry in await self._entries(model):
            for provider in self._supported:
                if entry.get("provider") != provider or wanted not in ("", provider) or entry.get("task") != task:
                    continue
                _register(model, provider, str(entry.get("providerId")), task)
                found = Serving(model, provider)
                self._kept[name, task] = time.monotonic(), found
                return found
        raise ProviderError(
            ErrorCode.PROVIDER_MISCONFIGURED, f"no provider serves {name[:100]} for {task}", request_left=False
        )

    async def _entries(self, model: str) -> list[Mapping[str, Any]]:
        try:
            answer = await self._client.get(f"{self._hub_url}/api/models/{model}?expand=inferenceProviderMapping")
            if answer.status != 200:
                raise status_error(answer.status, answer.headers, answer.body, Secrets("", ""))
        except ProviderError as error:
            error.request_left = False  # a question to the Hub is no order
            raise
        found = (read_object(answer.body) or {}).get("inferenceProviderMapping")
        if isinstance(found, dict):  # by provider; newer answers are lists, in the order of the account's settings
            found = [{**entry, "provider": name} for name, entry in found.items() if isinstance(entry, dict)]
        entries = [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []
        return [entry for entry in entries if entry.get("status") == "live"]


def _register(model: str, provider: str, provider_id: str, task: str) -> None:
    """Give the library what it would otherwise ask the Hub for, in the table that it has for this."""
    known = HARDCODED_MODEL_INFERENCE_MAPPING.setdefault(provider, {})
    fields = {"provider": provider, "hf_model_id": model, "providerId": provider_id, "status": "live", "task": task}
    known[model] = InferenceProviderMapping(**fields)  # type: ignore[no-untyped-call]  # its constructor is untyped
