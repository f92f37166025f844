"""Wake-ups: they are received, continue their trace, and cost little during a burst or an outage."""

import asyncio
import time
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import get_current_span

from services.integrations.messaging.bus import Bus
from services.integrations.messaging.wake_up import WAITING_CHANNEL, WakeUps
from telemetry.trace import span, tracing_to
from tests.support.bus_probe import until
from tests.support.servers import RedisServer

NOWHERE = "redis://127.0.0.1:1/0"
BURST = 5000


class Listener:
    """Counts the wake-ups that it receives."""

    def __init__(self, wake_ups: WakeUps) -> None:
        self.wake_ups = wake_ups
        self.count = 0

    def wake(self) -> None:
        self.count += 1

    async def reaches(self, count: int) -> None:
        async def reached() -> bool:
            return self.count >= count

        await until(reached)


@asynccontextmanager
async def listening(bus: Bus) -> AsyncIterator[Listener]:
    listener = Listener(WakeUps(bus))
    task = asyncio.create_task(listener.wake_ups.listen(listener.wake))
    try:
        await asyncio.sleep(0.05)  # subscribed by then
        yield listener
    finally:
        task.cancel()
        await asyncio.wait([task])


@pytest.fixture(params=["memory", "redis"])
async def buses(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Bus, Bus]]:
    """The publisher's bus and the listener's: one in memory, two on Redis."""
    async with AsyncExitStack() as stack:
        if request.param == "memory":
            bus = await stack.enter_async_context(Bus.open(None))
            yield bus, bus
        else:
            shared_redis: RedisServer = request.getfixturevalue("shared_redis")
            publishing, receiving = Bus.open(shared_redis.url), Bus.open(shared_redis.url)
            yield await stack.enter_async_context(publishing), await stack.enter_async_context(receiving)


async def test_every_listener_receives_a_wake_up(buses: tuple[Bus, Bus]) -> None:
    publishing, receiving = buses
    async with listening(receiving) as one, listening(receiving) as two:
        await WakeUps(publishing).publish("gen_1")
        await one.reaches(1)
        await two.reaches(1)


async def test_trace_continues_once_for_each_generation_of_the_message(buses: tuple[Bus, Bus]) -> None:
    publishing, receiving = buses
    with tracing_to(SimpleSpanProcessor(InMemorySpanExporter())):
        async with listening(receiving) as listener:
            with span("request") as request:
                await WakeUps(publishing).publish("gen_1", "gen_2")
            await listener.reaches(1)
    for generation_id in ("gen_1", "gen_2"):
        parent = listener.wake_ups.trace_of(generation_id)
        assert parent is not None
        assert get_current_span(parent).get_span_context().trace_id == request.get_span_context().trace_id
        assert listener.wake_ups.trace_of(generation_id) is None


async def test_wake_up_outside_a_trace_carries_none(buses: tuple[Bus, Bus]) -> None:
    publishing, receiving = buses
    async with listening(receiving) as listener:
        await WakeUps(publishing).publish("gen_1")
        await listener.reaches(1)
        assert listener.wake_ups.trace_of("gen_1") is None


@pytest.mark.parametrize(
    "payload",
    [{}, {"generations": None}, {"generations": ["gen_1"], "traceparent": 7}, {"generations": 1, "traceparent": "x"}],
)
async def test_message_of_another_release_wakes_without_a_trace(payload: dict[str, object]) -> None:
    async with Bus.open(None) as bus, listening(bus) as listener:
        await bus.publish(WAITING_CHANNEL, payload)
        await listener.reaches(1)
        assert listener.wake_ups.trace_of("gen_1") is None


async def test_invalid_traceparent_names_no_parent() -> None:
    async with Bus.open(None) as bus, listening(bus) as listener:
        await bus.publish(WAITING_CHANNEL, {"generations": ["gen_1"], "traceparent": "\x00nonsense"})
        await listener.reaches(1)
        parent = listener.wake_ups.trace_of("gen_1")
        assert parent is not None
        assert not get_current_span(parent).get_span_context().is_valid


async def test_burst_of_wake_ups_keeps_memory_bounded(buses: tuple[Bus, Bus]) -> None:
    publishing, receiving = buses
    traceparent = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    async with listening(receiving) as listener:
        tracemalloc.start()
        try:
            for start in range(0, BURST, 100):
                await asyncio.gather(
                    *(
                        publishing.publish(
                            WAITING_CHANNEL, {"generations": [f"gen_{number}"], "traceparent": traceparent}
                        )
                        for number in range(start, start + 100)
                    )
                )
            await listener.reaches(1)
            await asyncio.sleep(0.2)
            kept, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert kept < 2 * 2**20


async def test_publishing_without_redis_neither_fails_nor_waits() -> None:
    async with Bus.open(NOWHERE) as bus:
        started = time.monotonic()
        for _ in range(20):
            await WakeUps(bus).publish("gen_1")
        assert time.monotonic() - started < 1


async def test_outage_of_redis_wakes_once_more_when_it_is_back(redis: RedisServer) -> None:
    redis.start()
    async with Bus.open(redis.url) as bus, listening(bus) as listener:
        await WakeUps(bus).publish("gen_1")
        await listener.reaches(1)
        redis.kill()
        try:
            await WakeUps(bus).publish("gen_2")
        finally:
            redis.start()
        await listener.reaches(2)  # something may have been lost: read the table
