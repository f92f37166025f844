"""Fixed-window rate limiter: counts in Redis for all processes together, or in the memory of this process."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog
from limits import RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage, RedisClusterStorage, RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter

from telemetry.outage import REDIS

log = structlog.get_logger(__name__)

_TIMEOUT = 1.0  # seconds for a reply of Redis; requests wait for it, but it must outlast a busy process
_RETRY_AFTER = 5.0  # seconds after an outage of Redis until it is used again

_PREFIX = "darkroom:limit"
_SCOPE = "writes"  # of an outage: a replica, or a Redis without memory, still carries messages
_CHECKS = 1_000_000  # writes of `check` in a second: any number

_T = TypeVar("_T")


@dataclass(frozen=True)
class Usage:
    """The window of a limit, after a request. `reset`: seconds until it ends; `wait`: those that a refusal names."""

    remaining: int
    reset: float
    wait: float | None = None


class RateLimiter:
    """Allows a number of hits in a window of seconds, which starts with the first hit.

    An outage of Redis refuses and delays no request: this process counts in its own memory, and tries Redis again after
    `retry_after` seconds.
    """

    def __init__(self, url: str | None, *, retry_after: float = _RETRY_AFTER) -> None:
        self._retry_after = retry_after
        self._local = FixedWindowRateLimiter(MemoryStorage())
        self._shared: FixedWindowRateLimiter | None = None
        self._close: Callable[[], Awaitable[None]] | None = None
        self._local_until = 0.0  # on the monotonic clock
        if url is not None:
            storage, self._close = _open_storage(url)
            self._shared = FixedWindowRateLimiter(storage)

    async def aclose(self) -> None:
        """Close the connections to Redis."""
        REDIS.forget(_SCOPE)
        if self._close is not None:
            await self._close()

    async def check(self) -> None:
        """Write to Redis. Raises what its client raises if it does not take writes; nothing is tried without Redis."""
        if self._shared is not None:
            async with asyncio.timeout(_TIMEOUT):
                await self._shared.hit(RateLimitItemPerSecond(_CHECKS, 1), _PREFIX, "check")
            REDIS.worked(_SCOPE)

    async def hit(self, key: str, times: int, seconds: int, cost: int = 1) -> float | None:
        """Add `cost` hits to `key` and return None, or the seconds to wait if that exceeds `times` within `seconds`.

        A refused hit is not counted. A cost above `times` is reduced to it, so that it fits into an unused window.
        """
        item, cost = RateLimitItemPerSecond(times, seconds), min(cost, times)

        async def count(limiter: FixedWindowRateLimiter) -> float | None:
            # Tested first, because the library counts refused hits: a large one would use up the room for small ones.
            fits = await limiter.test(item, key, cost=cost) and await limiter.hit(item, key, cost=cost)
            return None if fits else await _seconds_left(limiter, item, key)

        return await self._run(count)

    async def use(self, key: str, times: int, seconds: int, cost: int = 1) -> Usage:
        """As `hit`, and return what is left of the window: one reply of Redis more."""
        item, cost = RateLimitItemPerSecond(times, seconds), min(cost, times)

        async def count(limiter: FixedWindowRateLimiter) -> Usage:
            reset, remaining = await limiter.get_window_stats(item, key)
            left = _until(reset)
            if remaining >= cost and await limiter.hit(item, key, cost=cost):
                return Usage(remaining - cost, float(seconds) if remaining == times else left)
            # Others may have used the rest since the window was read.
            return Usage(remaining if remaining < cost else 0, left, await _seconds_left(limiter, item, key))

        return await self._run(count)

    async def peek(self, key: str, times: int, seconds: int, cost: int = 1) -> float | None:
        """Return the seconds to wait if `hit` would refuse, else None; counts nothing."""
        item, cost = RateLimitItemPerSecond(times, seconds), min(cost, times)

        async def check(limiter: FixedWindowRateLimiter) -> float | None:
            return None if await limiter.test(item, key, cost=cost) else await _seconds_left(limiter, item, key)

        return await self._run(check)

    async def reset(self, key: str, times: int, seconds: int) -> None:
        """Clear the window of `key`, in Redis and in memory."""
        item = RateLimitItemPerSecond(times, seconds)
        await self._local.clear(item, key)
        await self._run(lambda limiter: limiter.clear(item, key))

    async def _run(self, operation: Callable[[FixedWindowRateLimiter], Awaitable[_T]]) -> _T:
        if self._shared is not None and time.monotonic() >= self._local_until:
            try:
                async with asyncio.timeout(_TIMEOUT):
                    done = await operation(self._shared)
            except Exception as error:  # noqa: BLE001 - no error of Redis or its client may refuse a request
                self._local_until = time.monotonic() + self._retry_after
                REDIS.failed(error, _SCOPE)
                log.warning("rate_limit.redis_unavailable", seconds=self._retry_after, error=error)
            else:
                REDIS.worked(_SCOPE)
                return done
        return await operation(self._local)


def _open_storage(url: str) -> tuple[RedisStorage, Callable[[], Awaitable[None]]]:
    """Return the counters in Redis, and what closes their connections. Each script names one key."""
    from services.integrations.redis_client import (  # 7 MiB
        NoBackoff,
        RedisCluster,
        Retry,
        cluster_options,
        is_cluster,
        pool_of,
    )

    waits = {"socket_timeout": _TIMEOUT, "socket_connect_timeout": _TIMEOUT, "retry": Retry(NoBackoff(), 0)}
    # The addresses of the storages are unused, because the options know them.
    if is_cluster(url):
        options = {**cluster_options(url), **waits}
        cluster = RedisClusterStorage("async+redis+cluster://", implementation="redispy", key_prefix=_PREFIX, **options)
        client: RedisCluster = cluster.bridge.get_connection()  # type: ignore[attr-defined]  # of redis-py's bridge
        return cluster, client.aclose
    pool = pool_of(url, **waits)
    storage = RedisStorage(
        "async+redis://",
        implementation="redispy",
        key_prefix=_PREFIX,
        connection_pool=pool,  # type: ignore[arg-type]  # its type omits the documented pool
    )
    return storage, pool.aclose


async def _seconds_left(limiter: FixedWindowRateLimiter, item: RateLimitItemPerSecond, key: str) -> float:
    """Return whole seconds until the window ends, rounded up because Redis rounds it."""
    return _until((await limiter.get_window_stats(item, key)).reset_time)


def _until(reset: float) -> float:
    """Return the same, of the Unix time at which the window ends."""
    return max(math.floor(reset - time.time()) + 1.0, 1.0)
