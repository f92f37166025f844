"""Hints are handed over: no caller waits for Redis, their number is bounded, and closing the bus sends the rest."""

import asyncio

import pytest
import structlog.testing

from services.integrations.messaging import redis_pubsub
from services.integrations.messaging.bus import Bus
from tests.support.servers import RedisServer

PATIENCE = 10.0


async def received(bus: Bus, channel: str, count: int) -> list[object]:
    async with bus.subscribe(channel) as messages:
        found: list[object] = []
        while len(found) < count:
            message = await messages.get(PATIENCE)
            assert isinstance(message, dict)
            found.append(message["n"])
        return found


async def test_posted_messages_arrive_in_order(shared_redis: RedisServer) -> None:
    async with Bus.open(shared_redis.url) as publisher, Bus.open(shared_redis.url) as subscriber:
        reading = asyncio.create_task(received(subscriber, "ordered", 200))
        await asyncio.sleep(0.1)  # subscribed by then
        for number in range(200):
            await publisher.post("ordered", {"n": number})
        assert await reading == list(range(200))


async def test_posting_waits_for_no_answer_and_keeps_a_bounded_number(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_pubsub, "OUTBOX", 5)
    async with Bus.open(redis.url) as bus:
        redis.pause()
        try:
            turns = 0

            async def count_turns() -> None:
                nonlocal turns
                while True:
                    turns += 1
                    await asyncio.sleep(0)

            counting = asyncio.create_task(count_turns())
            with structlog.testing.capture_logs() as logs:
                for number in range(600):
                    await bus.post("away", {"n": number})
            counting.cancel()
        finally:
            redis.resume()
    assert turns <= 1200  # each call gave way once or twice, and waited for nothing
    assert len([each for each in logs if each["event"] == "bus.publish_failed"]) >= 500


async def test_closing_the_bus_sends_what_was_posted(shared_redis: RedisServer) -> None:
    async with Bus.open(shared_redis.url) as subscriber:
        reading = asyncio.create_task(received(subscriber, "last", 50))
        await asyncio.sleep(0.1)  # subscribed by then
        async with Bus.open(shared_redis.url) as publisher:
            for number in range(50):
                await publisher.post("last", {"n": number})
        assert await reading == list(range(50))


async def test_posts_during_an_outage_are_dropped_and_later_ones_arrive(redis: RedisServer) -> None:
    async with Bus.open(redis.url) as publisher, Bus.open(redis.url) as subscriber:
        redis.kill()
        for number in range(20):
            await publisher.post("back", {"n": number})
        redis.start()
        async with asyncio.timeout(PATIENCE), subscriber.subscribe("back") as messages:
            while True:
                await publisher.post("back", {"n": 100})
                message = await messages.get(0.1)
                if isinstance(message, dict) and message["n"] == 100:
                    return
