"""The bulkhead: how many calls of one provider a process makes at once; the rest wait, without delaying others."""

from services.integrations.fair_slots import FairSlots
from telemetry import metric


class CallSlots:
    """At most `limit` calls of a provider at once, of all its models; accounts take turns. None: any number."""

    def __init__(self, provider: str, limit: int | None) -> None:
        self.limit = limit
        self.ended = 0  # calls so far
        self._slots = FairSlots(limit, limit) if limit is not None else None
        self._running = metric.provider_calls_running.labels(provider)
        self._waiting = metric.provider_calls_waiting.labels(provider)

    async def acquire(self, account: str) -> None:
        """Wait for a slot; the caller must `release` it for the same account."""
        if self._slots is not None:
            with self._waiting.track_inprogress():
                await self._slots.acquire(account)
        self._running.inc()

    def release(self, account: str) -> None:
        """Return a slot, which the account takes whose turn it is."""
        self._running.dec()
        self.ended += 1
        if self._slots is not None:
            self._slots.release(account)
