"""The counter behind limits of rate: windows, costs, and a Redis that several processes share and may lose."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import pytest

from services.integrations.rate_limiter import RateLimiter
from tests.support.client import until
from tests.support.servers import RedisServer

KEY, MINUTE = "ada", 60


@contextlib.asynccontextmanager
async def counter(redis: RedisServer | None, pause: float = 5.0) -> AsyncIterator[RateLimiter]:
    limiter = RateLimiter(redis.url if redis else None, pause=pause)
    try:
        yield limiter
    finally:
        await limiter.aclose()


@pytest.fixture(params=["memory", "redis"])
async def limiter(request: pytest.FixtureRequest) -> AsyncIterator[RateLimiter]:
    redis: RedisServer | None = request.getfixturevalue("redis") if request.param == "redis" else None
    if redis:
        redis.restart()
    async with counter(redis) as found:
        yield found


async def test_so_many_and_no_more(limiter: RateLimiter) -> None:
    answers = await asyncio.gather(*(limiter.hit(KEY, 3, MINUTE) for _ in range(8)))
    assert answers.count(None) == 3
    assert all(wait is None or 58 <= wait <= 62 for wait in answers)
    assert await limiter.hit("bob", 3, MINUTE) is None


async def test_a_refusal_uses_nothing_up(limiter: RateLimiter) -> None:
    assert await limiter.hit(KEY, 5, MINUTE, cost=4) is None
    assert await limiter.hit(KEY, 5, MINUTE, cost=2)
    assert await limiter.hit(KEY, 5, MINUTE) is None
    assert await limiter.hit(KEY, 5, MINUTE)


async def test_more_than_there_ever_is_takes_a_whole_window(limiter: RateLimiter) -> None:
    assert await limiter.hit(KEY, 5, MINUTE, cost=8) is None
    assert await limiter.hit(KEY, 5, MINUTE)
    assert await limiter.hit("bob", 5, MINUTE) is None
    assert await limiter.hit("bob", 5, MINUTE, cost=8), "a window that was touched has no room for it"


async def test_looking_counts_nothing_and_forgetting_begins_anew(limiter: RateLimiter) -> None:
    for _ in range(3):
        assert await limiter.peek(KEY, 1, MINUTE) is None
    assert await limiter.hit(KEY, 1, MINUTE) is None
    assert await limiter.peek(KEY, 1, MINUTE)
    await limiter.reset(KEY, 1, MINUTE)
    assert await limiter.peek(KEY, 1, MINUTE) is None


async def test_who_waits_as_long_as_was_said_is_let_in(limiter: RateLimiter) -> None:
    assert await limiter.hit(KEY, 1, 1) is None
    wait = await limiter.hit(KEY, 1, 1)
    assert wait in (1.0, 2.0)
    await asyncio.sleep(wait)
    assert await limiter.hit(KEY, 1, 1) is None


async def test_processes_count_together(redis: RedisServer) -> None:
    redis.restart()
    async with counter(redis) as one, counter(redis) as other:
        assert await one.hit(KEY, 2, MINUTE) is None
        assert await other.hit(KEY, 2, MINUTE) is None
        assert await one.hit(KEY, 2, MINUTE)
        assert await other.peek(KEY, 2, MINUTE)


async def test_a_redis_that_is_dead_refuses_nobody_and_each_process_counts_alone(redis: RedisServer) -> None:
    redis.restart()
    async with counter(redis) as limiter:
        assert await limiter.hit(KEY, 2, MINUTE) is None
        redis.kill()
        assert [await limiter.hit(KEY, 2, MINUTE) is None for _ in range(3)] == [True, True, False]
    redis.restart()


async def test_a_redis_that_says_nothing_is_waited_for_once_and_asked_again_later(redis: RedisServer) -> None:
    redis.restart()
    async with counter(redis, pause=0.5) as limiter, counter(redis) as witness:
        assert await limiter.hit(KEY, 9, MINUTE) is None
        redis.pause()
        try:
            begun = time.monotonic()
            assert await limiter.hit(KEY, 9, MINUTE) is None
            first, begun = time.monotonic() - begun, time.monotonic()
            assert await limiter.hit(KEY, 9, MINUTE) is None
            second = time.monotonic() - begun
        finally:
            redis.resume()
        assert first < 2, "seconds"
        assert second < 0.2

        async def counts_in_redis() -> bool:
            await limiter.hit("back", 1, MINUTE)
            return await witness.peek("back", 1, MINUTE) is not None

        await until(counts_in_redis)
