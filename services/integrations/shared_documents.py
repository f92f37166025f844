"""Registered documents in Redis, for all processes together: the last used ones, within limits."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import structlog

log = structlog.get_logger(__name__)

_TIMEOUT = 0.5  # seconds for a reply; a request waits for it
_RETRY_AFTER = 5.0  # seconds after an outage of Redis until it is used again
# The texts by id, the ids by their last use, and the bytes of all texts; in one slot of a cluster.
_KEYS = ("darkroom:{documents}:texts", "darkroom:{documents}:used", "darkroom:{documents}:bytes")
_FIND = """
local text = redis.call('HGET', KEYS[1], ARGV[1])
if text then redis.call('ZADD', KEYS[2], 'XX', ARGV[2], ARGV[1]) end
return text
"""
_KEEP = """
if redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2]) == 1 then redis.call('INCRBY', KEYS[3], #ARGV[2]) end
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1])
local most, max_bytes = tonumber(ARGV[4]), tonumber(ARGV[5])
while redis.call('ZCARD', KEYS[2]) > most or tonumber(redis.call('GET', KEYS[3]) or 0) > max_bytes do
  local oldest = redis.call('ZPOPMIN', KEYS[2])[1]
  if not oldest then
    redis.call('DEL', KEYS[1], KEYS[3])
    break
  end
  redis.call('DECRBY', KEYS[3], redis.call('HSTRLEN', KEYS[1], oldest))
  redis.call('HDEL', KEYS[1], oldest)
end
"""

_T = TypeVar("_T")


class SharedDocuments:
    """Documents by id. An outage of Redis delays no request for long: until it is tried again, there are none."""

    def __init__(self, url: str, *, most: int, max_bytes: int) -> None:
        from services.integrations.redis_client import (
            NoBackoff,
            RedisCluster,
            Retry,
            client_of,
            cluster_options,
            is_cluster,  # 7 MiB
        )

        waits: dict[str, Any] = {
            "socket_timeout": _TIMEOUT,
            "socket_connect_timeout": _TIMEOUT,
            "retry": Retry(NoBackoff(), 0),
        }
        self._redis: Any = RedisCluster(**cluster_options(url), **waits) if is_cluster(url) else client_of(url, **waits)
        self._most, self._max_bytes = most, max_bytes
        self._unused_until = 0.0  # on the monotonic clock

    async def aclose(self) -> None:
        """Close the connections to Redis."""
        await self._redis.aclose()

    async def find(self, id: str) -> str | None:
        """Return a document."""
        found = await self._run(lambda: self._redis.eval(_FIND, len(_KEYS), *_KEYS, id, time.time()))
        return found.decode() if isinstance(found, bytes) else None

    async def keep(self, id: str, text: str) -> None:
        """Keep a document, and drop those that were used least recently where the limits are exceeded."""
        values = (id, text, time.time(), self._most, self._max_bytes)
        await self._run(lambda: self._redis.eval(_KEEP, len(_KEYS), *_KEYS, *values))

    async def _run(self, operation: Callable[[], Awaitable[_T]]) -> _T | None:
        if time.monotonic() < self._unused_until:
            return None
        try:
            async with asyncio.timeout(_TIMEOUT):
                return await operation()
        except Exception as error:  # noqa: BLE001 - no error of Redis or its client may refuse a request
            self._unused_until = time.monotonic() + _RETRY_AFTER
            log.warning("documents.redis_unavailable", seconds=_RETRY_AFTER, error=repr(error))
            return None
