"""The keys of providers: asked about regularly by every process that calls providers, and reported."""

import asyncio
from collections.abc import Sequence

import structlog

from services.integrations.providers.protocol import ImageProvider, KeyStatus, ProviderError
from telemetry import metric

log = structlog.get_logger(__name__)

EVERY = 300.0  # seconds between two questions

OK = "ok"
UNKNOWN = "cannot be asked"


class ProviderKeys:
    """What each provider said about its key when it was asked last. `providers`: those that this process calls."""

    def __init__(self, providers: Sequence[ImageProvider]) -> None:
        self._providers = providers
        self.states: dict[str, str] = {}  # by provider: OK or a problem in a few words; only what is known

    async def run(self) -> None:
        """Ask every few minutes until canceled."""
        while True:
            await self.refresh()
            await asyncio.sleep(EVERY)

    async def refresh(self) -> None:
        """Ask every provider once."""
        for provider in self._providers:
            await self._ask(provider)

    async def ask(self, name: str) -> str:
        """Ask one provider now, and return the state of its key; OK where it has none."""
        for provider in self._providers:
            if provider.name == name:
                await self._ask(provider)
        return self.states.get(name, OK)

    async def _ask(self, provider: ImageProvider) -> None:
        try:
            status = await provider.check_key()
        except ProviderError as error:
            self._report(provider.name, UNKNOWN, error.detail)
        except Exception as error:  # noqa: BLE001 - a question must not stop the calls
            self._report(provider.name, UNKNOWN, repr(error))
        else:
            if status is not None:
                self._export(provider.name, status)
                self._report(provider.name, key_problem(status) or OK)

    def _report(self, provider: str, state: str, detail: str = "") -> None:
        if self.states.get(provider) != state:
            # There is nothing to do about a provider that does not answer.
            write = log.info if state == OK else log.warning if state == UNKNOWN else log.error
            write("provider.key", provider=provider, state=state, detail=detail)
        self.states[provider] = state

    def _export(self, provider: str, status: KeyStatus) -> None:
        metric.provider_key_valid.labels(provider).set(status.is_valid)
        if status.dollars_left is not None:
            metric.provider_dollars_left.labels(provider).set(status.dollars_left)


def key_problem(status: KeyStatus) -> str:
    """Return what is wrong with a key, in a few words; empty: nothing."""
    if not status.is_valid:
        return "the key is refused"
    if status.dollars_left is not None and status.dollars_left <= 0:
        return "no credit is left"
    return ""
