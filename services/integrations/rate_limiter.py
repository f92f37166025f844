"""Counts of what happened lately: in Redis for all processes together, else in this one's memory."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
from limits import RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter
from redis.asyncio import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

log = structlog.get_logger(__name__)

_PATIENCE = 1.0  # seconds for an answer of Redis; people wait for it, and a busy process is no dead Redis
_PAUSE = 5.0  # seconds in which a Redis that did not answer is not asked again

_T = TypeVar("_T")


class RateLimiter:
    """So many within so many seconds, counted from the first on; then it begins anew.

    A Redis that is away refuses nobody and lets nobody wait: this process counts alone, and asks again after `pause`
    seconds.
    """

    def __init__(self, url: str | None, *, pause: float = _PAUSE) -> None:
        self._pause = pause
        self._here = FixedWindowRateLimiter(MemoryStorage())
        self._shared: FixedWindowRateLimiter | None = None
        self._pool: ConnectionPool | None = None
        self._away_until = 0.0  # of the monotonic clock
        if url is not None:
            self._pool = ConnectionPool.from_url(
                url, socket_timeout=_PATIENCE, socket_connect_timeout=_PATIENCE, retry=Retry(NoBackoff(), 0)
            )
            storage = RedisStorage(
                f"async+{url}",
                implementation="redispy",
                key_prefix="darkroom:limit",
                connection_pool=self._pool,  # type: ignore[arg-type]  # theirs leaves the documented pool out
            )
            self._shared = FixedWindowRateLimiter(storage)

    async def aclose(self) -> None:
        """Close what is open to Redis."""
        if self._pool is not None:
            await self._pool.aclose()

    async def hit(self, key: str, times: int, seconds: int, cost: int = 1) -> float | None:
        """Count `cost` more for `key`, unless that is more than `times` within `seconds`; then, seconds to wait.

        A refusal counts for nothing. More than `times` at once take all of an untouched window.
        """
        item, cost = RateLimitItemPerSecond(times, seconds), min(cost, times)

        async def count(limiter: FixedWindowRateLimiter) -> float | None:
            # Looked at first, because their refused hits count: a large one would use up what is left for small ones.
            fits = await limiter.test(item, key, cost=cost) and await limiter.hit(item, key, cost=cost)
            return None if fits else await _wait(limiter, item, key)

        return await self._ask(count)

    async def peek(self, key: str, times: int, seconds: int) -> float | None:
        """The seconds to wait where `times` are counted already, without counting; None while there is room."""
        item = RateLimitItemPerSecond(times, seconds)

        async def check(limiter: FixedWindowRateLimiter) -> float | None:
            return None if await limiter.test(item, key) else await _wait(limiter, item, key)

        return await self._ask(check)

    async def reset(self, key: str, times: int, seconds: int) -> None:
        """Begin anew, everywhere."""
        item = RateLimitItemPerSecond(times, seconds)
        await self._here.clear(item, key)
        await self._ask(lambda limiter: limiter.clear(item, key))

    async def _ask(self, question: Callable[[FixedWindowRateLimiter], Awaitable[_T]]) -> _T:
        if self._shared is not None and time.monotonic() >= self._away_until:
            try:
                async with asyncio.timeout(_PATIENCE):
                    return await question(self._shared)
            except Exception as error:  # noqa: BLE001 - whatever Redis and its client throw, nobody is refused for it
                self._away_until = time.monotonic() + self._pause
                log.warning("rate_limit.counting_alone", seconds=self._pause, error=repr(error))
        return await question(self._here)


async def _wait(limiter: FixedWindowRateLimiter, item: RateLimitItemPerSecond, key: str) -> float:
    """Whole seconds until the window ends; rather one too many, for Redis rounds."""
    reset = (await limiter.get_window_stats(item, key)).reset_time
    return max(math.floor(reset - time.time()) + 1.0, 1.0)
