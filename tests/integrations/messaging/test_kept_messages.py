"""What the bus keeps of a channel's last messages: bounded in number, in time, and in this process in channels."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import structlog.testing
from redis.asyncio import Redis

from services.integrations.messaging import kept_messages
from services.integrations.messaging.bus import Bus
from services.integrations.messaging.kept_messages import KEPT_SECONDS, MAX_KEPT, KeptMessages
from tests.support.bus_probe import received_numbers
from tests.support.client import until
from tests.support.servers import RedisServer


async def kept(bus: Bus, channel: str) -> list[str]:
    return [text if isinstance(text, str) else text.decode() for text in await bus.kept(channel)]


@pytest.fixture(params=["memory", "redis"])
async def bus(request: pytest.FixtureRequest) -> AsyncIterator[Bus]:
    url = None if request.param == "memory" else request.getfixturevalue("shared_redis").url
    async with Bus.open(url) as opened:
        yield opened


async def test_the_last_messages_are_kept_in_order(bus: Bus) -> None:
    async with bus.subscribe("kept-order") as subscription:
        for number in range(MAX_KEPT + 10):
            await bus.post("kept-order", {"n": number}, str(number))
            await bus.post("kept-order", {"n": -1})  # is only published
        found = [number for number in await received_numbers(subscription, 2 * MAX_KEPT + 20) if number != -1]
        assert found == list(range(MAX_KEPT + 10)), "each is published once"
    assert await kept(bus, "kept-order") == [str(number) for number in range(10, MAX_KEPT + 10)]
    assert await kept(bus, "kept-nothing") == []


def test_messages_in_this_process_expire() -> None:
    now = 0.0
    messages = KeptMessages(lambda: now)
    messages.add("one", "a")
    now = KEPT_SECONDS / 2
    messages.add("two", "b")
    messages.add("one", "c")
    now = KEPT_SECONDS
    assert (messages.of("one"), messages.of("two")) == (["a", "c"], ["b"])
    now = KEPT_SECONDS * 1.5
    assert (messages.of("one"), messages.of("two")) == ([], [])


def test_channels_in_this_process_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_messages, "_MAX_CHANNELS", 3)
    messages = KeptMessages()
    for channel in ("a", "b", "c", "a", "d"):
        messages.add(channel, channel)
    assert [messages.of(channel) for channel in "abcd"] == [["a", "a"], [], ["c"], ["d"]]


def test_characters_in_this_process_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_messages, "_MAX_CHARACTERS", 100)
    messages = KeptMessages()
    for _ in range(MAX_KEPT * 2):
        messages.add("one", "a")
    for channel in ("two", "three"):
        messages.add(channel, channel[0] * 18)
    assert [len(messages.of(channel)) for channel in ("one", "two", "three")] == [MAX_KEPT, 1, 1]
    messages.add("three", "t")  # 101 characters
    assert [len(messages.of(channel)) for channel in ("one", "two", "three")] == [0, 1, 2]
    messages.add("four", "f" * 101)
    assert [len(messages.of(channel)) for channel in ("one", "two", "three", "four")] == [0, 0, 0, 0]


@pytest.mark.parametrize("refusal", ["full", "no scripts"])
async def test_a_redis_that_cannot_keep_messages_publishes_them(redis: RedisServer, refusal: str) -> None:
    redis.start()
    async with Bus.open(redis.url) as bus, Redis.from_url(redis.url) as client, bus.subscribe("refused") as messages:
        if refusal == "full":
            await client.config_set("maxmemory", "1")
        else:
            await client.execute_command("ACL", "SETUSER", "default", "-eval")  # type: ignore[no-untyped-call]  # of redis-py
        try:
            with structlog.testing.capture_logs() as logs:
                for number in range(5):
                    await bus.post("refused", {"n": number}, str(number))
                assert await received_numbers(messages, 5) == [0, 1, 2, 3, 4]
            assert bus.is_connected
            assert [each["event"] for each in logs].count("bus.message_not_kept") == (refusal == "no scripts")
        finally:
            await client.config_set("maxmemory", "0")
            await client.execute_command("ACL", "SETUSER", "default", "+eval")  # type: ignore[no-untyped-call]  # ditto
        assert await kept(bus, "refused") == []


async def test_an_outage_of_redis_leaves_nothing_kept_and_raises_no_error(redis: RedisServer) -> None:
    redis.start()
    async with Bus.open(redis.url) as bus:
        await bus.post("outage", {"n": 1}, "1")

        async def is_kept() -> bool:
            return await kept(bus, "outage") == ["1"]

        await until(is_kept)
        redis.pause()
        try:
            async with asyncio.timeout(10):
                assert await kept(bus, "outage") == []
        finally:
            redis.resume()
        await until(is_kept)
