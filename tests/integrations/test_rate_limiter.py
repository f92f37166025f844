"""Rate limiter: windows, costs, sharing between processes, and outages of Redis."""

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
async def open_limiter(redis: RedisServer | None, retry_after: float = 5.0) -> AsyncIterator[RateLimiter]:
    limiter = RateLimiter(redis.url if redis else None, retry_after=retry_after)
    try:
        yield limiter
    finally:
        await limiter.aclose()


@pytest.fixture(params=["memory", "redis"])
async def limiter(request: pytest.FixtureRequest) -> AsyncIterator[RateLimiter]:
    redis: RedisServer | None = request.getfixturevalue("redis") if request.param == "redis" else None
    if redis:
        redis.restart()
    async with open_limiter(redis) as found:
        yield found


async def test_hits_beyond_the_limit_are_refused_for_each_key(limiter: RateLimiter) -> None:
    answers = await asyncio.gather(*(limiter.hit(KEY, 3, MINUTE) for _ in range(8)))
    assert answers.count(None) == 3
    assert all(wait is None or 58 <= wait <= 62 for wait in answers)
    assert await limiter.hit("bob", 3, MINUTE) is None


async def test_a_refused_hit_is_not_counted(limiter: RateLimiter) -> None:
    assert await limiter.hit(KEY, 5, MINUTE, cost=4) is None
    assert await limiter.hit(KEY, 5, MINUTE, cost=2)
    assert await limiter.hit(KEY, 5, MINUTE) is None
    assert await limiter.hit(KEY, 5, MINUTE)


async def test_a_cost_above_the_limit_takes_a_whole_unused_window(limiter: RateLimiter) -> None:
    assert await limiter.hit(KEY, 5, MINUTE, cost=8) is None
    assert await limiter.hit(KEY, 5, MINUTE)
    assert await limiter.hit("bob", 5, MINUTE) is None
    assert await limiter.hit("bob", 5, MINUTE, cost=8), "a partly used window has no room for it"


async def test_peek_counts_nothing_and_reset_clears_the_window(limiter: RateLimiter) -> None:
    for _ in range(3):
        assert await limiter.peek(KEY, 1, MINUTE) is None
    assert await limiter.hit(KEY, 1, MINUTE) is None
    assert await limiter.peek(KEY, 1, MINUTE)
    await limiter.reset(KEY, 1, MINUTE)
    assert await limiter.peek(KEY, 1, MINUTE) is None


async def test_a_hit_after_the_returned_wait_is_allowed(limiter: RateLimiter) -> None:
    assert await limiter.hit(KEY, 1, 1) is None
    wait = await limiter.hit(KEY, 1, 1)
    assert wait in (1.0, 2.0)
    await asyncio.sleep(wait)
    assert await limiter.hit(KEY, 1, 1) is None


async def test_processes_share_one_count_in_redis(redis: RedisServer) -> None:
    redis.restart()
    async with open_limiter(redis) as one, open_limiter(redis) as other:
        assert await one.hit(KEY, 2, MINUTE) is None
        assert await other.hit(KEY, 2, MINUTE) is None
        assert await one.hit(KEY, 2, MINUTE)
        assert await other.peek(KEY, 2, MINUTE)


async def test_each_process_counts_in_memory_while_redis_is_down(redis: RedisServer) -> None:
    redis.restart()
    async with open_limiter(redis) as limiter:
        assert await limiter.hit(KEY, 2, MINUTE) is None
        redis.kill()
        assert [await limiter.hit(KEY, 2, MINUTE) is None for _ in range(3)] == [True, True, False]
    redis.restart()


async def test_an_unresponsive_redis_delays_one_hit_and_is_retried_later(redis: RedisServer) -> None:
    redis.restart()
    async with open_limiter(redis, retry_after=0.5) as limiter, open_limiter(redis) as observer:
        assert await limiter.hit(KEY, 9, MINUTE) is None
        redis.pause()
        try:
            started = time.monotonic()
            assert await limiter.hit(KEY, 9, MINUTE) is None
            first, started = time.monotonic() - started, time.monotonic()
            assert await limiter.hit(KEY, 9, MINUTE) is None
            second = time.monotonic() - started
        finally:
            redis.resume()
        assert first < 2, "seconds"
        assert second < 0.2

        async def is_counted_in_redis() -> bool:
            await limiter.hit("back", 1, MINUTE)
            return await observer.peek("back", 1, MINUTE) is not None

        await until(is_counted_in_redis)
