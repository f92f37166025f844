"""Wake-ups for workers: a message on the bus means "generations are waiting", and nothing more.

The table decides what runs next, and it is polled as well, so a lost, late or repeated message changes nothing.
"""

from collections import OrderedDict
from collections.abc import Callable

from opentelemetry.context import Context

from services.integrations.messaging.bus import Bus
from telemetry.trace import context_of, current_traceparent

WAITING_CHANNEL = "waiting"

_MAX_TRACES = 1000  # kept for generations that this process has not claimed; another process may have claimed them


class WakeUps:
    """Publishes wake-ups and listens for them, in this process or, where the bus is on Redis, in all of them."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._traces: OrderedDict[str, str] = OrderedDict()  # traceparent by generation

    async def publish(self, *generation_ids: str) -> None:
        """Wake every worker pool with a free slot. An outage is logged, never raised, and not waited for."""
        await self._bus.post(
            WAITING_CHANNEL, {"generations": list(generation_ids), "traceparent": current_traceparent()}
        )

    async def listen(self, wake: Callable[[], None]) -> None:
        """Call `wake` for every message, and where messages may have been lost, until canceled."""
        async with self._bus.subscribe(WAITING_CHANNEL) as messages:
            while True:
                message = await messages.get()
                if isinstance(message, dict):
                    self._keep_trace(message)
                wake()

    def trace_of(self, generation_id: str) -> Context | None:
        """Return the trace that the generation's wake-up was published in, once; None if it was not received here."""
        traceparent = self._traces.pop(generation_id, None)
        return context_of(traceparent) if traceparent is not None else None

    def _keep_trace(self, message: dict[str, object]) -> None:
        generation_ids, traceparent = message.get("generations"), message.get("traceparent")
        if not isinstance(generation_ids, list) or not isinstance(traceparent, str):
            return  # no trace, or a message of another release
        for generation_id in generation_ids:
            self._traces[str(generation_id)] = traceparent
        while len(self._traces) > _MAX_TRACES:
            self._traces.popitem(last=False)
