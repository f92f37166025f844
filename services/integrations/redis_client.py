"""redis-py's asyncio client, imported without OpenTelemetry's SDK; only imported where REDIS_URL is set.

redis-py takes the SDK (2.2 MiB) wherever it is installed, to send metrics that no program here asks for.
"""

from typing import Any
from urllib.parse import unquote, urlsplit

from telemetry.hidden_packages import hidden

with hidden("opentelemetry.sdk"):
    from redis.asyncio import ConnectionPool, Redis
    from redis.asyncio.client import PubSub
    from redis.asyncio.retry import Retry
    from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
    from redis.backoff import NoBackoff

__all__ = ["ConnectionPool", "NoBackoff", "PubSub", "Redis", "Retry", "client_of", "pool_of"]

_SENTINEL = ("redis+sentinel://", "rediss+sentinel://")  # the second: TLS to the masters


class _SentinelPool(SentinelConnectionPool):
    """Connections to the master that the sentinels name, asked again for each new connection."""

    async def aclose(self) -> None:
        await super().aclose()
        for sentinel in self.sentinel_manager.sentinels:
            await sentinel.aclose()


def pool_of(url: str, **options: Any) -> ConnectionPool:
    """Return a pool of connections to the Redis of REDIS_URL.

    `url`: redis://, rediss://, unix://, or redis+sentinel://user:password@host:port,host:port/service/database, with
    user, password and database of the master. `options`: arguments of each connection, which override the URL's query.
    """
    if not url.startswith(_SENTINEL):
        pool = ConnectionPool.from_url(url, **options)
        pool.connection_kwargs.update(options)
        return pool
    parts = urlsplit(url)
    credentials, _, hosts = parts.netloc.rpartition("@")
    user, _, password = credentials.partition(":")
    service, _, database = parts.path.strip("/").partition("/")
    addresses = [(host.strip("[]"), int(port)) for host, _, port in (one.rpartition(":") for one in hosts.split(","))]
    waits = {name: value for name, value in options.items() if name.startswith("socket_") or name == "retry"}
    master = {"username": unquote(user) or None, "password": unquote(password) or None, "db": int(database or 0)}
    if parts.scheme.startswith("rediss"):
        master["ssl"] = True
    sentinels = Sentinel(addresses, sentinel_kwargs=waits)  # type: ignore[no-untyped-call]  # of redis-py
    return _SentinelPool(unquote(service), sentinels, **master, **options)  # type: ignore[no-untyped-call]  # of redis-py


def client_of(url: str, **options: Any) -> Redis:
    """Return a client with a pool of its own; see `pool_of`."""
    return Redis.from_pool(pool_of(url, **options))
