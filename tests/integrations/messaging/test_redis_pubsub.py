"""The bus through a real Redis that is killed, restarted without its data, and paused."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from services.integrations.messaging.bus import GAP, Bus
from services.integrations.messaging.redis_pubsub import RedisBackend
from tests.support.bus_probe import (
    DEADLINE,
    assert_no_leaks,
    first_message,
    received_numbers,
    until,
    wait_until_disconnected,
)
from tests.support.servers import RedisServer


@pytest.fixture
def redis(redis: RedisServer) -> Iterator[RedisServer]:
    redis.start()  # running before and after each test, which may kill it
    yield redis
    redis.start()


@pytest.fixture
async def redis_bus(redis: RedisServer) -> AsyncIterator[Bus]:
    async with Bus(RedisBackend(redis.url, keepalive=0.1)) as opened:
        yield opened


async def test_message_of_another_process_is_received_as_soon_as_subscribe_returns(redis: RedisServer) -> None:
    async with Bus.open(redis.url) as here, Bus.open(redis.url) as there:
        for n in range(30):
            async with here.subscribe("across") as subscription:
                await there.publish("across", {"n": n})
                assert await received_numbers(subscription, 1) == [n]


async def test_message_that_is_not_a_json_object_is_a_gap(redis_bus: Bus, redis: RedisServer) -> None:
    async with Redis.from_url(redis.url) as client, redis_bus.subscribe("foreign") as subscription:
        for payload in (b"", b"[1]", b"{", b"\xff\xfe"):
            await client.publish("foreign", payload)
            assert await subscription.get(DEADLINE) is GAP
        await redis_bus.publish("foreign", {"n": 1})
        assert await received_numbers(subscription, 1) == [1]


async def test_redis_restarted_empty_causes_a_gap_and_then_messages(redis_bus: Bus, redis: RedisServer) -> None:
    async with redis_bus.subscribe("outage") as one, redis_bus.subscribe("outage") as two:
        await redis_bus.publish("outage", {"n": 1})
        assert await received_numbers(one, 1) == await received_numbers(two, 1) == [1]
        redis.restart()
        assert await one.get(DEADLINE) is GAP
        assert await two.get(DEADLINE) is GAP
        await redis_bus.publish("outage", {"n": 2})
        assert await received_numbers(one, 1) == await received_numbers(two, 1) == [2]


async def test_subscription_survives_five_restarts_in_a_row(redis_bus: Bus, redis: RedisServer) -> None:
    async with redis_bus.subscribe("storm") as subscription:
        for n in range(5):
            redis.restart()
            assert await subscription.get(DEADLINE) is GAP
            await redis_bus.publish("storm", {"n": n})
            assert await received_numbers(subscription, 1) == [n]


async def test_subscribing_while_redis_is_down_yields_a_gap_now_and_another_later(
    redis_bus: Bus, redis: RedisServer
) -> None:
    async with redis_bus.subscribe("old"):
        redis.kill()
        await wait_until_disconnected(redis_bus)
        started = time.monotonic()
        async with redis_bus.subscribe("old") as one, redis_bus.subscribe("new") as two:
            assert time.monotonic() - started < 0.5
            for subscription in (one, two):
                assert await subscription.get(0) is GAP
            redis.start()
            for subscription, channel in ((one, "old"), (two, "new")):
                assert await subscription.get(DEADLINE) is GAP
                await redis_bus.publish(channel, {"n": 1})
                assert await received_numbers(subscription, 1) == [1]


async def test_unacknowledged_subscription_begins_with_a_gap(redis: RedisServer) -> None:
    async with Bus.open(redis.url) as bus:
        redis.pause()
        try:
            started = time.monotonic()
            async with bus.subscribe("unacknowledged") as subscription:
                assert time.monotonic() - started < 1.5
                assert await subscription.get(0) is GAP
                redis.resume()
                assert await subscription.get(DEADLINE) is GAP  # acknowledged only now
                await bus.publish("unacknowledged", {"n": 1})
                assert await received_numbers(subscription, 1) == [1]
        finally:
            redis.resume()


async def test_publishing_while_redis_is_down_neither_raises_nor_waits(redis_bus: Bus, redis: RedisServer) -> None:
    redis.kill()
    with capture_logs() as logs:
        started = time.monotonic()
        await redis_bus.publish("down", {"n": 0})
        assert time.monotonic() - started < 1.5
        await wait_until_disconnected(redis_bus)
        started = time.monotonic()
        for n in range(100):
            await redis_bus.publish("down", {"n": n})
        assert time.monotonic() - started < 0.5
    failures = [entry for entry in logs if entry["event"] == "bus.publish_failed"]
    assert len(failures) == 101
    assert all(entry["channel"] == "down" and entry["log_level"] == "warning" for entry in failures)


async def test_bus_opens_while_redis_is_down_and_works_once_it_is_up(redis: RedisServer) -> None:
    redis.kill()
    async with Bus.open(redis.url) as bus, bus.subscribe("early") as subscription:
        assert not bus.is_connected
        assert await subscription.get(0) is GAP
        redis.start()
        assert await first_message(bus, subscription, "early") == "back"
        assert bus.is_connected


async def test_publishing_to_a_hanging_redis_costs_one_second_once(redis: RedisServer) -> None:
    async with Bus.open(redis.url) as bus, bus.subscribe("hang") as subscription:

        async def publish(delay: float) -> float:
            await asyncio.sleep(delay)
            started = time.monotonic()
            await bus.publish("hang", {"n": 0})
            return time.monotonic() - started

        redis.pause()
        try:
            assert max(await asyncio.gather(publish(0), publish(0), publish(0.5))) < 1.3
            assert max(await asyncio.gather(*(publish(0) for _ in range(10)))) < 0.5
        finally:
            redis.resume()
        assert await first_message(bus, subscription, "hang") is not None
        assert bus.is_connected


async def test_hanging_redis_is_detected_without_publishing(redis_bus: Bus, redis: RedisServer) -> None:
    async with redis_bus.subscribe("still") as subscription:
        redis.pause()
        try:
            await wait_until_disconnected(redis_bus)
            started = time.monotonic()
            await redis_bus.publish("still", {"n": 0})
            async with redis_bus.subscribe("new") as new:
                assert await new.get(0) is GAP
            assert time.monotonic() - started < 0.5
        finally:
            redis.resume()
        assert await subscription.get(DEADLINE) is GAP
        assert await first_message(redis_bus, subscription, "still") == "back"


async def test_last_unsubscribe_removes_the_channel_from_redis(redis_bus: Bus, redis: RedisServer) -> None:
    async with Redis.from_url(redis.url, decode_responses=True) as observer:

        async def has_no_channel() -> bool:
            return not await observer.pubsub_channels()

        for _ in range(3):
            async with redis_bus.subscribe("leave") as one:
                async with redis_bus.subscribe("leave"):
                    pass
                await redis_bus.publish("leave", {"n": 1})
                assert await received_numbers(one, 1) == [1]
                assert await observer.pubsub_channels() == ["leave"]
            await until(has_no_channel)


async def test_one_connection_subscribes_to_all_channels(redis_bus: Bus, redis: RedisServer) -> None:
    async with Redis.from_url(redis.url, decode_responses=True) as observer, AsyncExitStack() as stack:
        for n in range(50):
            await stack.enter_async_context(redis_bus.subscribe(f"many:{n}"))
        await asyncio.gather(*(redis_bus.publish(f"many:{n}", {"n": n}) for n in range(50)))
        subscribers = await observer.client_list(_type="pubsub")
        assert len(subscribers) == 1
        assert int(subscribers[0]["sub"]) == 50
        assert len(await observer.client_list(_type="normal")) == 2  # the publisher, and this observer


async def test_bus_closes_at_once_while_redis_is_killed(redis: RedisServer) -> None:
    for steps in range(40):  # a cancellation and an error coincide at one of them
        redis.start()
        async with asyncio.timeout(DEADLINE):
            async with Bus.open(redis.url) as bus, bus.subscribe("end"):
                redis.kill()
                for _ in range(steps % 14):
                    await asyncio.sleep(0)


async def test_closed_bus_leaves_neither_objects_nor_connections(redis: RedisServer) -> None:
    async with Redis.from_url(redis.url) as observer:
        await observer.ping()

        async def is_only_client() -> bool:
            return len(await observer.client_list()) == 1

        async with assert_no_leaks():
            async with Bus.open(redis.url) as bus, bus.subscribe("close"):
                await bus.publish("close", {"n": 1})
            del bus
        await until(is_only_client)
