"""The live-event bus, in memory and through a real Redis."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest

from services.integrations.messaging.bus import GAP, Bus
from services.integrations.messaging.redis_pubsub import RedisBackend
from tests.support.bus_probe import DEADLINE, assert_no_leaks, received_numbers
from tests.support.servers import RedisServer


@pytest.fixture
def redis(redis: RedisServer) -> Iterator[RedisServer]:
    redis.start()  # running before and after each test, which may kill it
    yield redis
    redis.start()


@pytest.fixture(params=["memory", "redis"])
async def bus(request: pytest.FixtureRequest) -> AsyncIterator[Bus]:
    server: RedisServer | None = request.getfixturevalue("redis") if request.param == "redis" else None
    async with Bus.open(server.url if server else None) as opened:
        yield opened


async def test_messages_arrive_in_the_order_they_were_published(bus: Bus) -> None:
    async with bus.subscribe("order") as subscription:
        for n in range(200):
            await bus.publish("order", {"n": n})
        assert await received_numbers(subscription, 200) == list(range(200))


async def test_burst_reaches_a_reader_that_keeps_up(bus: Bus) -> None:
    async with bus.subscribe("burst") as subscription:
        reading = asyncio.create_task(received_numbers(subscription, 1000))
        for n in range(1000):
            await bus.publish("burst", {"n": n})
        assert await reading == list(range(1000))


async def test_every_subscriber_receives_every_message_of_its_channel(bus: Bus) -> None:
    async with AsyncExitStack() as stack:
        subscriptions = [await stack.enter_async_context(bus.subscribe("all")) for _ in range(5)]
        for n in range(20):
            await bus.publish("all", {"n": n})
        for subscription in subscriptions:
            assert await received_numbers(subscription, 20) == list(range(20))


async def test_subscriber_receives_no_message_of_another_channel(bus: Bus) -> None:
    async with bus.subscribe("mine") as mine, bus.subscribe("yours") as yours:
        await bus.publish("mine", {"n": 1})
        await bus.publish("yours", {"n": 2})
        assert await received_numbers(yours, 1) == [2]
        assert await received_numbers(mine, 1) == [1]


async def test_subscribers_share_no_object_with_each_other_or_the_publisher(bus: Bus) -> None:
    payload: dict[str, object] = {"tags": ["a"]}
    async with bus.subscribe("copy") as one, bus.subscribe("copy") as two:
        await bus.publish("copy", payload)
        payload["tags"] = []
        first = await one.get(DEADLINE)
        assert first == {"tags": ["a"]}
        assert isinstance(first, dict)
        first["tags"] = None
        assert await two.get(DEADLINE) == {"tags": ["a"]}


async def test_twenty_concurrent_first_subscribers_all_receive(bus: Bus) -> None:
    ready = asyncio.Barrier(21)

    async def receive() -> list[object]:
        async with bus.subscribe("race") as subscription:
            await ready.wait()
            return await received_numbers(subscription, 1)

    async with asyncio.TaskGroup() as group:
        receivers = [group.create_task(receive()) for _ in range(20)]
        await ready.wait()
        await bus.publish("race", {"n": 7})
    assert [receiver.result() for receiver in receivers] == [[7]] * 20


async def test_message_published_as_soon_as_subscribe_returns_is_received(bus: Bus) -> None:
    for n in range(30):
        async with bus.subscribe(f"fresh:{n}") as subscription:
            await bus.publish(f"fresh:{n}", {"n": n})
            assert await received_numbers(subscription, 1) == [n]


async def test_get_returns_none_after_its_timeout(bus: Bus) -> None:
    async with bus.subscribe("quiet") as subscription:
        started = time.monotonic()
        assert await subscription.get(0.05) is None
        assert time.monotonic() - started >= 0.045
        assert await subscription.get(0) is None


async def test_get_without_timeout_returns_a_queued_message(bus: Bus) -> None:
    async with bus.subscribe("waiting") as subscription, bus.subscribe("waiting") as other:
        await bus.publish("waiting", {"n": 1})
        assert await received_numbers(other, 1) == [1]
        assert await subscription.get(0) == {"n": 1}


async def test_canceled_get_loses_no_message(bus: Bus) -> None:
    async with bus.subscribe("cancel") as subscription:
        received: list[object] = []
        for n in range(50):
            getting = asyncio.create_task(subscription.get())
            await bus.publish("cancel", {"n": n})
            getting.cancel()
            await asyncio.wait([getting])
            if not getting.cancelled():
                received.append(getting.result())
        received += [{"n": n} for n in await received_numbers(subscription, 50 - len(received))]
        assert received == [{"n": n} for n in range(50)]


async def test_overflowing_queue_is_replaced_by_one_gap(redis: RedisServer) -> None:
    for backend in (None, RedisBackend(redis.url)):
        async with Bus(backend, maxsize=4) as bus, bus.subscribe("slow") as slow, bus.subscribe("slow") as quick:
            for n in range(5):
                await bus.publish("slow", {"n": n})
                assert await received_numbers(quick, 1) == [n]
            await bus.publish("slow", {"n": 5})
            assert await received_numbers(quick, 1) == [5]
            assert await received_numbers(slow, 2) == [GAP, 5]
            assert await slow.get(0) is None


async def test_publishing_a_payload_that_is_not_json_raises(bus: Bus) -> None:
    with pytest.raises(TypeError):
        await bus.publish("bug", {"n": object()})


async def test_canceled_publishers_and_subscribers_affect_no_other_subscriber(bus: Bus) -> None:
    async def publish_and_receive(n: int) -> None:
        async with bus.subscribe(f"crowd:{n % 7}") as subscription:
            await bus.publish(f"crowd:{n % 7}", {"n": n})
            await subscription.get(DEADLINE)

    await bus.publish("calm", {"n": 0})  # opens the connection for publishing
    async with bus.subscribe("calm") as calm, assert_no_leaks():
        for round_ in range(100):
            crowd = [asyncio.create_task(publish_and_receive(n)) for n in range(10)]
            for _ in range(round_ % 12):  # canceled at a different step each time
                await asyncio.sleep(0)
            for task in crowd:
                task.cancel()
            await asyncio.wait(crowd)
        await bus.publish("calm", {"n": 1})
        assert await received_numbers(calm, 1) == [1]
        del crowd, task  # a task keeps its frame


async def test_thousand_subscriptions_leave_nothing_behind(bus: Bus) -> None:
    async def once(n: int) -> None:
        async with bus.subscribe(f"churn:{n % 50}") as subscription:
            await bus.publish(f"churn:{n % 50}", {"n": n})
            assert isinstance(await subscription.get(DEADLINE), dict)

    await once(0)  # opens the connection for publishing
    async with assert_no_leaks():
        for start in range(0, 1000, 20):
            await asyncio.gather(*(once(n) for n in range(start, start + 20)))


async def test_closing_the_bus_ends_its_tasks(redis: RedisServer) -> None:
    before = asyncio.all_tasks()
    for url in (None, redis.url):
        async with Bus.open(url) as bus:
            assert asyncio.all_tasks() > before
        assert asyncio.all_tasks() == before, bus
